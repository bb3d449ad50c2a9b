// Gradients of candidates of a mixed operation from the coefficients of mixed_grad_sums.wgsl:
// gz_k[group] = sum over the edges e of the group: p_ke * g_e + q_ke * z_k + t_ke.
// Workgroup row y = group * C + c. The first NORMED candidates have q and t, but not in what follows a row. SINGLE: every
// group has one edge. One load of g_e is for all K candidates.
// params[0] = (C, vec4s that a strand of 8 invocations walks, vec4s per channel, vec4s per row + 65536 * elements in the
// last); params[1 + k].x is the first coefficient of candidate k; params[1 + K + i].x the edge of group i where they are
// SINGLE, else the group of edge i or 0xffffffff.

@group(0) @binding(0) var<storage, read> g: array<vec4f>;
@group(0) @binding(1) var<storage, read> coefficients: array<vec4f>;
#for k in 0..K
@group(0) @binding($(2 + k)) var<storage, read_write> gz$k: array<vec4f>;
#endfor
#for k in 0..NORMED
@group(0) @binding($(2 + K + k)) var<storage, read> z$k: array<vec4f>;
#endfor
@group(0) @binding($(2 + K + NORMED)) var<uniform> params: array<vec4u, $(1 + K + EDGES)>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let C = params[0].x;
  let M4 = params[0].z;
  let c = wid.y % C;
  let group = wid.y / C;
  let first = (wid.x * (WG / 8) + lane / 8) * params[0].y;
  let end = min(M4, first + params[0].y);
#if NORMED
  var rows = rows_at(params[0].w, first + lane % 8);
#endif
#if SINGLE
  let own = params[1 + K + group].x * C + c;
#for k in 0..K
  let k$k = coefficients[params[$(1 + k)].x + own];
#endfor
  for (var m = first + lane % 8; m < end; m += 8) {
    let at = wid.y * M4 + m;
    let edge = g[own * M4 + m];
#for k in 0..K
#if k < NORMED
    let sum$k = k$(k).x * edge + k$(k).y * z$k[at] + k$(k).z;
    gz$k[at] = cut(sum$k, rows);
#else
    gz$k[at] = k$(k).x * edge;
#endif
#endfor
#if NORMED
    walk(&rows);
#endif
  }
#else
#for k in 0..K
  var q$k = 0.0;
  var t$k = 0.0;
#endfor
#for e in 0..EDGES
  let in$e = params[$(1 + K + e)].x == group;
#for k in 0..K
  let k$(e)_$k = select(vec4f(0), coefficients[params[$(1 + k)].x + $e * C + c], in$e);
  q$k += k$(e)_$(k).y;
  t$k += k$(e)_$(k).z;
#endfor
#endfor
  for (var m = first + lane % 8; m < end; m += 8) {
    let at = wid.y * M4 + m;
#for k in 0..K
#if k < NORMED
    var sum$k = q$k * z$k[at] + t$k;
#else
    var sum$k = vec4f(0);
#endif
#endfor
#for e in 0..EDGES
    if (in$e) {
      let edge = g[($e * C + c) * M4 + m];
#for k in 0..K
      sum$k += k$(e)_$(k).x * edge;
#endfor
    }
#endfor
#for k in 0..K
#if k < NORMED
    sum$k = cut(sum$k, rows);
#endif
    gz$k[at] = sum$k;
#endfor
#if NORMED
    walk(&rows);
#endif
  }
#endif
}

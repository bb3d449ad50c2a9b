// Gradient of one candidate of a mixed operation from the coefficients of mixed_grad_sums.wgsl:
// gz[group] = [gz +] sum over the edges e of the group: p_e * g_e + q_e * z + t_e.
// Workgroup row y = group * C + c. NORM: q and t count. params[0] = (C, first coefficient, vec4s per channel,
// vec4s per row); params[1].x vec4s are walked by a strand of 8 invocations; params[2 + e].x is the group of edge e
// or 0xffffffff. SINGLE: every group has one edge, so that a loop of its own spares it the loads of the others (llvmpipe
// goes through the lanes of a load that no lane wants as well). TAIL as in mixed_sum.wgsl.

#for e in 0..COUNT
@group(0) @binding($e) var<storage, read> g$e: array<vec4f>;
#endfor
@group(0) @binding($COUNT) var<storage, read> coefficients: array<vec4f>;
@group(0) @binding($(COUNT + 1)) var<storage, read_write> gz: array<vec4f>;
#if NORM
@group(0) @binding($(COUNT + 2)) var<storage, read> z: array<vec4f>;
#endif
@group(0) @binding($(COUNT + 2 + NORM)) var<uniform> params: array<vec4u, $(COUNT + 2)>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let C = params[0].x;
  let M4 = params[0].z;
  let c = wid.y % C;
  let group = wid.y / C;
  let first = (wid.x * (WG / 8) + lane / 8) * params[1].x;
  let end = min(M4, first + params[1].x);
#if SINGLE
#for e in 0..COUNT
  {
    let k = coefficients[params[0].y + $e * C + c];
    let stop = select(0u, end, params[$(e + 2)].x == group);
    for (var m = first + lane % 8; m < stop; m += 8) {
      let at = wid.y * M4 + m;
      var sum = k.x * g$e[c * M4 + m];
#if NORM
      sum += k.y * z[at] + k.z;
#if TAIL
      if (m % params[0].w == params[0].w - 1) { sum *= vec4f(1.0, f32($(TAIL > 1)), f32($(TAIL > 2)), 0.0); }
#endif
#endif
      gz[at] = sum;
    }
  }
#endfor
#else
  var q = 0.0;
  var t = 0.0;
#for e in 0..COUNT
  let in$e = params[$(e + 2)].x == group;
  let k$e = select(vec4f(0), coefficients[params[0].y + $e * C + c], in$e);
  q += k$(e).y;
  t += k$(e).z;
#endfor
  for (var m = first + lane % 8; m < end; m += 8) {
    let at = wid.y * M4 + m;
#if NORM
    var sum = q * z[at] + t;
#else
    var sum = vec4f(0);
#endif
#for e in 0..COUNT
    if (in$e) { sum += k$(e).x * g$e[c * M4 + m]; }
#endfor
#if TAIL && NORM
    if (m % params[0].w == params[0].w - 1) { sum *= vec4f(1.0, f32($(TAIL > 1)), f32($(TAIL > 2)), 0.0); }
#endif
#if ACCUMULATE
    sum += gz[at];
#endif
    gz[at] = sum;
  }
#endif
}

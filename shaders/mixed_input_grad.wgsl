// Gradient of one candidate of a mixed operation from the coefficients of mixed_grad_sums.wgsl:
// gz[group] = [gz +] sum over the edges e of the group: p_e * g_e + q_e * z + t_e.
// Workgroup row y = group * C + c. NORM: q and t count. params[0] = (C, first coefficient, 0, 0);
// params[1 + e].x is the group of edge e or 0xffffffff.

#for e in 0..COUNT
@group(0) @binding($e) var<storage, read> g$e: array<vec4f>;
#endfor
@group(0) @binding($COUNT) var<storage, read> coefficients: array<vec4f>;
@group(0) @binding($(COUNT + 1)) var<storage, read_write> gz: array<vec4f>;
#if NORM
@group(0) @binding($(COUNT + 2)) var<storage, read> z: array<vec4f>;
#endif
@group(0) @binding($(COUNT + 2 + NORM)) var<uniform> params: array<vec4u, $(COUNT + 1)>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let C = params[0].x;
  let c = wid.y % C;
  let group = wid.y / C;
  var q = 0.0;
  var t = 0.0;
#for e in 0..COUNT
  let in$e = params[$(e + 1)].x == group;
  let k$e = select(vec4f(0), coefficients[params[0].y + $e * C + c], in$e);
  q += k$(e).y;
  t += k$(e).z;
#endfor
  for (var i = 0u; i < PV; i++) {
    let m = (wid.x * PV + i) * WG + lane;
    if (m < M4) {
      let at = wid.y * M4 + m;
#if NORM
      var sum = q * z[at] + t;
#else
      var sum = vec4f(0);
#endif
#for e in 0..COUNT
      if (in$e) { sum += k$(e).x * g$e[c * M4 + m]; }
#endfor
#if W % 4 != 0 && NORM
      if (m % P4 == P4 - 1) { sum *= vec4f(1.0, f32(W % 4 > 1), f32(W % 4 > 2), 0.0); }
#endif
#if ACCUMULATE
      sum += gz[at];
#endif
      gz[at] = sum;
    }
  }
}

// 1x1 convolution, batch norm with given statistics, and a sum, in one go:
//
//   y[c][m] = gamma[c] * (sum_i w[c][i] * f(x[source + i][m]) - mean[c]) / sqrt(var[c] + EPS) + beta[c] + more[c][m]
//
// for the channels c of all groups, of which group g reads the input channels of group g % inputGroups; f is the identity
// or ReLU, and `more` is there where ADD. Each invocation makes PV vec4s of pixels for OB channels; 8 neighbouring ones
// take 8 * PV neighbouring vec4s. The padding of a row stays zero (TAIL: there is some).

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let CI = params.inChannels;
  let CO = params.outChannels;
  let M4 = params.length;
  let first = (wid.x * WG + lane / 8 * 8) * PV + lane % 8;
#for p in 0..PV
  let m$p = min(first + $(p * 8), M4 - 1);
#endfor
#for o in 0..OB
#for p in 0..PV
  var s$(o)_$p = vec4f(0);
#endfor
#endfor
  let channel = wid.y * OB;
  let source = channel / CO % params.inputGroups * CI;
  for (var i = 0u; i < CI; i++) {
#for p in 0..PV
    let x$p = load_x((source + i) * M4 + m$p);
    let a$p = select(x$p, vec4f(0), vec4<bool>(params.relu == 1) & (x$p <= vec4f(0)));
#endfor
#for o in 0..OB
    let w$o = w[(channel + $o) * CI + i];
#for p in 0..PV
    s$(o)_$p += a$p * w$o;
#endfor
#endfor
  }
#for o in 0..OB
  let c$o = channel + $o;
  let scale$o = gamma[c$o] * inverseSqrt(stats[params.channels + c$o] + EPS);
  let shift$o = beta[c$o] - stats[c$o] * scale$o;
#endfor
#for p in 0..PV
  if (first + $(p * 8) < M4) {
#if TAIL
    let row = (params.width + 3) / 4;
    let inside = vec4u(0, 1, 2, 3) + m$p % row * 4 < vec4u(params.width);
#endif
#for o in 0..OB
#if ADD
    let y$o = s$(o)_$p * scale$o + shift$o + load_more(c$o * M4 + m$p);
#else
    let y$o = s$(o)_$p * scale$o + shift$o;
#endif
#if TAIL
    store_y(c$o * M4 + m$p, select(vec4f(0), y$o, inside));
#else
    store_y(c$o * M4 + m$p, y$o);
#endif
#endfor
  }
#endfor
}

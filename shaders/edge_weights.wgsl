// y[e, k] = s_e w[e, k] for k < K and, with BYPASS, y[e, K] = s_e. BETAS: s is the softmax of b over the edges i with
// params.entering[e].first <= i < params.entering[e].end, which enter the node that edge e enters; without it s = 1.
// GRADIENT: with d_e = sum of gy[e, k] y[e, k] / s_e, gw = s gy and gb_e = s_e (d_e - sum of s_i d_i). One invocation per
// edge; L: columns of y.

#if GRADIENT && BETAS
fn along(e: u32) -> f32 {
  var d = 0.0;
  for (var k = 0u; k < K; k++) { d += gy[e * L + k] * w[e * K + k]; }
#if BYPASS
  d += gy[e * L + K];
#endif
  return d;
}
#endif

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  let e = gid.x;
  if (e >= E) { return; }
#if BETAS
  let first = params.entering[e].first;
  let end = params.entering[e].end;
  var most = b[first];
  for (var i = first; i < end; i++) { most = max(most, b[i]); }
  var sum = 0.0;
  for (var i = first; i < end; i++) { sum += exp(b[i] - most); }
  let s = exp(b[e] - most) / sum;
#else
  let s = 1.0;
#endif
#if GRADIENT
  for (var k = 0u; k < K; k++) { gw[e * K + k] = s * gy[e * L + k]; }
#if BETAS
  var mean = 0.0;
  for (var i = first; i < end; i++) { mean += exp(b[i] - most) / sum * along(i); }
  gb[e] = s * (along(e) - mean);
#endif
  if (e == E - 1) {
    for (var i = E * K; i < (E * K + 3) / 4 * 4; i++) { gw[i] = 0.0; }
#if BETAS
    for (var i = E; i < (E + 3) / 4 * 4; i++) { gb[i] = 0.0; }
#endif
  }
#else
  for (var k = 0u; k < K; k++) { y[e * L + k] = s * w[e * K + k]; }
#if BYPASS
  y[e * L + K] = s;
#endif
  if (e == E - 1) {
    for (var i = E * L; i < (E * L + 3) / 4 * 4; i++) { y[i] = 0.0; }
  }
#endif
}

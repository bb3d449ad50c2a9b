// Gradient of the mean cross entropy: gx = seed / count * (softmax(x) - (1 - E) [k = label] - E / K); zero for
// negative labels. One invocation per row.

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  let r = gid.y * GRID_X + gid.x;
  if (r >= N) { return; }
  if (r == N - 1) {
    for (var i = N * K; i < PADDED; i++) { gx[i] = 0.0; }
  }
  let start = r * K;
  let end = start + K;
  let label = labels[r];
  if (label < 0) {
    for (var i = start; i < end; i++) { gx[i] = 0.0; }
    return;
  }
  var scale = 1.0 / max(load_tally(0).z, 1.0);
#if SEED
  scale *= seed[0];
#endif
  var most = x[start];
  for (var i = start; i < end; i++) { most = max(most, x[i]); }
  var exps = 0.0;
  for (var i = start; i < end; i++) { exps += exp(x[i] - most); }
  for (var i = start; i < end; i++) {
    let p = exp(x[i] - most) / exps;
    let target_p = SMOOTHING / f32(K) + select(0.0, 1.0 - SMOOTHING, i == start + u32(label));
    gx[i] = scale * (p - target_p);
  }
}

// Gradient of the mean cross entropy: gx = seed / count * (softmax(x) - (1 - E) [k = label] - E / K); zero for
// negative labels. Where targets are mixed, [k = label] is `shares` of it and the rest [k = other]. One invocation per
// row.

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
  let own = start + u32(label);
#if MIXED
  let other = select(start + u32(others[r]), own, others[r] < 0);
#endif
  for (var i = start; i < end; i++) {
    let p = exp(x[i] - most) / exps;
#if MIXED
    let hit = mix(select(0.0, 1.0, i == other), select(0.0, 1.0, i == own), shares[r]);
#else
    let hit = select(0.0, 1.0, i == own);
#endif
    gx[i] = scale * (p - (SMOOTHING / f32(K) + (1.0 - SMOOTHING) * hit));
  }
}

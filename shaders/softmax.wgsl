// Softmax of the rows of dense [R, K]; GRADIENT: gx = y (gy - sum of gy y). One invocation per row. MASKED: bit k of
// params.rows[r].columns says whether column k takes part in row r; the others are 0.

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  let r = gid.y * GRID_X + gid.x;
  if (r >= R) { return; }
  let start = r * K;
  let end = start + K;
#if GRADIENT
  var sum = 0.0;
  for (var i = start; i < end; i++) { sum += gy[i] * y[i]; }
  for (var i = start; i < end; i++) { gx[i] = y[i] * (gy[i] - sum); }
#else
#if MASKED
  let mask = params.rows[r].columns;
  var most = x[start + countTrailingZeros(mask)];
  for (var k = 0u; k < K; k++) { if (((mask >> k) & 1) == 1) { most = max(most, x[start + k]); } }
  var sum = 0.0;
  for (var k = 0u; k < K; k++) { if (((mask >> k) & 1) == 1) { sum += exp(x[start + k] - most); } }
  for (var k = 0u; k < K; k++) { y[start + k] = select(0.0, exp(x[start + k] - most) / sum, ((mask >> k) & 1) == 1); }
#else
  var most = x[start];
  for (var i = start + 1; i < end; i++) { most = max(most, x[i]); }
  var sum = 0.0;
  for (var i = start; i < end; i++) { sum += exp(x[i] - most); }
  for (var i = start; i < end; i++) { y[i] = exp(x[i] - most) / sum; }
#endif
#endif
  if (r == R - 1) {
    for (var i = R * K; i < PADDED; i++) {
#if GRADIENT
      gx[i] = 0.0;
#else
      y[i] = 0.0;
#endif
    }
  }
}

// c[i, j] = sum over k of a(i, k) b(k, j), plus bias[j] (BIAS); 4x4 results per invocation. AI, AK, BK, BJ: strides.
// With ROW_SUMS also s[i] = sum over k of a(i, k). PADDED and SUMS_PADDED: lengths of c and s in storage.

@compute @workgroup_size(16)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  let t = gid.y * GRID_X + gid.x;
  if (t >= COUNT) { return; }
  let i0 = t / BLOCKS_J * 4;
  let j0 = t % BLOCKS_J * 4;
  // Rows and columns past the end repeat the last one and are not stored.
#for n in 0..4
  let a$n = min(i0 + $n, ROWS - 1) * AI;
  let b$n = min(j0 + $n, COLUMNS - 1) * BJ;
  var sum$n = vec4f(0);
#endfor
#if ROW_SUMS
  var row_sums = vec4f(0);
#endif
  for (var k = 0u; k < DEPTH; k++) {
    let column = vec4f(b[b0 + k * BK], b[b1 + k * BK], b[b2 + k * BK], b[b3 + k * BK]);
#for n in 0..4
    let v$n = a[a$n + k * AK];
    sum$n += v$n * column;
#endfor
#if ROW_SUMS
    row_sums += vec4f(v0, v1, v2, v3);
#endif
  }
#for n in 0..4
#for m in 0..4
  if (i0 + $n < ROWS && j0 + $m < COLUMNS) {
#if BIAS
    c[(i0 + $n) * COLUMNS + j0 + $m] = sum$n[$m] + bias[j0 + $m];
#else
    c[(i0 + $n) * COLUMNS + j0 + $m] = sum$n[$m];
#endif
  }
#endfor
#endfor
#if ROW_SUMS
  if (j0 == 0) {
#for n in 0..4
    if (i0 + $n < ROWS) { s[i0 + $n] = row_sums[$n]; }
#endfor
  }
#endif
  if (t == COUNT - 1) {
    for (var k = ROWS * COLUMNS; k < PADDED; k++) { c[k] = 0.0; }
#if ROW_SUMS
    for (var k = ROWS; k < SUMS_PADDED; k++) { s[k] = 0.0; }
#endif
  }
}

// c[i, j] = sum over k of a(i, k) b[k, j]; ROWS results of a column per invocation, or of four columns, where rows of b and
// c are vec4s (QUADS). With SUMS also s[i] = sum over k of a(i, k).
// Params: rows of c; `columns`, elements of a row of b and c (vec4s with QUADS); `depth` of the sums; ai and ak, strides of
// a; `count` of invocations that have work, gridX in a row of the grid; numbers of c (where it has no
// vec4s) and of s in storage, padded and sumsPadded. How often a loop runs never follows from parameters alone (linear.wgsl
// says why).

@compute @workgroup_size(SIZE)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  let t = gid.y * params.gridX + gid.x;
  if (t >= params.count) { return; }
  let rows = params.rows;
  let columns = params.columns;
  let row = t / columns * ROWS;
  let column = t % columns;
  // Rows past the end repeat the last one and are not stored.
#for n in 0..ROWS
  var a_at$n = min(row + $n, rows - 1) * params.ai;
#if QUADS
  var sum$n = vec4f(0);
#else
  var sum$n = 0.0;
#endif
#if SUMS
  var row_sum$n = 0.0;
#endif
#endfor
  var b_at = column;
  let end = b_at + columns * params.depth;
  while (b_at < end) {
    let v = load_b(b_at);
    b_at += columns;
#for n in 0..ROWS
    let a$n = a[a_at$n];
    a_at$n += params.ak;
    sum$n += a$n * v;
#if SUMS
    row_sum$n += a$n;
#endif
#endfor
  }
#for n in 0..ROWS
  if (row + $n < rows) { store_c((row + $n) * columns + column, sum$n); }
#if SUMS
  if (row + $n < rows && column == 0) { s[row + $n] = row_sum$n; }
#endif
#endfor
  let others = (params.count - 1 - t) * 4;
#if !QUADS
  for (var k = rows * columns + others; k < params.padded; k++) { store_c(k, 0.0); }
#endif
#if SUMS
  for (var k = rows + others; k < params.sumsPadded; k++) { s[k] = 0.0; }
#endif
}

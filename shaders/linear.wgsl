// c[i, j] = sum over k of a(i, k) b(k, j), plus bias[j] (BIAS); 4x4 results per invocation. Params: rows and columns of c,
// `depth` of the sums; strides ai, ak, bk, bj; `blocks` of 4 columns; `count` of invocations that have work, gridX in a row
// of the grid; lengths of c and s in storage, padded and sumsPadded. (As constants they let LLVM unroll the sum over ten
// classes, which takes three times as long to compile.)
// With ROW_SUMS also s[i] = sum over k of a(i, k).

@compute @workgroup_size(16)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  let t = gid.y * params.gridX + gid.x;
  if (t >= params.count) { return; }
  let rows = params.rows;
  let columns = params.columns;
  let depth = params.depth;
  let ak = params.ak;
  let bk = params.bk;
  let i0 = t / params.blocks * 4;
  let j0 = t % params.blocks * 4;
  // Rows and columns past the end repeat the last one and are not stored.
#for n in 0..4
  let a$n = min(i0 + $n, rows - 1) * params.ai;
  let b$n = min(j0 + $n, columns - 1) * params.bj;
  var sum$n = vec4f(0);
#endfor
#if ROW_SUMS
  var row_sums = vec4f(0);
#endif
  for (var k = 0u; k < depth; k++) {
    let column = vec4f(b[b0 + k * bk], b[b1 + k * bk], b[b2 + k * bk], b[b3 + k * bk]);
#for n in 0..4
    let v$n = a[a$n + k * ak];
    sum$n += v$n * column;
#endfor
#if ROW_SUMS
    row_sums += vec4f(v0, v1, v2, v3);
#endif
  }
#for n in 0..4
#for m in 0..4
  if (i0 + $n < rows && j0 + $m < columns) {
#if BIAS
    c[(i0 + $n) * columns + j0 + $m] = sum$n[$m] + bias[j0 + $m];
#else
    c[(i0 + $n) * columns + j0 + $m] = sum$n[$m];
#endif
  }
#endfor
#endfor
#if ROW_SUMS
  if (j0 == 0) {
#for n in 0..4
    if (i0 + $n < rows) { s[i0 + $n] = row_sums[$n]; }
#endfor
  }
#endif
  if (t == params.count - 1) {
    for (var k = rows * columns; k < params.padded; k++) { c[k] = 0.0; }
#if ROW_SUMS
    for (var k = rows; k < params.sumsPadded; k++) { s[k] = 0.0; }
#endif
  }
}

// Adds up the partial sums of weight gradients in a fixed order: block b of blockRows x blockColumns weights has
// so many parts, each at offset of its stride elements, and columns blocks lie side by side in a row of weights. One
// invocation per weight, gridX of them in a row of the grid, and zeros from count to length, the padding of the storage.

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  let T = params.parts;
  let BO = params.blockRows;
  let BI = params.blockColumns;
  let COLUMNS = params.columns;
  let e = gid.y * params.gridX + gid.x;
  if (e >= params.count) {
    if (e < params.length) { y[e] = 0.0; }
    return;
  }
  let block = e / (BO * BI);
  let inner = e % (BO * BI);
  let STRIDE = params.stride;
  let first = block * T * STRIDE + params.offset + inner;
  // Four interleaved sums keep the rounding error low and the loads independent.
  var sum = vec4f(0);
  var t = 0u;
  for (; t + 4u <= T; t += 4u) {
    let at = first + t * STRIDE;
    sum += vec4f(partial[at], partial[at + STRIDE], partial[at + 2 * STRIDE], partial[at + 3 * STRIDE]);
  }
  for (; t < T; t++) { sum.x += partial[first + t * STRIDE]; }
  let row = (block / COLUMNS) * BO + inner / BI;
  let column = (block % COLUMNS) * BI + inner % BI;
  y[row * (COLUMNS * BI) + column] = (sum.x + sum.y) + (sum.z + sum.w);
}

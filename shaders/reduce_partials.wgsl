// Adds up the partial sums of weight gradients in a fixed order: block b of BO x BI weights has T partial blocks, each
// FROM where its STRIDE elements begin, and COLUMNS blocks lie side by side in a row of weights. One invocation per
// weight, and zeros from COUNT to LENGTH, the padding of the storage.
// params = (COUNT, T, BO, BI), (COLUMNS, GRID_X, LENGTH, 0), (STRIDE, FROM).

@group(0) @binding(0) var<storage, read> partial: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> params: array<vec4u, 3>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  let T = params[0].y;
  let BO = params[0].z;
  let BI = params[0].w;
  let COLUMNS = params[1].x;
  let e = gid.y * params[1].y + gid.x;
  if (e >= params[0].x) {
    if (e < params[1].z) { y[e] = 0.0; }
    return;
  }
  let block = e / (BO * BI);
  let inner = e % (BO * BI);
  let STRIDE = params[2].x;
  let first = block * T * STRIDE + params[2].y + inner;
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

// Adds up the partial sums of weight gradients in a fixed order: block b of BO x BI weights has T partial blocks, and
// COLUMNS blocks lie side by side in a row of weights. One invocation per weight; COUNT weights.

@group(0) @binding(0) var<storage, read> partial: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  let e = gid.y * GRID_X + gid.x;
  if (e >= COUNT) { return; }
  let block = e / (BO * BI);
  let inner = e % (BO * BI);
  // Four interleaved sums keep the rounding error low and the loads independent.
  var sum = vec4f(0);
  var t = 0u;
  for (; t + 4u <= T; t += 4u) {
    let at = (block * T + t) * (BO * BI) + inner;
    sum += vec4f(partial[at], partial[at + BO * BI], partial[at + 2 * BO * BI], partial[at + 3 * BO * BI]);
  }
  for (; t < T; t++) { sum.x += partial[(block * T + t) * (BO * BI) + inner]; }
  let row = (block / COLUMNS) * BO + inner / BI;
  let column = (block % COLUMNS) * BI + inner % BI;
  y[row * (COLUMNS * BI) + column] = (sum.x + sum.y) + (sum.z + sum.w);
}

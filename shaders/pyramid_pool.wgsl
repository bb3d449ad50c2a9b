// Means of the planes of an image [C, N, H, W], over the whole plane and over PARTS x PARTS parts of it, as dense
// [N, C (1 + PARTS^2)], one invocation per mean; GRADIENT: the way back, one invocation per vec4. Part i has the rows from
// floor(i H / PARTS) to before ceil((i + 1) H / PARTS), and columns alike. COUNT includes the padding of what is dense.

#if GRADIENT
fn pixel(base: u32, h: u32, w: u32) -> f32 {
  var sum = gy[base] / f32(H * W);
  let last_row = ((h + 1) * PARTS - 1) / H;
  let last_column = ((w + 1) * PARTS - 1) / W;
  for (var i = h * PARTS / H; i <= last_row; i++) {
    for (var j = w * PARTS / W; j <= last_column; j++) {
      sum += gy[base + 1 + i * PARTS + j] / f32(extent(i, H) * extent(j, W));
    }
  }
  return sum;
}
#endif

fn extent(part: u32, size: u32) -> u32 {
  return ((part + 1) * size + PARTS - 1) / PARTS - part * size / PARTS;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  let i = gid.y * GRID_X + gid.x;
  if (i >= COUNT) { return; }
#if GRADIENT
  let plane = i / (H * Q);
  let h = i / Q % H;
  let base = (plane % N * C + plane / N) * MEANS;
  var g = vec4f(0);
  for (var k = 0u; k < 4; k++) {
    let w = 4 * (i % Q) + k;
    if (w < W) { g[k] = pixel(base, h, w); }
  }
  store_gx(i, g);
#else
  if (i >= N * C * MEANS) {
    y[i] = 0.0;
    return;
  }
  // Neighbours have the same mean of other planes: as much work each.
  let mean = i / (N * C);
  let plane = i % (N * C);
  var top = 0u;
  var left = 0u;
  var rows: u32 = H;
  var columns: u32 = W;
  if (mean > 0) {
    let row = (mean - 1) / PARTS;
    let column = (mean - 1) % PARTS;
    top = row * H / PARTS;
    left = column * W / PARTS;
    rows = extent(row, H);
    columns = extent(column, W);
  }
  var sum = 0.0;
  for (var r = 0u; r < rows; r++) {
    for (var c = 0u; c < columns; c++) { sum += load_x((plane * H + top + r) * 4 * Q + left + c); }
  }
  y[(plane % N * C + plane / N) * MEANS + mean] = sum / f32(rows * columns);
#endif
}

// Means over windows of K x K pixels, S apart, that lie inside the image, of x or of ReLU(x) (RELU); GRADIENT: the way
// back. [H, W] is the image, [HO, WO] the result, P and PO their row pitches in numbers. One invocation makes one vec4
// of the result (of the image's gradient); for the small images of heads.

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  let i = i32(gid.y * GRID_X + gid.x);
  if (i >= COUNT) { return; }
  var sums = vec4f(0);
#if GRADIENT
  let q = i % (P / 4);
  let r = i / (P / 4) % H;
  let plane = i / (P / 4 * H);
  // Window o covers pixels S o .. S o + K - 1.
  let top = max(0, (r - K + S) / S);
  let bottom = min(HO - 1, r / S);
  for (var lane = 0; lane < 4; lane++) {
    let c = 4 * q + lane;
    if (c >= W) { break; }
    let right = min(WO - 1, c / S);
    for (var oy = top; oy <= bottom; oy++) {
      for (var ox = max(0, (c - K + S) / S); ox <= right; ox++) { sums[lane] += load_gy(u32((plane * HO + oy) * PO + ox)); }
    }
  }
#if RELU
  sums = select(vec4f(0), sums, load_x(u32(i)) > vec4f(0));
#endif
  store_gx(u32(i), sums / f32(K * K));
#else
  let q = i % (PO / 4);
  let r = i / (PO / 4) % HO;
  let plane = i / (PO / 4 * HO);
  for (var lane = 0; lane < 4; lane++) {
    let c = 4 * q + lane;
    if (c >= WO) { break; }
    for (var ky = 0; ky < K; ky++) {
      for (var kx = 0; kx < K; kx++) {
        let v = load_x(u32((plane * H + S * r + ky) * P + S * c + kx));
#if RELU
        // Written so that a NaN stays one.
        sums[lane] += select(v, 0.0, v <= 0.0);
#else
        sums[lane] += v;
#endif
      }
    }
  }
  store_y(u32(i), sums / f32(K * K));
#endif
}

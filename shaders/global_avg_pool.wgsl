// Means of the planes of an image [C, N, H, W], of its ReLU with RELU, as dense [N, C], one invocation per plane;
// GRADIENT: the way back, one invocation per vec4. LENGTH: vec4s in a plane. COUNT includes the padding of [N, C].

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  let i = gid.y * GRID_X + gid.x;
  if (i >= COUNT) { return; }
#if GRADIENT
  let plane = i / LENGTH;
  var g = vec4f(gy[plane % N * C + plane / N] / f32(H * W));
#if RELU
  g = select(vec4f(0), g, load_x(i) > vec4f(0));
#endif
#if W % 4 == 0
  store_gx(i, g);
#else
  store_gx(i, select(g, vec4f(0), vec4u(0, 1, 2, 3) + 4 * (i % Q) >= vec4u(W)));
#endif
#else
  if (i >= N * C) {
    y[i] = 0.0;
    return;
  }
  var sum = vec4f(0);
  let plane = i % C * N + i / C;
  for (var k = 0u; k < LENGTH; k++) {
    let v = load_x(plane * LENGTH + k);
#if RELU
    sum += select(v, vec4f(0), v <= vec4f(0)); // a NaN stays one
#else
    sum += v;
#endif
  }
  y[i] = (sum.x + sum.y + sum.z + sum.w) / f32(H * W);
#endif
}

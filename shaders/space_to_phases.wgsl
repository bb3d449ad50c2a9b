// Even pixels x[2y, 2x] and odd pixels x[2y+1, 2x+1] as 2 C channels, ReLU on load; GRADIENT: the way back.
// One invocation makes one vec4. Q, QO: vec4s in a row of the large and the small image.

// Params: length, vec4s of the result; gridX, invocations in a row of the grid; planes (C N) of the large image.

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  let i = gid.y * params.gridX + gid.x;
  let planes = params.planes;
  if (i >= params.length) { return; }
#if GRADIENT
  let q = i % Q;
  let r = i / Q % H;
  let plane = i / (Q * H) + (r & 1) * planes;
  let four = load_gy((plane * HO + r / 2) * QO + q / 2);
  let two = select(four.xy, four.zw, (q & 1) == 1);
  var g = select(vec4f(two.x, 0, two.y, 0), vec4f(0, two.x, 0, two.y), (r & 1) == 1);
#if RELU
  g = select(vec4f(0), g, load_x(i) > vec4f(0));
#else
#if W % 4 != 0
  g = select(g, vec4f(0), vec4u(0, 1, 2, 3) + 4 * q >= vec4u(W));
#endif
#endif
  store_gx(i, g);
#else
  let q = i % QO;
  let plane = i / (QO * HO);
  let odd = plane >= planes;
  let r = i / QO % HO * 2 + select(0u, 1u, odd);
  var v = vec4f(0);
  if (r < H) {
    let at = (select(plane, plane - planes, odd) * H + r) * Q + 2 * q;
    let a = load_x(at);
    var b = vec4f(0);
    if (2 * q + 1 < Q) { b = load_x(at + 1); }
    v = select(vec4f(a.xz, b.xz), vec4f(a.yw, b.yw), odd);
  }
#if RELU
  // Written so that a NaN stays one.
  v = select(v, vec4f(0), v <= vec4f(0));
#endif
  store_y(i, v);
#endif
}

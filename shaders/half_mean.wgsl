// Means of 2 x 2 pixels, of x or of ReLU(x) with `relu`; what an odd size leaves over does not count. GRADIENT: the way
// back; MASKED: it is 0 where x is not positive. An invocation walks along a row of the smaller image, a vec4 at a time,
// and so along two rows of the larger one. Params: height and width of the larger image, its channels times images.

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  let H = params.height;
  let W = params.width;
  let Q = (W + 3) / 4;
  let QO = (W / 2 + 3) / 4;
  let row = gid.y * params.gridX + gid.x;
#if GRADIENT
  let rows = (H + 1) / 2;
#else
  let rows = H / 2;
#endif
  if (row >= rows * params.planes) { return; }
  let plane = row / rows;
  let r = row - plane * rows;
  let top = (plane * H + 2 * r) * Q;
#if GRADIENT
  let small = (plane * (H / 2) + min(r, H / 2 - 1)) * QO;
  let below = 2 * r + 1 < H;
  for (var q = 0u; 2 * q < Q; q++) {
    let g = select(vec4f(0), load_gy(small + min(q, QO - 1)) * 0.25, below && q < QO);
    let a = g.xxyy;
    let b = g.zzww;
    let right = 2 * q + 1 < Q;
    let at = top + 2 * q;
#for k in 0..2
#if k == 1
    if (below) {
#else
    {
#endif
#if MASKED
      store_gx(at + $k * Q, select(vec4f(0), a, load_x(at + $k * Q) > vec4f(0)));
      if (right) { store_gx(at + $k * Q + 1, select(vec4f(0), b, load_x(at + $k * Q + 1) > vec4f(0))); }
#else
      store_gx(at + $k * Q, a);
      if (right) { store_gx(at + $k * Q + 1, b); }
#endif
    }
#endfor
  }
#else
  let relu = vec4<bool>(params.relu == 1);
  let small = row * QO;
  let columns = vec4u(W / 2);
  for (var q = 0u; q < QO; q++) {
    let at = top + 2 * q;
    let next = select(0u, 1u, 2 * q + 1 < Q);
#for k in 0..2
    let a$k = load_x(at + $k * Q);
    let b$k = load_x(at + $k * Q + next);
    // Written so that a NaN stays one.
    let c$k = select(a$k, vec4f(0), relu & (a$k <= vec4f(0)));
    let d$k = select(b$k, vec4f(0), relu & (b$k <= vec4f(0)));
#endfor
    let c = c0 + c1;
    let d = d0 + d1;
    let sums = vec4f(c.x + c.y, c.z + c.w, d.x + d.y, d.z + d.w);
    store_y(small + q, select(vec4f(0), sums * 0.25, vec4u(4 * q) + vec4u(0, 1, 2, 3) < columns));
  }
#endif
}

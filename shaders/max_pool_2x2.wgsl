// Maxima of 2x2 pixels; at odd sizes the last windows are smaller. GRADIENT: a window gives its gradient to its first
// maximum in row-major order. One invocation makes one vec4. Q, QO: vec4s in a row of the large and the small image.
// Compared by the keys of pools.wgsl, so that a NaN in a window is its maximum.

const LANES = vec4u(0, 1, 2, 3);

// Keys of vec4 q of row r; LOWEST outside of the image.
fn load(plane: u32, r: u32, q: u32) -> vec4i {
  if (r >= H || q >= Q) { return vec4i(LOWEST); }
  let k = key(load_x((plane * H + r) * Q + q));
#if W % 4 == 0
  return k;
#else
  return select(k, vec4i(LOWEST), LANES + 4 * q >= vec4u(W));
#endif
}

// COUNT: vec4s of the result.
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  let i = gid.y * GRID_X + gid.x;
  if (i >= COUNT) { return; }
#if GRADIENT
  let q = i % Q;
  let r = i / Q % H;
  let plane = i / (Q * H);
  let top = load(plane, r & ~1u, q);
  let bottom = load(plane, r | 1u, q);
  let above = max(top.xz, top.yw);
  let most = max(above, max(bottom.xz, bottom.yw));
  // Of both windows whether the left and the right pixel of this row come first.
  var left = top.xz == most;
  var right = (top.yw == most) & (top.xz < most);
  if ((r & 1) == 1) {
    left = (bottom.xz == most) & (above < most);
    right = (bottom.yw == most) & (max(above, bottom.xz) < most);
  }
  let four = load_gy((plane * HO + r / 2) * QO + q / 2);
  let g = select(four.xy, four.zw, (q & 1) == 1);
  let a = select(vec2f(0), g, left);
  let b = select(vec2f(0), g, right);
  let v = vec4f(a.x, b.x, a.y, b.y);
  store_gx(i, select(v, vec4f(0), LANES + 4 * q >= vec4u(W)));
#else
  let q = i % QO;
  let r = i / QO % HO * 2;
  let plane = i / (QO * HO);
  let a = max(load(plane, r, 2 * q), load(plane, r + 1, 2 * q));
  let b = max(load(plane, r, 2 * q + 1), load(plane, r + 1, 2 * q + 1));
  let k = max(vec4i(a.xz, b.xz), vec4i(a.yw, b.yw));
  let v = value(k);
  store_y(i, select(v, vec4i(0), LANES + 4 * q >= vec4u((W + 1) / 2)));
#endif
}

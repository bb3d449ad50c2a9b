// 3x3 max pooling, padding 1, stride S. One invocation makes ROWS rows of T vec4s of one plane and slides down.
// Numbers are compared by their keys (pools.wgsl), so that a NaN in a window is its maximum on every driver. Pixels outside
// of the image, and lanes in the padding of the pitch, are LOWEST.

alias Row = array<vec4i, T>;
const LANES = vec4i(0, 1, 2, 3);

// Keys of vec4 q of the row that starts at `row`.
fn load(row: i32, q: i32) -> vec4i {
#if TILES == 1 && S == 1
  let k = key(load_x(u32(row + q)));
#else
  let inside = (q >= 0) & (q < Q);
  let k = select(vec4i(LOWEST), key(load_x(u32(select(0, row + q, inside)))), inside);
#endif
#if W % 4 == 0
  return k;
#else
  return select(k, vec4i(LOWEST), LANES + 4 * q >= vec4i(W));
#endif
}

// Maxima of three neighbours along input row r.
fn across(plane: i32, r: i32, q0: i32) -> Row {
  var h: Row;
  if (r < 0 || r >= H) {
#for t in 0..T
    h[$t] = vec4i(LOWEST);
#endfor
    return h;
  }
  let row = (plane * H + r) * Q;
#if S == 1
#for t in 0..T
  let k$t = load(row, q0 + $t);
#endfor
#if TILES == 1
  let left0 = LOWEST;
  let right$(T - 1) = LOWEST;
#else
  let left0 = load(row, q0 - 1).w;
  let right$(T - 1) = load(row, q0 + T).x;
#endif
#for t in 1..T
  let left$t = k$(t - 1).w;
  let right$(t - 1) = k$t.x;
#endfor
#for t in 0..T
  h[$t] = max(k$t, max(vec4i(left$t, k$t.xyz), vec4i(k$t.yzw, right$t)));
#endfor
#else
#if TILES == 1
  var left = LOWEST;
#else
  var left = load(row, 2 * q0 - 1).w;
#endif
#for t in 0..T
  let a$t = load(row, 2 * (q0 + $t));
  let b$t = load(row, 2 * (q0 + $t) + 1);
  let odd$t = vec4i(a$t.yw, b$t.yw);
  h[$t] = max(vec4i(a$t.xz, b$t.xz), max(vec4i(left, odd$t.xyz), odd$t));
  left = odd$t.w;
#endfor
#endif
  return h;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  let i = i32(gid.y * GRID_X + gid.x);
  if (i >= COUNT) { return; }
#if TILES == 1
  const q0 = 0;
#else
  let q0 = (i % TILES) * T;
#endif
  let y0 = (i / TILES % STRIPS) * ROWS;
  let plane = i / (TILES * STRIPS);
  var above = across(plane, y0 * S - 1, q0);
#if S == 1
  var here = across(plane, y0, q0);
#endif
  let end = min(y0 + ROWS, HO);
  for (var r = y0; r < end; r++) {
#if S == 2
    var here = across(plane, 2 * r, q0);
#endif
    var below = across(plane, r * S + 1, q0);
    let row = (plane * HO + r) * QO;
#for t in 0..T
#if QO % T != 0
    if (q0 + $t < QO) {
#else
    {
#endif
      let m = value(max(above[$t], max(here[$t], below[$t])));
#if WO % 4 == 0
      store_y(u32(row + q0 + $t), m);
#else
      store_y(u32(row + q0 + $t), select(m, vec4i(0), LANES + 4 * (q0 + $t) >= vec4i(WO)));
#endif
    }
#endfor
#if S == 1
    above = here;
    here = below;
#else
    above = below;
#endif
  }
}

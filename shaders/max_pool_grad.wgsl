// Gradient of 3x3 max pooling, padding 1, stride S: a window gives its gradient to its first maximum in row-major
// order. "First maximum of the window" is separable: the first row whose maximum of three is the window's, and in
// it the first column. One invocation makes the rows of ROWS window rows, T vec4s of windows wide, and slides down:
//
//   part(row)[window] = sum of the gradients of the windows above each other whose maximum lies in this row
//   gx(row)[column]   = sum over dx of part(row)[window] where the row's maximum is at dx
//
// ADD: to what gx holds. EL and ER: vec4s of windows looked at to the left and right of the tile. Keys are those of
// pools.wgsl.

alias Part = array<vec4f, NW>;
const LANES = vec4i(0, 1, 2, 3);

// A row's maxima of three, one per column of windows, and where they are: 0, 1 or 2.
struct Maxima {
  key: array<vec4i, NW>,
  dx: array<vec4i, NW>,
}

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

// Input row r; w0 is the first vec4 of windows.
fn across(plane: i32, r: i32, w0: i32) -> Maxima {
  var m: Maxima;
  if (r < 0 || r >= H) {
#for t in 0..NW
    m.key[$t] = vec4i(LOWEST);
#endfor
    return m;
  }
  let row = (plane * H + r) * Q;
#if S == 1
#for t in 0..NW
  let k$t = load(row, w0 + $t);
#endfor
  let left0 = LOWEST;
  let right$(NW - 1) = LOWEST;
#for t in 1..NW
  let left$t = k$(t - 1).w;
  let right$(t - 1) = k$t.x;
#endfor
#else
#if TILES == 1
  let left0 = LOWEST;
#else
  let left0 = load(row, 2 * w0 - 1).w;
#endif
#for t in 0..NW
  let a$t = load(row, 2 * (w0 + $t));
  let b$t = load(row, 2 * (w0 + $t) + 1);
  let k$t = vec4i(a$t.xz, b$t.xz);
  let left$(t + 1) = b$t.w;
#endfor
#endif
#for t in 0..NW
  {
#if S == 1
    let before = vec4i(left$t, k$t.xyz);
    let after = vec4i(k$t.yzw, right$t);
#else
    let after = vec4i(a$t.yw, b$t.yw);
    let before = vec4i(left$t, after.xyz);
#endif
    let later = max(k$t, after);
    m.key[$t] = max(before, later);
    m.dx[$t] = select(select(vec4i(1), vec4i(2), after > k$t), vec4i(0), before >= later);
  }
#endfor
  return m;
}

// Gives the parts of input row r to its columns.
fn finish(plane: i32, r: i32, w0: i32, part: Part, dx: array<vec4i, NW>) {
  if (r >= H) { return; }
  let row = (plane * H + r) * Q;
  const NONE = vec4f(0);
#for t in 0..NW
  let to_left$t = select(NONE, part[$t], dx[$t] == vec4i(0));
  let to_middle$t = select(NONE, part[$t], dx[$t] == vec4i(1));
  let to_right$t = select(NONE, part[$t], dx[$t] == vec4i(2));
#endfor
#if ER == 0
  const to_left$NW = NONE;
#endif
#for t in EL..EL + T
#if S == 1
#if t == 0
  let from_left$t = 0.0;
#else
  let from_left$t = to_right$(t - 1).w;
#endif
  store(row, w0 + $t, to_middle$t + vec4f(to_left$t.yzw, to_left$(t + 1).x) + vec4f(from_left$t, to_right$t.xyz));
#else
  let odd$t = to_right$t + vec4f(to_left$t.yzw, to_left$(t + 1).x);
  store(row, 2 * (w0 + $t), vec4f(to_middle$t.x, odd$t.x, to_middle$t.y, odd$t.y));
  store(row, 2 * (w0 + $t) + 1, vec4f(to_middle$t.z, odd$t.z, to_middle$t.w, odd$t.w));
#endif
#endfor
}

fn store(row: i32, q: i32, v: vec4f) {
#if TILES > 1 || S == 2
  if (q >= Q) { return; }
#endif
#if ADD
  let sum = load_gx(u32(row + q)) + v;
#else
  let sum = v;
#endif
#if W % 4 == 0
  store_gx(u32(row + q), sum);
#else
  store_gx(u32(row + q), select(sum, vec4f(0), LANES + 4 * q >= vec4i(W)));
#endif
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  let i = i32(gid.y * GRID_X + gid.x);
  if (i >= COUNT) { return; }
#if TILES == 1
  const w0 = 0;
#else
  let w0 = (i % TILES) * T - EL;
#endif
  let first = (i / TILES % STRIPS) * ROWS;
  let plane = i / (TILES * STRIPS);
  // Window row o reads input rows top, middle, bottom = S * o - 1 .. S * o + 1. `top_part` gathers from the windows
  // above; with stride 1 so does `middle_part`.
  var top_part: Part;
#if S == 1
  var top = across(plane, first - 2, w0);
  var middle = across(plane, first - 1, w0);
  var middle_part: Part;
  let start = first - 1;
#else
  var top = across(plane, 2 * first - 1, w0);
  let start = first;
#endif
  let end = min(first + ROWS, HO);
  for (var o = start; o <= end; o++) {
#if S == 2
    var middle = across(plane, 2 * o, w0);
    var middle_part: Part;
#endif
    var bottom = across(plane, S * o + 1, w0);
    var bottom_part: Part;
    let inside = (o >= 0) & (o < HO);
    let row = (plane * HO + o) * QO;
#for t in 0..NW
    {
#if TILES == 1
      let is = inside;
#else
      let is = inside & (w0 + $t >= 0) & (w0 + $t < QO);
#endif
      let g = select(vec4f(0), load_gy(u32(select(0, row + w0 + $t, is))), is);
      let later = max(middle.key[$t], bottom.key[$t]);
      let in_top = top.key[$t] >= later;
      let in_bottom = bottom.key[$t] > middle.key[$t];
      let rest = select(g, vec4f(0), in_top);
      top_part[$t] += select(vec4f(0), g, in_top);
#if S == 1
      middle_part[$t] += select(rest, vec4f(0), in_bottom);
#else
      middle_part[$t] = select(rest, vec4f(0), in_bottom);
#endif
      bottom_part[$t] = select(vec4f(0), rest, in_bottom);
    }
#endfor
    if (o > first) { finish(plane, S * o - 1, w0, top_part, top.dx); }
#if S == 1
    top = middle;
    middle = bottom;
    top_part = middle_part;
    middle_part = bottom_part;
#else
    if (o < end) { finish(plane, 2 * o, w0, middle_part, middle.dx); }
    top = bottom;
    top_part = bottom_part;
#endif
  }
}

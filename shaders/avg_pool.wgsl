// 3x3 average pooling, padding 1 that does not count, stride S, and its gradient (GRADIENT). One invocation makes
// T vec4s of ROWS rows of one plane and slides down. H, W: the pooled image; HO, WO: the pooled result.
// The padding of the pitch holds zeros, so sums may read it.

alias Row = array<vec4f, T>;
const LANES = vec4i(0, 1, 2, 3);

// Pixels that the windows in row r and columns 4q .. 4q+3 count.
fn pixels(r: i32, q: i32) -> vec4f {
  return vec4f(inside(vec4i(S * r), H) * inside(S * (LANES + 4 * q), W));
}

fn store(row: i32, q: i32, v: vec4f) {
#if QY % T != 0 || GRADIENT && S == 2
  if (q >= QY) { return; }
#endif
#if WY % 4 == 0
  store_y(u32(row + q), v);
#else
  store_y(u32(row + q), select(v, vec4f(0), LANES + 4 * q >= vec4i(WY)));
#endif
}

// Vec4 q of row r; with GRADIENT divided by the windows' counts.
fn load(row: i32, r: i32, q: i32) -> vec4f {
  let inside = (q >= 0) & (q < QX);
  let v = load_x(u32(select(0, row + q, inside)));
#if GRADIENT
  return select(vec4f(0), v / pixels(r, q), inside);
#else
  return select(vec4f(0), v, inside);
#endif
}

// Row r of the input (stride 1, or forward): sums of three neighbours.
fn across(plane: i32, r: i32, q0: i32) -> Row {
  var h: Row;
  if (r < 0 || r >= HX) { return h; }
  let row = (plane * HX + r) * QX;
#if S == 1
#for t in 0..T
  let v$t = load(row, r, q0 + $t);
#endfor
#if TILES == 1
  let left0 = 0.0;
  let right$(T - 1) = 0.0;
#else
  let left0 = load(row, r, q0 - 1).w;
  let right$(T - 1) = load(row, r, q0 + T).x;
#endif
#for t in 1..T
  let left$t = v$(t - 1).w;
  let right$(t - 1) = v$t.x;
#endfor
#for t in 0..T
  h[$t] = vec4f(left$t, v$t.xyz) + v$t + vec4f(v$t.yzw, right$t);
#endfor
#else
#if !GRADIENT
#if TILES == 1
  var left = 0.0;
#else
  var left = load(row, r, 2 * q0 - 1).w;
#endif
#for t in 0..T
  let a$t = load(row, r, 2 * (q0 + $t));
  let b$t = load(row, r, 2 * (q0 + $t) + 1);
  let odd$t = vec4f(a$t.yw, b$t.yw);
  h[$t] = vec4f(left, odd$t.xyz) + vec4f(a$t.xz, b$t.xz) + odd$t;
  left = odd$t.w;
#endfor
#endif
#endif
  return h;
}

#if GRADIENT && S == 2
struct Wide {
  part: Row,
  // The window to the right of the tile.
  next: f32,
}

fn windows(plane: i32, r: i32, q0: i32) -> Wide {
  var v: Wide;
  if (r >= HX) { return v; }
  let row = (plane * HX + r) * QX;
#for t in 0..T
  v.part[$t] = load(row, r, q0 + $t);
#endfor
#if TILES > 1
  v.next = load(row, r, q0 + T).x;
#endif
  return v;
}

// Column 2k is in window k, column 2k+1 in windows k and k+1.
fn spread(plane: i32, r: i32, q0: i32, v: Wide) {
  if (r >= HY) { return; }
  let row = (plane * HY + r) * QY;
#for t in 0..T
  {
    let s = v.part[$t];
#if t == T - 1
    let last = s.w + v.next;
#else
    let last = s.w + v.part[$(t + 1)].x;
#endif
    store(row, 2 * (q0 + $t), vec4f(s.x, s.x + s.y, s.y, s.y + s.z));
    store(row, 2 * (q0 + $t) + 1, vec4f(s.z, s.z + s.w, s.w, last));
  }
#endfor
}
#endif

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
  let end = min(y0 + ROWS, HO);
#if GRADIENT && S == 2
  var here = windows(plane, y0, q0);
  for (var r = y0; r < end; r++) {
    var below = windows(plane, r + 1, q0);
    spread(plane, 2 * r, q0, here);
    var both = below;
#for t in 0..T
    both.part[$t] += here.part[$t];
#endfor
    both.next += here.next;
    spread(plane, 2 * r + 1, q0, both);
    here = below;
  }
#else
  var above = across(plane, y0 * S - 1, q0);
#if S == 1
  var here = across(plane, y0, q0);
#endif
  for (var r = y0; r < end; r++) {
#if S == 2
    var here = across(plane, 2 * r, q0);
#endif
    var below = across(plane, r * S + 1, q0);
    let row = (plane * HY + r) * QY;
#for t in 0..T
#if GRADIENT
    store(row, q0 + $t, above[$t] + here[$t] + below[$t]);
#else
    store(row, q0 + $t, (above[$t] + here[$t] + below[$t]) / pixels(r, q0 + $t));
#endif
#endfor
#if S == 1
    above = here;
    here = below;
#else
    above = below;
#endif
  }
#endif
}

// 3x3 pooling, padding 1, stride S, for subgroups of 8 lanes that stand side by side along a row as in
// depthwise_lanes.wgsl: the maximum (MAX) or the average, whose padding does not count, or the average's gradient
// (GRADIENT). A lane has TV vec4s of a row of windows, and the S * TV vec4s of the image's row that lie under them.
//
// Sums (or maxima) of three neighbours along a row join those of the rows above and below while the lanes walk down.
// Maxima are of keys (keys.wgsl). Padding of the pitch holds zeros, so sums may read it.
// params = (N, H, W, rows of windows), (vec4s of an image's row, of a row of windows, lanes of a row, images that all
// workgroups do at once).

#if MAX
@group(0) @binding(0) var<storage, read> x: array<vec4i>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4i>;
alias Vector = vec4i;
const EMPTY = LOWEST;
#else
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
alias Vector = vec4f;
const EMPTY = 0.0;
#endif
const COLUMNS = vec4i(0, 1, 2, 3);

@group(0) @binding(2) var<uniform> params: array<vec4i, 2>;

/// Pixels of a window that begin at `at` along an axis of `size`.
fn inside(at: vec4i, size: i32) -> vec4i { return max(min(at + 1, vec4i(size - 1)) - max(at - 1, vec4i(0)) + 1, vec4i(1)); }

#if MAX
fn joined(a: Vector, b: Vector, c: Vector) -> Vector { return max(a, max(b, c)); }
#else
fn joined(a: Vector, b: Vector, c: Vector) -> Vector { return a + b + c; }
#endif

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) index: u32) {
  let lane = i32(index);
  let N = params[0].x;
  let H = params[0].y;
  let W = params[0].z;
  let HO = params[0].w;
  let P4 = params[1].x;
  let Q4 = params[1].y;
  let ROW = params[1].z;
  let tile = lane % ROW;
  let image = lane / ROW;
  let left = (index + 7) % 8;
  let right = (index + 1) % 8;
#for v in 0..TV
  let window$v = tile * TV + $v;
  let across$v = vec4f(inside(S * (COLUMNS + 4 * window$v), W));
#endfor
  for (var group = i32(wid.x) * (8 / ROW); group < N; group += params[1].w) {
    let n = min(group + image, N - 1);
    let live = image < 8 / ROW && group + image < N;
    let plane = (i32(wid.y) * N + n) * H * P4 + tile * $(S * TV);
    let windows = (i32(wid.y) * N + n) * HO * Q4 + tile * TV;
#if GRADIENT && S == 2
#for v in 0..TV
    var here$v = vec4f(0);
#endfor
    var next = 0.0;
    for (var r = -1; r < HO; r++) {
      // The row of windows below; the pixels of row 2 r lie in windows of row r, those of row 2 r + 1 in both.
      let rows = f32(inside(vec4i(2 * r + 2), H).x);
#for v in 0..TV
      let below$v = select(vec4f(0), x[windows + min(r + 1, HO - 1) * Q4 + $v] / (rows * across$v),
        r + 1 < HO && window$v < Q4);
#endfor
      let below_next = select(0.0, subgroupShuffle(below0.x, right), tile + 1 < ROW);
#for y in 0..2
#for v in 0..TV
#if y == 0
      let s$(y)_$v = here$v;
#else
      let s$(y)_$v = here$v + below$v;
#endif
#endfor
#if y == 0
      let s$(y)_$TV = vec4f(next);
#else
      let s$(y)_$TV = vec4f(next + below_next);
#endif
#for v in 0..TV
      {
        let s = s$(y)_$v;
        let at = plane + max(2 * r + $y, 0) * P4 + $(2 * v);
        let a = vec4f(s.x, s.x + s.y, s.y, s.y + s.z);
        let b = vec4f(s.z, s.z + s.w, s.w, s.w + s$(y)_$(v + 1).x);
        let used = live && r >= 0 && 2 * r + $y < H;
        if (used && 2 * window$v < P4) { y[at] = select(a, vec4f(0), COLUMNS + 8 * window$v >= vec4i(W)); }
        if (used && 2 * window$v + 1 < P4) { y[at + 1] = select(b, vec4f(0), COLUMNS + 8 * window$v + 4 >= vec4i(W)); }
      }
#endfor
#endfor
#for v in 0..TV
      here$v = below$v;
#endfor
      next = below_next;
    }
#else
#for v in 0..TV
    var above$v = Vector(EMPTY);
#if S == 1
    var here$v = Vector(EMPTY);
#endif
#endfor
    for (var r = $(S - 2); r < HO; r++) {
#for i in 0..S
      let row$i = r * S + $(i + 2 - S);
      let at$i = plane + min(row$i, H - 1) * P4;
#if GRADIENT
      let rows$i = f32(inside(vec4i(row$i), H).x);
#endif
#for j in 1..S*TV+1
      let column$(i)_$j = tile * $(S * TV) + $(j - 1);
#if MAX
      let a$(i)_$j = select(key(x[at$i + $(j - 1)]), vec4i(EMPTY),
        vec4<bool>(row$i >= H) | (COLUMNS + 4 * column$(i)_$j >= vec4i(W)));
#else
#if GRADIENT
      let a$(i)_$j = select(vec4f(0), x[at$i + $(j - 1)] / (rows$i * across$(j - 1)), row$i < H && column$(i)_$j < P4);
#else
      let a$(i)_$j = select(vec4f(0), x[at$i + $(j - 1)], row$i < H && column$(i)_$j < P4);
#endif
#endif
#endfor
      let left$i = select(EMPTY, subgroupShuffle(a$(i)_$(S * TV).w, left), tile > 0);
#if S == 1
      let right$i = select(EMPTY, subgroupShuffle(a$(i)_1.x, right), tile + 1 < ROW);
#endif
#for v in 0..TV
#if v == 0
      let before$(i)_$v = left$i;
#else
      let before$(i)_$v = a$(i)_$(S * v).w;
#endif
#if S == 1
#if v == TV - 1
      let after$(i)_$v = right$i;
#else
      let after$(i)_$v = a$(i)_$(v + 2).x;
#endif
      let h$(i)_$v = joined(Vector(before$(i)_$v, a$(i)_$(v + 1).xyz), a$(i)_$(v + 1),
        Vector(a$(i)_$(v + 1).yzw, after$(i)_$v));
#else
      let odd$(i)_$v = Vector(a$(i)_$(2 * v + 1).yw, a$(i)_$(2 * v + 2).yw);
      let h$(i)_$v = joined(Vector(before$(i)_$v, odd$(i)_$v.xyz),
        Vector(a$(i)_$(2 * v + 1).xz, a$(i)_$(2 * v + 2).xz), odd$(i)_$v);
#endif
#endfor
#endfor
#if !MAX && !GRADIENT
      let down = f32(inside(vec4i(S * r), H).x);
#endif
#for v in 0..TV
      {
#if S == 1
        let all = joined(above$v, here$v, h0_$v);
        above$v = here$v;
        here$v = h0_$v;
#else
        let all = joined(above$v, h0_$v, h1_$v);
        above$v = h1_$v;
#endif
#if MAX
        let result = value(all);
#else
#if GRADIENT
        let result = all;
#else
        let result = all / (down * across$v);
#endif
#endif
        if (live && r >= 0 && window$v < Q4) {
          y[windows + r * Q4 + $v] = select(result, Vector(0), COLUMNS + 4 * window$v >= vec4i((W + $(S - 1)) / S));
        }
      }
#endfor
    }
#endif
  }
}

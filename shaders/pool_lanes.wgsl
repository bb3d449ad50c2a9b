// 3x3 pooling, padding 1, stride S, for subgroups of 8 lanes that stand side by side along a row as in
// depthwise_lanes.wgsl: the maximum (MAX), the average, whose padding does not count (AVERAGE), both at once, or the
// average's gradient (GRADIENT). A lane has TV vec4s of a row of windows, and the S * TV vec4s of the image's row that lie
// under them.
//
// Maxima (p = 0) or sums (p = 1) of three neighbours along a row join those of the rows above and below while the lanes
// walk down. Maxima are of keys (pools.wgsl). Padding of the pitch holds zeros, so sums may read it.
// Params as in depthwise_lanes.wgsl; what is pooled has height and pitch, windows have outHeight and outPitch.

alias Vector0 = vec4i;
alias Vector1 = vec4f;
const EMPTY0 = LOWEST;
const EMPTY1 = 0.0;
const COLUMNS = vec4i(0, 1, 2, 3);

fn joined0(a: vec4i, b: vec4i, c: vec4i) -> vec4i { return max(a, max(b, c)); }
fn joined1(a: vec4f, b: vec4f, c: vec4f) -> vec4f { return a + b + c; }

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) index: u32) {
  let lane = i32(index);
  let N = params.batch;
  let H = params.height;
  let W = params.width;
  let HO = params.outHeight + i32(wid.z); // nothing is added: a loop must not run as often as parameters alone say (docs/shaders.md)
  let P4 = params.pitch;
  let Q4 = params.outPitch;
  let ROW = params.rowLanes;
  let tile = lane % ROW;
  let image = lane / ROW;
  let left = (index + 7) % 8;
  let right = (index + 1) % 8;
#for v in 0..TV
  let window$v = tile * TV + $v;
  let across$v = vec4f(inside(S * (COLUMNS + 4 * window$v), W));
#endfor
  for (var group = i32(wid.x) * (8 / ROW); group < N; group += params.atOnce) {
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
      let below$v = select(vec4f(0), load_x(u32(windows + min(r + 1, HO - 1) * Q4 + $v)) / (rows * across$v),
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
        if (used && 2 * window$v < P4) { store_y(u32(at), select(a, vec4f(0), COLUMNS + 8 * window$v >= vec4i(W))); }
        if (used && 2 * window$v + 1 < P4) { store_y(u32(at + 1), select(b, vec4f(0), COLUMNS + 8 * window$v + 4 >= vec4i(W))); }
      }
#endfor
#endfor
#for v in 0..TV
      here$v = below$v;
#endfor
      next = below_next;
    }
#else
#for p in 1-MAX..1+(AVERAGE||GRADIENT)
#for v in 0..TV
    var above$(p)_$v = Vector$p(EMPTY$p);
#if S == 1
    var here$(p)_$v = Vector$p(EMPTY$p);
#endif
#endfor
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
      let x$(i)_$j = load_x(u32(at$i + $(j - 1)));
#if MAX
      let a0_$(i)_$j = select(key(bitcast<vec4i>(x$(i)_$j)), vec4i(LOWEST),
        vec4<bool>(row$i >= H) | (COLUMNS + 4 * column$(i)_$j >= vec4i(W)));
#endif
#if AVERAGE
      let a1_$(i)_$j = select(vec4f(0), x$(i)_$j, row$i < H && column$(i)_$j < P4);
#endif
#if GRADIENT
      let a1_$(i)_$j = select(vec4f(0), x$(i)_$j / (rows$i * across$(j - 1)), row$i < H && column$(i)_$j < P4);
#endif
#endfor
#endfor
#if AVERAGE
      let down = f32(inside(vec4i(S * r), H).x);
#endif
#for p in 1-MAX..1+(AVERAGE||GRADIENT)
#for i in 0..S
      let left$(p)_$i = select(EMPTY$p, subgroupShuffle(a$(p)_$(i)_$(S * TV).w, left), tile > 0);
#if S == 1
      let right$(p)_$i = select(EMPTY$p, subgroupShuffle(a$(p)_$(i)_1.x, right), tile + 1 < ROW);
#endif
#for v in 0..TV
#if v == 0
      let before$(p)_$(i)_$v = left$(p)_$i;
#else
      let before$(p)_$(i)_$v = a$(p)_$(i)_$(S * v).w;
#endif
#if S == 1
#if v == TV - 1
      let after$(p)_$(i)_$v = right$(p)_$i;
#else
      let after$(p)_$(i)_$v = a$(p)_$(i)_$(v + 2).x;
#endif
      let h$(p)_$(i)_$v = joined$p(Vector$p(before$(p)_$(i)_$v, a$(p)_$(i)_$(v + 1).xyz), a$(p)_$(i)_$(v + 1),
        Vector$p(a$(p)_$(i)_$(v + 1).yzw, after$(p)_$(i)_$v));
#else
      let odd$(p)_$(i)_$v = Vector$p(a$(p)_$(i)_$(2 * v + 1).yw, a$(p)_$(i)_$(2 * v + 2).yw);
      let h$(p)_$(i)_$v = joined$p(Vector$p(before$(p)_$(i)_$v, odd$(p)_$(i)_$v.xyz),
        Vector$p(a$(p)_$(i)_$(2 * v + 1).xz, a$(p)_$(i)_$(2 * v + 2).xz), odd$(p)_$(i)_$v);
#endif
#endfor
#endfor
#for v in 0..TV
      {
#if S == 1
        let all = joined$p(above$(p)_$v, here$(p)_$v, h$(p)_0_$v);
        above$(p)_$v = here$(p)_$v;
        here$(p)_$v = h$(p)_0_$v;
#else
        let all = joined$p(above$(p)_$v, h$(p)_0_$v, h$(p)_1_$v);
        above$(p)_$v = h$(p)_1_$v;
#endif
        if (live && r >= 0 && window$v < Q4) {
          let outside = COLUMNS + 4 * window$v >= vec4i((W + $(S - 1)) / S);
#if p == 0
          store_maxima(u32(windows + r * Q4 + $v), select(value(all), vec4i(0), outside));
#else
#if AVERAGE
          store_y(u32(windows + r * Q4 + $v), select(all / (down * across$v), vec4f(0), outside));
#else
          store_y(u32(windows + r * Q4 + $v), select(all, vec4f(0), outside));
#endif
#endif
        }
      }
#endfor
#endfor
    }
#endif
  }
}

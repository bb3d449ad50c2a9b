// max_pool_grad.wgsl for subgroups of 8 lanes that stand side by side along a row as in pool_lanes.wgsl, with the same
// parameters. A lane has TV vec4s of a row of windows and the S * TV vec4s of x and gx that lie under them; what windows
// give to columns of a neighbour goes to it by a shuffle. AVERAGE: gx is also that of average pooling, whose gradient is
// average_gy; share_<v> is what each window of row o gives to each of its pixels. What pixels of a column get from windows
// side by side is sum_<v> for row o, above_<v> for the row before and over_<v> for the one before that (with stride 2
// above_<v> is share_<v> of the row before).
//
// Window row o reads input rows top, middle, bottom = S * o - 1 .. S * o + 1, whose maxima of three are key_<row>_<v>,
// at dx_<row>_<v>; part_<row>_<v> gathers the gradients of the windows whose maximum lies in that row.

const NONE = vec4f(0);
const COLUMNS = vec4i(0, 1, 2, 3);

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
#if AVERAGE
#for v in 0..TV
  let across$v = vec4f(inside(S * (COLUMNS + 4 * (tile * TV + $v)), W));
#endfor
#endif
  for (var group = i32(wid.x) * (8 / ROW); group < N; group += params.atOnce) {
    let n = min(group + image, N - 1);
    let live = image < 8 / ROW && group + image < N;
    let plane = (i32(wid.y) * N + n) * H * P4 + tile * $(S * TV);
    let windows = (i32(wid.y) * N + n) * HO * Q4 + tile * TV;
#for v in 0..TV
    var key_top_$v = vec4i(LOWEST);
    var dx_top_$v = vec4i(0);
    var part_top_$v = NONE;
#if S == 1
    var key_middle_$v = vec4i(LOWEST);
    var dx_middle_$v = vec4i(0);
    var part_middle_$v = NONE;
#endif
#if AVERAGE
    var above_$v = NONE;
#if S == 1
    var over_$v = NONE;
#endif
#endif
#endfor
#if AVERAGE && S == 2
    var above_$TV = NONE;
#endif
    for (var o = $(S - 2); o <= HO; o++) {
#for i in 2-S..2
      let row$i = o * S + $i;
#for j in 1..S*TV+1
      let a$(i)_$j = select(key(load_x(u32(plane + min(row$i, H - 1) * P4 + $(j - 1)))), vec4i(LOWEST),
        vec4<bool>(row$i >= H) | (COLUMNS + 4 * (tile * $(S * TV) + $(j - 1)) >= vec4i(W)));
#endfor
      let a$(i)_0 = vec4i(select(LOWEST, subgroupShuffle(a$(i)_$(S * TV).w, left), tile > 0));
      let a$(i)_$(S * TV + 1) = vec4i(select(LOWEST, subgroupShuffle(a$(i)_1.x, right), tile + 1 < ROW));
#for v in 0..TV
#if S == 1
      let k$(i)_$v = a$(i)_$(v + 1);
      let before$(i)_$v = vec4i(a$(i)_$v.w, a$(i)_$(v + 1).xyz);
      let after$(i)_$v = vec4i(a$(i)_$(v + 1).yzw, a$(i)_$(v + 2).x);
#else
      let k$(i)_$v = vec4i(a$(i)_$(2 * v + 1).xz, a$(i)_$(2 * v + 2).xz);
      let after$(i)_$v = vec4i(a$(i)_$(2 * v + 1).yw, a$(i)_$(2 * v + 2).yw);
      let before$(i)_$v = vec4i(a$(i)_$(2 * v).w, after$(i)_$v.xyz);
#endif
      let later$(i)_$v = max(k$(i)_$v, after$(i)_$v);
#if i == 0
      let key_middle_$v = max(before$(i)_$v, later$(i)_$v);
      let dx_middle_$v = select(select(vec4i(1), vec4i(2), after$(i)_$v > k$(i)_$v), vec4i(0),
        before$(i)_$v >= later$(i)_$v);
#else
      let key_bottom_$v = max(before$(i)_$v, later$(i)_$v);
      let dx_bottom_$v = select(select(vec4i(1), vec4i(2), after$(i)_$v > k$(i)_$v), vec4i(0),
        before$(i)_$v >= later$(i)_$v);
#endif
#endfor
#endfor
#for v in 0..TV
      let g$v = select(NONE, load_gy(u32(windows + clamp(o, 0, HO - 1) * Q4 + $v)), o >= 0 && o < HO && tile * TV + $v < Q4);
      let in_top$v = key_top_$v >= max(key_middle_$v, key_bottom_$v);
      let in_bottom$v = key_bottom_$v > key_middle_$v;
      let rest$v = select(g$v, NONE, in_top$v);
      part_top_$v += select(NONE, g$v, in_top$v);
#if S == 1
      part_middle_$v += select(rest$v, NONE, in_bottom$v);
#else
      let part_middle_$v = select(rest$v, NONE, in_bottom$v);
#endif
      let part_bottom_$v = select(NONE, rest$v, in_bottom$v);
#endfor
#if AVERAGE
      let rows = f32(inside(vec4i(S * o), H).x);
#for v in 0..TV
      let share_$v = select(NONE, load_average_gy(u32(windows + clamp(o, 0, HO - 1) * Q4 + $v)) / (rows * across$v),
        o >= 0 && o < HO && tile * TV + $v < Q4);
#endfor
#if S == 1
      let share_left = select(0.0, subgroupShuffle(share_$(TV - 1).w, left), tile > 0);
#endif
      let share_$TV = vec4f(select(0.0, subgroupShuffle(share_0.x, right), tile + 1 < ROW));
#endif
#for f in 0..S
      // Gives the part of row S * o - 1 (and of row 2 * o) to its columns.
#for v in 0..TV
#if f == 0
      let part$(f)_$v = part_top_$v;
      let dx$(f)_$v = dx_top_$v;
#else
      let part$(f)_$v = part_middle_$v;
      let dx$(f)_$v = dx_middle_$v;
#endif
      let to_left$(f)_$v = select(NONE, part$(f)_$v, dx$(f)_$v == vec4i(0));
      let to_middle$(f)_$v = select(NONE, part$(f)_$v, dx$(f)_$v == vec4i(1));
      let to_right$(f)_$v = select(NONE, part$(f)_$v, dx$(f)_$v == vec4i(2));
#endfor
      let to_left$(f)_$TV = vec4f(select(0.0, subgroupShuffle(to_left$(f)_0.x, right), tile + 1 < ROW));
      let from_left$(f)_0 = select(0.0, subgroupShuffle(to_right$(f)_$(TV - 1).w, left), tile > 0);
#for v in 0..TV
#if v > 0
      let from_left$(f)_$v = to_right$(f)_$(v - 1).w;
#endif
      let moved$(f)_$v = vec4f(to_left$(f)_$v.yzw, to_left$(f)_$(v + 1).x);
#if S == 1
      var result$(f)_$v = to_middle$(f)_$v + moved$(f)_$v + vec4f(from_left$(f)_$v, to_right$(f)_$v.xyz);
#if AVERAGE
#if v == 0
      let sum_$v = vec4f(share_left, share_$v.xyz) + share_$v + vec4f(share_$v.yzw, share_$(v + 1).x);
#else
      let sum_$v = vec4f(share_$(v - 1).w, share_$v.xyz) + share_$v + vec4f(share_$v.yzw, share_$(v + 1).x);
#endif
      result$(f)_$v += over_$v + above_$v + sum_$v;
      over_$v = above_$v;
      above_$v = sum_$v;
#endif
#else
      let odd$(f)_$v = to_right$(f)_$v + moved$(f)_$v;
      var result$(f)_$(2 * v) = vec4f(to_middle$(f)_$v.x, odd$(f)_$v.x, to_middle$(f)_$v.y, odd$(f)_$v.y);
      var result$(f)_$(2 * v + 1) = vec4f(to_middle$(f)_$v.z, odd$(f)_$v.z, to_middle$(f)_$v.w, odd$(f)_$v.w);
#if AVERAGE
      {
        // Row 2 o - 1 lies in windows of two rows, row 2 o in those of one; likewise columns.
#if f == 0
        let s = above_$v + share_$v;
        let after = above_$(v + 1).x + share_$(v + 1).x;
#else
        let s = share_$v;
        let after = share_$(v + 1).x;
#endif
        result$(f)_$(2 * v) += vec4f(s.x, s.x + s.y, s.y, s.y + s.z);
        result$(f)_$(2 * v + 1) += vec4f(s.z, s.z + s.w, s.w, s.w + after);
      }
#endif
#endif
#endfor
      let row_out$f = o * S - 1 + $f;
#for j in 0..S*TV
      if (live && row_out$f >= 0 && row_out$f < H && tile * $(S * TV) + $j < P4) {
        store_gx(u32(plane + row_out$f * P4 + $j), select(result$(f)_$j, NONE,
          COLUMNS + 4 * (tile * $(S * TV) + $j) >= vec4i(W)));
      }
#endfor
#endfor
#for v in 0..TV
#if S == 1
      key_top_$v = key_middle_$v;
      dx_top_$v = dx_middle_$v;
      part_top_$v = part_middle_$v;
      key_middle_$v = key_bottom_$v;
      dx_middle_$v = dx_bottom_$v;
      part_middle_$v = part_bottom_$v;
#else
#if AVERAGE
      above_$v = share_$v;
#endif
      key_top_$v = key_bottom_$v;
      dx_top_$v = dx_bottom_$v;
      part_top_$v = part_bottom_$v;
#endif
#endfor
#if AVERAGE && S == 2
      above_$TV = share_$TV;
#endif
    }
  }
}

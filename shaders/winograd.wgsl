// Convolution 3 x 3, stride 1, padding 1, by Winograd's F(2x4, 3x3) (Lavin and Gray, arXiv 1509.09308) for subgroups of
// 8 lanes: Y = A' ((G w H') . (B' d C)) D for each tile of 2 x 4 pixels of the output and the 4 x 6 pixels d around it,
// which takes 24 products where the sum over taps takes 72. A, B and G are those of F(2, 3), for columns; C, D and H
// those of F(4, 3), for rows, with the points 0, +-3/4, +-3/2 and infinity: in f32 the error is a third of that with
// 0, +-1, +-2, and all constants but those of H are exact.
//
// Each lane has EACH output channels, neighbours, and holds their transformed weights. It loads other input channels,
// IB of them in all lanes together, transforms them, and shuffles hand each to all lanes. A workgroup, which is one
// subgroup, walks over `share` pairs of rows, a vec4 of columns at a time, that is one tile: it needs the column to the
// left and the one to the right, so a step loads what the next one needs. Where there are more input channels (SPLIT), it
// does so for IB of them in each of `walks` walks, between which sums wait in `partial`. Lanes that IB leaves over load
// what nobody asks for.
//
// TURNED: w holds the weights w[i][o] of the convolution to whose input this is the gradient: what it takes as w[o][i] is
// that the other way round, in both directions. The image is x or, with `relu`, ReLU(x); MASKED: y is 0 where u is not positive: the gradient of ReLU(u).

const A1 = 0.75;
const A2 = A1 * A1;
const A3 = A2 * A1;
const B1 = 1.5;
const B2 = B1 * B1;
const B3 = B2 * B1;
const H0 = 1.0 / (A2 * B2);
const HA = 0.5 / (A2 * (A2 - B2));
const HB = 0.5 / (B2 * (B2 - A2));

@compute @workgroup_size(8)
fn main(
  @builtin(workgroup_id) wid: vec3u,
#if TURNED
  @builtin(num_workgroups) groups: vec3u,
#endif
  @builtin(local_invocation_index) lane: u32,
) {
  let H = params.height;
  let W = params.width;
  let N = params.images;
  let relu = vec4<bool>(params.relu == 1);
  let Q = (W + 3) / 4;
  let pairs = (H + 1) / 2;
  let plane = N * H * Q;
  let own = wid.y * $(8 * EACH) + lane * EACH;
#if TURNED
  let outputs = groups.y * $(8 * EACH);
#endif
  let first = wid.x * params.share;
  let steps = (min(N * pairs, first + params.share) - first) * Q;
  let tail = vec4<bool>(true, W % 4 != 1, W % 4 == 0 || W % 4 == 3, W % 4 == 0);
#if SPLIT
  let walks = params.walks;
  for (var walk = 0u; walk < walks; walk++) {
#else
  const walks = 1u;
  const walk = 0u;
#endif
  // w<o>_<i>_<k>_<h> is half of row k of G w H'.
#if TURNED
  // Those of a channel begin somewhere in a vec4.
  let two = own % 4 >= 2;
#if EACH % 2 == 1
  let one = own % 2 == 1;
#endif
#for i in 0..IB
  let at$i = ((walk * IB + $i) * outputs + own) * 9 / 4;
#for l in 0..(9*EACH+5)/4
  let l$(i)_$l = load_w(at$i + $l);
#endfor
#for t in 0..9*EACH+EACH%2
  let h$(i)_$t = select(l$(i)_$(t / 4)[$(t % 4)], l$(i)_$((t + 2) / 4)[$((t + 2) % 4)], two);
#endfor
#for t in 0..9*EACH
#if EACH % 2 == 0
  let p$(t / 9)_$(i)_$(8 - t % 9) = h$(i)_$t;
#else
  let p$(t / 9)_$(i)_$(8 - t % 9) = select(h$(i)_$t, h$(i)_$(t + 1), one);
#endif
#endfor
#endfor
#else
#for o in 0..EACH
#if IB % 4 == 0
  let at$o = ((own + $o) * walks + walk) * $(IB * 9 / 4);
#for l in 0..IB*9/4
  let l$(o)_$l = load_w(at$o + $l);
#endfor
#for t in 0..IB*9
  let p$(o)_$(t / 9)_$(t % 9) = l$(o)_$(t / 4)[$(t % 4)];
#endfor
#else
  let at$o = ((own + $o) * walks + walk) * $(IB * 9);
#for t in 0..IB*9
  let p$(o)_$(t / 9)_$(t % 9) = w[at$o + $t];
#endfor
#endif
#endfor
#endif
#for o in 0..EACH
#for i in 0..IB
#for t in 0..3
  let t$(o)_$(i)_$t = vec3f(p$(o)_$(i)_$(3 * t), p$(o)_$(i)_$(3 * t + 1), p$(o)_$(i)_$(3 * t + 2));
#endfor
  let m$(o)_$i = 0.5 * (t$(o)_$(i)_0 + t$(o)_$(i)_2);
  let n$(o)_$i = 0.5 * t$(o)_$(i)_1;
  let g$(o)_$(i)_0 = t$(o)_$(i)_0;
  let g$(o)_$(i)_1 = m$(o)_$i + n$(o)_$i;
  let g$(o)_$(i)_2 = m$(o)_$i - n$(o)_$i;
  let g$(o)_$(i)_3 = t$(o)_$(i)_2;
#for k in 0..4
  let e$(o)_$(i)_$k = HA * g$(o)_$(i)_$(k).x + (HA * A2) * g$(o)_$(i)_$(k).z;
  let f$(o)_$(i)_$k = HB * g$(o)_$(i)_$(k).x + (HB * B2) * g$(o)_$(i)_$(k).z;
  let w$(o)_$(i)_$(k)_0 = vec3f(
    H0 * g$(o)_$(i)_$(k).x,
    e$(o)_$(i)_$k + (HA * A1) * g$(o)_$(i)_$(k).y,
    e$(o)_$(i)_$k - (HA * A1) * g$(o)_$(i)_$(k).y,
  );
  let w$(o)_$(i)_$(k)_1 = vec3f(
    f$(o)_$(i)_$k + (HB * B1) * g$(o)_$(i)_$(k).y,
    f$(o)_$(i)_$k - (HB * B1) * g$(o)_$(i)_$(k).y,
    g$(o)_$(i)_$(k).z,
  );
#endfor
#endfor
#endfor
  // Rows of B' d: the vec4 that is done next, and the last column before it.
#for i in 0..(IB+7)/8
#for k in 0..4
  var left$(i)_$k = 0.0;
  var own$(i)_$k = vec4f(0);
#endfor
#endfor
  // What is loaded: vec4 q of row r, at `next` of its channel. Step s does what step s - 1 has loaded, at `done`.
  var r = first % pairs * 2;
  var q = 0u;
  var next = (first / pairs * H + r) * Q;
  var done = 0u;
  var done_row = 0u;
  for (var step = 0u; step <= steps; step++) {
#for i in 0..(IB+7)/8
#if IB % 8 == 0
    let at_x$i = (walk * IB + lane + $(8 * i)) * plane + next;
#else
    let at_x$i = (walk * IB + min(lane + $(8 * i), $(IB - 1))) * plane + next;
#endif
    let x$(i)_0 = load_x(at_x$i - select(0u, Q, r > 0));
#for k in 1..4
    let x$(i)_$k = load_x(at_x$i + select(0u, $(k - 1) * Q, r + $(k - 1) < H));
#endfor
    let d$(i)_0 = select(x$(i)_0, vec4f(0), (relu & (x$(i)_0 <= vec4f(0))) | vec4<bool>(r == 0));
#for k in 1..4
    let d$(i)_$k = select(x$(i)_$k, vec4f(0), (relu & (x$(i)_$k <= vec4f(0))) | vec4<bool>(r + $(k - 1) >= H));
#endfor
    let b$(i)_0 = d$(i)_0 - d$(i)_2;
    let b$(i)_1 = d$(i)_1 + d$(i)_2;
    let b$(i)_2 = d$(i)_2 - d$(i)_1;
    let b$(i)_3 = d$(i)_1 - d$(i)_3;
    // v<i>_<k>_<h> is half of row k of B' d C.
#for k in 0..4
    let c$(i)_$k = own$(i)_$k;
    let right$(i)_$k = select(b$(i)_$(k).x, 0.0, q == 0);
    let fa$(i)_$k = c$(i)_$(k).w - B2 * c$(i)_$(k).y;
    let ga$(i)_$k = A1 * c$(i)_$(k).z - (A1 * B2) * c$(i)_$(k).x;
    let fb$(i)_$k = c$(i)_$(k).w - A2 * c$(i)_$(k).y;
    let gb$(i)_$k = B1 * c$(i)_$(k).z - (B1 * A2) * c$(i)_$(k).x;
    let v$(i)_$(k)_0 = vec3f(
      (A2 * B2) * left$(i)_$k - (A2 + B2) * c$(i)_$(k).y + c$(i)_$(k).w,
      fa$(i)_$k + ga$(i)_$k,
      fa$(i)_$k - ga$(i)_$k,
    );
    let v$(i)_$(k)_1 = vec3f(
      fb$(i)_$k + gb$(i)_$k,
      fb$(i)_$k - gb$(i)_$k,
      (A2 * B2) * c$(i)_$(k).x - (A2 + B2) * c$(i)_$(k).z + right$(i)_$k,
    );
    left$(i)_$k = select(c$(i)_$(k).w, 0.0, q == 0);
    own$(i)_$k = b$(i)_$k;
#endfor
#endfor
    let live = step > 0;
    let result = own * plane + done;
#for j in 0..2
#if j > 0
    let is$j = live && done_row + $j < H;
    let down$j = select(0u, $j * Q, is$j);
#else
    let is$j = live;
    let down$j = 0u;
#endif
#endfor
#for o in 0..EACH
#for j in 0..2
    let to$(o)_$j = result + $o * plane + down$j;
#endfor
#endfor
    // z<k>_<o> is row k of (G w H' . B' d C) D.
#for k in 0..4
#for i in 0..IB
    let s$(k)_$(i)_0 = subgroupShuffle(v$(i / 8)_$(k)_0, $(i % 8)u);
    let s$(k)_$(i)_1 = subgroupShuffle(v$(i / 8)_$(k)_1, $(i % 8)u);
#for o in 0..EACH
#if i == 0
    var a$(k)_$(o)_0 = s$(k)_$(i)_0 * w$(o)_$(i)_$(k)_0;
    var a$(k)_$(o)_1 = s$(k)_$(i)_1 * w$(o)_$(i)_$(k)_1;
#else
    a$(k)_$(o)_0 += s$(k)_$(i)_0 * w$(o)_$(i)_$(k)_0;
    a$(k)_$(o)_1 += s$(k)_$(i)_1 * w$(o)_$(i)_$(k)_1;
#endif
#endfor
#endfor
#for o in 0..EACH
    let pa$(k)_$o = a$(k)_$(o)_0.y + a$(k)_$(o)_0.z;
    let da$(k)_$o = a$(k)_$(o)_0.y - a$(k)_$(o)_0.z;
    let pb$(k)_$o = a$(k)_$(o)_1.x + a$(k)_$(o)_1.y;
    let db$(k)_$o = a$(k)_$(o)_1.x - a$(k)_$(o)_1.y;
    let z$(k)_$o = vec4f(
      a$(k)_$(o)_0.x + pa$(k)_$o + pb$(k)_$o,
      A1 * da$(k)_$o + B1 * db$(k)_$o,
      A2 * pa$(k)_$o + B2 * pb$(k)_$o,
      A3 * da$(k)_$o + B3 * db$(k)_$o + a$(k)_$(o)_1.z,
    );
#endfor
#endfor
#for o in 0..EACH
#if SPLIT
    var y$(o)_0 = vec4f(0);
    var y$(o)_1 = vec4f(0);
    for (var more = live && walk > 0; more; more = false) { // an if would not spare the loads
      y$(o)_0 = load_partial(to$(o)_0);
      y$(o)_1 = load_partial(to$(o)_1);
    }
    y$(o)_0 += z0_$o + z1_$o + z2_$o;
    y$(o)_1 += z1_$o - z2_$o - z3_$o;
#else
    let y$(o)_0 = z0_$o + z1_$o + z2_$o;
    let y$(o)_1 = z1_$o - z2_$o - z3_$o;
#endif
#endfor
#if SPLIT
    for (var more = live && walk + 1 < walks; more; more = false) {
#for o in 0..EACH
#for j in 0..2
      if (is$j) { store_partial(to$(o)_$j, y$(o)_$j); }
#endfor
#endfor
    }
    for (var last = live && walk + 1 == walks; last; last = false) {
#else
    if (live) {
#endif
      let inside = tail | vec4<bool>(q != 0); // what was loaded begins a row where what was done ends one
#for o in 0..EACH
#for j in 0..2
      if (is$j) {
#if MASKED
        store_y(to$(o)_$j, select(vec4f(0), y$(o)_$j, inside & (load_u(to$(o)_$j) > vec4f(0))));
#else
        store_y(to$(o)_$j, select(vec4f(0), y$(o)_$j, inside));
#endif
      }
#endfor
#endfor
    }
    done = next;
    done_row = r;
    q++;
    next++;
    if (q == Q) {
      q = 0;
      r += 2;
      next += Q;
      if (r >= H) {
        r = 0;
        next -= H % 2 * Q;
      }
    }
  }
#if SPLIT
  }
#endif
}

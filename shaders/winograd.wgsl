// Convolution 3 x 3, stride 1, padding 1, by Winograd's F(2x2, 3x3) (Lavin and Gray, arXiv 1509.09308) for subgroups of
// 8 lanes: Y = A' ((G w G') . (B' d B)) A for each tile of 2 x 2 pixels of the output and the 4 x 4 pixels d around it,
// which takes 16 products where the sum over taps takes 36.
//
// Each lane has EACH output channels (one of every 8) and holds their transformed weights. It loads other input channels,
// IB of them in all lanes together, transforms them, and shuffles hand each to all lanes. A workgroup, which is one
// subgroup, walks over `share` pairs of rows, a vec4 of columns at a time, that is two tiles: it needs the column to the
// left and the one to the right, so a step loads what the next one needs. Where there are more input channels (SPLIT), it
// does so for IB of them in each of `walks` walks, between which sums wait in `partial`. Lanes that IB leaves over load
// what nobody asks for.
//
// The image is x or, with `relu`, ReLU(x); MASKED: y is 0 where u is not positive: the gradient of ReLU(u).

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let H = params.height;
  let W = params.width;
  let N = params.images;
  let relu = vec4<bool>(params.relu == 1);
  let Q = (W + 3) / 4;
  let pairs = (H + 1) / 2;
  let plane = N * H * Q;
  let own = wid.y * $(8 * EACH) + lane;
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
  // w<o>_<i>_<k> is row k of G w G'.
#for o in 0..EACH
#if IB % 4 == 0
  let at$o = ((own + $(8 * o)) * walks + walk) * $(IB * 9 / 4);
#for l in 0..IB*9/4
  let l$(o)_$l = load_w(at$o + $l);
#endfor
#else
  let at$o = ((own + $(8 * o)) * walks + walk) * $(IB * 9);
#endif
#for i in 0..IB
#for t in 0..9
#if IB % 4 == 0
  let t$(o)_$(i)_$t = l$(o)_$((9 * i + t) / 4)[$((9 * i + t) % 4)];
#else
  let t$(o)_$(i)_$t = w[at$o + $(9 * i + t)];
#endif
#endfor
#for q in 0..3
  let m$(o)_$(i)_$q = 0.5 * (t$(o)_$(i)_$q + t$(o)_$(i)_$(6 + q));
  let g$(o)_$(i)_0_$q = t$(o)_$(i)_$q;
  let g$(o)_$(i)_1_$q = m$(o)_$(i)_$q + 0.5 * t$(o)_$(i)_$(3 + q);
  let g$(o)_$(i)_2_$q = m$(o)_$(i)_$q - 0.5 * t$(o)_$(i)_$(3 + q);
  let g$(o)_$(i)_3_$q = t$(o)_$(i)_$(6 + q);
#endfor
#for k in 0..4
  let h$(o)_$(i)_$k = 0.5 * (g$(o)_$(i)_$(k)_0 + g$(o)_$(i)_$(k)_2);
  let w$(o)_$(i)_$k = vec4f(
    g$(o)_$(i)_$(k)_0,
    h$(o)_$(i)_$k + 0.5 * g$(o)_$(i)_$(k)_1,
    h$(o)_$(i)_$k - 0.5 * g$(o)_$(i)_$(k)_1,
    g$(o)_$(i)_$(k)_2,
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
    let x$(i)_1 = load_x(at_x$i);
    let x$(i)_2 = load_x(at_x$i + select(0u, Q, r + 1 < H));
    let x$(i)_3 = load_x(at_x$i + select(0u, 2 * Q, r + 2 < H));
    let d$(i)_0 = select(x$(i)_0, vec4f(0), (relu & (x$(i)_0 <= vec4f(0))) | vec4<bool>(r == 0));
    let d$(i)_1 = select(x$(i)_1, vec4f(0), relu & (x$(i)_1 <= vec4f(0)));
    let d$(i)_2 = select(x$(i)_2, vec4f(0), (relu & (x$(i)_2 <= vec4f(0))) | vec4<bool>(r + 1 >= H));
    let d$(i)_3 = select(x$(i)_3, vec4f(0), (relu & (x$(i)_3 <= vec4f(0))) | vec4<bool>(r + 2 >= H));
    let b$(i)_0 = d$(i)_0 - d$(i)_2;
    let b$(i)_1 = d$(i)_1 + d$(i)_2;
    let b$(i)_2 = d$(i)_2 - d$(i)_1;
    let b$(i)_3 = d$(i)_1 - d$(i)_3;
    // v<i>_<k>_<t> is row k of B' d B of tile t.
#for k in 0..4
    let c$(i)_$k = own$(i)_$k;
    let right$(i)_$k = select(b$(i)_$(k).x, 0.0, q == 0);
    let v$(i)_$(k)_0 = vec4f(
      left$(i)_$k - c$(i)_$(k).y,
      c$(i)_$(k).x + c$(i)_$(k).y,
      c$(i)_$(k).y - c$(i)_$(k).x,
      c$(i)_$(k).x - c$(i)_$(k).z,
    );
    let v$(i)_$(k)_1 = vec4f(
      c$(i)_$(k).y - c$(i)_$(k).w,
      c$(i)_$(k).z + c$(i)_$(k).w,
      c$(i)_$(k).w - c$(i)_$(k).z,
      c$(i)_$(k).z - right$(i)_$k,
    );
    left$(i)_$k = select(c$(i)_$(k).w, 0.0, q == 0);
    own$(i)_$k = b$(i)_$k;
#endfor
#endfor
    let live = step > 0;
    let below = live && done_row + 1 < H;
    let result = own * plane + done;
#for o in 0..EACH
    let upper$o = result + $(8 * o) * plane;
    let lower$o = upper$o + select(0u, Q, below);
    var top$o = vec4f(0);
    var bottom$o = vec4f(0);
#endfor
#if SPLIT
    for (var more = live && walk > 0; more; more = false) { // an if would not spare the loads
#for o in 0..EACH
      top$o = load_partial(upper$o);
      bottom$o = load_partial(lower$o);
#endfor
    }
#endif
#for k in 0..4
    {
      // One tile after the other: the sums of both would not fit into registers.
#for t in 0..2
#for o in 0..EACH
      var s$(t)_$o = vec4f(0);
#endfor
#for i in 0..IB
      {
        let v = subgroupShuffle(v$(i / 8)_$(k)_$t, $(i % 8)u);
#for o in 0..EACH
        s$(t)_$o += v * w$(o)_$(i)_$k;
#endfor
      }
#endfor
#endfor
#for o in 0..EACH
      let z$o = vec4f(
        s0_$(o).x + s0_$(o).y + s0_$(o).z,
        s0_$(o).y - s0_$(o).z - s0_$(o).w,
        s1_$(o).x + s1_$(o).y + s1_$(o).z,
        s1_$(o).y - s1_$(o).z - s1_$(o).w,
      );
#if k < 3
      top$o += z$o;
#endif
#if k == 1
      bottom$o += z$o;
#endif
#if k > 1
      bottom$o -= z$o;
#endif
#endfor
    }
#endfor
#if SPLIT
    for (var more = live && walk + 1 < walks; more; more = false) {
#for o in 0..EACH
      store_partial(upper$o, top$o);
      if (below) { store_partial(lower$o, bottom$o); }
#endfor
    }
    for (var last = live && walk + 1 == walks; last; last = false) {
#else
    if (live) {
#endif
      let inside = tail | vec4<bool>(q != 0); // what was loaded begins a row where what was done ends one
#for o in 0..EACH
#if MASKED
      store_y(upper$o, select(vec4f(0), top$o, inside & (load_u(upper$o) > vec4f(0))));
      if (below) { store_y(lower$o, select(vec4f(0), bottom$o, inside & (load_u(lower$o) > vec4f(0)))); }
#else
      store_y(upper$o, select(vec4f(0), top$o, inside));
      if (below) { store_y(lower$o, select(vec4f(0), bottom$o, inside)); }
#endif
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

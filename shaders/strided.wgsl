// Convolution 3 x 3, stride 2, padding 1, for subgroups of 8 lanes. Each lane has EACH output channels (one of every 8)
// and holds their weights; it loads other input channels, IB of them in all lanes together, which shuffles hand to all
// lanes. A workgroup, which is one subgroup, walks over `share` rows of the output, a vec4 at a time. Where there are more
// input channels (SPLIT), it does so for IB of them in each of `walks` walks, between which sums wait in `partial`. Lanes
// that IB leaves over load what nobody asks for. The image is x or, with `relu`, ReLU(x).

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let H = params.height;
  let W = params.width;
  let N = params.images;
  let relu = vec4<bool>(params.relu == 1);
  let Q = (W + 3) / 4;
  let rows = (H + 1) / 2;
  let columns = (W + 1) / 2;
  let columns4 = (columns + 3) / 4;
  let plane = N * H * Q;
  let plane_out = N * rows * columns4;
  let own = wid.y * $(8 * EACH) + lane;
  let first = wid.x * params.share;
  let steps = (min(N * rows, first + params.share) - first) * columns4;
  let tail = vec4<bool>(true, columns % 4 != 1, columns % 4 == 0 || columns % 4 == 3, columns % 4 == 0);
#if SPLIT
  let walks = params.walks;
  for (var walk = 0u; walk < walks; walk++) {
#else
  const walks = 1u;
  const walk = 0u;
#endif
#for o in 0..EACH
#if IB % 4 == 0
  let at$o = ((own + $(8 * o)) * walks + walk) * $(IB * 9 / 4);
#for l in 0..IB*9/4
  let w$(o)_$l = load_w(at$o + $l);
#endfor
#else
  let at$o = ((own + $(8 * o)) * walks + walk) * $(IB * 9);
#for l in 0..IB*9
  let w$(o)_$l = w[at$o + $l];
#endfor
#endif
#endfor
  // The last column before those of this step.
#for i in 0..(IB+7)/8
#for k in 0..3
  var left$(i)_$k = 0.0;
#endfor
#endfor
  var r = first % rows;
  var q = 0u;
  var next = (first / rows * H + 2 * r) * Q;
  var result = own * plane_out + first * columns4;
  for (var step = 0u; step < steps; step++) {
    let right = 2 * q + 1 < Q;
#for i in 0..(IB+7)/8
#if IB % 8 == 0
    let at_x$i = (walk * IB + lane + $(8 * i)) * plane + next;
#else
    let at_x$i = (walk * IB + min(lane + $(8 * i), $(IB - 1))) * plane + next;
#endif
    // v<i>_<k>_<t> is what tap t of row k sees.
#for k in 0..3
#if k == 0
    let inside$(i)_$k = r > 0;
    let row$(i)_$k = at_x$i - select(0u, Q, inside$(i)_$k);
#else
    let inside$(i)_$k = 2 * r + $(k - 1) < H;
    let row$(i)_$k = at_x$i + select(0u, $(k - 1) * Q, inside$(i)_$k);
#endif
    let x$(i)_$k = load_x(row$(i)_$k);
    let y$(i)_$k = load_x(row$(i)_$k + select(0u, 1u, right));
    let a$(i)_$k = select(vec4f(0), x$(i)_$k, vec4<bool>(inside$(i)_$k) & (!relu | (x$(i)_$k > vec4f(0))));
    let b$(i)_$k = select(vec4f(0), y$(i)_$k, vec4<bool>(inside$(i)_$k && right) & (!relu | (y$(i)_$k > vec4f(0))));
    let l$(i)_$k = select(left$(i)_$k, 0.0, q == 0);
    let v$(i)_$(k)_0 = vec4f(l$(i)_$k, a$(i)_$(k).y, a$(i)_$(k).w, b$(i)_$(k).y);
    let v$(i)_$(k)_1 = vec4f(a$(i)_$(k).x, a$(i)_$(k).z, b$(i)_$(k).x, b$(i)_$(k).z);
    let v$(i)_$(k)_2 = vec4f(a$(i)_$(k).y, a$(i)_$(k).w, b$(i)_$(k).y, b$(i)_$(k).w);
    left$(i)_$k = b$(i)_$(k).w;
#endfor
#endfor
#for o in 0..EACH
    let to$o = result + $(8 * o) * plane_out;
    var s$o = vec4f(0);
#endfor
#if SPLIT
    for (var more = walk > 0; more; more = false) { // an if would not spare the loads
#for o in 0..EACH
      s$o = load_partial(to$o);
#endfor
    }
#endif
#for i in 0..IB
#for k in 0..3
#for t in 0..3
    {
      let v = subgroupShuffle(v$(i / 8)_$(k)_$t, $(i % 8)u);
#for o in 0..EACH
#if IB % 4 == 0
      s$o += v * w$(o)_$((9 * i + 3 * k + t) / 4)[$((9 * i + 3 * k + t) % 4)];
#else
      s$o += v * w$(o)_$(9 * i + 3 * k + t);
#endif
#endfor
    }
#endfor
#endfor
#endfor
#if SPLIT
    for (var more = walk + 1 < walks; more; more = false) {
#for o in 0..EACH
      store_partial(to$o, s$o);
#endfor
    }
    for (var last = walk + 1 == walks; last; last = false) {
#else
    {
#endif
      let inside = tail | vec4<bool>(q + 1 < columns4);
#for o in 0..EACH
      store_y(to$o, select(vec4f(0), s$o, inside));
#endfor
    }
    result++;
    q++;
    next += 2;
    if (q == columns4) {
      q = 0;
      r++;
      next += 2 * Q - 2 * columns4;
      if (r == rows) {
        r = 0;
        next -= H % 2 * Q;
      }
    }
  }
#if SPLIT
  }
#endif
}

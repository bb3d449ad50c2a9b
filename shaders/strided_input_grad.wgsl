// Gradient of strided.wgsl for its input, with lanes and walks as there: each lane has EACH channels of gx, neighbours, and
// loads other channels of gy; its weights it loads as winograd.wgsl does. A step takes a vec4 of row r of gy, and what lies
// to the right and below, for the rows 2 r and 2 r + 1 of gx: an even row or column of gx meets the middle tap only, an odd
// one the outer two. MASKED: gx is 0 where u is not positive: the gradient of ReLU(u).

@compute @workgroup_size(8)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let H = params.height;
  let W = params.width;
  let N = params.images;
  let Q = (W + 3) / 4;
  let rows = (H + 1) / 2;
  let columns4 = ((W + 1) / 2 + 3) / 4;
  let plane = N * rows * columns4;
  let plane_out = N * H * Q;
  let own = wid.y * $(8 * EACH) + lane * EACH;
  let first = wid.x * params.share;
  let steps = (min(N * rows, first + params.share) - first) * columns4;
  let tail = vec4<bool>(true, W % 4 != 1, W % 4 == 0 || W % 4 == 3, W % 4 == 0);
#if SPLIT
  let walks = params.walks;
  for (var walk = 0u; walk < walks; walk++) {
#else
  const walks = 1u;
  const walk = 0u;
#endif
  // Those of a channel begin somewhere in a vec4.
  let two = own % 4 >= 2;
#if EACH % 2 == 1
  let one = own % 2 == 1;
#endif
#for i in 0..IB
  let at$i = ((walk * IB + $i) * groups.y * $(8 * EACH) + own) * 9 / 4;
#for l in 0..(9*EACH+5)/4
  let l$(i)_$l = load_w(at$i + $l);
#endfor
#for t in 0..9*EACH+EACH%2
  let h$(i)_$t = select(l$(i)_$(t / 4)[$(t % 4)], l$(i)_$((t + 2) / 4)[$((t + 2) % 4)], two);
#endfor
#for t in 0..9*EACH
#if EACH % 2 == 0
  let w$(t / 9)_$(i)_$(8 - t % 9) = h$(i)_$t;
#else
  let w$(t / 9)_$(i)_$(8 - t % 9) = select(h$(i)_$t, h$(i)_$(t + 1), one);
#endif
#endfor
#endfor
  var r = first % rows;
  var q = 0u;
  var next = first * columns4;
  var result = own * plane_out + (first / rows * H + 2 * r) * Q;
  for (var step = 0u; step < steps; step++) {
    let right = q + 1 < columns4;
    let below = r + 1 < rows;
#for i in 0..IB/8
    let at_g$i = (walk * IB + lane + $(8 * i)) * plane + next;
    let a$(i)_0 = load_gy(at_g$i);
    let b$(i)_0 = load_gy(at_g$i + select(0u, 1u, right));
    let a$(i)_1 = select(vec4f(0), load_gy(at_g$i + select(0u, columns4, below)), below);
    let b$(i)_1 = select(0.0, load_gy(at_g$i + select(0u, columns4 + 1, below && right)).x, below);
    // g<i>_<k>_<t>: t columns to the right in k rows below.
    let g$(i)_0_0 = a$(i)_0;
    let g$(i)_0_1 = vec4f(a$(i)_0.y, a$(i)_0.z, a$(i)_0.w, select(0.0, b$(i)_0.x, right));
    let g$(i)_1_0 = a$(i)_1;
    let g$(i)_1_1 = vec4f(a$(i)_1.y, a$(i)_1.z, a$(i)_1.w, select(0.0, b$(i)_1, right));
#endfor
    let upper = (q * 2 + 1) < Q;
    let lower = 2 * r + 1 < H;
#for e in 0..EACH
    let to$(e)_0 = result + $e * plane_out;
    let to$(e)_1 = to$(e)_0 + select(0u, Q, lower);
#if SPLIT
    let at_partial$e = 4 * ((own + $e) * plane + next);
#endif
#endfor
    // Rows of gx with number p, even columns (s<c>_<e> with c = 0), then odd ones.
#for p in 0..2
    {
#for c in 0..2
#for e in 0..EACH
      var s$(c)_$e = vec4f(0);
#endfor
#endfor
#if SPLIT
      for (var more = walk > 0; more; more = false) { // an if would not spare the loads
#for e in 0..EACH
        s0_$e = load_partial(at_partial$e + $(2 * p));
        s1_$e = load_partial(at_partial$e + $(2 * p + 1));
#endfor
      }
#endif
#for i in 0..IB
#for k in 0..p+1
#for t in 0..2
      {
        let g = subgroupShuffle(g$(i / 8)_$(k)_$t, $(i % 8)u);
#for c in t..2
#for e in 0..EACH
        s$(c)_$e += g * w$(e)_$(i)_$(3 * ((p == 0) + 2 * k) + (c == 0) + 2 * t);
#endfor
#endfor
      }
#endfor
#endfor
#endfor
#if SPLIT
      for (var more = walk + 1 < walks; more; more = false) {
#for e in 0..EACH
        store_partial(at_partial$e + $(2 * p), s0_$e);
        store_partial(at_partial$e + $(2 * p + 1), s1_$e);
#endfor
      }
      for (var last = walk + 1 == walks; last; last = false) {
#else
      {
#endif
#if p == 1
        if (lower) {
#else
        {
#endif
#for e in 0..EACH
          let left$e = vec4f(s0_$(e).x, s1_$(e).x, s0_$(e).y, s1_$(e).y);
          let right$e = vec4f(s0_$(e).z, s1_$(e).z, s0_$(e).w, s1_$(e).w);
          let keep$e = (tail | vec4<bool>(upper))
#if MASKED
            & (load_u(to$(e)_$p) > vec4f(0))
#endif
            ;
          store_gx(to$(e)_$p, select(vec4f(0), left$e, keep$e));
          if (upper) {
            let keep_right = (tail | vec4<bool>(2 * q + 2 < Q))
#if MASKED
              & (load_u(to$(e)_$p + 1) > vec4f(0))
#endif
              ;
            store_gx(to$(e)_$p + 1, select(vec4f(0), right$e, keep_right));
          }
#endfor
        }
      }
    }
#endfor
    next++;
    result += 2;
    q++;
    if (q == columns4) {
      q = 0;
      r++;
      result += 2 * Q - 2 * columns4;
      if (r == rows) {
        r = 0;
        result -= H % 2 * Q;
      }
    }
  }
#if SPLIT
  }
#endif
}

// Gradient of winograd.wgsl for its weights by F(2x2, 3x3): dw = G' (sum over tiles of (A gy A') . (B' f(x) B)) G, for
// subgroups of 8 lanes. Each lane has EACH input channels that follow each other and adds up 4 x 4 sums for each of them and OB output
// channels; it loads other channels of gy, which shuffles hand to all lanes. A workgroup, which is one subgroup, walks
// over `share` pairs of rows as in winograd.wgsl. FEW: there are fewer input channels than lanes.
//
// It stores a partial sum of the `count` numbers of dw for reduce_partials.wgsl, which is dw itself where there is one
// such workgroup. f is ReLU with `relu`, else the identity.

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let H = params.height;
  let Q = (params.width + 3) / 4;
  let N = params.images;
  // Below all numbers without ReLU, which costs no more than ReLU. (Had x been no number, the loss would have told.)
  let floor = vec4f(select(-3.4028234e38, 0.0, params.relu == 1));
  let pairs = (H + 1) / 2;
  let plane = N * H * Q;
#if FEW
  let own = min(lane, params.inputs - 1);
#else
  let own = wid.y * $(8 * EACH) + lane * EACH;
#endif
  let first = wid.x * params.share;
  let steps = (min(N * pairs, first + params.share) - first) * Q;
#for k in 0..4
#for o in 0..OB
#for e in 0..EACH
  var s$(k)_$(o)_$e = vec4f(0);
#endfor
#endfor
#endfor
#for e in 0..EACH
#for k in 0..4
  var left$(e)_$k = 0.0;
  var own$(e)_$k = vec4f(0);
#endfor
#endfor
#for j in 0..OB/8
  var top$j = vec4f(0);
  var bottom$j = vec4f(0);
#endfor
  var r = first % pairs * 2;
  var q = 0u;
  var next = (first / pairs * H + r) * Q;
  for (var step = 0u; step <= steps; step++) {
#for e in 0..EACH
    let at_x$e = (own + $e) * plane + next;
    let d$(e)_0 = select(vec4f(0), max(load_x(at_x$e - select(0u, Q, r > 0)), floor), r > 0);
    let d$(e)_1 = max(load_x(at_x$e), floor);
    let d$(e)_2 = select(vec4f(0), max(load_x(at_x$e + select(0u, Q, r + 1 < H)), floor), r + 1 < H);
    let d$(e)_3 = select(vec4f(0), max(load_x(at_x$e + select(0u, 2 * Q, r + 2 < H)), floor), r + 2 < H);
    let b$(e)_0 = d$(e)_0 - d$(e)_2;
    let b$(e)_1 = d$(e)_1 + d$(e)_2;
    let b$(e)_2 = d$(e)_2 - d$(e)_1;
    let b$(e)_3 = d$(e)_1 - d$(e)_3;
#for k in 0..4
    let c$(e)_$k = own$(e)_$k;
    let right$(e)_$k = select(b$(e)_$(k).x, 0.0, q == 0);
    let v$(e)_$(k)_0 = vec4f(
      left$(e)_$k - c$(e)_$(k).y,
      c$(e)_$(k).x + c$(e)_$(k).y,
      c$(e)_$(k).y - c$(e)_$(k).x,
      c$(e)_$(k).x - c$(e)_$(k).z,
    );
    let v$(e)_$(k)_1 = vec4f(
      c$(e)_$(k).y - c$(e)_$(k).w,
      c$(e)_$(k).z + c$(e)_$(k).w,
      c$(e)_$(k).w - c$(e)_$(k).z,
      c$(e)_$(k).z - right$(e)_$k,
    );
    left$(e)_$k = select(c$(e)_$(k).w, 0.0, q == 0);
    own$(e)_$k = b$(e)_$k;
#endfor
#endfor
#for j in 0..OB/8
    let a$(j)_0 = top$j;
    let a$(j)_1 = top$j + bottom$j;
    let a$(j)_2 = top$j - bottom$j;
    let a$(j)_3 = -bottom$j;
#for k in 0..4
    {
      let a = a$(j)_$k;
      let tile0 = vec4f(a.x, a.x + a.y, a.x - a.y, -a.y);
      let tile1 = vec4f(a.z, a.z + a.w, a.z - a.w, -a.w);
#for l in 0..8
      {
        let g0 = subgroupShuffle(tile0, $(l)u);
        let g1 = subgroupShuffle(tile1, $(l)u);
#for e in 0..EACH
        s$(k)_$(8 * j + l)_$e += g0 * v$(e)_$(k)_0 + g1 * v$(e)_$(k)_1;
#endfor
      }
#endfor
    }
#endfor
    let at_y$j = (wid.z * OB + lane + $(8 * j)) * plane + next;
    top$j = load_gy(at_y$j);
    bottom$j = select(vec4f(0), load_gy(at_y$j + select(0u, Q, r + 1 < H)), r + 1 < H);
#endfor
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
#for o in 0..OB
  {
#for e in 0..EACH
#for k in 0..4
    let m$(e)_$k = 0.5 * (s$(k)_$(o)_$(e).y + s$(k)_$(o)_$(e).z);
    let h$(e)_$(k)_0 = s$(k)_$(o)_$(e).x + m$(e)_$k;
    let h$(e)_$(k)_1 = 0.5 * (s$(k)_$(o)_$(e).y - s$(k)_$(o)_$(e).z);
    let h$(e)_$(k)_2 = m$(e)_$k + s$(k)_$(o)_$(e).w;
#endfor
#for q in 0..3
    let n$(e)_$q = 0.5 * (h$(e)_1_$q + h$(e)_2_$q);
    let f$(9 * e + q) = h$(e)_0_$q + n$(e)_$q;
    let f$(9 * e + 3 + q) = 0.5 * (h$(e)_1_$q - h$(e)_2_$q);
    let f$(9 * e + 6 + q) = n$(e)_$q + h$(e)_3_$q;
#endfor
#endfor
    let to = wid.x * params.count + ((wid.z * OB + $o) * params.inputs + own) * 9;
#if EACH == 2
#for i in 0..9
    store_sums(to / 2 + $i, vec2f(f$(2 * i), f$(2 * i + 1)));
#endfor
#else
#for i in 0..9
#if FEW
    if (lane < params.inputs) { sums[to + $i] = f$i; }
#else
    sums[to + $i] = f$i;
#endif
#endfor
#endif
  }
#endfor
}

// Gradient of strided.wgsl for its weights: dw[o][i][k][t] = sum of gy[o] times what tap (k, t) sees of f(x[i]), for
// subgroups of 8 lanes. Each lane has EACH output channels (one of every 8) and adds up 9 sums for each of them and IB input
// channels; it loads other channels of x, which shuffles hand to all lanes. A workgroup, which is one subgroup, walks over
// `share` rows of gy as in strided.wgsl, two vec4s at a time as in winograd_weight_grad.wgsl.
//
// It stores a partial sum of the `count` numbers of dw for reduce_partials.wgsl, which is dw itself where there is one
// such workgroup. f is ReLU with `relu`, else the identity.

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let H = params.height;
  let W = params.width;
  let N = params.images;
  // Below all numbers without ReLU, which costs no more than ReLU. (Had x been no number, the loss would have told.)
  let floor = vec4f(select(-3.4028234e38, 0.0, params.relu == 1));
  let Q = (W + 3) / 4;
  let rows = (H + 1) / 2;
  let columns4 = ((W + 1) / 2 + 3) / 4;
  let plane = N * H * Q;
  let plane_out = N * rows * columns4;
  let own = wid.y * $(8 * EACH) + lane;
  let first = wid.x * params.share;
  let steps = (min(N * rows, first + params.share) - first) * columns4;
#if IB == 8
  let plane_x = (wid.z * IB + lane) * plane;
#else
  let plane_x = (wid.z * IB + min(lane, $(IB - 1))) * plane;
#endif
#for i in 0..IB
#for e in 0..EACH
#for t in 0..9
  var s$(i)_$(e)_$t = 0.0;
#endfor
#endfor
#endfor
#for k in 0..3
  var left$k = 0.0;
#endfor
  var r = first % rows;
  var q = 0u;
  var next = (first / rows * H + 2 * r) * Q;
  let result = own * plane_out + first * columns4;
  for (var step = 0u; step < steps; step += 2) {
#for p in 0..2
    let right$p = 2 * q + 1 < Q;
    let begins$p = q == 0;
    let live$p = step + $p < steps;
#for e in 0..EACH
    let g$(p)_$e = select(vec4f(0), load_gy(result + $(8 * e) * plane_out + step + $p), live$p);
#endfor
    let at_x$p = plane_x + next;
#for k in 0..3
#if k == 0
    let inside$(p)_$k = r > 0;
    let row$(p)_$k = at_x$p - select(0u, Q, inside$(p)_$k);
#else
    let inside$(p)_$k = 2 * r + $(k - 1) < H;
    let row$(p)_$k = at_x$p + select(0u, $(k - 1) * Q, inside$(p)_$k);
#endif
    let a$(p)_$k = select(vec4f(0), max(load_x(row$(p)_$k), floor), inside$(p)_$k);
    let b$(p)_$k = select(
      vec4f(0),
      max(load_x(row$(p)_$k + select(0u, 1u, right$p)), floor),
      inside$(p)_$k && right$p,
    );
#endfor
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
      if (step + $(p + 1) >= steps) { // what is loaded has no part in the sums, but must be numbers
        r = 0;
        next = 0;
      }
    }
#endfor
    // v<p>_<k>_<t> is what tap t of row k sees.
#for p in 0..2
#for k in 0..3
#if p == 0
    let l$(p)_$k = select(left$k, 0.0, begins$p);
#else
    let l$(p)_$k = select(b0_$(k).w, 0.0, begins$p);
#endif
    let v$(p)_$(k)_0 = vec4f(l$(p)_$k, a$(p)_$(k).y, a$(p)_$(k).w, b$(p)_$(k).y);
    let v$(p)_$(k)_1 = vec4f(a$(p)_$(k).x, a$(p)_$(k).z, b$(p)_$(k).x, b$(p)_$(k).z);
    let v$(p)_$(k)_2 = vec4f(a$(p)_$(k).y, a$(p)_$(k).w, b$(p)_$(k).y, b$(p)_$(k).w);
#endfor
#endfor
#for k in 0..3
    left$k = b1_$(k).w;
#endfor
#for i in 0..IB
#for k in 0..3
#for t in 0..3
    {
      let u0 = subgroupShuffle(v0_$(k)_$t, $(i)u);
      let u1 = subgroupShuffle(v1_$(k)_$t, $(i)u);
#for e in 0..EACH
      s$(i)_$(e)_$(3 * k + t) += dot(u0, g0_$e) + dot(u1, g1_$e);
#endfor
    }
#endfor
#endfor
#endfor
  }
#for e in 0..EACH
  {
    let to = wid.x * params.count + ((own + $(8 * e)) * params.inputs + wid.z * IB) * 9;
#if IB % 4 == 0
#for l in 0..IB*9/4
    store_sums(to / 4 + $l, vec4f(
#for j in 4*l..4*l+4
      s$(j / 9)_$(e)_$(j % 9),
#endfor
    ));
#endfor
#else
#for l in 0..IB*9
    sums[to + $l] = s$(l / 9)_$(e)_$(l % 9);
#endfor
#endif
  }
#endfor
}

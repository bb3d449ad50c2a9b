// Gradient of strided.wgsl for its weights: dw[o][i][k][t] = sum of gy[o] times what tap (k, t) sees of f(x[i]), for
// subgroups of 8 lanes. Each lane has one of 8 output channels and adds up 9 sums for each of IB input channels; it loads
// other channels of x, which shuffles hand to all lanes. A workgroup, which is one subgroup, walks over `share` rows of gy
// as in strided.wgsl.
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
  let own = wid.y * 8 + lane;
  let first = wid.x * params.share;
  let steps = (min(N * rows, first + params.share) - first) * columns4;
#for i in 0..IB
#for t in 0..9
  var s$(i)_$t = 0.0;
#endfor
#endfor
#for k in 0..3
  var left$k = 0.0;
#endfor
  var r = first % rows;
  var q = 0u;
  var next = (first / rows * H + 2 * r) * Q;
  var result = own * plane_out + first * columns4;
  for (var step = 0u; step < steps; step++) {
    let right = 2 * q + 1 < Q;
#if IB == 8
    let at_x = (wid.z * IB + lane) * plane + next;
#else
    let at_x = (wid.z * IB + min(lane, $(IB - 1))) * plane + next;
#endif
    let g = load_gy(result);
#for k in 0..3
#if k == 0
    let inside$k = r > 0;
    let row$k = at_x - select(0u, Q, inside$k);
#else
    let inside$k = 2 * r + $(k - 1) < H;
    let row$k = at_x + select(0u, $(k - 1) * Q, inside$k);
#endif
    let a$k = select(vec4f(0), max(load_x(row$k), floor), inside$k);
    let b$k = select(vec4f(0), max(load_x(row$k + select(0u, 1u, right)), floor), inside$k && right);
    let l$k = select(left$k, 0.0, q == 0);
    let v$(k)_0 = vec4f(l$k, a$(k).y, a$(k).w, b$(k).y);
    let v$(k)_1 = vec4f(a$(k).x, a$(k).z, b$(k).x, b$(k).z);
    let v$(k)_2 = vec4f(a$(k).y, a$(k).w, b$(k).y, b$(k).w);
    left$k = b$(k).w;
#endfor
#for i in 0..IB
#for k in 0..3
#for t in 0..3
    s$(i)_$(3 * k + t) += dot(subgroupShuffle(v$(k)_$t, $(i)u), g);
#endfor
#endfor
#endfor
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
  let to = wid.x * params.count + (own * params.inputs + wid.z * IB) * 9;
#if IB % 4 == 0
#for l in 0..IB*9/4
  store_sums(to / 4 + $l, vec4f(
#for j in 4*l..4*l+4
    s$(j / 9)_$(j % 9),
#endfor
  ));
#endfor
#else
#for l in 0..IB*9
  sums[to + $l] = s$(l / 9)_$(l % 9);
#endfor
#endif
}

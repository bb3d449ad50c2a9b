// depthwise_grad.wgsl for subgroups of 8 lanes, which stand side by side along a row as in depthwise_lanes.wgsl: each
// loads TV vec4s of gy's rows, gets what lies beside them from its neighbours, and has the S * TV vec4s of x and gx above
// them. E edges are done at once, so that x is loaded and gx stored once for them, in passes from
// params.firstEdge to params.endEdge.
//
// Register r<e>_<k>_<j> is vec4 j - 1 of the lane's part of window row k of edge e, of WINDOW rows, LOW of which lie
// above. A round of the loop does S rows of x and gx, for which one window row joins the others; RU is from one to the
// next. V sums z for each channel are those of the weights and, where batch norm precedes the convolution (SUMS), those
// of its gradient and of its product with the normalised x. Where the subgroup is the channel's only one (ALONE) the
// former are stored and the latter used: gx goes through bn_grad_input.wgsl's formula. Else all are partial sums for
// reduce_partials.wgsl. Params as in depthwise_lanes.wgsl, with pitch that of x and outPitch that of gy.

@compute @workgroup_size(8)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let CI = params.channels;
  let N = params.batch;
  let H = params.height;
  let W = params.width;
  let HO = params.outHeight;
  let P4 = params.pitch;
  let Q4 = params.outPitch;
  let ROW = params.rowLanes;
  let source = wid.y;
  let tile = lane % ROW;
  let image = lane / ROW;
  let left = (lane + 7) % 8;
  let right = (lane + 1) % 8;
#if NORM
  let mean = stats[source];
  let scale = inverseSqrt(stats[CI + source] + EPS);
#endif
#for v in 0..S*TV
  let mask$v = tail(W, tile * $(S * TV) + $(v + 1) == P4);
#endfor
#if SUMS && ALONE
  var total = 0.0;
  var product_total = 0.0;
#endif
  for (var channel0 = params.firstEdge * CI + source; channel0 < params.endEdge * CI; channel0 += CI * E) {
#for e in 1..E
  let channel$e = channel$(e - 1) + CI;
#endfor
#for e in 0..E
#for i in 0..(K*K+7)/8
  let share$(e)_$i = w[channel$e * (K * K) + min(lane + $(8 * i), $(K * K - 1))];
#endfor
#for k in 0..K*K
  let w$(e)_$k = subgroupShuffle(share$(e)_$(k / 8), $(k % 8)u);
#if WEIGHTS
  var z$(e)_$k = 0.0;
#endif
#endfor
#endfor
#if SUMS
  var sum = vec4f(0);
  var product = vec4f(0);
#endif
  for (var group = wid.x * (8 / ROW); group < N; group += params.atOnce) {
    let n = min(group + image, N - 1);
    let live = image < 8 / ROW && group + image < N;
    let plane = (source * N + n) * H * P4 + tile * $(S * TV);
#for e in 0..E
    let plane_out$e = (channel$e * N + n) * HO * Q4 + tile * TV;
#endfor
    for (var row_class = 0u; row_class < CLASSES; row_class++) {
      var row = row_class;
#for e in 0..E
#for k in 0..LOW
#for j in 0..TV+2
      var r$(e)_$(k)_$j = vec4f(0);
#endfor
#endfor
#endfor
#for part in 0..2
#if part == 1
      for (var first = row_class; first < H; first += $(RU * S)) {
#endif
#for k in LOW + part*(WINDOW-1-LOW)..WINDOW-1+part
        let inside$k = row < HO;
        let at$k = min(row, HO - 1) * Q4;
        row += RU;
#for e in 0..E
#for j in 1..TV+1
        var r$(e)_$(k)_$j = select(vec4f(0), load_gy(plane_out$e + at$k + $(j - 1)), inside$k && tile * TV + $j <= Q4);
#endfor
        var r$(e)_$(k)_0 = select(vec4f(0), subgroupShuffle(r$(e)_$(k)_$(TV), left), tile > 0);
        var r$(e)_$(k)_$(TV + 1) = select(vec4f(0), subgroupShuffle(r$(e)_$(k)_1, right), tile + 1 < ROW);
#endfor
#endfor
#endfor
#for y in 0..S
#for v in 0..S*TV
        {
          let index = plane + min(first + $y, H - 1) * P4 + $v;
          let here = live && first + $y < H && tile * $(S * TV) + $v < P4;
#if S == 2 && D == 2 && y == 1
          if (here) { store_gx(index, vec4f(0)); } // an even distance from gy's rows only
#else
#if MASK || WEIGHTS
          var a = load_x(index);
#if NORM
          a = (a - mean) * scale;
#endif
#if MASK
          let positive = a > vec4f(0);
          a = max(a, vec4f(0));
#endif
#if NORM
          a *= mask$v;
#endif
#if WEIGHTS || SUMS
          a = select(vec4f(0), a, here);
#endif
#endif
#if S == 1
          var s = vec4f(0);
#for e in 0..E
#for k in 0..K
#for q in 0..K
          {
            let g = vec4f(
#for c in 0..4
              r$(e)_$(K - 1 - k)_$((4 + 4*v + c + PAD - q*D) / 4)[$((4 + 4*v + c + PAD - q*D) % 4)],
#endfor
            );
            s += w$(e)_$(k*K + q) * g;
#if WEIGHTS
            z$(e)_$(k*K + q) += dot(a, g);
#endif
          }
#endfor
#endfor
#endfor
#else
          // Elements 0 and 2 of s, and 1 and 3, are an even distance from the same elements of gy.
#for p in 0..2
          var s$p = vec2f(0);
#for e in 0..E
#for k in 0..K
#for q in 0..K
#if (y + PAD - k*D) % 2 == 0 && (p + PAD - q*D) % 2 == 0
          {
            let g = vec2f(
#for c in 0..2
              r$(e)_$((y + PAD - k*D) / 2 + LOW)_$((8 + 4*v + 2*c + p + PAD - q*D) / 8)[$((8 + 4*v + 2*c + p + PAD - q*D) / 2 % 4)],
#endfor
            );
            s$p += w$(e)_$(k*K + q) * g;
#if WEIGHTS
            z$(e)_$(k*K + q) += dot(vec2f(a[$p], a[$(p + 2)]), g);
#endif
          }
#endif
#endfor
#endfor
#endfor
#endfor
          var s = vec4f(s0.x, s1.x, s0.y, s1.y);
#endif
#if MASK
          s = select(vec4f(0), s, positive);
#endif
          s *= mask$v;
          for (var more = channel0 != source; more; more = false) { s += load_gx(index); } // an if would not spare the load
#if SUMS
          sum += select(vec4f(0), s, here);
          product += s * a;
#endif
          if (here) { store_gx(index, s); }
#endif
        }
#endfor
#endfor
#for e in 0..E
#for k in 0..WINDOW-1
#for j in 0..TV+2
        r$(e)_$(k)_$j = r$(e)_$(k + 1)_$j;
#endfor
#endfor
#endfor
      }
    }
  }
#if SUMS
  let z0_$(V - 2) = (sum.x + sum.y) + (sum.z + sum.w);
  let z0_$(V - 1) = (product.x + product.y) + (product.z + product.w);
#endif
#if V
  // Of 8 sums of 8 lanes each, lane l gets the l-th: in each of three steps lanes swap halves of what they have.
#for e in 0..E
#for i in V..(V+7)/8*8
  let z$(e)_$i = 0.0;
#endfor
#for b in 0..(V+7)/8
  let i$(e)_$b = $(8 * b) + lane;
#for j in 0..4
  let p$(e)_$(b)_$j = select(z$(e)_$(8*b+2*j), z$(e)_$(8*b+2*j+1), (lane & 1) != 0) +
    subgroupShuffleXor(select(z$(e)_$(8*b+2*j+1), z$(e)_$(8*b+2*j), (lane & 1) != 0), 1u);
#endfor
#for j in 0..2
  let q$(e)_$(b)_$j = select(p$(e)_$(b)_$(2*j), p$(e)_$(b)_$(2*j+1), (lane & 2) != 0) +
    subgroupShuffleXor(select(p$(e)_$(b)_$(2*j+1), p$(e)_$(b)_$(2*j), (lane & 2) != 0), 2u);
#endfor
  let o$(e)_$b = select(q$(e)_$(b)_0, q$(e)_$(b)_1, (lane & 4) != 0) +
    subgroupShuffleXor(select(q$(e)_$(b)_1, q$(e)_$(b)_0, (lane & 4) != 0), 4u);
#if ALONE
#if WEIGHTS
  if (i$(e)_$b < K * K) { dw[channel$e * (K * K) + i$(e)_$b] = o$(e)_$b; }
#endif
#else
  if (i$(e)_$b < V) { partial[(channel$e * workgroups.x + wid.x) * V + i$(e)_$b] = o$(e)_$b; }
#endif
#endfor
#endfor
#endif
#if SUMS && ALONE
  total = subgroupShuffle(o0_$((V - 2) / 8), $((V - 2) % 8)u);
  product_total = subgroupShuffle(o0_$((V - 1) / 8), $((V - 1) % 8)u);
#endif
  }
#if SUMS && ALONE
  let count = f32(N * H * W);
  let average = total / count;
  let slope = scale * product_total / count;
  for (var group = 0u; group < N; group += params.atOnce) {
    let n = group + image;
    let at = (source * N + n) * H * P4 + tile * $(S * TV);
    for (var row = 0u; row < H; row++) {
#for v in 0..S*TV
      if (image < 8 / ROW && n < N && tile * $(S * TV) + $v < P4) {
        let index = at + row * P4 + $v;
        store_gx(index, (load_gx(index) - average - (load_x(index) - mean) * slope) * scale * mask$v);
      }
#endfor
    }
  }
#endif
}

// The reductions of edges of a mixed operation, backward: what batch norm's gradient needs is also what the
// gradient of the weight needs (h = sum of g * zhat), so one pass over g and the candidates serves both.
//
// One workgroup (SHUFFLED: which is one subgroup of 8 lanes), row e * C + c, does channel c of edge e and writes, for
// each candidate, the coefficients (p, q, t, h) of
//   gradient of z = p * g + q * z + t,   gradient of the weight = sum over channels of h.
// With batch statistics (BATCH<k>): p = w r, q = -w r^2 h / n, t = -w r (sum g) / n - q mean, r = 1 / sqrt(var + EPS).
// Otherwise p = w r (r = 1 without NORM<k>), q = t = 0. Names and params as in mixed_sum.wgsl; elements of a
// channel; coefficients of a candidate; candidates[k].number, which of them it is in y.

#if SHUFFLED
fn across(own: f32) -> f32 {
  let two = own + subgroupShuffleXor(own, 1u);
  let four = two + subgroupShuffleXor(two, 2u);
  return four + subgroupShuffleXor(four, 4u);
}
#else
var<workgroup> shared_sums: array<array<f32, $(COUNT + 1)>, WG>;
#endif

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let C = params.channels;
  let M4 = params.length;
  let c = wid.y % C;
  let edge = wid.y / C * COUNT;
  let own = params.firstEdge * C + wid.y;
  let size = f32(params.elements);
#for k in 0..COUNT
  let of$k = params.terms[edge + $k];
  let base$k = of$(k).first + c * M4;
#if NORM$k
  let mean_at$k = of$(k).channel + c;
  let var_at$k = mean_at$k + params.candidates[$k].channels;
  let mean$k = stats$k[mean_at$k / 4][mean_at$k % 4];
#else
  let mean$k = 0.0;
#endif
  var s$k = 0.0;
#endfor
  var total = 0.0;
  let first = lane / 8 * params.share;
  let end = min(M4, first + params.share);
  for (var m = first + lane % 8; m < end; m += 8) {
    let a = load_g(own * M4 + m);
    total += dot(a, vec4f(1));
#for k in 0..COUNT
    s$k += dot(a, load_z$k(base$k + m) - mean$k);
#endfor
  }
#if SHUFFLED
  let sum_g = across(total);
#for k in 0..COUNT
  let sum$k = across(s$k);
#endfor
  if (lane != 0) { return; }
#else
#for k in 0..COUNT
  shared_sums[lane][$k] = s$k;
#endfor
  shared_sums[lane][COUNT] = total;
  workgroupBarrier();
  // Lane k adds up sum k; sum COUNT is needed by all.
  if (lane <= COUNT) {
    var sum = 0.0;
    for (var l = 0u; l < WG; l++) { sum += shared_sums[l][lane]; }
    shared_sums[0][lane] = sum;
  }
  workgroupBarrier();
  if (lane != 0) { return; }
  let sum_g = shared_sums[0][COUNT];
#for k in 0..COUNT
  let sum$k = shared_sums[0][$k];
#endfor
#endif
#for k in 0..COUNT
  {
    let w = weights[of$(k).weight / 4][of$(k).weight % 4];
#if NORM$k
    let r = inverseSqrt(stats$k[var_at$k / 4][var_at$k % 4] + EPS);
#else
    let r = 1.0;
#endif
    let h = r * sum$k;
#if BATCH$k
    let q = -w * r * r * h / size;
    let t = -w * r * sum_g / size - q * mean$k;
#else
    let q = 0.0;
    let t = 0.0;
#endif
    store_y(params.candidates[$k].number * params.coefficients + own, vec4f(w * r, q, t, h));
  }
#endfor
}

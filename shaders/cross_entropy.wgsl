// Cross entropy of the rows of dense [N, K] with label smoothing E: of z = x - max(x),
//   loss = log(sum exp z) - (1 - E) z[label] - E mean(z)
// One workgroup does all rows and adds them up in a fixed order. A row with a number that is not finite, or with a
// label of K or more, has the loss NaN; negative labels do not count. Where targets are mixed, z[label] is a weighted
// mean: `shares` of it from the label's own logit, the rest from that of `others`, where that is not negative.

var<workgroup> parts: array<vec4f, LANES>;

fn row(r: u32) -> vec4f {
  let label = labels[r];
  if (label < 0) { return vec4f(0); }
  let start = r * K;
  let end = start + K;
  var most = x[start];
  var best = start;
#if MIXED
  let other = select(others[r], label, others[r] < 0);
  var broken = u32(max(label, other)) >= K;
#else
  var broken = label >= K;
#endif
  for (var i = start; i < end; i++) {
    let v = x[i];
    if (v > most) {
      most = v;
      best = i;
    }
    // Looks at the bits: a compiler may assume that there is no NaN.
    broken = broken || (bitcast<u32>(v) & 0x7f800000) == 0x7f800000;
  }
  if (broken) { return vec4f(bitcast<f32>(u32(label) | 0x7fc00000), 0, 1, 0); }
  var exps = 0.0;
  var sum = 0.0;
  for (var i = start; i < end; i++) {
    let z = x[i] - most;
    exps += exp(z);
    sum += z;
  }
  let chosen = start + u32(label);
#if MIXED
  let right = mix(x[start + u32(other)], x[chosen], shares[r]);
#else
  let right = x[chosen];
#endif
  let value = log(exps) - (1.0 - SMOOTHING) * (right - most) - SMOOTHING * (sum / f32(K));
  return vec4f(value, select(0.0, 1.0, best == chosen), 1, 0);
}

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_index) lane: u32) {
  var part = vec4f(0);
  for (var r = lane; r < N; r += LANES) { part += row(r); }
  parts[lane] = part;
  for (var width = u32(LANES / 2); width > 0; width /= 2) {
    workgroupBarrier();
    if (lane < width) { parts[lane] += parts[lane + width]; }
  }
  if (lane == 0) {
    let all = parts[0];
    store_tally(0, all);
    store_loss(0, vec4f(all.x / max(all.z, 1.0), 0, 0, 0));
  }
}

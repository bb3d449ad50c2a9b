// Adam with L2 weight decay over LENGTH vec4s (SHARE per strand of 8 invocations), in place.
// hyper.alphaCorrection1 = 1 - BETA1^t, hyper.alphaCorrection2 = 1 - BETA2^t:
// g = grad + DECAY * p;  m = BETA1 * m + (1 - BETA1) * g;  v = BETA2 * v + (1 - BETA2) * g^2;
// p -= hyper.alphaLr / hyper.alphaCorrection1 * m / (sqrt(v) / sqrt(hyper.alphaCorrection2) + EPS).

@compute @workgroup_size(SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let rate = hyper.alphaLr / hyper.alphaCorrection1;
  let root = inverseSqrt(hyper.alphaCorrection2);
  let first = (group.x * $(SIZE / 8) + lane / 8) * SHARE;
  let end = min(LENGTH, first + SHARE);
  for (var at = first + lane % 8; at < end; at += 8) {
    let p = load_param(at);
    let g = load_grad(at) + f32(DECAY) * p;
    let m = f32(BETA1) * load_mean(at) + f32(REST1) * g;
    let v = f32(BETA2) * load_variance(at) + f32(REST2) * g * g;
    store_mean(at, m);
    store_variance(at, v);
    store_param(at, p - rate * m / (sqrt(v) * root + f32(EPS)));
  }
}

// Adam with L2 weight decay over LENGTH vec4s (SHARE per strand of 8 invocations), in place.
// hyper[1] learning rate, hyper[2] = 1 - BETA1^t, hyper[3] = 1 - BETA2^t:
// g = grad + DECAY * p;  m = BETA1 * m + (1 - BETA1) * g;  v = BETA2 * v + (1 - BETA2) * g^2;
// p -= rate / hyper[2] * m / (sqrt(v) / sqrt(hyper[3]) + EPS).

@group(0) @binding(0) var<storage, read_write> param: array<vec4f>;
@group(0) @binding(1) var<storage, read> grad: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> mean: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> variance: array<vec4f>;
@group(0) @binding(4) var<uniform> hyper: array<vec4f, 2>;

@compute @workgroup_size(SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let rate = hyper[0].y / hyper[0].z;
  let root = inverseSqrt(hyper[0].w);
  let first = (group.x * $(SIZE / 8) + lane / 8) * SHARE;
  let end = min(LENGTH, first + SHARE);
  for (var at = first + lane % 8; at < end; at += 8) {
    let p = param[at];
    let g = grad[at] + f32(DECAY) * p;
    let m = f32(BETA1) * mean[at] + f32(REST1) * g;
    let v = f32(BETA2) * variance[at] + f32(REST2) * g * g;
    mean[at] = m;
    variance[at] = v;
    param[at] = p - rate * m / (sqrt(v) * root + f32(EPS));
  }
}

// SGD with momentum, weight decay and clipping of the gradient norm over LENGTH vec4s (SHARE per strand of 8
// invocations), in place:
// g = coef * grad + DECAY * p;  buf = MOMENTUM * buf + g;  p -= hyper[0] * buf,
// coef = min(1, CLIP / (norm + 1e-6)) as in torch.nn.utils.clip_grad_norm_, or 1 without CLIP.

@group(0) @binding(0) var<storage, read_write> param: array<vec4f>;
@group(0) @binding(1) var<storage, read> grad: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> buffer: array<vec4f>;
@group(0) @binding(3) var<uniform> hyper: array<vec4f, 2>;
#if CLIP > 0
@group(0) @binding(4) var<uniform> square: array<vec4f, 1>;
#endif

@compute @workgroup_size(SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let rate = hyper[0].x;
#if CLIP > 0
  let coef = min(1.0, f32(CLIP) / (sqrt(square[0].x) + 1e-6));
#else
  let coef = 1.0;
#endif
  let first = (group.x * $(SIZE / 8) + lane / 8) * SHARE;
  let end = min(LENGTH, first + SHARE);
  for (var at = first + lane % 8; at < end; at += 8) {
    let p = param[at];
    let b = f32(MOMENTUM) * buffer[at] + (coef * grad[at] + f32(DECAY) * p);
    buffer[at] = b;
    param[at] = p - rate * b;
  }
}

// SGD with momentum, weight decay and clipping of the gradient norm over LENGTH vec4s (SHARE per strand of 8
// invocations), in place:
// g = coef * grad + DECAY * p;  buf = MOMENTUM * buf + g;  p -= hyper.weightLr * buf,
// SPANS: over `params.spans` of vec4s alone, of which none is longer than LENGTH; workgroup (x, y) does part x of span y.
// coef = min(1, CLIP / (norm + 1e-6)) as in torch.nn.utils.clip_grad_norm_, or 1 without CLIP.

@compute @workgroup_size(SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let rate = hyper.weightLr;
#if CLIP > 0
  let coef = min(1.0, f32(CLIP) / (sqrt(square.sum) + 1e-6));
#else
  let coef = 1.0;
#endif
  let first = (group.x * $(SIZE / 8) + lane / 8) * SHARE;
#if SPANS
  let span = params.spans[group.y];
  let start = span.first + first;
  let end = min(span.end, start + SHARE);
#else
  let start = first;
  let end = min(LENGTH, first + SHARE);
#endif
  for (var at = start + lane % 8; at < end; at += 8) {
    let p = load_param(at);
    let b = f32(MOMENTUM) * load_buffer(at) + (coef * load_grad(at) + f32(DECAY) * p);
    store_buffer(at, b);
    store_param(at, p - rate * b);
  }
}

// y = (x - mean) * rstd [* gamma + beta], elementwise: workgroup (g, c) does part g of channel c. The padding of a
// row stays zero. BACKWARD: y = x * rstd [* gamma] (x is then the gradient of y with statistics that are constants).
// LENGTH vec4s per channel, of which a strand of 8 invocations walks SHARE; VECS vec4s per row, TAIL elements in the
// last of them (0: all four).

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> stats: array<f32>;
#if GAMMA
@group(0) @binding(2) var<storage, read> gamma: array<f32>;
#endif
#if BETA
@group(0) @binding(3) var<storage, read> beta: array<f32>;
#endif
@group(0) @binding($(2 + GAMMA + BETA)) var<storage, read_write> y: array<vec4f>;

#if TAIL && !BACKWARD
const MASK = vec4f(1.0, f32($(TAIL > 1)), f32($(TAIL > 2)), 0.0);
#endif

fn result(v: vec4f, at: u32, mean: f32, scale: f32, bias: f32) -> vec4f {
#if BACKWARD
  return v * scale;
#else
#if TAIL
  let mask = select(vec4f(1.0), MASK, at % VECS == $(VECS - 1));
  return (v - mean * mask) * scale + bias * mask;
#else
  return (v - mean) * scale + bias;
#endif
#endif
}

@compute @workgroup_size(SIZE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let c = group.y;
  let mean = stats[c];
  var scale = inverseSqrt(stats[groups.y + c] + EPS);
#if GAMMA
  scale *= gamma[c];
#endif
#if BETA
  let bias = beta[c];
#else
  let bias = 0.0;
#endif
  let first = (group.x * $(SIZE / 8) + lane / 8) * SHARE;
  let end = c * LENGTH + min(LENGTH, first + SHARE);
  var at = c * LENGTH + first + lane % 8;
  for (; at + 24 < end; at += 32) {
#for k in 0..4
    let v$k = x[at + $(k * 8)];
#endfor
#for k in 0..4
    y[at + $(k * 8)] = result(v$k, at + $(k * 8), mean, scale, bias);
#endfor
  }
  for (; at < end; at += 8) { y[at] = result(x[at], at, mean, scale, bias); }
}

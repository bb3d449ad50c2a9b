// y = (x - mean) * rstd [* gamma + beta], elementwise over channels: workgroup (x, c) does ITEMS * SIZE vec4s of
// channel c. The padding of a row stays zero. BACKWARD: y = x * rstd [* gamma] (x is then the gradient of y with
// statistics that are constants).

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

@compute @workgroup_size(SIZE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let c = group.y;
  let base = c * LENGTH;
  let first = group.x * $(ITEMS * SIZE) + lane;
  var scale = inverseSqrt(stats[groups.y + c] + EPS);
#if GAMMA
  scale *= gamma[c];
#endif
#if !BACKWARD
  let mean = stats[c];
#if BETA
  let bias = beta[c];
#else
  let bias = 0.0;
#endif
#endif
#for k in 0..ITEMS
  {
    let i = first + $(k * SIZE);
#if GUARD
    if (i < LENGTH) {
#endif
#if BACKWARD
    y[base + i] = x[base + i] * scale;
#else
#if TAIL
    let mask = select(vec4f(1.0), MASK, i % VECS == $(VECS - 1));
    y[base + i] = (x[base + i] - mean * mask) * scale + bias * mask;
#else
    y[base + i] = (x[base + i] - mean) * scale + bias;
#endif
#endif
#if GUARD
    }
#endif
  }
#endfor
}

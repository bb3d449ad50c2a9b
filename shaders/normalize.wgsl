// y = (x - mean) * rstd [* gamma + beta], elementwise: workgroup (g, c) does part g of channel c. The padding of a
// row stays zero. BACKWARD: y = x * rstd [* gamma] (x is then the gradient of y with statistics that are constants).
// MASKED: something follows the elements of a row. params = (vec4s of a channel, of the run that a strand of 8 invocations
// walks, vec4s of a row + 65536 * elements in the last of them, 0).

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> stats: array<f32>;
#if GAMMA
@group(0) @binding(2) var<storage, read> gamma: array<f32>;
#endif
#if BETA
@group(0) @binding(3) var<storage, read> beta: array<f32>;
#endif
@group(0) @binding($(2 + GAMMA + BETA)) var<storage, read_write> y: array<vec4f>;
@group(0) @binding($(3 + GAMMA + BETA)) var<uniform> params: array<vec4u, 1>;

@compute @workgroup_size(SIZE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let c = group.y;
  let length = params[0].x;
#if BACKWARD
  let mean = 0.0;
#else
  let mean = stats[c];
#endif
  var scale = inverseSqrt(stats[groups.y + c] + EPS);
#if GAMMA
  scale *= gamma[c];
#endif
#if BETA
  let bias = beta[c];
#else
  let bias = 0.0;
#endif
  let first = (group.x * $(SIZE / 8) + lane / 8) * params[0].y;
  let end = c * length + min(length, first + params[0].y);
#if MASKED
  var rows = rows_at(params[0].z, first + lane % 8);
#endif
  for (var at = c * length + first + lane % 8; at < end; at += 8) {
    let result = (x[at] - mean) * scale + bias;
#if MASKED
    y[at] = cut(result, rows);
    walk(&rows);
#else
    y[at] = result;
#endif
  }
}

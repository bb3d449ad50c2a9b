// gx = [gamma *] rstd * (gy - sum(gy) / n - xhat * sum(gy * xhat) / n), elementwise: workgroup (g, c) does
// part g of channel c. The padding of a row stays zero. IN_PLACE: gy is what gx holds.
// MASKED: something follows the elements of a row. params = (vec4s of a channel, of the run that a strand of 8
// invocations walks, vec4s of a row + 65536 * elements in the last of them, elements of a channel).

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> stats: array<f32>;
@group(0) @binding(2) var<storage, read> sums: array<f32>;
@group(0) @binding(3) var<storage, read> products: array<f32>;
@group(0) @binding(4) var<storage, read_write> gx: array<vec4f>;
#if !IN_PLACE
@group(0) @binding(5) var<storage, read> gy: array<vec4f>;
#endif
#if GAMMA
@group(0) @binding($(6 - IN_PLACE)) var<storage, read> gamma: array<f32>;
#endif
@group(0) @binding($(6 - IN_PLACE + GAMMA)) var<uniform> params: array<vec4u, 1>;

@compute @workgroup_size(SIZE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let c = group.y;
  let length = params[0].x;
  let n = f32(params[0].w);
  let rstd = inverseSqrt(stats[groups.y + c] + EPS);
  let mean = stats[c];
  let average = sums[c] / n;
  let slope = rstd * products[c] / n;
#if GAMMA
  let scale = rstd * gamma[c];
#else
  let scale = rstd;
#endif
  let first = (group.x * $(SIZE / 8) + lane / 8) * params[0].y;
  let end = c * length + min(length, first + params[0].y);
#if MASKED
  var rows = rows_at(params[0].z, first + lane % 8);
#endif
  for (var at = c * length + first + lane % 8; at < end; at += 8) {
#if IN_PLACE
    let g = gx[at];
#else
    let g = gy[at];
#endif
    let result = (g - average - (x[at] - mean) * slope) * scale;
#if MASKED
    gx[at] = cut(result, rows);
    walk(&rows);
#else
    gx[at] = result;
#endif
  }
}

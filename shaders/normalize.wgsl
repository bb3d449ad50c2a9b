// y = (x - mean) * rstd [* gamma + beta] [+ more], elementwise: workgroup (g, c) does part g of channel c. The padding of a
// row stays zero. BACKWARD: y = x * rstd [* gamma] (x is then the gradient of y with statistics that are constants).
// MASKED: something follows the elements of a row. Params: length, vec4s of a channel; share, those that a strand of 8
// invocations walks; row as in row_ends.wgsl.

@compute @workgroup_size(SIZE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let c = group.y;
  let length = params.length;
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
  let first = (group.x * $(SIZE / 8) + lane / 8) * params.share;
  let end = c * length + min(length, first + params.share);
#if MASKED
  var rows = rows_at(params.row, first + lane % 8);
#endif
  for (var at = c * length + first + lane % 8; at < end; at += 8) {
    var result = (load_x(at) - mean) * scale + bias;
#if MASKED
    result = cut(result, rows);
    walk(&rows);
#endif
#if MORE
    result += load_more(at);
#endif
    store_y(at, result);
  }
}

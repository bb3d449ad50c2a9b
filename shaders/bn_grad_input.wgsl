// gx = [gamma *] rstd * (gy - sum(gy) / n - xhat * sum(gy * xhat) / n), elementwise: workgroup (g, c) does
// part g of channel c. The padding of a row stays zero. IN_PLACE: gy is what gx holds.
// MASKED: something follows the elements of a row. Params: length, vec4s of a channel; share, those that a strand of 8
// invocations walks; row as in row_ends.wgsl; elements of a channel.

@compute @workgroup_size(SIZE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let c = group.y;
  let length = params.length;
  let n = f32(params.elements);
  let rstd = inverseSqrt(stats[groups.y + c] + EPS);
  let mean = stats[c];
  let average = sums[c] / n;
  let slope = rstd * products[c] / n;
#if GAMMA
  let scale = rstd * gamma[c];
#else
  let scale = rstd;
#endif
  let first = (group.x * $(SIZE / 8) + lane / 8) * params.share;
  let end = c * length + min(length, first + params.share);
#if MASKED
  var rows = rows_at(params.row, first + lane % 8);
#endif
  for (var at = c * length + first + lane % 8; at < end; at += 8) {
#if IN_PLACE
    let g = load_gx(at);
#else
    let g = load_gy(at);
#endif
    let result = (g - average - (load_x(at) - mean) * slope) * scale;
#if MASKED
    store_gx(at, cut(result, rows));
    walk(&rows);
#else
    store_gx(at, result);
#endif
  }
}

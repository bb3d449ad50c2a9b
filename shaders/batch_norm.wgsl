// bn_stats.wgsl and normalize.wgsl in one: stats[0, c] = mean, stats[1, c] = biased variance of channel c of x, and
// y = (x - mean) * rstd [* gamma + beta] [+ more], for subgroups of 8 lanes, one of which has a whole channel and walks it
// twice. Padding stays zero. MASKED: something follows the elements of a row. Params: length, vec4s of a channel; row as
// in row_ends.wgsl.

@compute @workgroup_size(8)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let c = group.x;
  let channels = groups.x;
  let start = c * params.length + lane;
  let end = (c + 1) * params.length;
  var part = moments(start, end, lane);
  part = join(part, subgroupShuffleXor(part, 1u));
  part = join(part, subgroupShuffleXor(part, 2u));
  part = join(part, subgroupShuffleXor(part, 4u));
  part = subgroupShuffle(part, 0u); // rounding differs from lane to lane
  let mean = part.y;
  let variance = part.z / part.x;
  if (lane == 0) {
    stats[c] = mean;
    stats[channels + c] = variance;
    if (c == channels - 1) {
      for (var i = 2 * channels; i % 4 != 0; i++) { stats[i] = 0.0; }
    }
  }
#if AFFINE
  let scale = inverseSqrt(variance + EPS) * gamma[c];
  let bias = beta[c];
#else
  let scale = inverseSqrt(variance + EPS);
  let bias = 0.0;
#endif
#if MASKED
  var rows = rows_at(params.row, lane);
#endif
  for (var at = start; at < end; at += 8) {
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

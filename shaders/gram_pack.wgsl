// Copies a part of one candidate (or of y, or of ones) into its row of the matrix that gram_blocks reads,
// normalised per channel where it has STATS. The padding of the image's rows becomes zero in every row.
// Params: to, vec4 of the matrix to start at; length, how many vec4s; start, the first of them in the row; share, those
// that a strand of 8 invocations walks; channel, the first one in the source; channels of the source; channelLength, vec4s
// of a channel; row as in row_ends.wgsl.

@compute @workgroup_size(SIZE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let share = params.share;
  let length = params.channelLength;
  let first = (group.x * $(SIZE / 8) + lane / 8) * share;
  let end = min(params.length, first + share);
#if ONES || STATS
  var ends_at = rows_at(params.row, params.start + first + lane % 8);
#endif
  for (var i = first + lane % 8; i < end; i += 8) {
    let element = params.start + i;
#if ONES || STATS
    let mask = cut(vec4f(1.0), ends_at);
    walk(&ends_at);
#endif
#if ONES
    let value = mask;
#else
    var value = load_x(params.channel * length + element);
#endif
#if STATS
    let channel = params.channel + element / length;
    value = (value - stats[channel] * mask) * inverseSqrt(stats[params.channels + channel] + EPS);
#endif
    store_rows(params.to + i, value);
  }
}

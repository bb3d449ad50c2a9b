// Copies a part of one candidate (or of y, or of ones) into its row of the matrix that gram_blocks reads,
// normalised per channel where it has STATS. The padding of the image's rows becomes zero in every row.
// params[0]: vec4 of the matrix to start at, number of vec4s, first vec4 in the row, first channel in the source;
// params[1]: channels of the source, vec4s of a strand of 8 invocations, vec4s per channel, vec4s per image row + 65536 *
// elements in the last.

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

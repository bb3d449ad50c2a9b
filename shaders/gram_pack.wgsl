// Copies a part of one candidate (or of y, or of ones) into its row of the matrix that gram_blocks reads,
// normalised per channel where it has STATS. The padding of the image's rows becomes zero in every row.
// params[0]: vec4 of the matrix to start at, number of vec4s, first vec4 in the row, first channel in the source;
// params[1]: channels of the source, vec4s of a strand of 8 invocations, vec4s per channel, vec4s per image row + 65536 *
// elements in the last.

#if !ONES
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
#endif
#if STATS
@group(0) @binding(1) var<storage, read> stats: array<f32>;
#endif
@group(0) @binding($(1 - ONES + STATS)) var<storage, read_write> rows: array<vec4f>;
@group(0) @binding($(2 - ONES + STATS)) var<uniform> params: array<vec4u, 2>;

@compute @workgroup_size(SIZE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let share = params[1].y;
  let length = params[1].z;
  let first = (group.x * $(SIZE / 8) + lane / 8) * share;
  let end = min(params[0].y, first + share);
#if ONES || STATS
  var ends_at = rows_at(params[1].w, params[0].z + first + lane % 8);
#endif
  for (var i = first + lane % 8; i < end; i += 8) {
    let element = params[0].z + i;
#if ONES || STATS
    let mask = cut(vec4f(1.0), ends_at);
    walk(&ends_at);
#endif
#if ONES
    let value = mask;
#else
    var value = x[params[0].w * length + element];
#endif
#if STATS
    let channel = params[0].w + element / length;
    value = (value - stats[channel] * mask) * inverseSqrt(stats[params[1].x + channel] + EPS);
#endif
    rows[params[0].x + i] = value;
  }
}

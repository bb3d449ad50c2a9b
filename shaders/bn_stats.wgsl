// stats[0, c] = mean, stats[1, c] = biased variance of channel c; one workgroup per channel. There are PARTS such
// results, for runs of channels behind each other. MASKED: something follows the elements of a row, zeros that do not
// count. Params: length, vec4s of a channel; share, those that a strand of 8 invocations walks; row as in row_ends.wgsl;
// first channel; parts, the channels of each run.
// The invocations' moments (channel_moments.wgsl) are joined through workgroup memory, or in a workgroup of one subgroup of
// 8 lanes by shuffles (SHUFFLED).

#if !SHUFFLED
var<workgroup> joined: array<vec3f, SIZE>;
#endif

@compute @workgroup_size(SIZE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = lane / 8 * params.share;
  let origin = (params.first + group.x) * params.length;
  let end = origin + min(params.length, first + params.share);
  let start = origin + first + lane % 8;
  var part = moments(start, end, first + lane % 8);
#if SHUFFLED
  part = join(part, subgroupShuffleXor(part, 1u));
  part = join(part, subgroupShuffleXor(part, 2u));
  part = join(part, subgroupShuffleXor(part, 4u));
#else
  joined[lane] = part;
  workgroupBarrier();
  if (lane < 8) {
    for (var k = lane + 8; k < SIZE; k += 8) { part = join(part, joined[k]); }
    joined[lane] = part;
  }
  workgroupBarrier();
#endif
  if (lane == 0) {
#if !SHUFFLED
    for (var k = 1; k < 8; k++) { part = join(part, joined[k]); }
#endif
    var c = group.x;
#for p in 0..PARTS
    {
      let channels = params.parts[$p].channels;
      if (c < channels) {
        stats$p[c] = part.y;
        stats$p[channels + c] = part.z / part.x;
        if (c == channels - 1) {
          for (var i = 2 * channels; i % 4 != 0; i++) { stats$p[i] = 0.0; }
        }
      }
      c -= channels; // wraps around once its run is past
    }
#endfor
  }
}

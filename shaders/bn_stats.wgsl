// stats[0, c] = mean, stats[1, c] = biased variance of channel c; one workgroup per channel. There are PARTS such
// results, for runs of channels behind each other. MASKED: something follows the elements of a row, zeros that do not
// count. Params: length, vec4s of a channel; share, those that a strand of 8 invocations walks; row as in row_ends.wgsl;
// first channel; parts, the channels of each run.
// Every invocation sums deviations from the first element it sees, so that a large mean costs no digits; the
// invocations' (count, mean, sum of squared deviations) are joined by the formula of Chan, Golub and LeVeque: through
// workgroup memory, or in a workgroup of one subgroup of 8 lanes by shuffles (SHUFFLED).

#if !SHUFFLED
var<workgroup> joined: array<vec3f, SIZE>;
#endif

fn join(a: vec3f, b: vec3f) -> vec3f {
  let count = a.x + b.x;
  let share = b.x / max(count, 1.0);
  let delta = b.y - a.y;
  return vec3f(count, a.y + delta * share, a.z + b.z + delta * delta * a.x * share);
}

@compute @workgroup_size(SIZE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = lane / 8 * params.share;
  let origin = (params.first + group.x) * params.length;
  let end = origin + min(params.length, first + params.share);
  let start = origin + first + lane % 8;
  var part = vec3f();
  if (start < end) {
    let shift = load_x(start).x;
    var sum = 0.0;
    var squares = 0.0;
    var count = 0.0;
#if MASKED
    var rows = rows_at(params.row, first + lane % 8);
#else
    count = 4.0 * f32((end - start + 7) / 8);
#endif
    var at = start;
    // Four steps at a time, then single ones.
#for rounds in 0..2
    for (; at + $(24 * (1 - rounds)) < end; at += $(32 - 24 * rounds)) {
#for k in 0..4-3*rounds
#if MASKED
      let d$k = cut(load_x(at + $(k * 8)) - shift, rows);
      count += select(4.0, f32(rows.count), ends(rows));
      walk(&rows);
#else
      let d$k = load_x(at + $(k * 8)) - shift;
#endif
#endfor
#for k in 0..4-3*rounds
      sum += dot(d$k, vec4f(1.0));
      squares += dot(d$k, d$k);
#endfor
    }
#endfor
    let offset = sum / count;
    part = vec3f(count, shift + offset, max(squares - count * offset * offset, 0.0));
  }
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

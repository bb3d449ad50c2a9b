// bn_stats.wgsl and normalize.wgsl in one: stats[0, c] = mean, stats[1, c] = biased variance of channel c of x, and
// y = (x - mean) * rstd [* gamma + beta] [+ more], for subgroups of 8 lanes, one of which has a whole channel and walks it
// twice. Padding stays zero. MASKED: something follows the elements of a row. Params: length, vec4s of a channel; row as
// in row_ends.wgsl.

fn join(a: vec3f, b: vec3f) -> vec3f {
  let count = a.x + b.x;
  let share = b.x / max(count, 1.0);
  let delta = b.y - a.y;
  return vec3f(count, a.y + delta * share, a.z + b.z + delta * delta * a.x * share);
}

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
  var part = vec3f();
  if (start < end) {
    let shift = load_x(start).x;
    var sum = 0.0;
    var squares = 0.0;
    var count = 0.0;
#if MASKED
    var rows = rows_at(params.row, lane);
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

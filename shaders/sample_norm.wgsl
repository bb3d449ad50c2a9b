// Normalisation of every sample over its channels and positions; one workgroup per sample n, whose data are
// one run of params.run vec4s per channel, params.channel vec4s apart; a strand of 8 invocations walks params.share of the
// params.length vec4s of all runs. Two walks in one dispatch: the sums, then the result.
// Forward (x -> y, stats): CENTER: y = (x - mean) / sqrt(var + EPS), with deviations from every invocation's first
// element, joined by the formula of Chan, Golub and LeVeque; else y = x / sqrt(mean(x^2) + EPS).
// BACKWARD (x, gy, stats -> gx), d = x - mean, rstd = 1 / sqrt(stats + EPS):
//   gx = rstd * (gy - mean(gy) [CENTER] - d * rstd^2 * mean(gy * d)).
// SHUFFLED: the workgroup is one subgroup of 8 lanes. TAIL: rows end within a vec4; the padding stays zero.
// Further params: elements of a sample; stepInRun = 8 % run and step = 8 / run * channel + 8 % run, what 8 vec4s further
// is; row, vec4s of one, with tail elements in the last.

#if !SHUFFLED
var<workgroup> joined: array<vec4f, SIZE>;
#endif

// Where an invocation is: vec4 `at` of the buffer, vec4 `offset` of the run.
struct Walk { at: u32, offset: u32 }

fn start(sample: u32, i: u32) -> Walk {
  let run = params.run;
  return Walk(sample * run + i / run * params.channel + i % run, i % run);
}

fn next(walk: Walk) -> Walk {
  let run = params.run;
  let offset = walk.offset + params.stepInRun;
  let at = walk.at + params.step;
  let over = offset >= run;
  return Walk(select(at, at + params.channel - run, over), select(offset, offset - run, over));
}

fn mask(walk: Walk) -> vec4f {
#if CENTER && TAIL
  let row = params.row;
  let last = vec4f(1.0, f32(params.tail > 1), f32(params.tail > 2), 0.0);
  return select(vec4f(1.0), last, walk.offset % row == row - 1);
#else
  return vec4f(1.0);
#endif
}

fn join(a: vec4f, b: vec4f) -> vec4f {
#if CENTER && !BACKWARD
  let count = a.x + b.x;
  let share = b.x / max(count, 1.0);
  let delta = b.y - a.y;
  return vec4f(count, a.y + delta * share, a.z + b.z + delta * delta * a.x * share, 0.0);
#else
  return a + b;
#endif
}

@compute @workgroup_size(SIZE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let sample = group.x;
  let elements = f32(params.elements);
  let first = lane / 8 * params.share + lane % 8;
  let end = min(params.length, first - lane % 8 + params.share);
  let walk = start(sample, first);
  var i = first;
  var w0 = walk;
  var part = vec4f();
#if BACKWARD
  let mean = stats[sample];
  let rstd = inverseSqrt(stats[groups.x + sample] + EPS);
  var sum = 0.0;
  var product = 0.0;
  for (; i + 24 < end; i += 32) {
#for k in 0..4
    let g$k = load_gy(w$k.at);
    let d$k = load_x(w$k.at) - mean;
    let w$(k + 1) = next(w$k);
#endfor
#for k in 0..4
    sum += dot(g$k, vec4f(1.0));
    product += dot(g$k, d$k);
#endfor
    w0 = w4;
  }
  for (; i < end; i += 8) {
    let g = load_gy(w0.at);
    sum += dot(g, vec4f(1.0));
    product += dot(g, load_x(w0.at) - mean);
    w0 = next(w0);
  }
  part = vec4f(sum, product, 0.0, 0.0);
#else
#if CENTER
  let shift = load_x(min(w0.at, arrayLength(&x) - 1)).x;
  var sum = 0.0;
  var count = 0.0;
#endif
  var squares = 0.0;
  for (; i + 24 < end; i += 32) {
#for k in 0..4
    let v$k = load_x(w$k.at);
    let w$(k + 1) = next(w$k);
#endfor
#for k in 0..4
#if CENTER
    let d$k = v$k - shift * mask(w$k);
    sum += dot(d$k, vec4f(1.0));
    squares += dot(d$k, d$k);
    count += dot(mask(w$k), vec4f(1.0));
#else
    squares += dot(v$k, v$k);
#endif
#endfor
    w0 = w4;
  }
  for (; i < end; i += 8) {
#if CENTER
    let d = load_x(w0.at) - shift * mask(w0);
    sum += dot(d, vec4f(1.0));
    count += dot(mask(w0), vec4f(1.0));
#else
    let d = load_x(w0.at);
#endif
    squares += dot(d, d);
    w0 = next(w0);
  }
#if CENTER
  let offset = sum / max(count, 1.0);
  part = vec4f(count, select(0.0, shift + offset, count > 0.0),
    max(squares - count * offset * offset, 0.0), 0.0);
#else
  part.x = squares;
#endif
#endif
#if SHUFFLED
  part = join(part, subgroupShuffleXor(part, 1u));
  part = join(part, subgroupShuffleXor(part, 2u));
  // The same bits for all lanes: which of two comes first matters to the formula.
  let all = subgroupShuffle(join(part, subgroupShuffleXor(part, 4u)), 0u);
#else
  joined[lane] = part;
  workgroupBarrier();
  if (lane < 8) {
    for (var k = lane + 8; k < SIZE; k += 8) { part = join(part, joined[k]); }
    joined[lane] = part;
  }
  workgroupBarrier();
  var all = joined[0];
  for (var k = 1; k < 8; k++) { all = join(all, joined[k]); }
#endif
#if BACKWARD
  let slope = all.y / elements * rstd * rstd;
#if CENTER
  let average = all.x / elements;
#else
  let average = 0.0;
#endif
#else
#if CENTER
  let mean = all.y;
  let deviation = all.z / elements;
#else
  let mean = 0.0;
  let deviation = all.x / elements;
#endif
  let rstd = inverseSqrt(deviation + EPS);
  if (lane == 0) {
    stats[sample] = mean;
    stats[groups.x + sample] = deviation;
    if (sample == groups.x - 1) {
      for (var k = 2 * groups.x; k % 4 != 0; k++) { stats[k] = 0.0; }
    }
  }
#endif
  i = first;
  w0 = walk;
  for (; i + 24 < end; i += 32) {
#for k in 0..4
#if BACKWARD
    let y$k = (load_gy(w$k.at) - average * mask(w$k) - (load_x(w$k.at) - mean * mask(w$k)) * slope) * rstd;
#else
    let y$k = (load_x(w$k.at) - mean * mask(w$k)) * rstd;
#endif
    let w$(k + 1) = next(w$k);
#endfor
#for k in 0..4
    store_y(w$k.at, y$k);
#endfor
    w0 = w4;
  }
  for (; i < end; i += 8) {
#if BACKWARD
    store_y(w0.at, (load_gy(w0.at) - average * mask(w0) - (load_x(w0.at) - mean * mask(w0)) * slope) * rstd);
#else
    store_y(w0.at, (load_x(w0.at) - mean * mask(w0)) * rstd);
#endif
    w0 = next(w0);
  }
}

// Normalisation of every sample over its channels and positions; one workgroup per sample n, whose data are
// params[0].x / RUN runs of RUN vec4s, CHANNEL vec4s apart. Two walks in one dispatch: the sums, then the result.
// Forward (x -> y, stats): CENTER: y = (x - mean) / sqrt(var + EPS), with deviations from every invocation's first
// element, joined by the formula of Chan, Golub and LeVeque; else y = x / sqrt(mean(x^2) + EPS).
// BACKWARD (x, gy, stats -> gx), d = x - mean, rstd = 1 / sqrt(stats + EPS):
//   gx = rstd * (gy - mean(gy) [CENTER] - d * rstd^2 * mean(gy * d)).
// VECS vec4s per row, TAIL elements in its last vec4 (0: all four); the padding stays zero.

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
#if BACKWARD
@group(0) @binding(1) var<storage, read> gy: array<vec4f>;
@group(0) @binding(2) var<storage, read> stats: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;
#else
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> stats: array<f32>;
#endif
// [0]: vec4s of a sample, its logical elements
@group(0) @binding($(3 + BACKWARD)) var<uniform> params: array<vec4u, 1>;

var<workgroup> joined: array<vec4f, SIZE>;

// Where an invocation is: vec4 `at` of the buffer, vec4 `offset` of the run.
struct Walk { at: u32, offset: u32 }

fn start(sample: u32, lane: u32) -> Walk {
  return Walk(sample * RUN + lane / RUN * CHANNEL + lane % RUN, lane % RUN);
}

fn next(walk: Walk) -> Walk {
  let offset = walk.offset + $(SIZE % RUN);
  let at = walk.at + $(SIZE / RUN * CHANNEL + SIZE % RUN);
  let over = offset >= RUN;
  return Walk(select(at, at + $(CHANNEL - RUN), over), select(offset, offset - RUN, over));
}

#if CENTER && TAIL
const MASK = vec4f(1.0, f32($(TAIL > 1)), f32($(TAIL > 2)), 0.0);
fn mask(walk: Walk) -> vec4f {
  return select(vec4f(1.0), MASK, walk.offset % VECS == $(VECS - 1));
}
#else
fn mask(walk: Walk) -> vec4f { return vec4f(1.0); }
#endif

@compute @workgroup_size(SIZE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let sample = group.x;
  let total = params[0].x;
  let elements = f32(params[0].y);
  var i = lane;
  var w0 = start(sample, lane);
  var part = vec4f();
#if BACKWARD
  let mean = stats[sample];
  let rstd = inverseSqrt(stats[groups.x + sample] + EPS);
  var sum = vec4f();
  var product = vec4f();
  for (; i + $((ITEMS - 1) * SIZE) < total; i += $(ITEMS * SIZE)) {
#for k in 0..ITEMS
    let g$k = gy[w$k.at];
    let d$k = x[w$k.at] - mean;
    let w$(k + 1) = next(w$k);
#endfor
#for k in 0..ITEMS
    sum += g$k;
    product += g$k * d$k;
#endfor
    w0 = w$ITEMS;
  }
  for (; i < total; i += SIZE) {
    let g = gy[w0.at];
    sum += g;
    product += g * (x[w0.at] - mean);
    w0 = next(w0);
  }
  part = vec4f(dot(sum, vec4f(1.0)), dot(product, vec4f(1.0)), 0.0, 0.0);
#else
#if CENTER
  let shift = x[min(w0.at, arrayLength(&x) - 1)].x;
  var sum = vec4f();
  var count = 0.0;
#endif
  var squares = vec4f();
  for (; i + $((ITEMS - 1) * SIZE) < total; i += $(ITEMS * SIZE)) {
#for k in 0..ITEMS
    let v$k = x[w$k.at];
    let w$(k + 1) = next(w$k);
#endfor
#for k in 0..ITEMS
#if CENTER
    let d$k = v$k - shift * mask(w$k);
    sum += d$k;
    squares += d$k * d$k;
    count += dot(mask(w$k), vec4f(1.0));
#else
    squares += v$k * v$k;
#endif
#endfor
    w0 = w$ITEMS;
  }
  for (; i < total; i += SIZE) {
#if CENTER
    let d = x[w0.at] - shift * mask(w0);
    sum += d;
    count += dot(mask(w0), vec4f(1.0));
#else
    let d = x[w0.at];
#endif
    squares += d * d;
    w0 = next(w0);
  }
#if CENTER
  let offset = dot(sum, vec4f(1.0)) / max(count, 1.0);
  part = vec4f(count, select(0.0, shift + offset, count > 0.0),
    max(dot(squares, vec4f(1.0)) - count * offset * offset, 0.0), 0.0);
#else
  part.x = dot(squares, vec4f(1.0));
#endif
#endif
  joined[lane] = part;
  workgroupBarrier();
  for (var half = $(SIZE / 2)u; half > 0; half /= 2) {
    if (lane < half) {
#if CENTER && !BACKWARD
      let a = joined[lane];
      let b = joined[lane + half];
      let count = a.x + b.x;
      let share = b.x / max(count, 1.0);
      let delta = b.y - a.y;
      joined[lane] = vec4f(count, a.y + delta * share, a.z + b.z + delta * delta * a.x * share, 0.0);
#else
      joined[lane] += joined[lane + half];
#endif
    }
    workgroupBarrier();
  }
  let all = joined[0];
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
  i = lane;
  w0 = start(sample, lane);
  for (; i + $((ITEMS - 1) * SIZE) < total; i += $(ITEMS * SIZE)) {
#for k in 0..ITEMS
#if BACKWARD
    y[w$k.at] = (gy[w$k.at] - average * mask(w$k) - (x[w$k.at] - mean * mask(w$k)) * slope) * rstd;
#else
    y[w$k.at] = (x[w$k.at] - mean * mask(w$k)) * rstd;
#endif
    let w$(k + 1) = next(w$k);
#endfor
    w0 = w$ITEMS;
  }
  for (; i < total; i += SIZE) {
#if BACKWARD
    y[w0.at] = (gy[w0.at] - average * mask(w0) - (x[w0.at] - mean * mask(w0)) * slope) * rstd;
#else
    y[w0.at] = (x[w0.at] - mean * mask(w0)) * rstd;
#endif
    w0 = next(w0);
  }
}

// stats[0, c] = mean, stats[1, c] = biased variance of channel c; one workgroup per channel. There are PARTS such
// results, for runs of channels behind each other; params = (first channel, channels of each run).
// Every invocation sums deviations from the first element it sees, so that a large mean costs no digits; the
// invocations' (count, mean, sum of squared deviations) are joined by the formula of Chan, Golub and LeVeque: through
// workgroup memory, or in a workgroup of one subgroup of 8 lanes by shuffles (SHUFFLED).
// LENGTH vec4s per channel, of which a strand of 8 invocations walks SHARE; VECS vec4s per row, TAIL elements in the
// last of them (0: all four).

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
#for p in 0..PARTS
@group(0) @binding($(p + 1)) var<storage, read_write> stats$p: array<f32>;
#endfor
@group(0) @binding($(PARTS + 1)) var<uniform> params: array<vec4u, PARAMS>;

#if !SHUFFLED
var<workgroup> joined: array<vec3f, SIZE>;
#endif

#if TAIL
const MASK = vec4f(1.0, f32($(TAIL > 1)), f32($(TAIL > 2)), 0.0);
fn mask(at: u32) -> vec4f { return select(vec4f(1.0), MASK, at % VECS == $(VECS - 1)); }
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
  let first = lane / 8 * SHARE;
  let origin = (params[0].x + group.x) * LENGTH;
  let start = origin + first + lane % 8;
  let end = origin + min(LENGTH, first + SHARE);
  var part = vec3f();
  if (start < end) {
#if TAIL && 8 % VECS == 0
    let always = mask(start); // a step of 8 vec4s keeps the column
    let shift = x[start].x * always;
#else
    let shift = x[start].x;
#endif
    var sum = vec4f();
    var squares = vec4f();
    var count = 0.0;
    var at = start;
    for (; at + 24 < end; at += 32) {
#for k in 0..4
#if TAIL && 8 % VECS != 0
      let mask$k = mask(at + $(k * 8));
      let d$k = x[at + $(k * 8)] - shift * mask$k;
      count += dot(mask$k, vec4f(1.0));
#else
      let d$k = x[at + $(k * 8)] - shift;
#endif
#endfor
#for k in 0..4
      sum += d$k;
      squares += d$k * d$k;
#endfor
    }
    for (; at < end; at += 8) {
#if TAIL && 8 % VECS != 0
      let d = x[at] - shift * mask(at);
      count += dot(mask(at), vec4f(1.0));
#else
      let d = x[at] - shift;
#endif
      sum += d;
      squares += d * d;
    }
#if TAIL && 8 % VECS == 0
    count = f32((at - start) / 8) * dot(always, vec4f(1.0));
#endif
#if !TAIL
    count = f32((at - start) / 2);
#endif
    let offset = dot(sum, vec4f(1.0)) / count;
    part = vec3f(count, x[start].x + offset, max(dot(squares, vec4f(1.0)) - count * offset * offset, 0.0));
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
      let channels = params[$((p + 1) / 4)][$((p + 1) % 4)];
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

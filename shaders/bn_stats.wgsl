// stats[0, c] = mean, stats[1, c] = biased variance of channel c; one workgroup per channel.
// Every invocation sums deviations from the first element it sees, so that a large mean costs no digits; the
// invocations' (count, mean, sum of squared deviations) are joined by the formula of Chan, Golub and LeVeque.
// LENGTH vec4s per channel, VECS per row, TAIL elements in a row's last vec4 (0: all four).

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> stats: array<f32>;

var<workgroup> joined: array<vec3f, SIZE>;

#if TAIL
const MASK = vec4f(1.0, f32($(TAIL > 1)), f32($(TAIL > 2)), 0.0);
#endif

@compute @workgroup_size(SIZE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let base = group.x * LENGTH;
  var part = vec3f();
  if (lane < LENGTH) {
    let shift = x[base + lane].x;
    var sum = vec4f();
    var squares = vec4f();
    var count = 0.0;
    var i = lane;
    for (; i + $((ITEMS - 1) * SIZE) < LENGTH; i += $(ITEMS * SIZE)) {
#for k in 0..ITEMS
#if TAIL
      let last$k = (i + $(k * SIZE)) % VECS == $(VECS - 1);
      let d$k = x[base + i + $(k * SIZE)] - shift * select(vec4f(1.0), MASK, last$k);
      count += select(4.0, f32(TAIL), last$k);
#else
      let d$k = x[base + i + $(k * SIZE)] - shift;
      count += 4.0;
#endif
#endfor
#for k in 0..ITEMS
      sum += d$k;
      squares += d$k * d$k;
#endfor
    }
    for (; i < LENGTH; i += SIZE) {
#if TAIL
      let last = i % VECS == $(VECS - 1);
      let d = x[base + i] - shift * select(vec4f(1.0), MASK, last);
      count += select(4.0, f32(TAIL), last);
#else
      let d = x[base + i] - shift;
      count += 4.0;
#endif
      sum += d;
      squares += d * d;
    }
    let offset = dot(sum, vec4f(1.0)) / count;
    part = vec3f(count, shift + offset, max(dot(squares, vec4f(1.0)) - count * offset * offset, 0.0));
  }
  joined[lane] = part;
  workgroupBarrier();
  for (var half = $(SIZE / 2)u; half > 0; half /= 2) {
    if (lane < half) {
      let a = joined[lane];
      let b = joined[lane + half];
      let count = a.x + b.x;
      let share = b.x / max(count, 1.0);
      let delta = b.y - a.y;
      joined[lane] = vec3f(count, a.y + delta * share, a.z + b.z + delta * delta * a.x * share);
    }
    workgroupBarrier();
  }
  if (lane == 0) {
    let channels = groups.x;
    stats[group.x] = joined[0].y;
    stats[channels + group.x] = joined[0].z / joined[0].x;
    if (group.x == channels - 1) {
      for (var i = 2 * channels; i % 4 != 0; i++) { stats[i] = 0.0; }
    }
  }
}

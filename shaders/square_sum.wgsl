// y[g] = sum of squares of workgroup g's part of LENGTH vec4s, SHARE per strand of 8 invocations; SUM: y[0] = sum of
// LENGTH partial sums instead.
// LAST fills the rest of the vec4 that holds the result with zeros.

var<workgroup> joined: array<f32, SIZE>;

@compute @workgroup_size(SIZE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
#if SUM
  var total = 0.0;
  for (var i = lane; i < LENGTH; i += SIZE) { total += load_x(i); }
  joined[lane] = total;
#else
  var total = vec4f();
  let first = (group.x * $(SIZE / 8) + lane / 8) * SHARE;
  let end = min(LENGTH, first + SHARE);
  var at = first + lane % 8;
  for (; at + 24 < end; at += 32) {
#for k in 0..4
    let v$k = load_x(at + $(k * 8));
#endfor
#for k in 0..4
    total += v$k * v$k;
#endfor
  }
  for (; at < end; at += 8) { total += load_x(at) * load_x(at); }
  joined[lane] = dot(total, vec4f(1.0));
#endif
  workgroupBarrier();
  for (var half = $(SIZE / 2)u; half > 0; half /= 2) {
    if (lane < half) { joined[lane] += joined[lane + half]; }
    workgroupBarrier();
  }
  if (lane == 0) {
    y[group.x] = joined[0];
#if LAST
    y[1] = 0.0;
    y[2] = 0.0;
    y[3] = 0.0;
#endif
  }
}

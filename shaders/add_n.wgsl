// y = sum of COUNT tensors of equal storage, params.length vec4s. ACCUMULATE adds to what y holds
// (a further dispatch when the adapter binds too few buffers at once).

@compute @workgroup_size(SIZE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  // A strand of 8 invocations walks params.share vec4s (see channel.ts).
  let first = ((group.y * groups.x + group.x) * (SIZE / 8) + lane / 8) * params.share;
  let end = min(params.length, first + params.share);
  for (var i = first + lane % 8; i < end; i += 8) {
    var sum = load_x0(i);
#for k in 1..COUNT
    sum += load_x$k(i);
#endfor
#if ACCUMULATE
    sum += load_y(i);
#endif
    store_y(i, sum);
  }
}

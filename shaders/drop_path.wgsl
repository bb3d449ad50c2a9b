// y = sum of COUNT images of equal size [C, N, H, W], each times a factor of its own per sample: image k has factor
// mask[row, n], or 1 where FREE<k>. Params: length, share and plane, vec4s of an image, a strand and a plane; batch (N);
// rows, the row of each image.

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
    let n = i / params.plane % params.batch;
    var sum = vec4f(0);
#for k in 0..COUNT
#if FREE$k
    sum += load_x$k(i);
#else
    sum += load_x$k(i) * mask[params.rows[$k].row * params.batch + n];
#endif
#endfor
    store_y(i, sum);
  }
}

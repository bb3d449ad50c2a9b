// y = sum of COUNT tensors of equal storage, params[0].x vec4s. ACCUMULATE adds to what y holds
// (a further dispatch when the adapter binds too few buffers at once).

#for i in 0..COUNT
@group(0) @binding($i) var<storage, read> x$i: array<vec4f>;
#endfor
@group(0) @binding($COUNT) var<storage, read_write> y: array<vec4f>;
@group(0) @binding($(COUNT + 1)) var<uniform> params: array<vec4u, 1>;

@compute @workgroup_size(SIZE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  // A strand of 8 invocations walks params[0].y vec4s (see channel.ts).
  let first = ((group.y * groups.x + group.x) * (SIZE / 8) + lane / 8) * params[0].y;
  let end = min(params[0].x, first + params[0].y);
  for (var i = first + lane % 8; i < end; i += 8) {
    var sum = x0[i];
#for k in 1..COUNT
    sum += x$k[i];
#endfor
#if ACCUMULATE
    sum += y[i];
#endif
    y[i] = sum;
  }
}

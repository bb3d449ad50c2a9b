// y = sum of COUNT images of equal size [C, N, H, W], each times a factor of its own per sample: image k has factor
// mask[ROW<k> * N + n], or 1 where FREE<k>. params[0] = (vec4s of an image, vec4s of a strand, vec4s of a plane, N).

#for i in 0..COUNT
@group(0) @binding($i) var<storage, read> x$i: array<vec4f>;
#endfor
@group(0) @binding($COUNT) var<storage, read> mask: array<f32>;
@group(0) @binding($(COUNT + 1)) var<storage, read_write> y: array<vec4f>;
@group(0) @binding($(COUNT + 2)) var<uniform> params: array<vec4u, 2>;

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
    let n = i / params[0].z % params[0].w;
    var sum = vec4f(0);
#for k in 0..COUNT
#if FREE$k
    sum += x$k[i];
#else
    sum += x$k[i] * mask[params[1][$k] * params[0].w + n];
#endif
#endfor
    y[i] = sum;
  }
}

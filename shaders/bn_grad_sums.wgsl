// sums[c] = sum of gy, products[c] = sum of gy * xhat over channel c, xhat = (x - mean) * rstd; one workgroup per
// channel (SHUFFLED: which is one subgroup of 8 lanes). The padding of gy is zero, so x needs no mask. Params:
// length, vec4s of a channel; share, those that a strand of 8 invocations walks.

#if !SHUFFLED
var<workgroup> joined: array<vec2f, SIZE>;
#endif

@compute @workgroup_size(SIZE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let channels = groups.x;
  let mean = stats[group.x];
  var sum = 0.0;
  var product = 0.0;
  let length = params.length;
  let first = lane / 8 * params.share;
  let end = group.x * length + min(length, first + params.share);
  for (var at = group.x * length + first + lane % 8; at < end; at += 8) {
    let g = load_gy(at);
    sum += dot(g, vec4f(1.0));
    product += dot(g, load_x(at) - mean);
  }
  var part = vec2f(sum, product);
#if SHUFFLED
  part += subgroupShuffleXor(part, 1u);
  part += subgroupShuffleXor(part, 2u);
  part += subgroupShuffleXor(part, 4u);
#else
  joined[lane] = part;
  workgroupBarrier();
  if (lane < 8) {
    for (var k = lane + 8; k < SIZE; k += 8) { part += joined[k]; }
    joined[lane] = part;
  }
  workgroupBarrier();
#endif
  if (lane == 0) {
#if !SHUFFLED
    for (var k = 1; k < 8; k++) { part += joined[k]; }
#endif
    sums[group.x] = part.x;
    products[group.x] = part.y * inverseSqrt(stats[channels + group.x] + EPS);
    if (group.x == channels - 1) {
      for (var k = channels; k % 4 != 0; k++) {
        sums[k] = 0.0;
        products[k] = 0.0;
      }
    }
  }
}

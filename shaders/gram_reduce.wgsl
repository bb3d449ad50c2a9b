// gram[i, j] = sum over the lanes of gram_blocks' partial sums; workgroup (i, j). params.length: vec4s of lanes.

var<workgroup> joined: array<f32, SIZE>;

@compute @workgroup_size(SIZE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let low = min(group.x, group.y);
  let high = max(group.x, group.y);
  let blockA = low / BLOCK;
  let blockB = high / BLOCK;
  let pair = blockB * (blockB + 1) / 2 + blockA;
  let entry = low % BLOCK * BLOCK + high % BLOCK;
  let length = params.length;
  let base = (pair * $(BLOCK * BLOCK) + entry) * length;
  var sum = vec4f();
  for (var i = lane; i < length; i += SIZE) { sum += load_partials(base + i); }
  joined[lane] = (sum.x + sum.y) + (sum.z + sum.w);
  workgroupBarrier();
  for (var half = $(SIZE / 2)u; half > 0; half /= 2) {
    if (lane < half) { joined[lane] += joined[lane + half]; }
    workgroupBarrier();
  }
  if (lane == 0) {
    let count = groups.x;
    gram[group.y * count + group.x] = joined[0];
    if (group.x == count - 1 && group.y == count - 1) {
      for (var k = count * count; k % 4 != 0; k++) { gram[k] = 0.0; }
    }
  }
}

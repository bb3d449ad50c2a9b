// sums[c] = sum of gy, products[c] = sum of gy * xhat over channel c, xhat = (x - mean) * rstd; one workgroup per
// channel. The padding of gy is zero, so x needs no mask.

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> gy: array<vec4f>;
@group(0) @binding(2) var<storage, read> stats: array<f32>;
@group(0) @binding(3) var<storage, read_write> sums: array<f32>;
@group(0) @binding(4) var<storage, read_write> products: array<f32>;

var<workgroup> joined: array<vec2f, SIZE>;

@compute @workgroup_size(SIZE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let channels = groups.x;
  let base = group.x * LENGTH;
  let mean = stats[group.x];
  var sum = vec4f();
  var product = vec4f();
  var i = lane;
  for (; i + $((ITEMS - 1) * SIZE) < LENGTH; i += $(ITEMS * SIZE)) {
#for k in 0..ITEMS
    let g$k = gy[base + i + $(k * SIZE)];
    let d$k = x[base + i + $(k * SIZE)] - mean;
#endfor
#for k in 0..ITEMS
    sum += g$k;
    product += g$k * d$k;
#endfor
  }
  for (; i < LENGTH; i += SIZE) {
    let g = gy[base + i];
    sum += g;
    product += g * (x[base + i] - mean);
  }
  joined[lane] = vec2f(dot(sum, vec4f(1.0)), dot(product, vec4f(1.0)));
  workgroupBarrier();
  for (var half = $(SIZE / 2)u; half > 0; half /= 2) {
    if (lane < half) { joined[lane] += joined[lane + half]; }
    workgroupBarrier();
  }
  if (lane == 0) {
    sums[group.x] = joined[0].x;
    products[group.x] = joined[0].y * inverseSqrt(stats[channels + group.x] + EPS);
    if (group.x == channels - 1) {
      for (var k = channels; k % 4 != 0; k++) {
        sums[k] = 0.0;
        products[k] = 0.0;
      }
    }
  }
}

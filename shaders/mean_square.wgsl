// Mean of the squares of an image, LENGTH vec4s whose padding is zero, by PARTIALS partial sums of CHUNK vec4s each.
// LAST: the second stage, one workgroup of LANES that adds them up in a fixed order.

#if LAST
@group(0) @binding(0) var<storage, read> partials: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;

var<workgroup> parts: array<f32, LANES>;

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_index) lane: u32) {
  var sum = 0.0;
  for (var i = lane; i < PARTIALS; i += LANES) { sum += partials[i]; }
  parts[lane] = sum;
  for (var width = u32(LANES / 2); width > 0; width /= 2) {
    workgroupBarrier();
    if (lane < width) { parts[lane] += parts[lane + width]; }
  }
  if (lane == 0) { y[0] = vec4f(parts[0] / f32(ELEMENTS), 0, 0, 0); }
}
#else
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> partials: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  // A workgroup reads 64 CHUNK vec4s that lie side by side.
  let p = gid.x;
  let first = p / 64 * (64 * CHUNK) + p % 64;
  var sum = vec4f(0);
  for (var i = first; i < min(first + 64 * CHUNK, LENGTH); i += 64) {
    let v = x[i];
    sum += v * v;
  }
  partials[p] = (sum.x + sum.y) + (sum.z + sum.w);
}
#endif

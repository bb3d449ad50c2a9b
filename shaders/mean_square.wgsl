// Mean of the squares of an image, whose padding is zero, by partial sums. LAST: the second stage, one workgroup of LANES
// that adds them up in a fixed order. params[0] = (partial sums, vec4s of each, vec4s of the image, its elements).

#if LAST
@group(0) @binding(0) var<storage, read> partials: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;

@group(0) @binding(2) var<uniform> params: array<vec4u, 1>;

var<workgroup> parts: array<f32, LANES>;

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_index) lane: u32) {
  var sum = 0.0;
  for (var i = lane; i < params[0].x; i += LANES) { sum += partials[i]; }
  parts[lane] = sum;
  for (var width = u32(LANES / 2); width > 0; width /= 2) {
    workgroupBarrier();
    if (lane < width) { parts[lane] += parts[lane + width]; }
  }
  if (lane == 0) { y[0] = vec4f(parts[0] / f32(params[0].w), 0, 0, 0); }
}
#else
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> partials: array<f32>;
@group(0) @binding(2) var<uniform> params: array<vec4u, 1>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  // A workgroup reads vec4s that lie side by side.
  let p = gid.x;
  let chunk = params[0].y;
  let first = p / 64 * (64 * chunk) + p % 64;
  var sum = vec4f(0);
  for (var i = first; i < min(first + 64 * chunk, params[0].z); i += 64) {
    let v = x[i];
    sum += v * v;
  }
  partials[p] = (sum.x + sum.y) + (sum.z + sum.w);
}
#endif

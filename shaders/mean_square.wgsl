// Mean of the squares of an image, whose padding is zero, by partial sums. LAST: the second stage, one workgroup of LANES
// that adds them up in a fixed order. Params of the first stage: chunk, vec4s of a partial sum; length, vec4s of
// the image; of the second: count of partial sums; elements of the image.

#if LAST

var<workgroup> parts: array<f32, LANES>;

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_index) lane: u32) {
  var sum = 0.0;
  for (var i = lane; i < params.count; i += LANES) { sum += partials[i]; }
  parts[lane] = sum;
  for (var width = u32(LANES / 2); width > 0; width /= 2) {
    workgroupBarrier();
    if (lane < width) { parts[lane] += parts[lane + width]; }
  }
  if (lane == 0) { store_y(0, vec4f(parts[0] / f32(params.elements), 0, 0, 0)); }
}
#else

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  // A workgroup reads vec4s that lie side by side.
  let p = gid.x;
  let chunk = params.chunk;
  let first = p / 64 * (64 * chunk) + p % 64;
  var sum = vec4f(0);
  for (var i = first; i < min(first + 64 * chunk, params.length); i += 64) {
    let v = load_x(i);
    sum += v * v;
  }
  partials[p] = (sum.x + sum.y) + (sum.z + sum.w);
}
#endif

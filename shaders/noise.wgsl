// y = N(0, 1), a function of nothing but a key and the place of the element: one Philox 4x32-10 block (Salmon et al.
// 2011) makes the four words of a vec4, and Box and Muller's transform two normals of each pair. The block's counter is
// (vec4, stream, key.x, key.y), its key (key.z, key.w). Params: length, vec4s of y; row, vec4s of one; stream. TAIL
// elements fill the last vec4 of a row (0: all four).

fn mul_high(a: u32, b: u32) -> u32 {
  let t = (a >> 16) * (b & 0xffff) + (((a & 0xffff) * (b & 0xffff)) >> 16);
  let u = (a & 0xffff) * (b >> 16) + (t & 0xffff);
  return (a >> 16) * (b >> 16) + (t >> 16) + (u >> 16);
}

fn philox(counter: vec4u, seed: vec2u) -> vec4u {
  var c = counter;
  var k = seed;
  for (var round = 0; round < 10; round++) {
    let high = vec2u(mul_high(0xd2511f53u, c.x), mul_high(0xcd9e8d57u, c.z));
    let low = vec2u(0xd2511f53u * c.x, 0xcd9e8d57u * c.z);
    c = vec4u(high.y ^ c.y ^ k.x, low.y, high.x ^ c.w ^ k.y, low.x);
    k += vec2u(0x9e3779b9u, 0xbb67ae85u);
  }
  return c;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let m = gid.y * groups.x * 64 + gid.x;
  if (m >= params.length) { return; }
  let words = philox(vec4u(m, params.stream, key[0].xy), key[0].zw);
  let uniform01 = (vec4f(words >> vec4u(8)) + 0.5) / 16777216.0;
  let radius = sqrt(max(vec2f(0), -2.0 * log(uniform01.xz)));
  let angle = 6.283185307179586 * (uniform01.yw - 0.5);
  var normals = vec4f(radius.x * cos(angle.x), radius.x * sin(angle.x), radius.y * cos(angle.y), radius.y * sin(angle.y));
#if TAIL
  if (m % params.row == params.row - 1) { normals *= vec4f(1.0, f32($(TAIL > 1)), f32($(TAIL > 2)), 0.0); }
#endif
  store_y(m, normals);
}

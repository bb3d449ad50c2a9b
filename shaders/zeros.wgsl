// y = 0, LENGTH vec4s.

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  let i = gid.y * GRID_X + gid.x;
  if (i < LENGTH) { store_y(i, vec4f(0)); }
}

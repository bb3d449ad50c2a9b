// running = (1 - MOMENTUM) * running + MOMENTUM * stats * factor over LENGTH vec4s.

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  let i = gid.y * GRID_X + gid.x;
  if (i >= LENGTH) { return; }
  store_running(i, load_running(i) * (1.0 - f32(MOMENTUM)) + load_stats(i) * load_correction(i) * f32(MOMENTUM));
}

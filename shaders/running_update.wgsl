// running = (1 - MOMENTUM) * running + MOMENTUM * stats * factor over LENGTH vec4s.

@group(0) @binding(0) var<storage, read> stats: array<vec4f>;
@group(0) @binding(1) var<storage, read> correction: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> running: array<vec4f>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  let i = gid.y * GRID_X + gid.x;
  if (i >= LENGTH) { return; }
  running[i] = running[i] * (1.0 - f32(MOMENTUM)) + stats[i] * correction[i] * f32(MOMENTUM);
}

// y = max(x, 0), elementwise, where a NaN stays one; GRADIENT: gx = gy where x > 0, else 0. One invocation makes one vec4.

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  let i = gid.y * params.gridX + gid.x;
  if (i >= params.length) { return; }
#if GRADIENT
  store_gx(i, select(vec4f(0), load_gy(i), load_x(i) > vec4f(0)));
#else
  let v = load_x(i);
  store_y(i, select(v, vec4f(0), v <= vec4f(0)));
#endif
}

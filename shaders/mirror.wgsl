// y[c, n, h, w] = x[c, n, h, W - 1 - w], one invocation per vec4, which is the q-th of Q in its row.

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  let i = gid.y * params.gridX + gid.x;
  if (i >= params.length) { return; }
  let q = i % params.columns;
  let last = (i - q) * 4 + params.width - 1 - 4 * q; // what becomes the first of the four
  var v = vec4f(0);
#for k in 0..4
  if (4 * q + $k < params.width) { v[$k] = load_x(last - $k); }
#endfor
  store_y(i, v);
}

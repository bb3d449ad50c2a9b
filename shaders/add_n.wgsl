// y = sum of COUNT tensors of equal storage, LENGTH vec4s. ACCUMULATE adds to what y holds
// (a further dispatch when the adapter binds too few buffers at once).

#for i in 0..COUNT
@group(0) @binding($i) var<storage, read> x$i: array<vec4f>;
#endfor
@group(0) @binding($COUNT) var<storage, read_write> y: array<vec4f>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  let i = gid.y * GRID_X + gid.x;
  if (i >= LENGTH) { return; }
  var sum = x0[i];
#for k in 1..COUNT
  sum += x$k[i];
#endfor
#if ACCUMULATE
  sum += y[i];
#endif
  y[i] = sum;
}

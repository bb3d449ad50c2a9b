// Products of the rows a of block group.y and the rows b of block group.z >= group.y of a matrix, BLOCK rows each:
// every invocation keeps BLOCK * BLOCK sums over its part of the vec4s and stores them as
// partials[pair of blocks][entry][lane] for gram_reduce. Rows behind the last repeat it; nobody reads their sums.
// params[0]: rows, vec4s per row of the matrix, vec4s in use, vec4s of a strand of 8 invocations;
// params[1]: first lane of this dispatch, lanes of all dispatches.

@group(0) @binding(0) var<storage, read> rows: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> partials: array<f32>;
@group(0) @binding(2) var<uniform> params: array<vec4u, 2>;

@compute @workgroup_size(SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(global_invocation_id) gid: vec3u) {
  if (group.z < group.y) { return; }
  let last = params[0].x - 1;
  let pitch = params[0].y;
#for k in 0..BLOCK
  let a$k = min(group.y * BLOCK + $k, last) * pitch;
  let b$k = min(group.z * BLOCK + $k, last) * pitch;
#endfor
#for e in 0..BLOCK * BLOCK
  var sum$e = 0.0;
#endfor
  let first = gid.x / 8 * params[0].w;
  let end = min(params[0].z, first + params[0].w);
  for (var i = first + gid.x % 8; i < end; i += 8) {
#for k in 0..BLOCK
    let u$k = rows[a$k + i];
    let v$k = rows[b$k + i];
#endfor
#for e in 0..BLOCK * BLOCK
    sum$e += dot(u$(e / BLOCK), v$(e % BLOCK));
#endfor
  }
  let lanes = params[1].y;
  let pair = group.z * (group.z + 1) / 2 + group.y;
  let at = pair * $(BLOCK * BLOCK) * lanes + params[1].x + gid.x;
#for e in 0..BLOCK * BLOCK
  partials[at + $e * lanes] = sum$e;
#endfor
}

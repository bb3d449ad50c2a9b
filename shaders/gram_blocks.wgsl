// Products of the rows a of block group.y and the rows b of block group.z >= group.y of a matrix, BLOCK rows each:
// every invocation keeps BLOCK * BLOCK sums over its part of the vec4s and stores them as
// partials[pair of blocks][entry][lane] for gram_reduce. Rows behind the last repeat it; nobody reads their sums.
// Params: count of rows; pitch, vec4s from a row to the next; length, those in use; share, those that a strand of 8
// invocations walks; firstLane of this dispatch; lanes of all dispatches.

@compute @workgroup_size(SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(global_invocation_id) gid: vec3u) {
  if (group.z < group.y) { return; }
  let last = params.count - 1;
  let pitch = params.pitch;
#for k in 0..BLOCK
  let a$k = min(group.y * BLOCK + $k, last) * pitch;
  let b$k = min(group.z * BLOCK + $k, last) * pitch;
#endfor
#for e in 0..BLOCK * BLOCK
  var sum$e = 0.0;
#endfor
  let first = gid.x / 8 * params.share;
  let end = min(params.length, first + params.share);
  for (var i = first + gid.x % 8; i < end; i += 8) {
#for k in 0..BLOCK
    let u$k = load_rows(a$k + i);
    let v$k = load_rows(b$k + i);
#endfor
#for e in 0..BLOCK * BLOCK
    sum$e += dot(u$(e / BLOCK), v$(e % BLOCK));
#endfor
  }
  let lanes = params.lanes;
  let pair = group.z * (group.z + 1) / 2 + group.y;
  let at = pair * $(BLOCK * BLOCK) * lanes + params.firstLane + gid.x;
#for e in 0..BLOCK * BLOCK
  partials[at + $e * lanes] = sum$e;
#endfor
}

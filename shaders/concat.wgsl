// Copies the small images s0, s1, ... into the large one, or the large one into them (SPLIT), one vec4 per invocation.
// END0, END1, ...: where they end, counted in vec4s from the first; OFFSET: where the first lies in the large one.

#for i in 0..PARTS
#if SPLIT
@group(0) @binding($(i + 1)) var<storage, read_write> s$i: array<vec4f>;
#else
@group(0) @binding($i) var<storage, read> s$i: array<vec4f>;
#endif
#endfor
#if SPLIT
@group(0) @binding(0) var<storage, read> large: array<vec4f>;
#else
@group(0) @binding($PARTS) var<storage, read_write> large: array<vec4f>;
#endif

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  let i = gid.y * GRID_X + gid.x;
  let at = OFFSET + i;
  var start = 0u;
#for k in 0..PARTS
  if (i < END$k) {
#if SPLIT
    s$k[i - start] = large[at];
#else
    large[at] = s$k[i - start];
#endif
    return;
  }
  start = END$k;
#endfor
}

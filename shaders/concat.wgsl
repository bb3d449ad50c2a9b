// Copies the small images s0, s1, ... into the large one, or the large one into them (SPLIT), one vec4 per invocation.
// END0, END1, ...: where they end, counted in vec4s from the first; OFFSET: where the first lies in the large one.
// GROUPS > 1: there the channels (of CHANNEL vec4s) are shuffled in so many groups of SIZE.

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  let i = gid.y * GRID_X + gid.x;
#if GROUPS > 1
  let c = (OFFSET + i) / CHANNEL;
  let at = (c % SIZE * GROUPS + c / SIZE) * CHANNEL + (OFFSET + i) % CHANNEL;
#else
  let at = OFFSET + i;
#endif
  var start = 0u;
#for k in 0..PARTS
  if (i < END$k) {
#if SPLIT
    store_s$k(i - start, load_large(at));
#else
    store_large(at, load_s$k(i - start));
#endif
    return;
  }
  start = END$k;
#endfor
}

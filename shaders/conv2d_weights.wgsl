// Arranges dense weights [OUTER, INNER, K, K] for conv2d.wgsl: v[block][inner][tap][OB], where a block is OB outer
// channels (zero past the last one), so that one vec4 holds a tap of four channels. TRANSPOSED: from
// [INNER, OUTER, K, K]. One invocation per number.

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  let i = gid.y * GRID_X + gid.x;
  if (i >= COUNT) { return; }
  let tap = i / OB % TAPS;
  let inner = i / (OB * TAPS) % INNER;
  let outer = i / (OB * TAPS * INNER) * OB + i % OB;
  if (outer >= OUTER) {
    v[i] = 0.0;
    return;
  }
#if TRANSPOSED
  v[i] = w[(inner * OUTER + outer) * TAPS + tap];
#else
  v[i] = w[(outer * INNER + inner) * TAPS + tap];
#endif
}

// Gradient of conv2d.wgsl for its weights, as partial sums over chunks of rows: one invocation adds up CHUNK rows of gy
// for OB output channels, one input channel and KG rows of taps. Along a row it keeps the NQ vec4s of x that the taps
// see and loads the next S. Geometry as in conv2d.wgsl. Partial blocks lie as reduce_partials.wgsl reads them.

fn load(row: i32, q: i32, is_row: bool) -> vec4f {
  let inside = is_row & (q >= 0) & (q < Q);
  let a = select(vec4f(0), load_x(u32(select(0, row + q, inside))), inside);
#if RELU
  // Written so that a NaN stays one.
  return select(a, vec4f(0), a <= vec4f(0));
#else
  return a;
#endif
}

@compute @workgroup_size(16)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  let t = i32(gid.x);
  if (t >= T) { return; }
  let ky0 = i32(gid.y) % (K / KG) * KG;
  let c = i32(gid.y) / (K / KG);
  let o = i32(gid.z) * OB;
#for j in 0..OB*KG*K
  var s$j = 0.0;
#endfor
  let end = min((t + 1) * CHUNK, N * HO);
  for (var r = t * CHUNK; r < end; r++) {
    let n = r / HO;
#for k in 0..KG
    let y$k = r % HO * S + ky0 + $k - PAD;
    let inside$k = y$k >= 0 && y$k < H;
    let row$k = ((c * N + n) * H + y$k) * Q;
#for j in 0..NQ
    var x$(k)_$j = vec4f(0);
#endfor
    // What moving on by S vec4s makes the first NQ - S.
#for j in S..NQ
    x$(k)_$j = load(row$k, $(FIRST + j - S), inside$k);
#endfor
#endfor
    for (var q = 0; q < QO; q++) {
#for j in 0..OB
      let g$j = load_gy(u32(((o + $j) * (N * HO) + r) * QO + q));
#endfor
#for k in 0..KG
#for j in 0..NQ
#if j + S < NQ
      x$(k)_$j = x$(k)_$(j + S);
#else
      x$(k)_$j = load(row$k, S * q + $(FIRST + j), inside$k);
#endif
#endfor
#for kx in 0..K
      {
#for l in 0..4
        let a$l = x$(k)_$((OFF + kx + S * l) / 4)[$((OFF + kx + S * l) % 4)];
#endfor
        let a = vec4f(a0, a1, a2, a3);
#for j in 0..OB
        s$((j * KG + k) * K + kx) += dot(g$j, a);
#endfor
      }
#endfor
#endfor
    }
  }
  let block = i32(gid.z) * (CI * K / KG) + i32(gid.y);
  let at = (block * T + t) * (OB * KG * K);
#for j in 0..OB*KG*K
  partial[at + $j] = s$j;
#endfor
}

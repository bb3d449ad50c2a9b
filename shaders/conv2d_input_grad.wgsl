// Gradient of conv2d.wgsl for its input: gx[c, iy, ix] = sum over o, ky, kx of gy[o, oy, ox] w[o, c, ky, kx] where
// S oy = iy + PAD - ky and S ox = ix + PAD - kx. One invocation makes the S vec4s of a row of gx that lie above vec4 q of
// a row of gy, for OB input channels; which taps meet which pixel is then known here. v holds the transposed weights.
// It reads the NQ vec4s of gy from q + FIRST on; tap kx of pixel l, where it exists, is column (l + PAD - kx) / S - 4 FIRST.

fn load(row: i32, q: i32) -> vec4f {
  let inside = (q >= 0) & (q < QO);
  return select(vec4f(0), load_gy(u32(select(0, row + q, inside))), inside);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  let i = i32(gid.y * GRID_X + gid.x);
  if (i >= COUNT) { return; }
  let q = i % TILES;
  let r = i / TILES % H;
  let n = i / (TILES * H);
  let block = i32(gid.z);
#for l in 0..4*S
#for c in 0..OB/4
  var s$(l)_$c = vec4f(0);
#endfor
#endfor
  for (var o = 0; o < CO; o++) {
    for (var ky = (r + PAD) % S; ky < K; ky += S) {
      let oy = (r + PAD - ky) / S;
      if (r + PAD - ky < 0 || oy >= HO) { continue; }
      let row = ((o * N + n) * HO + oy) * QO;
      let at = ((block * CO + o) * K + ky) * (K * OB / 4);
#for j in 0..NQ
      let g$j = load(row, q + $(FIRST + j));
#endfor
#for kx in 0..K
#for c in 0..OB/4
      let w$(kx)_$c = load_v(u32(at + $(kx * (OB / 4) + c)));
#endfor
#for l in 0..4*S
#if (l + PAD - kx) % S == 0
#for c in 0..OB/4
      s$(l)_$c += g$(((l + PAD - kx) / S - 4 * FIRST) / 4)[$(((l + PAD - kx) / S - 4 * FIRST) % 4)] * w$(kx)_$c;
#endfor
#endif
#endfor
#endfor
    }
  }
#for c in 0..OB
  if (block * OB + $c < CI) {
    let row = (((block * OB + $c) * N + n) * H + r) * Q;
#for p in 0..S
    if (S * q + $p < Q) {
      let at = row + S * q + $p;
      var g = vec4f(s$(4 * p)_$(c / 4)[$(c % 4)], s$(4 * p + 1)_$(c / 4)[$(c % 4)], s$(4 * p + 2)_$(c / 4)[$(c % 4)], s$(4 * p + 3)_$(c / 4)[$(c % 4)]);
#if RELU
      g = select(vec4f(0), g, load_x(u32(at)) > vec4f(0));
#else
#if W % 4 != 0
      g = select(g, vec4f(0), vec4i(0, 1, 2, 3) + 4 * (S * q + $p) >= vec4i(W));
#endif
#endif
      store_gx(u32(at), g);
    }
#endfor
  }
#endfor
}

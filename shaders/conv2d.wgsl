// Convolution K x K, stride S, padding PAD, of an image with CI channels to CO channels. One invocation makes PX vec4s
// of pixels along a row for OB output channels; v holds the weights as conv2d_weights.wgsl arranges them. Each row of
// taps needs NQ vec4s of an input row from vec4 S * q + FIRST on; pixel j sees column OFF + S * j + kx of them.
// The padding of the pitch holds zeros, as do the rows and vec4s outside of the image.

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

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  let i = i32(gid.y * GRID_X + gid.x);
  if (i >= COUNT) { return; }
  let q0 = i % TILES * PX;
  let r = i / TILES % HO;
  let n = i / (TILES * HO);
  let block = i32(gid.z);
#for p in 0..PX
#for o in 0..OB
  var s$(p)_$o = vec4f(0);
#endfor
#endfor
  var at = block * (CI * K * K * OB / 4);
  for (var c = 0; c < CI; c++) {
    for (var ky = 0; ky < K; ky++) {
      let iy = r * S + ky - PAD;
      let is_row = (iy >= 0) & (iy < H);
      let row = ((c * N + n) * H + iy) * Q;
#for j in 0..NQ
      let x$j = load(row, S * q0 + $(FIRST + j), is_row);
#endfor
#for kx in 0..K
#for o in 0..OB/4
      let w$(kx)_$o = load_v(u32(at + $(kx * (OB / 4) + o)));
#endfor
#for p in 0..PX
      {
#for j in 0..4
        let a$j = x$((OFF + kx + S * 4 * p + S * j) / 4)[$((OFF + kx + S * 4 * p + S * j) % 4)];
#endfor
        let a = vec4f(a0, a1, a2, a3);
#for o in 0..OB
        s$(p)_$o += a * w$(kx)_$(o / 4)[$(o % 4)];
#endfor
      }
#endfor
#endfor
      at += K * OB / 4;
    }
  }
#for o in 0..OB
  if (block * OB + $o < CO) {
    let row = (((block * OB + $o) * N + n) * HO + r) * QO;
#for p in 0..PX
    if (q0 + $p < QO) {
#if WO % 4 == 0
      store_y(u32(row + q0 + $p), s$(p)_$o);
#else
      store_y(u32(row + q0 + $p), select(s$(p)_$o, vec4f(0), vec4i(0, 1, 2, 3) + 4 * (q0 + $p) >= vec4i(WO)));
#endif
    }
#endfor
  }
#endfor
}

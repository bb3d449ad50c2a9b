// Depthwise K x K convolution: y[e*CI + c] = w[e*CI + c] * f(x[c]), with dilation D and stride S.
//
// f is the identity, ReLU (RELU), or ReLU of the normalised input (NORM: (x - mean) / sqrt(var + EPS)); what lies
// outside of the image is zero after f. Each invocation walks down RC output rows of one plane, TV vec4s wide, with a
// rolling window of K input rows in registers: register r<k>_<j> is vec4 j - 1 of the tile, so r<k>_0 and
// r<k>_<LOADS - 1> are the neighbours. Rows of one invocation are RU apart (dilated rows of one parity).
//
// H, W input size; HO output rows; P4, Q4 vec4s of an input and output row; N images, of which an invocation does
// every NG-th, so that weights are loaded once for N / NG of them; CLASSES row classes; CHUNKS chunks of rows; TILES
// tiles of columns, which neighbouring invocations take (ACROSS) or those of one image group by group; A window rows
// that an output row advances by. Params: channels of
// the input (CI), imageGroups (NG).

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(workgroup_id) wid: vec3u) {
  let CI = params.channels;
  let NG = params.imageGroups;
  if (gid.x >= NG * CHUNKS * CLASSES * TILES) { return; }
  let channel = wid.y;
#if ACROSS
  let tile = gid.x % TILES;
  let group = (gid.x / TILES) % NG;
#else
  let tile = (gid.x / NG) % TILES;
  let group = gid.x % NG;
#endif
  let row_class = (gid.x / (NG * TILES)) % CLASSES;
  let chunk = gid.x / (NG * TILES * CLASSES);
  let source = channel % CI;
  let column = i32(tile * (S * TV)) - 1;
#if NORM
  let mean = stats[source];
  let scale = inverseSqrt(stats[CI + source] + EPS);
#endif
#for k in 0..K*K
  let w$k = w[channel * (K * K) + $k];
#endfor
  // Window row k of output step t is input row top + (t * A + k) * RU.
  let first = chunk * RC;
  let top = i32(row_class) + i32(first * A) * RU - PAD;
  for (var n = group; n < N; n += NG) {
    let plane = (source * N + n) * (H * P4);
    let plane_out = (channel * N + n) * (HO * Q4);
#for k in 0..K
#for j in 0..LOADS
    var r$(k)_$j = vec4f(0);
#endfor
#endfor
    for (var t = 0; t < i32(RC * A) + K - A; t++) {
#for k in 0..K-1
#for j in 0..LOADS
      r$(k)_$j = r$(k+1)_$j;
#endfor
#endfor
      let row = top + t * RU;
      let inside = (row >= 0) & (row < H);
      let at = i32(plane) + clamp(row, 0, H - 1) * P4;
#for j in 0..LOADS
#if TILES > 1 || (j > 0 && j <= P4)
      {
        let v = column + $j;
        var a = load_x(u32(at + clamp(v, 0, P4 - 1)));
#if NORM
        a = (a - mean) * scale;
#endif
#if RELU || NORM
        a = max(a, vec4f(0));
#endif
#if W % 4 != 0 && NORM
        a *= select(vec4f(1), vec4f(1.0, f32(W % 4 > 1), f32(W % 4 > 2), 0.0), v == P4 - 1);
#endif
        r$(K-1)_$j = select(vec4f(0), a, inside & (v >= 0) & (v < P4));
      }
#endif
#endfor
      let step = t - (K - 1);
      let out_row = row_class + (first + u32(max(step, 0)) / A) * OUT_STEP;
      if (step >= 0 && step % A == 0 && out_row < HO) {
#for v in 0..TV
        var s$v = vec4f(0);
#endfor
#for k in 0..K
#for q in 0..K
#for v in 0..TV
        s$v += w$(k*K+q) * vec4f(
#for c in 0..4
          r$(k)_$((4 + S*(4*v+c) + q*D - PAD) / 4)[$((4 + S*(4*v+c) + q*D - PAD) % 4)],
#endfor
        );
#endfor
#endfor
#endfor
#for v in 0..TV
        {
          let v = tile * TV + $v;
#if WO % 4 != 0
          s$v *= select(vec4f(1), vec4f(1.0, f32(WO % 4 > 1), f32(WO % 4 > 2), 0.0), v == Q4 - 1);
#endif
          if (v < Q4) { store_y(u32(plane_out + out_row * Q4 + v), s$v); }
        }
#endfor
      }
    }
  }
}

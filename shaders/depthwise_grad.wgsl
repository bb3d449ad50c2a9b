// Gradients of depthwise.wgsl in one walk over the rows: with the window over rows of gy, the shifted vectors that
// the input's gradient needs are the very ones that the weights' gradient multiplies with the input row.
//
//   gx[c]       = f'(x[c]) * sum_e flipped(w[e*CI + c]) * gy[e*CI + c]
//   dw[e*CI+c]  = sum gy[e*CI + c] * shifted f(x[c])        (WEIGHTS)
//
// With NORM gx is the gradient of the normalised input; SUMS (one e only) adds up gx and gx * normalised x, which batch
// norm's own gradient begins with. A strided gy is read as if zeros stood between its elements (S = 2). Names as in
// depthwise.wgsl; here H, W, P4 describe x and gx, HO, WO, Q4 describe gy, and each invocation walks down RC rows of gx
// of every NG-th image.
//
// V sums z for each channel, those of the weights first: PARTS partial ones for reduce_partials.wgsl, one of each
// invocation or of each workgroup (ACROSS). Params: channels of the input (CI); edges, how many e there are;
// imageGroups (NG); parts (PARTS).

#if ACROSS && V
var<workgroup> lanes: array<f32, WG * V>;
#endif

@compute @workgroup_size(WG)
fn main(
  @builtin(global_invocation_id) gid: vec3u,
  @builtin(workgroup_id) wid: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let CI = params.channels;
  let NG = params.imageGroups;
  let PARTS = params.parts;
  let source = wid.y;
#if ACROSS
  let tile = gid.x % TILES;
  let group = select(N, (gid.x / TILES) % NG, gid.x < NG * CHUNKS * CLASSES * TILES); // those left over have no image
#else
  if (gid.x >= NG * CHUNKS * CLASSES * TILES) { return; }
  let group = gid.x % NG;
  let tile = (gid.x / NG) % TILES;
#endif
  let row_class = (gid.x / (NG * TILES)) % CLASSES;
  let chunk = gid.x / (NG * TILES * CLASSES);
  let column = i32(tile * TV) - 1;
#if NORM
  let mean = stats[source];
  let scale = inverseSqrt(stats[CI + source] + EPS);
#endif
  let first = i32(chunk * RC);
  let top = i32(row_class) + first * RU - PAD;
  for (var e = 0u; e < params.edges; e++) {
    let channel = e * CI + source;
#for k in 0..K*K
    let w$k = w[channel * (K * K) + $k];
#if WEIGHTS
    var z$k = 0.0;
#endif
#endfor
#if SUMS
    var sum = vec4f(0);
    var product = vec4f(0);
#endif
    for (var n = u32(group); n < N; n += NG) {
      let plane = (source * N + n) * (H * P4);
      let plane_out = (channel * N + n) * (HO * Q4);
#for k in 0..K
#for j in 0..LOADS
      var r$(k)_$j = vec4f(0);
#endfor
#endfor
      // The first K - 1 rows only fill the window: in a loop of their own, since llvmpipe copies every sum that is
      // changed under a condition.
#for part in 0..2
#if part == 0
      for (var t = 0; t < K - 1; t++) {
#else
      for (var t = K - 1; t < i32(RC) + K - 1; t++) {
#endif
#for k in 0..K-1
#for j in 0..LOADS
        r$(k)_$j = r$(k+1)_$j;
#endfor
#endfor
        let row = top + t * RU;
#if S == 2
        let inside = (row >= 0) & (row < 2 * HO) & (row % 2 == 0);
        let at = i32(plane_out) + clamp(row / 2, 0, HO - 1) * Q4;
#else
        let inside = (row >= 0) & (row < HO);
        let at = i32(plane_out) + clamp(row, 0, HO - 1) * Q4;
#endif
#for j in 0..LOADS
#if TILES > 1 || (j > 0 && j <= P4)
        {
          let v = column + $j;
#if S == 2
          let g = load_gy(u32(at + clamp(v / 2, 0, Q4 - 1)));
          let a = select(vec4f(g.x, 0.0, g.y, 0.0), vec4f(g.z, 0.0, g.w, 0.0), v % 2 == 1);
#else
          let a = load_gy(u32(at + clamp(v, 0, Q4 - 1)));
#endif
          r$(K-1)_$j = select(vec4f(0), a, inside & (v >= 0) & (v < S * Q4));
        }
#endif
#endfor
#if part == 1
        let in_row = i32(row_class) + (first + t - (K - 1)) * RU;
#if RC * CHUNKS * CLASSES == H
        {
#else
        if (in_row < H) {
#endif
#for v in 0..TV
          var s$v = vec4f(0);
#endfor
#for v in 0..TV
          {
            let v = tile * TV + $v;
            let live = v < P4;
            let index = plane + u32(in_row) * P4 + min(v, P4 - 1);
#if MASK || WEIGHTS
            var a = load_x(u32(index));
#if NORM
            a = (a - mean) * scale;
#endif
#if MASK
            let positive = a > vec4f(0);
            a = max(a, vec4f(0));
#endif
#if NORM && W % 4 != 0
            a *= select(vec4f(1), vec4f(1.0, f32(W % 4 > 1), f32(W % 4 > 2), 0.0), v == P4 - 1);
#endif
#if TILES > 1
            a = select(vec4f(0), a, live);
#endif
#endif
#for k in 0..K
#for q in 0..K
            {
#if (4 + q*D - PAD) % 4 == 0
              let g = r$(k)_$((4 + 4*v + q*D - PAD) / 4);
#endif
#if (4 + q*D - PAD) % 4 == 1
              let g = vec4f(r$(k)_$((4 + 4*v + q*D - PAD) / 4).yzw, r$(k)_$((7 + 4*v + q*D - PAD) / 4).x);
#endif
#if (4 + q*D - PAD) % 4 == 2
              let g = vec4f(r$(k)_$((4 + 4*v + q*D - PAD) / 4).zw, r$(k)_$((7 + 4*v + q*D - PAD) / 4).xy);
#endif
#if (4 + q*D - PAD) % 4 == 3
              let g = vec4f(r$(k)_$((4 + 4*v + q*D - PAD) / 4).w, r$(k)_$((7 + 4*v + q*D - PAD) / 4).xyz);
#endif
              s$v += w$(K*K-1-k*K-q) * g;
#if WEIGHTS
              z$(K*K-1-k*K-q) += dot(a, g);
#endif
            }
#endfor
#endfor
#if MASK
            s$v = select(vec4f(0), s$v, positive);
#endif
#if W % 4 != 0
            s$v *= select(vec4f(1), vec4f(1.0, f32(W % 4 > 1), f32(W % 4 > 2), 0.0), v == P4 - 1);
#endif
            if (live) {
#if !NORM
              if (e > 0) { s$v += load_gx(u32(index)); }
#endif
              store_gx(u32(index), s$v);
#if SUMS
              sum += s$v;
              product += s$v * a;
#endif
            }
          }
#endfor
        }
#endif
      }
#endfor
    }
#if SUMS
    let z$(V-2) = (sum.x + sum.y) + (sum.z + sum.w);
    let z$(V-1) = (product.x + product.y) + (product.z + product.w);
#endif
#if ACROSS && V
#for i in 0..V
    lanes[$i * WG + lane] = z$i;
#endfor
    workgroupBarrier();
    for (var i = lane; i < V; i += WG) {
      var all = 0.0;
      for (var k = 0u; k < WG; k++) { all += lanes[i * WG + k]; }
      partial[(channel * PARTS + wid.x) * V + i] = all;
    }
    workgroupBarrier();
#endif
#if V && !ACROSS
#for i in 0..V
    partial[(channel * PARTS + gid.x) * V + $i] = z$i;
#endfor
#endif
  }
}

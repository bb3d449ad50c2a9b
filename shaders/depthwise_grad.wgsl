// Gradients of depthwise.wgsl in one walk over the rows: with the window over rows of gy, the shifted vectors that
// the input's gradient needs are the very ones that the weights' gradient multiplies with the input row.
//
//   gx[c]       = f'(x[c]) * sum_e flipped(w[e*CI + c]) * gy[e*CI + c]
//   dw[e*CI+c]  = sum gy[e*CI + c] * shifted f(x[c])        (WEIGHTS)
//
// With NORM gx is the gradient of the normalised input; SUMS (one e only) adds up gx and gx * normalised x, which batch
// norm's own gradient begins with. A strided gy is read as if zeros stood between its elements (S = 2), or, without the
// zeros, by a walk over RC pairs of rows of gx with a window of WINDOW rows of gy (PAIRS, one tile, no NORM). Names as in
// depthwise.wgsl; here H, W, P4 describe x and gx, HO, WO, Q4 describe gy, and each invocation walks down RC rows of gx
// of every NG-th image.
//
// V sums z for each channel, those of the weights first: PARTS partial ones for reduce_partials.wgsl, one of each
// invocation, of each workgroup (ACROSS) or of each subgroup of 8 lanes (SHUFFLED); where that is just one subgroup
// (ALONE) it stores the results. params[0] = (CI, number of e, NG, PARTS).

@group(0) @binding(0) var<storage, read> gy: array<vec4f>;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read_write> gx: array<vec4f>;
#if MASK || WEIGHTS
@group(0) @binding(3) var<storage, read> x: array<vec4f>;
#endif
#if NORM
@group(0) @binding(4) var<storage, read> stats: array<f32>;
#endif
#if ALONE
#if WEIGHTS
@group(0) @binding($(4 + NORM)) var<storage, read_write> dw: array<f32>;
#endif
#if SUMS
@group(0) @binding($(4 + NORM + WEIGHTS)) var<storage, read_write> sums: array<f32>;
@group(0) @binding($(5 + NORM + WEIGHTS)) var<storage, read_write> products: array<f32>;
#endif
#else
#if V
@group(0) @binding($(4 + NORM)) var<storage, read_write> partial: array<f32>;
#endif
#endif
@group(0) @binding($(BINDINGS)) var<uniform> params: array<vec4u, 1>;

#if ACROSS && V
var<workgroup> lanes: array<f32, WG * V>;
#endif

@compute @workgroup_size(WG)
fn main(
  @builtin(global_invocation_id) gid: vec3u,
  @builtin(workgroup_id) wid: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let CI = params[0].x;
  let NG = params[0].z;
  let PARTS = params[0].w;
  let source = wid.y;
#if ACROSS
  let tile = gid.x % TILES;
  let group = select(N, (gid.x / TILES) % NG, gid.x < NG * CHUNKS * CLASSES * TILES); // those left over have no image
#else
#if SHUFFLED
  if (gid.x / 8 * 8 >= NG * CHUNKS * CLASSES * TILES) { return; }
  let group = select(N, gid.x % NG, gid.x < NG * CHUNKS * CLASSES * TILES);
#else
  if (gid.x >= NG * CHUNKS * CLASSES * TILES) { return; }
  let group = gid.x % NG;
#endif
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
#if !PAIRS
  let top = i32(row_class) + first * RU - PAD;
#endif
  for (var e = 0u; e < params[0].y; e++) {
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
#if PAIRS
    for (var n = u32(group); n < N; n += NG) {
      let plane = (source * N + n) * (H * P4);
      let plane_out = (channel * N + n) * (HO * Q4);
#for j in 0..WINDOW
#for v in 0..Q4
      var r$(j)_$v = vec4f(0);
#endfor
#endfor
#for part in 0..2
#if part == 0
      for (var t = 0; t < WINDOW - 1; t++) {
#else
      for (var t = WINDOW - 1; t < i32(RC) + WINDOW - 1; t++) {
#endif
#for j in 0..WINDOW-1
#for v in 0..Q4
        r$(j)_$v = r$(j+1)_$v;
#endfor
#endfor
        let row = first + t - PAD / 2;
        let inside = row >= 0 && row < HO;
        let at = i32(plane_out) + clamp(row, 0, HO - 1) * Q4;
#for v in 0..Q4
        r$(WINDOW-1)_$v = select(vec4f(0), gy[at + $v], inside);
#endfor
#if part == 1
        let pair = 2 * (first + t - (WINDOW - 1));
#for y in 0..2
#if 2 * RC * CHUNKS == H
        {
#else
        if (pair + $y < H) {
#endif
#for v in 0..P4
          {
            let index = plane + u32(pair + $y) * P4 + $v;
#if D == 2 && (y + PAD) % 2 == 1
            if (e == 0) { gx[index] = vec4f(0); }
#else
#if MASK || WEIGHTS
            var a = x[index];
#if MASK
            let positive = a > vec4f(0);
            a = max(a, vec4f(0));
#endif
#endif
#for c in 0..4
            var s$c = 0.0;
#for k in 0..K
#for q in 0..K
#if 4*v + c < W && (y + PAD + k*D) % 2 == 0 && (c + PAD + q*D) % 2 == 0
#if 2*v + (c - PAD + q*D) / 2 >= 0 && 2*v + (c - PAD + q*D) / 2 < WO
            {
              let g = r$((y - PAD + k*D) / 2 + PAD / 2)_$((2*v + (c - PAD + q*D) / 2) / 4)[$((2*v + (c - PAD + q*D) / 2) % 4)];
              s$c += w$(K*K-1-k*K-q) * g;
#if WEIGHTS
              z$(K*K-1-k*K-q) += a[$c] * g;
#endif
            }
#endif
#endif
#endfor
#endfor
#endfor
            var s = vec4f(s0, s1, s2, s3);
#if MASK
            s = select(vec4f(0), s, positive);
#endif
            if (e > 0) { s += gx[index]; }
            gx[index] = s;
#endif
          }
#endfor
        }
#endfor
#endif
      }
#endfor
    }
#else
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
        let inside = row >= 0 && row < 2 * HO && row % 2 == 0;
        let at = i32(plane_out) + clamp(row / 2, 0, HO - 1) * Q4;
#else
        let inside = row >= 0 && row < HO;
        let at = i32(plane_out) + clamp(row, 0, HO - 1) * Q4;
#endif
#for j in 0..LOADS
#if TILES > 1 || (j > 0 && j <= P4)
        {
          let v = column + $j;
#if S == 2
          let g = gy[at + clamp(v / 2, 0, Q4 - 1)];
          let a = select(vec4f(g.x, 0.0, g.y, 0.0), vec4f(g.z, 0.0, g.w, 0.0), v % 2 == 1);
#else
          let a = gy[at + clamp(v, 0, Q4 - 1)];
#endif
          r$(K-1)_$j = select(vec4f(0), a, inside && v >= 0 && v < S * Q4);
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
            var a = x[index];
#if NORM
            a = (a - mean) * scale;
#endif
#if MASK
            let positive = a > vec4f(0);
            a = max(a, vec4f(0));
#endif
#if NORM && W % 4 != 0
            if (v == P4 - 1) { a *= vec4f(1.0, f32(W % 4 > 1), f32(W % 4 > 2), 0.0); }
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
            if (v == P4 - 1) { s$v *= vec4f(1.0, f32(W % 4 > 1), f32(W % 4 > 2), 0.0); }
#endif
            if (live) {
#if !NORM
              if (e > 0) { s$v += gx[index]; }
#endif
              gx[index] = s$v;
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
#endif
#if SUMS
    let z$(V-2) = (sum.x + sum.y) + (sum.z + sum.w);
    let z$(V-1) = (product.x + product.y) + (product.z + product.w);
#endif
#if SHUFFLED && V
    // Of 8 sums of 8 lanes each, lane l gets the l-th: in each of three steps lanes swap halves of what they have.
    let l = gid.x % 8;
#for i in V..(V+7)/8*8
    let z$i = 0.0;
#endfor
#for b in 0..(V+7)/8
#for j in 0..4
    let p$(b)_$j = select(z$(b*8+2*j), z$(b*8+2*j+1), (l & 1) != 0) +
      subgroupShuffleXor(select(z$(b*8+2*j+1), z$(b*8+2*j), (l & 1) != 0), 1u);
#endfor
#for j in 0..2
    let q$(b)_$j = select(p$(b)_$(2*j), p$(b)_$(2*j+1), (l & 2) != 0) +
      subgroupShuffleXor(select(p$(b)_$(2*j+1), p$(b)_$(2*j), (l & 2) != 0), 2u);
#endfor
    let o$b = select(q$(b)_0, q$(b)_1, (l & 4) != 0) + subgroupShuffleXor(select(q$(b)_1, q$(b)_0, (l & 4) != 0), 4u);
    let i$b = $(b*8) + l;
#if ALONE
#if WEIGHTS
    if (i$b < K * K) { dw[channel * (K * K) + i$b] = o$b; }
#endif
#if SUMS && b*8+8 > V-2
    if (i$b == $(V-2)) { sums[source] = o$b; }
    if (i$b == $(V-1)) { products[source] = o$b; }
#endif
#else
    if (i$b < V) { partial[(channel * PARTS + gid.x / 8) * V + i$b] = o$b; }
#endif
#endfor
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
#if V && !ACROSS && !SHUFFLED
#for i in 0..V
    partial[(channel * PARTS + gid.x) * V + $i] = z$i;
#endfor
#endif
  }
}

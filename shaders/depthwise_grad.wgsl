// Gradients of depthwise.wgsl in one walk over the rows: with the window over rows of gy, the shifted vectors that
// the input's gradient needs are the very ones that the weights' gradient multiplies with the input row.
//
//   gx[c]       = f'(x[c]) * sum_e flipped(w[e*CI + c]) * gy[e*CI + c]
//   dw[e*CI+c]  = sum gy[e*CI + c] * shifted f(x[c])        (WEIGHTS; partial sums for reduce_partials.wgsl)
//
// With NORM gx is the gradient of the normalised input. A strided gy is read as if zeros stood between its elements
// (S = 2). Names as in depthwise.wgsl; here H, W, P4 describe x and gx, HO, WO, Q4 describe gy, and each invocation
// walks down RC rows of gx of every NG-th image. PARTS partial sums per weight: one of each invocation, or with ACROSS
// one of each workgroup. params[0] = (CI, number of e, NG, PARTS).

@group(0) @binding(0) var<storage, read> gy: array<vec4f>;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read_write> gx: array<vec4f>;
#if MASK || WEIGHTS
@group(0) @binding(3) var<storage, read> x: array<vec4f>;
#endif
#if NORM
@group(0) @binding(4) var<storage, read> stats: array<f32>;
#endif
#if WEIGHTS
@group(0) @binding($(4 + NORM)) var<storage, read_write> partial: array<f32>;
#endif
@group(0) @binding($(3 + (MASK || WEIGHTS) + NORM + WEIGHTS)) var<uniform> params: array<vec4u, 1>;

#if ACROSS && WEIGHTS
var<workgroup> sums: array<f32, WG * K * K>;
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
  if (gid.x >= NG * CHUNKS * CLASSES * TILES) { return; }
  let tile = (gid.x / NG) % TILES;
  let group = gid.x % NG;
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
  for (var e = 0u; e < params[0].y; e++) {
    let channel = e * CI + source;
#for k in 0..K*K
    let w$k = w[channel * (K * K) + $k];
#if WEIGHTS
    var d$k = vec4f(0);
#endif
#endfor
    for (var n = u32(group); n < N; n += NG) {
      let plane = (source * N + n) * (H * P4);
      let plane_out = (channel * N + n) * (HO * Q4);
#for k in 0..K
#for j in 0..LOADS
      var r$(k)_$j = vec4f(0);
#endfor
#endfor
      for (var t = 0; t < i32(RC) + K - 1; t++) {
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
#if S == 2 && TILES == 1
        // Element 4 * (j - 1) + c of the spread row is element 2 * (j - 1) + c / 2 of the row of gy.
#for v in 0..Q4
        let g$v = select(vec4f(0), gy[at + $v], inside);
#endfor
#for j in 1..LOADS-1
#if (j - 1) / 2 < Q4
        r$(K-1)_$j = vec4f(g$((j-1)/2)[$((j-1)%2*2)], 0.0, g$((j-1)/2)[$((j-1)%2*2+1)], 0.0);
#endif
#endfor
#else
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
#endif
        let step = t - (K - 1);
        let in_row = i32(row_class) + (first + step) * RU;
        if (step >= 0 && in_row < H) {
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
              d$(K*K-1-k*K-q) += a * g;
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
              if (e > 0) { s$v += gx[index]; }
              gx[index] = s$v;
            }
          }
#endfor
        }
      }
    }
#if WEIGHTS
#if ACROSS
#for k in 0..K*K
    sums[$k * WG + lane] = (d$(k).x + d$(k).y) + (d$(k).z + d$(k).w);
#endfor
    workgroupBarrier();
    for (var k = lane; k < K * K; k += WG) {
      var sum = 0.0;
      for (var i = 0u; i < WG; i++) { sum += sums[k * WG + i]; }
      partial[(channel * PARTS + wid.x) * (K * K) + k] = sum;
    }
    workgroupBarrier();
#else
    let part = (channel * PARTS + gid.x) * (K * K);
#for k in 0..K*K
    partial[part + $k] = (d$(k).x + d$(k).y) + (d$(k).z + d$(k).w);
#endfor
#endif
#endif
  }
}

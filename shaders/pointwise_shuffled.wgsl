// pointwise.wgsl for subgroups of 8 lanes: each lane loads other weights, and a shuffle hands each of them to all lanes,
// so that a weight costs an eighth of a load.
//
//   forward      y[g*CO + o][m] = sum_i w[g*CO + o][i] * f(x[(g % GI)*CI + i][m])
//   TRANSPOSED   y[k*CI + i][m] = sum_{g % GI == k} sum_o w[g*CO + o][i] * x[g*CO + o][m]   (gradient of the input)
//
// f, RELU, u, WG, PV, OB, UNIFORM and params as in pointwise.wgsl. STEP operands are loaded before they are used.

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
#if UNIFORM
@group(0) @binding(1) var<uniform> w: array<vec4f, 4096>;
#else
@group(0) @binding(1) var<storage, read> w: array<vec4f>;
#endif
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;
#if TRANSPOSED && RELU
@group(0) @binding(3) var<storage, read> u: array<vec4f>;
#endif
@group(0) @binding($(3 + (TRANSPOSED && RELU))) var<uniform> params: array<vec4u, 2>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let CI = params[0].z;
  let CO = params[0].w;
  let M4 = params[1].x;
  let row = lane % 8;
  let first = (wid.x * WG + lane / 8 * 8) * PV + row;
#for p in 0..PV
  let m$p = min(first + $(p * 8), M4 - 1);
#endfor
#for o in 0..OB
#for p in 0..PV
  var s$(o)_$p = vec4f(0);
#endfor
#endfor
#if TRANSPOSED
  let source = wid.y / (CI / OB);
  let channel = source * CI + wid.y % (CI / OB) * OB;
  for (var g = source; g < params[0].y; g += params[0].x) {
    for (var o = g * CO; o < (g + 1) * CO; o += 8u) {
      let at = ((o + row) * CI + channel - source * CI) / 4;
#for q in 0..OB/4
      let w$q = w[at + $q];
#endfor
#for h in 0..8/STEP
#for k in h*STEP..h*STEP+STEP
#for p in 0..PV
      let a$(k)_$p = x[(o + $k) * M4 + m$p];
#endfor
#endfor
#for i in 0..OB
#for k in h*STEP..h*STEP+STEP
      let v$(i)_$k = subgroupShuffle(w$(i/4)[$(i%4)], $(k)u);
#endfor
#for p in 0..PV
      s$(i)_$p += a$(h*STEP)_$p * v$(i)_$(h*STEP)
#for k in h*STEP+1..h*STEP+STEP
        + a$(k)_$p * v$(i)_$k
#endfor
      ;
#endfor
#endfor
#endfor
    }
  }
#else
  let channel = wid.y * OB;
  let source = ((channel / CO) % params[0].x) * CI;
  for (var i = 0u; i < CI; i += STEP) {
#for h in 0..OB/8
#for q in 0..STEP/4
    let w$(h)_$q = w[((channel + $(h*8) + row) * CI + i) / 4 + $q];
#endfor
#endfor
#for k in 0..STEP
#for p in 0..PV
#if RELU
    let a$(k)_$p = max(x[(source + i + $k) * M4 + m$p], vec4f(0));
#else
    let a$(k)_$p = x[(source + i + $k) * M4 + m$p];
#endif
#endfor
#endfor
#for o in 0..OB
#for k in 0..STEP
    let v$(o)_$k = subgroupShuffle(w$(o/8)_$(k/4)[$(k%4)], $(o%8)u);
#endfor
#for p in 0..PV
    s$(o)_$p += a0_$p * v$(o)_0
#for k in 1..STEP
      + a$(k)_$p * v$(o)_$k
#endfor
    ;
#endfor
#endfor
  }
#endif
#for p in 0..PV
  if (first + $(p * 8) < M4) {
#for o in 0..OB
#if TRANSPOSED && RELU
    y[(channel + $o) * M4 + m$p] = select(vec4f(0), s$(o)_$p, u[(channel + $o) * M4 + m$p] > vec4f(0));
#else
    y[(channel + $o) * M4 + m$p] = s$(o)_$p;
#endif
#endfor
  }
#endfor
}

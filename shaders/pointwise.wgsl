// 1x1 convolution of channel-major images as a product of matrices: rows of channels, columns of pixels.
//
//   forward      y[g*CO + o][m] = sum_i w[g*CO + o][i] * f(x[(g % GI)*CI + i][m])
//   TRANSPOSED   y[k*CI + i][m] = sum_{g % GI == k} sum_o w[g*CO + o][i] * x[g*CO + o][m]   (gradient of the input)
//
// f is the identity or ReLU (RELU). TRANSPOSED with RELU multiplies the result by (u > 0), u being the forward input.
// Each invocation makes PV vec4s of pixels for OB output channels. Weights come one by one or, with VEC, as vec4s
// along i. WG = workgroup size; 8 neighbouring invocations take 8 * PV neighbouring vec4s. Params: inputGroups (GI); groups,
// how many g there are; inChannels (CI) and outChannels (CO) of a group; length, vec4s of a channel.

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let CI = params.inChannels;
  let CO = params.outChannels;
  let M4 = params.length;
  let first = (wid.x * WG + lane / 8 * 8) * PV + lane % 8;
#for p in 0..PV
  let m$p = min(first + $(p * 8), M4 - 1);
#endfor
#for o in 0..OB
#for p in 0..PV
  var s$(o)_$p = vec4f(0);
#endfor
#endfor
#if TRANSPOSED
  let block = wid.y % (CI / OB);
  let source = wid.y / (CI / OB);
  let channel = source * CI + block * OB;
  for (var g = source; g < params.groups; g += params.inputGroups) {
    for (var o = 0u; o < CO; o++) {
      let row = g * CO + o;
#for p in 0..PV
      let a$p = load_x(row * M4 + m$p);
#endfor
#if VEC
      let at = (row * CI + block * OB) / 4;
#for q in 0..OB/4
      let w$q = load_w(at + $q);
#for c in 0..4
#for p in 0..PV
      s$(q*4+c)_$p += a$p * w$q[$c];
#endfor
#endfor
#endfor
#else
      let at = row * CI + block * OB;
#for c in 0..OB
      let w$c = load_w(at + $c);
#for p in 0..PV
      s$(c)_$p += a$p * w$c;
#endfor
#endfor
#endif
    }
  }
#else
  let channel = wid.y * OB;
  let source = ((channel / CO) % params.inputGroups) * CI;
#if VEC
  for (var i = 0u; i < CI; i += 4u) {
#for c in 0..4
#for p in 0..PV
#if RELU
    let a$(c)_$p = max(load_x((source + i + $c) * M4 + m$p), vec4f(0));
#else
    let a$(c)_$p = load_x((source + i + $c) * M4 + m$p);
#endif
#endfor
#endfor
#for o in 0..OB
    let w$o = load_w(((channel + $o) * CI + i) / 4);
#for p in 0..PV
    s$(o)_$p += a0_$p * w$(o).x + a1_$p * w$(o).y + a2_$p * w$(o).z + a3_$p * w$(o).w;
#endfor
#endfor
  }
#else
  for (var i = 0u; i < CI; i++) {
#for p in 0..PV
#if RELU
    let a$p = max(load_x((source + i) * M4 + m$p), vec4f(0));
#else
    let a$p = load_x((source + i) * M4 + m$p);
#endif
#endfor
#for o in 0..OB
    let w$o = load_w((channel + $o) * CI + i);
#for p in 0..PV
    s$(o)_$p += a$p * w$o;
#endfor
#endfor
  }
#endif
#endif
#for p in 0..PV
  if (first + $(p * 8) < M4) {
#for o in 0..OB
#if TRANSPOSED && RELU
    store_y((channel + $o) * M4 + m$p, select(vec4f(0), s$(o)_$p, load_u((channel + $o) * M4 + m$p) > vec4f(0)));
#else
    store_y((channel + $o) * M4 + m$p, s$(o)_$p);
#endif
#endfor
  }
#endfor
}

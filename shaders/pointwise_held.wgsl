// pointwise.wgsl for few channels on CPU adapters: an invocation holds its whole block of weights in registers (or on
// its stack) and walks over vec4s of pixels, so that a weight is loaded once and not once per pixel.
//
//   forward      y[g*CO + o][m] = sum_i w[g*CO + o][i] * f(x[(g % GI)*CI + i][m])
//   TRANSPOSED   y[g*CI + i][m] = sum_o w[g*CO + o][i] * x[g*CO + o][m]     (as many groups as input groups)
//
// OB results from all IB operands (CI, or CO where TRANSPOSED). f, RELU, u as in pointwise.wgsl. A strand of 8
// invocations walks SHARE consecutive vec4s. Params as in pointwise.wgsl.

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let CI = params.inChannels;
  let CO = params.outChannels;
  let M4 = params.length;
  let channel = wid.y * OB;
#if TRANSPOSED
  let group = channel / CI;
  let source = group * CO;
#for i in 0..IB
#for q in 0..OB/4
  let w$(i)_$q = w[((source + $i) * CI + channel % CI) / 4 + $q];
#endfor
#endfor
#else
  let source = ((channel / CO) % params.inputGroups) * CI;
#for o in 0..OB
#for q in 0..IB/4
  let w$(o)_$q = w[(channel + $o) * (IB / 4) + $q];
#endfor
#endfor
#endif
  let strand = wid.x * (WG / 8) + lane / 8;
  let end = min(M4, (strand + 1) * SHARE);
  for (var m = strand * SHARE + lane % 8; m < end; m += 8) {
    var at = source * M4 + m;
#for i in 0..IB
#if RELU && !TRANSPOSED
    let a$i = max(load_x(at), vec4f(0));
#else
    let a$i = load_x(at);
#endif
    at += M4;
#endfor
    at = channel * M4 + m;
#for o in 0..OB
    var s$o = vec4f(0);
#for i in 0..IB
#if TRANSPOSED
    s$o += a$i * w$(i)_$(o/4)[$(o%4)];
#else
    s$o += a$i * w$(o)_$(i/4)[$(i%4)];
#endif
#endfor
#if TRANSPOSED && RELU
    store_y(at, select(vec4f(0), s$o, load_u(at) > vec4f(0)));
#else
    store_y(at, s$o);
#endif
    at += M4;
#endfor
  }
}

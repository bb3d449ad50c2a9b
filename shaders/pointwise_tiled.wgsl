// pointwise.wgsl for GPUs: a workgroup makes ROWS * OB results of 32 neighbouring vec4s of pixels, and stages DEPTH
// operands of these pixels, and their weights, in workgroup memory, so that each is loaded once for all of them.
//
//   forward      y[g*CO + o][m] = sum_i w[g*CO + o][i] * f(x[(g % GI)*CI + i][m])
//   TRANSPOSED   y[k*CI + i][m] = sum_{g % GI == k} sum_o w[g*CO + o][i] * x[g*CO + o][m]
//
// f, RELU, u and params as in pointwise.wgsl.

var<workgroup> pixels: array<vec4f, DEPTH * 32>;
var<workgroup> weights: array<f32, DEPTH * ROWS * OB>;

@compute @workgroup_size(32, ROWS)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let GI = params.inputGroups;
  let CI = params.inChannels;
  let CO = params.outChannels;
  let M4 = params.length;
  let first = wid.y * (ROWS * OB);
#if TRANSPOSED
  let source = first / CI;
  let operands = params.groups / GI * CO;
#else
  let source = (first / CO) % GI;
  let operands = CI;
#endif
#for o in 0..OB
  var s$o = vec4f(0);
#endfor
  for (var start = 0u; start < operands; start += DEPTH) {
    for (var t = lane; t < DEPTH * 32; t += 32 * ROWS) {
      let i = start + t / 32;
      var a = vec4f(0);
      if (i < operands) {
#if TRANSPOSED
        let row = (source + i / CO * GI) * CO + i % CO;
#else
        let row = source * CI + i;
#endif
        a = load_x(row * M4 + min(wid.x * 32 + t % 32, M4 - 1));
      }
#if RELU && !TRANSPOSED
      a = max(a, vec4f(0));
#endif
      pixels[t] = a;
    }
    for (var t = lane; t < DEPTH * ROWS * OB; t += 32 * ROWS) {
      let i = start + t / (ROWS * OB);
      let o = first + t % (ROWS * OB);
      var a = 0.0;
      if (i < operands) {
#if TRANSPOSED
        a = w[((source + i / CO * GI) * CO + i % CO) * CI + o % CI];
#else
        a = w[o * CI + i];
#endif
      }
      weights[t] = a;
    }
    workgroupBarrier();
    for (var i = 0u; i < DEPTH; i++) {
      let a = pixels[i * 32 + lid.x];
      let at = i * (ROWS * OB) + lid.y * OB;
#for o in 0..OB
      s$o += a * weights[at + $o];
#endfor
    }
    workgroupBarrier();
  }
  let m = wid.x * 32 + lid.x;
  if (m < M4) {
    let channel = first + lid.y * OB;
#for o in 0..OB
#if TRANSPOSED && RELU
    store_y((channel + $o) * M4 + m, select(vec4f(0), s$o, load_u((channel + $o) * M4 + m) > vec4f(0)));
#else
    store_y((channel + $o) * M4 + m, s$o);
#endif
#endfor
  }
}

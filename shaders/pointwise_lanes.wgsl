// pointwise_held.wgsl for more channels and subgroups of 8 lanes, each of which has other output channels, holds their
// weights, and loads other operands, which shuffles hand to all lanes: an operand is loaded once for BO results.
//
//   forward      y[g*CO + o][m] = sum_i w[g*CO + o][i] * f(x[(g % GI)*CI + i][m])
//   TRANSPOSED   y[g*CI + i][m] = sum_o w[g*CO + o][i] * x[g*CO + o][m]     (as many groups as input groups)
//
// BO results from all IB operands (CI, or CO where TRANSPOSED). f, RELU, u as in pointwise.wgsl. A workgroup, which is
// one subgroup, walks params[1].y vec4s. params = (GI, 0, CI, CO), (vec4s of a channel, of a workgroup).

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<uniform> w: array<vec4f, 4096>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;
#if TRANSPOSED && RELU
@group(0) @binding(3) var<storage, read> u: array<vec4f>;
#endif
@group(0) @binding($(3 + (TRANSPOSED && RELU))) var<uniform> params: array<vec4u, 2>;

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let CI = params[0].z;
  let CO = params[0].w;
  let M4 = params[1].x;
  let channel = wid.y * BO;
#if TRANSPOSED
  let source = channel / CI * CO;
  let row = channel % CI + lane;
#for o in 0..BO/8
#for i in 0..IB
  let w$(o)_$i = w[((source + $i) * CI + row + $(o*8)) / 4][(row + $(o*8)) % 4];
#endfor
#endfor
#else
  let source = ((channel / CO) % params[0].x) * CI;
#for o in 0..BO/8
#for q in 0..IB/4
  let w$(o)_$q = w[(channel + lane + $(o*8)) * (IB / 4) + $q];
#endfor
#endfor
#endif
  let end = min(M4, (wid.x + 1) * params[1].y);
  for (var m = wid.x * params[1].y; m < end; m++) {
    var at = (source + lane) * M4 + m;
#for o in 0..BO/8
    var s$o = vec4f(0);
#endfor
#for q in 0..IB/8
#if RELU && !TRANSPOSED
    let a$q = max(x[at], vec4f(0));
#else
    let a$q = x[at];
#endif
    at += 8 * M4;
#for i in q*8..q*8+8
    let v$i = subgroupShuffle(a$q, $(i % 8)u);
#for o in 0..BO/8
#if TRANSPOSED
    s$o += v$i * w$(o)_$i;
#else
    s$o += v$i * w$(o)_$(i/4)[$(i%4)];
#endif
#endfor
#endfor
#endfor
    at = (channel + lane) * M4 + m;
#for o in 0..BO/8
#if TRANSPOSED && RELU
    y[at] = select(vec4f(0), s$o, u[at] > vec4f(0));
#else
    y[at] = s$o;
#endif
    at += 8 * M4;
#endfor
  }
}

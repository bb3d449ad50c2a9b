// Both gradients of a 1x1 convolution in one walk, for subgroups of 8 lanes: each lane has other input channels, holds
// their weights and adds up their weights' gradients; it loads other channels of gy, which shuffles hand to all lanes.
//
//   gx[g*CI + i][m] = f'(x[g*CI + i][m]) * sum_o w[g*CO + o][i] * gy[g*CO + o][m]     (as many groups as input groups)
//   dw[g*CO + o][i] = sum_m gy[g*CO + o][m] * f(x[g*CI + i][m])
//
// f is the identity or ReLU (RELU). Workgroup (t, block), one of T for the block and itself one subgroup, does BI input
// channels and walks params[1].y vec4s. It stores a partial sum of dw for reduce_partials.wgsl, which is dw itself where
// T is 1. params = (weights, CI, CO, T), (vec4s of a channel, of a workgroup); CO is constant.

@group(0) @binding(0) var<storage, read> gy: array<vec4f>;
@group(0) @binding(1) var<uniform> w: array<vec4f, 4096>;
@group(0) @binding(2) var<storage, read> x: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> gx: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> sums: array<f32>;
@group(0) @binding(5) var<uniform> params: array<vec4u, 2>;

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let CI = params[0].y;
  let M4 = params[1].x;
  let channel = wid.y * BI;
  let source = channel / CI * CO;
  let column = channel % CI + lane;
#for o in 0..CO
#for i in 0..BI/8
  let w$(o)_$i = w[((source + $o) * CI + column + $(i*8)) / 4][(column + $(i*8)) % 4];
  var d$(o)_$i = 0.0;
#endfor
#endfor
  let end = min(M4, (wid.x + 1) * params[1].y);
  for (var m = wid.x * params[1].y; m < end; m++) {
    let own = (channel + lane) * M4 + m;
    var at = own;
#for i in 0..BI/8
    let x$i = x[at];
#if RELU
    let f$i = max(x$i, vec4f(0));
#else
    let f$i = x$i;
#endif
    var s$i = vec4f(0);
    at += 8 * M4;
#endfor
    at = (source + lane) * M4 + m;
#for q in 0..CO/8
    let g$q = gy[at];
    at += 8 * M4;
#for o in q*8..q*8+8
    let v$o = subgroupShuffle(g$q, $(o % 8)u);
#for i in 0..BI/8
    s$i += v$o * w$(o)_$i;
    d$(o)_$i += dot(v$o, f$i);
#endfor
#endfor
#endfor
    at = own;
#for i in 0..BI/8
#if RELU
    gx[at] = select(vec4f(0), s$i, x$i > vec4f(0));
#else
    gx[at] = s$i;
#endif
    at += 8 * M4;
#endfor
  }
#for o in 0..CO
#for i in 0..BI/8
  sums[wid.x * params[0].x + (source + $o) * CI + column + $(i*8)] = d$(o)_$i;
#endfor
#endfor
}

// Gradient of the weights of a 1x1 convolution: dw[g*CO + o][i] = sum_m gy[g*CO + o][m] * f(x[(g % GI)*CI + i][m]).
// Each invocation adds up a BO x BI block over the vec4s of its share and stores it as one of T
// partial sums, which reduce_partials.wgsl adds in order. f is the identity or ReLU (RELU). params = (GI, CI, CO, T), (vec4s of a
// channel, of which a strand of 8 invocations walks params[1].y).

@group(0) @binding(0) var<storage, read> gy: array<vec4f>;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> partial: array<f32>;
@group(0) @binding(3) var<uniform> params: array<vec4u, 2>;

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(workgroup_id) wid: vec3u) {
  let CI = params[0].y;
  let CO = params[0].z;
  let T = params[0].w;
  let M4 = params[1].x;
  let t = gid.x;
  if (t >= T) { return; }
  let block = wid.y;
  let out_channel = (block / (CI / BI)) * BO;
  let in_channel = ((out_channel / CO) % params[0].x) * CI + (block % (CI / BI)) * BI;
#for o in 0..BO
#for i in 0..BI
  var s$(o)_$i = 0.0;
#endfor
#endfor
  let share = params[1].y;
  let end = min(M4, (t / 8 + 1) * share);
  for (var m = t / 8 * share + t % 8; m < end; m += 8) {
#for i in 0..BI
#if RELU
    let x$i = max(x[(in_channel + $i) * M4 + m], vec4f(0));
#else
    let x$i = x[(in_channel + $i) * M4 + m];
#endif
#endfor
#for o in 0..BO
    let g$o = gy[(out_channel + $o) * M4 + m];
#for i in 0..BI
    s$(o)_$i += dot(g$o, x$i);
#endfor
#endfor
  }
  let at = (block * T + t) * (BO * BI);
#for o in 0..BO
#for i in 0..BI
  partial[at + $(o * BI + i)] = s$(o)_$i;
#endfor
#endfor
}

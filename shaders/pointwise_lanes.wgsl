// pointwise_held.wgsl for more channels and subgroups of 8 lanes, each of which has other output channels, holds their
// weights, and loads other operands, which shuffles hand to all lanes: an operand is loaded once for BO results.
//
//   forward      y[g*CO + o][m] = sum_i w[g*CO + o][i] * f(x[(g % GI)*CI + i][m])
//   TRANSPOSED   y[g*CI + i][m] = sum_o w[g*CO + o][i] * x[g*CO + o][m]     (as many groups as input groups)
//
// 8 * EACH results from all IB operands (CI, or CO where TRANSPOSED); where these are many (SPLIT), from IB of them in
// each of params[1].w walks over the workgroup's params[1].y vec4s, between which sums wait in `partial`. Of the results
// a lane has every 8th, or EACH that follow each other where TRANSPOSED: so it loads several weights at once, as every
// load in the text of a shader takes llvmpipe milliseconds to compile. f and u as in pointwise.wgsl, u where MASKED. A
// workgroup is one subgroup.
// params = (GI, 0, CI, CO), (vec4s of a channel, of a workgroup, 1 for ReLU in f, walks).

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
#if !TRANSPOSED || EACH == 4
@group(0) @binding(1) var<storage, read> w: array<vec4f>;
#else
#if EACH == 2
@group(0) @binding(1) var<storage, read> w: array<vec2f>;
#else
@group(0) @binding(1) var<storage, read> w: array<f32>;
#endif
#endif
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;
#if MASKED
@group(0) @binding(3) var<storage, read> u: array<vec4f>;
#endif
#if SPLIT
@group(0) @binding($(3 + MASKED)) var<storage, read_write> partial: array<vec4f>;
#endif
@group(0) @binding($(3 + MASKED + SPLIT)) var<uniform> params: array<vec4u, 2>;

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let CI = params[0].z;
  let CO = params[0].w;
  let M4 = params[1].x;
#if !TRANSPOSED
  let relu = vec4<bool>(params[1].z == 1);
#endif
  let channel = wid.y * $(8 * EACH);
#if TRANSPOSED
  let source = channel / CI * CO;
  let own = channel + lane * EACH;
  let step = M4;
#else
  let source = ((channel / CO) % params[0].x) * CI;
  let own = channel + lane;
  let step = 8 * M4;
#endif
  let end = min(M4, (wid.x + 1) * params[1].y);
#if SPLIT
  let walks = params[1].w;
  for (var walk = 0u; walk < walks; walk++) {
#else
  const walks = 1u;
  const walk = 0u;
#endif
  let first = source + walk * IB;
#if TRANSPOSED
#for o in 0..IB
  let at$o = (first + $o) * CI + own % CI;
#if EACH == 3
  let w$o = vec3f(w[at$o], w[at$o + 1], w[at$o + 2]);
#else
  let w$o = w[at$o / EACH];
#endif
#endfor
#else
#for o in 0..EACH
#for q in 0..IB/4
  let w$(o)_$q = w[((own + $(o*8)) * walks + walk) * (IB / 4) + $q];
#endfor
#endfor
#endif
  for (var m = wid.x * params[1].y; m < end; m++) {
#for o in 0..EACH
    var s$o = vec4f(0);
#endfor
    let result = own * M4 + m;
#if SPLIT
    for (var more = walk > 0; more; more = false) { // an if would not spare the loads
#for o in 0..EACH
      s$o = partial[result + $o * step];
#endfor
    }
#endif
    var at = (first + lane) * M4 + m;
#for q in 0..IB/8
#if TRANSPOSED
    let a$q = x[at];
#else
    let x$q = x[at];
    let a$q = select(x$q, vec4f(0), relu & (x$q <= vec4f(0)));
#endif
    at += 8 * M4;
#for i in q*8..q*8+8
    let v$i = subgroupShuffle(a$q, $(i % 8)u);
#for o in 0..EACH
#if TRANSPOSED
#if EACH == 1
    s$o += v$i * w$i;
#else
    s$o += v$i * w$i[$o];
#endif
#else
    s$o += v$i * w$(o)_$(i/4)[$(i%4)];
#endif
#endfor
#endfor
#endfor
#if SPLIT
    for (var more = walk + 1 < walks; more; more = false) {
#for o in 0..EACH
      partial[result + $o * step] = s$o;
#endfor
    }
    for (var last = walk + 1 == walks; last; last = false) {
#endif
    at = result;
#for o in 0..EACH
#if MASKED
    y[at] = select(vec4f(0), s$o, u[at] > vec4f(0));
#else
    y[at] = s$o;
#endif
    at += step;
#endfor
#if SPLIT
    }
  }
#endif
  }
}

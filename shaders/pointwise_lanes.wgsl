// pointwise_held.wgsl for more channels and subgroups of 8 lanes, each of which has other output channels, holds their
// weights, and loads other operands, which shuffles hand to all lanes: an operand is loaded once for BO results.
//
//   forward      y[g*CO + o][m] = sum_i w[g*CO + o][i] * f(x[(g % GI)*CI + i][m])
//   TRANSPOSED   y[g*CI + i][m] = sum_o w[g*CO + o][i] * x[g*CO + o][m]     (as many groups as input groups)
//
// 8 * EACH results from all IB operands (CI, or CO where TRANSPOSED); where these are many (SPLIT), from IB of them in
// each of params.walks walks over the workgroup's params.share vec4s, between which sums wait in `partial`. Of the results
// a lane has every 8th, or EACH that follow each other where TRANSPOSED: so it loads several weights at once, as every
// load in the text of a shader takes llvmpipe milliseconds to compile. f and u as in pointwise.wgsl, u where MASKED. A
// workgroup is one subgroup.
// Params as in pointwise.wgsl; share, vec4s of a workgroup; relu, 1 for ReLU in f; walks.

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let CI = params.inChannels;
  let CO = params.outChannels;
  let M4 = params.length;
#if !TRANSPOSED
  let relu = vec4<bool>(params.relu == 1);
#endif
  let channel = wid.y * $(8 * EACH);
#if TRANSPOSED
  let source = channel / CI * CO;
  let own = channel + lane * EACH;
  let step = M4;
#else
  let source = ((channel / CO) % params.inputGroups) * CI;
  let own = channel + lane;
  let step = 8 * M4;
#endif
  let end = min(M4, (wid.x + 1) * params.share);
#if SPLIT
  let walks = params.walks;
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
  let w$o = vec3f(load_w(at$o), load_w(at$o + 1), load_w(at$o + 2));
#else
  let w$o = load_w(at$o / EACH);
#endif
#endfor
#else
#for o in 0..EACH
#for q in 0..IB/4
  let w$(o)_$q = load_w(((own + $(o*8)) * walks + walk) * (IB / 4) + $q);
#endfor
#endfor
#endif
  for (var m = wid.x * params.share; m < end; m++) {
#for o in 0..EACH
    var s$o = vec4f(0);
#endfor
    let result = own * M4 + m;
#if SPLIT
    for (var more = walk > 0; more; more = false) { // an if would not spare the loads
#for o in 0..EACH
      s$o = load_partial(result + $o * step);
#endfor
    }
#endif
    // All loads come before the sums: one after the other they are up to a fifth slower.
    var at = (first + lane) * M4 + m;
#for q in 0..IB/8
#if TRANSPOSED
    let a$q = load_x(at);
#else
    let x$q = load_x(at);
    let a$q = select(x$q, vec4f(0), relu & (x$q <= vec4f(0)));
#endif
    at += 8 * M4;
#endfor
#for i in 0..IB
    let v$i = subgroupShuffle(a$(i / 8), $(i % 8)u);
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
#if SPLIT
    for (var more = walk + 1 < walks; more; more = false) {
#for o in 0..EACH
      store_partial(result + $o * step, s$o);
#endfor
    }
    for (var last = walk + 1 == walks; last; last = false) {
#endif
    at = result;
#for o in 0..EACH
#if MASKED
    store_y(at, select(vec4f(0), s$o, load_u(at) > vec4f(0)));
#else
    store_y(at, s$o);
#endif
    at += step;
#endfor
#if SPLIT
    }
  }
#endif
  }
}

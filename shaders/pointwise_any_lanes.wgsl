// 1x1 convolution of any number of channels for subgroups of 8 lanes, and with NORM what pointwise_norm.wgsl does behind
// it: each lane has EACH output channels of a group (one of every 8 of the
// workgroup's `8 * EACH`, of which there may be fewer: GUARD) and holds their weights, scaled; it loads other input
// channels, all IB of a group in all lanes together, which shuffles hand to all lanes. Lanes that IB leaves over load what
// nobody asks for. A workgroup, which is one subgroup, walks over `share` vec4s of pixels. Where a group has more input
// channels (SPLIT), it does so for IB of them in each of `walks` walks, between which sums wait in `partial`. What is
// added is a parameter here, since every shader takes its time to compile; without it, `more` is not looked at.

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let CO = params.outChannels;
  let M4 = params.length;
  let relu = vec4<bool>(params.relu == 1);
  let group = wid.y / params.blocks;
  let own = wid.y % params.blocks * $(8 * EACH) + lane;
  let first = wid.x * params.share;
  let end = min(M4, first + params.share);
#if SPLIT
  let walks = params.walks;
  for (var walk = 0u; walk < walks; walk++) {
#else
  const walks = 1u;
  const walk = 0u;
#endif
  let source = (group % params.inputGroups * walks + walk) * IB;
#for o in 0..EACH
#if GUARD
  let channel$o = group * CO + min(own + $(8 * o), CO - 1);
#else
  let channel$o = group * CO + own + $(8 * o);
#endif
#if NORM
  let scale$o = gamma[channel$o] * inverseSqrt(stats[params.channels + channel$o] + EPS);
  let shift$o = beta[channel$o] - stats[channel$o] * scale$o;
#else
  const scale$o = 1.0;
  const shift$o = 0.0;
#endif
#if IB % 4 == 0
#for q in 0..IB/4
  let w$(o)_$q = load_w((channel$o * walks + walk) * $(IB / 4) + $q) * scale$o;
#endfor
#else
#for i in 0..IB
  let w$(o)_$i = w[(channel$o * walks + walk) * IB + $i] * scale$o;
#endfor
#endif
#endfor
#if TAIL
  let columns = params.width % 4;
  let tail = vec4<bool>(true, columns != 1, columns == 3, false);
  let row = (params.width + 3) / 4;
  var q = first % row;
#endif
  for (var m = first; m < end; m++) {
    // All loads come before the sums: one after the other they are up to a fifth slower.
#for i in 0..(IB+7)/8
#if 8 * i + 8 <= IB
    let x$i = load_x((source + lane + $(8 * i)) * M4 + m);
#else
    let x$i = load_x((source + min(lane + $(8 * i), $(IB - 1))) * M4 + m);
#endif
    let a$i = select(x$i, vec4f(0), relu & (x$i <= vec4f(0)));
#endfor
#for o in 0..EACH
    let at$o = channel$o * M4 + m;
    var s$o = vec4f(shift$o);
#endfor
#if SPLIT
    for (var more = walk > 0; more; more = false) { // an if would not spare the loads
#for o in 0..EACH
      s$o = load_partial(at$o);
#endfor
    }
#endif
#for i in 0..IB
    {
      let v = subgroupShuffle(a$(i / 8), $(i % 8)u);
#for o in 0..EACH
#if IB % 4 == 0
      s$o += v * w$(o)_$(i / 4)[$(i % 4)];
#else
      s$o += v * w$(o)_$i;
#endif
#endfor
    }
#endfor
#if SPLIT
    for (var more = walk + 1 < walks; more; more = false) {
#for o in 0..EACH
#if GUARD
      if (own + $(8 * o) < CO) { store_partial(at$o, s$o); }
#else
      store_partial(at$o, s$o);
#endif
#endfor
    }
#endif
#if TAIL
    q++;
    let inside = tail | vec4<bool>(q != row);
    q = select(q, 0u, q == row);
#endif
#if SPLIT
    for (var last = walk + 1 == walks; last; last = false) {
#else
    {
#endif
#if NORM
      for (var add = params.add == 1; add; add = false) {
#for o in 0..EACH
        s$o += load_more(at$o);
#endfor
      }
#endif
#for o in 0..EACH
#if TAIL
      let y$o = select(vec4f(0), s$o, inside);
#else
      let y$o = s$o;
#endif
#if GUARD
      if (own + $(8 * o) < CO) { store_y(at$o, y$o); }
#else
      store_y(at$o, y$o);
#endif
#endfor
    }
  }
#if SPLIT
  }
#endif
}

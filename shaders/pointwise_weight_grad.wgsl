// Gradient of the weights of a 1x1 convolution: dw[g*CO + o][i] = sum_m gy[g*CO + o][m] * f(x[(g % GI)*CI + i][m]).
// A strand of 8 invocations walks params.share of the params.length vec4s of a channel, and each of the T invocations adds
// up a BO x BI block. They store T partial sums or, where strands are subgroups (SUBGROUPS), T / 8, which
// reduce_partials.wgsl adds in order; a single strand (ALONE) stores dw itself. f is the identity or ReLU (RELU).
// Params: inputGroups (GI), inChannels (CI), outChannels (CO), invocations (T), length and share.

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(workgroup_id) wid: vec3u) {
  let CI = params.inChannels;
  let CO = params.outChannels;
  let T = params.invocations;
  let M4 = params.length;
  let t = gid.x;
#if SUBGROUPS
  let live = t < T; // shuffles want all of a subgroup, so none returns
#else
  if (t >= T) { return; }
#endif
  let block = wid.y;
  let out_channel = (block / (CI / BI)) * BO;
  let column = (block % (CI / BI)) * BI;
  let in_channel = ((out_channel / CO) % params.inputGroups) * CI + column;
#for o in 0..BO
#for i in 0..BI
  var s$(o)_$i = 0.0;
#endfor
#endfor
  let share = params.share;
#if SUBGROUPS
  let end = select(0, min(M4, (t / 8 + 1) * share), live);
#else
  let end = min(M4, (t / 8 + 1) * share);
#endif
  for (var m = t / 8 * share + t % 8; m < end; m += 8) {
    var at = in_channel * M4 + m;
#for i in 0..BI
#if RELU
    let x$i = max(load_x(at), vec4f(0));
#else
    let x$i = load_x(at);
#endif
    at += M4;
#endfor
    at = out_channel * M4 + m;
#for o in 0..BO
    let g$o = load_gy(at);
    at += M4;
#for i in 0..BI
    s$(o)_$i += dot(g$o, x$i);
#endfor
#endfor
  }
#if SUBGROUPS
  // Of 8 sums of 8 lanes each, lane l gets the l-th: in each of three steps lanes swap halves of what they have.
  let l = t % 8;
#for b in 0..BO*BI/8
#for j in 0..4
  let p$(b)_$j = select(s$((b*8+2*j)/BI)_$((b*8+2*j)%BI), s$((b*8+2*j+1)/BI)_$((b*8+2*j+1)%BI), (l & 1) != 0) +
    subgroupShuffleXor(select(s$((b*8+2*j+1)/BI)_$((b*8+2*j+1)%BI), s$((b*8+2*j)/BI)_$((b*8+2*j)%BI), (l & 1) != 0), 1u);
#endfor
#for j in 0..2
  let q$(b)_$j = select(p$(b)_$(2*j), p$(b)_$(2*j+1), (l & 2) != 0) +
    subgroupShuffleXor(select(p$(b)_$(2*j+1), p$(b)_$(2*j), (l & 2) != 0), 2u);
#endfor
  let r$b = select(q$(b)_0, q$(b)_1, (l & 4) != 0) + subgroupShuffleXor(select(q$(b)_1, q$(b)_0, (l & 4) != 0), 4u);
#if ALONE
  if (live) { partial[(out_channel + ($(b*8) + l) / BI) * CI + column + ($(b*8) + l) % BI] = r$b; }
#else
  if (live) { partial[(block * (T / 8) + t / 8) * (BO * BI) + $(b*8) + l] = r$b; }
#endif
#endfor
#else
  let at = (block * T + t) * (BO * BI);
#for o in 0..BO
#for i in 0..BI
  partial[at + $(o * BI + i)] = s$(o)_$i;
#endfor
#endfor
#endif
}

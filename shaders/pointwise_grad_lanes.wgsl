// Both gradients of a 1x1 convolution in one walk, for subgroups of 8 lanes: each lane has EACH other input channels
// that follow each other (loads several weights at once), holds their weights and adds up the gradients of these; it
// loads other channels of gy, which shuffles hand to all lanes.
//
//   gx[g*CI + i][m] = f'(x[g*CI + i][m]) * sum_o w[g*CO + o][i] * gy[g*CO + o][m]     (as many groups as input groups)
//   dw[g*CO + o][i] = sum_m gy[g*CO + o][m] * f(x[g*CI + i][m])
//
// f is the identity or ReLU. Workgroup (t, block), one of T for the block and itself one subgroup, does 8 * EACH input
// channels, of which the last block of a group may have fewer (GUARD), and walks params.share vec4s. It stores a partial
// sum of dw for reduce_partials.wgsl, which is dw itself where T is 1. Params: weights, how many there are; inChannels
// (CI); length, vec4s of a channel; share, those of a workgroup; relu, 1 for ReLU; blocks of a group. CO is constant.

#if EACH == 1
alias Weights = f32;
alias Columns = vec4f;
fn along(v: vec4f, f: Columns) -> Weights { return dot(v, f); }
#else
alias Weights = vec$(EACH)f;
alias Columns = mat$(EACH)x4f;
fn along(v: vec4f, f: Columns) -> Weights { return v * f; }
#endif

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let CI = params.inChannels;
  let M4 = params.length;
  // Below all numbers without ReLU, which costs no more than ReLU. (Had x been no number, the loss would have told.)
  let floor = vec4f(select(-3.4028234e38, 0.0, params.relu == 1));
#if GUARD
  let group = wid.y / params.blocks;
  let wanted = wid.y % params.blocks * $(8 * EACH) + lane * EACH;
  let column = min(wanted, CI - EACH);
  let channel = group * CI + column;
  let source = group * CO;
#else
  let channel = wid.y * $(8 * EACH) + lane * EACH;
  let source = channel / CI * CO;
  let column = channel % CI;
#endif
#for o in 0..CO
  let at$o = (source + $o) * CI + column;
#if EACH == 3
  let w$o = vec3f(load_w(at$o), load_w(at$o + 1), load_w(at$o + 2));
#else
  let w$o = load_w(at$o / EACH);
#endif
  var d$o = Weights();
#endfor
  let end = min(M4, (wid.x + 1) * params.share);
  for (var m = wid.x * params.share; m < end; m++) {
    let own = channel * M4 + m;
#for i in 0..EACH
    let x$i = load_x(own + $i * M4);
    var s$i = vec4f(0);
#endfor
    let f = Columns(
#for i in 0..EACH
      max(x$i, floor),
#endfor
    );
    // All loads come before the sums.
#for q in 0..(CO+7)/8
#if 8 * q + 8 <= CO
    let g$q = load_gy((source + lane + $(8 * q)) * M4 + m);
#else
    let g$q = load_gy((source + min(lane + $(8 * q), $(CO - 1))) * M4 + m);
#endif
#endfor
#for o in 0..CO
    let v$o = subgroupShuffle(g$(o / 8), $(o % 8)u);
#if EACH == 1
    s0 += v$o * w$o;
#else
#for i in 0..EACH
    s$i += v$o * w$o[$i];
#endfor
#endif
    d$o += along(v$o, f);
#endfor
#if GUARD
    if (wanted == column) {
#else
    {
#endif
#for i in 0..EACH
      store_gx(own + $i * M4, select(vec4f(0), s$i, x$i > floor));
#endfor
    }
  }
#if GUARD
  if (wanted > column) { return; }
#endif
  let to = wid.x * params.weights;
#for o in 0..CO
#if EACH == 3
#for i in 0..3
  store_sums(to + at$o + $i, d$o[$i]);
#endfor
#else
  store_sums((to + at$o) / EACH, d$o);
#endif
#endfor
}

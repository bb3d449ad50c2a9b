// Gradient of winograd.wgsl for its weights by F(2x2, 3x3): dw = G' (sum over tiles of (A gy A') . (B' f(x) B)) G, for
// subgroups of 8 lanes. Each lane has EACH output channels (one of every 8) and adds up 4 x 4 sums for each of them and IB
// input channels, few or 8; it loads other channels of x, which shuffles hand to all lanes. A workgroup, which is one
// subgroup, walks over `share` pairs of rows as in winograd.wgsl, but two vec4s at a time: to keep a sum in a loop costs
// nearly as much as to add to it.
//
// It stores a partial sum of the `count` numbers of dw for reduce_partials.wgsl, which is dw itself where there is one
// such workgroup. f is ReLU with `relu`, else the identity.

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let H = params.height;
  let Q = (params.width + 3) / 4;
  let N = params.images;
  // Below all numbers without ReLU, which costs no more than ReLU. (Had x been no number, the loss would have told.)
  let floor = vec4f(select(-3.4028234e38, 0.0, params.relu == 1));
  let pairs = (H + 1) / 2;
  let plane = N * H * Q;
  let own = wid.y * $(8 * EACH) + lane;
  let first = wid.x * params.share;
  let steps = (min(N * pairs, first + params.share) - first) * Q;
#if IB == 8
  let plane_x = (wid.z * IB + lane) * plane;
#else
  let plane_x = min(lane, $(IB - 1)) * plane;
#endif
#for k in 0..4
#for i in 0..IB
#for e in 0..EACH
  var s$(k)_$(i)_$e = vec4f(0);
#endfor
#endfor
#endfor
  // Rows of B' f(x): the vec4 that is done next, and the last column before it.
#for k in 0..4
  var left$k = 0.0;
  var own$k = vec4f(0);
#endfor
  // What is loaded of x next: vec4 q of row r, at `next` of its channel, and what is done: that before it.
  var r = first % pairs * 2;
  var q = 0u;
  var next = (first / pairs * H + r) * Q;
  var done = next;
  var pair_done = r + 1 < H;
  for (var step = 0u; step <= steps; step += 2) {
#for t in 0..2
    let begins$t = q == 0;
    let at_x$t = plane_x + next;
    let d$(t)_0 = select(vec4f(0), max(load_x(at_x$t - select(0u, Q, r > 0)), floor), r > 0);
    let d$(t)_1 = max(load_x(at_x$t), floor);
    let d$(t)_2 = select(vec4f(0), max(load_x(at_x$t + select(0u, Q, r + 1 < H)), floor), r + 1 < H);
    let d$(t)_3 = select(vec4f(0), max(load_x(at_x$t + select(0u, 2 * Q, r + 2 < H)), floor), r + 2 < H);
    let live$t = step + $t <= steps;
    let both$t = live$t && pair_done;
#for e in 0..EACH
    let at_y$(t)_$e = (own + $(8 * e)) * plane + done;
    let g$(t)_$(e)_0 = select(vec4f(0), load_gy(at_y$(t)_$e), live$t);
    let g$(t)_$(e)_1 = select(vec4f(0), load_gy(at_y$(t)_$e + select(0u, Q, both$t)), both$t);
#endfor
    done = next;
    pair_done = r + 1 < H;
    q++;
    next++;
    if (q == Q) {
      q = 0;
      r += 2;
      next += Q;
      if (r >= H) {
        r = 0;
        next -= H % 2 * Q;
      }
      if (step + $(t + 1) >= steps) { // what is loaded has no part in the sums, but must be numbers
        r = 0;
        next = 0;
      }
    }
    let b$(t)_0 = d$(t)_0 - d$(t)_2;
    let b$(t)_1 = d$(t)_1 + d$(t)_2;
    let b$(t)_2 = d$(t)_2 - d$(t)_1;
    let b$(t)_3 = d$(t)_1 - d$(t)_3;
#endfor
#for t in 0..2
#for k in 0..4
#if t == 0
    let c$(t)_$k = own$k;
    let l$(t)_$k = left$k;
#else
    let c$(t)_$k = b0_$k;
    let l$(t)_$k = select(c0_$(k).w, 0.0, begins0);
#endif
    let n$(t)_$k = select(b$(t)_$(k).x, 0.0, begins$t);
    let v$(t)_$(k)_0 = vec4f(
      l$(t)_$k - c$(t)_$(k).y,
      c$(t)_$(k).x + c$(t)_$(k).y,
      c$(t)_$(k).y - c$(t)_$(k).x,
      c$(t)_$(k).x - c$(t)_$(k).z,
    );
    let v$(t)_$(k)_1 = vec4f(
      c$(t)_$(k).y - c$(t)_$(k).w,
      c$(t)_$(k).z + c$(t)_$(k).w,
      c$(t)_$(k).w - c$(t)_$(k).z,
      c$(t)_$(k).z - n$(t)_$k,
    );
#endfor
#for e in 0..EACH
    let a$(t)_$(e)_0 = g$(t)_$(e)_0;
    let a$(t)_$(e)_1 = g$(t)_$(e)_0 + g$(t)_$(e)_1;
    let a$(t)_$(e)_2 = g$(t)_$(e)_0 - g$(t)_$(e)_1;
    let a$(t)_$(e)_3 = -g$(t)_$(e)_1;
#endfor
#endfor
#for k in 0..4
    left$k = select(c1_$(k).w, 0.0, begins1);
    own$k = b1_$k;
#endfor
#for k in 0..4
    {
#for t in 0..2
#for e in 0..EACH
      let a$(t)_$e = a$(t)_$(e)_$k;
      let y$(t)_$(e)_0 = vec4f(a$(t)_$(e).x, a$(t)_$(e).x + a$(t)_$(e).y, a$(t)_$(e).x - a$(t)_$(e).y, -a$(t)_$(e).y);
      let y$(t)_$(e)_1 = vec4f(a$(t)_$(e).z, a$(t)_$(e).z + a$(t)_$(e).w, a$(t)_$(e).z - a$(t)_$(e).w, -a$(t)_$(e).w);
#endfor
#endfor
#for i in 0..IB
      {
#for t in 0..2
        let u$(t)_0 = subgroupShuffle(v$(t)_$(k)_0, $(i)u);
        let u$(t)_1 = subgroupShuffle(v$(t)_$(k)_1, $(i)u);
#endfor
#for e in 0..EACH
        s$(k)_$(i)_$e += u0_0 * y0_$(e)_0 + u0_1 * y0_$(e)_1 + u1_0 * y1_$(e)_0 + u1_1 * y1_$(e)_1;
#endfor
      }
#endfor
    }
#endfor
  }
#for e in 0..EACH
  {
#for i in 0..IB
#for k in 0..4
    let m$(i)_$k = 0.5 * (s$(k)_$(i)_$(e).y + s$(k)_$(i)_$(e).z);
    let h$(i)_$(k)_0 = s$(k)_$(i)_$(e).x + m$(i)_$k;
    let h$(i)_$(k)_1 = 0.5 * (s$(k)_$(i)_$(e).y - s$(k)_$(i)_$(e).z);
    let h$(i)_$(k)_2 = m$(i)_$k + s$(k)_$(i)_$(e).w;
#endfor
#for t in 0..3
    let n$(i)_$t = 0.5 * (h$(i)_1_$t + h$(i)_2_$t);
    let f$(9 * i + t) = h$(i)_0_$t + n$(i)_$t;
    let f$(9 * i + 3 + t) = 0.5 * (h$(i)_1_$t - h$(i)_2_$t);
    let f$(9 * i + 6 + t) = n$(i)_$t + h$(i)_3_$t;
#endfor
#endfor
    let to = wid.x * params.count + ((own + $(8 * e)) * params.inputs + wid.z * IB) * 9;
#if IB == 8
#for l in 0..18
    store_sums(to / 4 + $l, vec4f(f$(4 * l), f$(4 * l + 1), f$(4 * l + 2), f$(4 * l + 3)));
#endfor
#else
#for l in 0..9*IB
    sums[to + $l] = f$l;
#endfor
#endif
  }
#endfor
}

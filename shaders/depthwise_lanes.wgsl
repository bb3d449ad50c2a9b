// depthwise.wgsl for subgroups of 8 lanes, which stand side by side along a row: each has TV vec4s of the output's row,
// loads the S * TV vec4s of the input above them and gets what lies beside these from its neighbours. Lanes that a row
// leaves over do more images. E edges are done at once, so that x is loaded once for them.
//
// Register r<k>_<j> is vec4 j - 1 of the lane's part of window row k; r<k>_0 and r<k>_<S * TV + 1> are the neighbours'.
// A round of the loop does one output row, for which A window rows join the K - A that stay; RU is from a window row to
// the next, CLASSES from an output row to the next. Sizes are parameters, so that layers of all sizes share a pipeline:
// channels, batch, height and width of the input; outHeight; pitch and outPitch, vec4s of a row of the input and of the
// output; rowLanes, the lanes of a row; atOnce, the images that all workgroups do at once.

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let CI = params.channels;
  let N = params.batch;
  let H = params.height;
  let W = params.width;
  let HO = params.outHeight;
  let P4 = params.pitch;
  let Q4 = params.outPitch;
  let ROW = params.rowLanes;
  let source = wid.y % CI;
  let channel0 = wid.y / CI * (E * CI) + source;
#for e in 1..E
  let channel$e = channel$(e - 1) + CI;
#endfor
  let tile = lane % ROW;
  let image = lane / ROW;
  let left = (lane + 7) % 8;
  let right = (lane + 1) % 8;
#if NORM
  let mean = stats[source];
  let scale = inverseSqrt(stats[CI + source] + EPS);
#for j in 1..S*TV+1
  let mask$j = tail(W, tile * $(S * TV) + $j == P4);
#endfor
#endif
#for v in 0..TV
  let out_mask$v = tail((W + $(S - 1)) / S, tile * TV + $(v + 1) == Q4);
#endfor
#for e in 0..E
#for i in 0..(K*K+7)/8
  let share$(e)_$i = w[channel$e * (K * K) + min(lane + $(8 * i), $(K * K - 1))];
#endfor
#for k in 0..K*K
  let w$(e)_$k = subgroupShuffle(share$(e)_$(k / 8), $(k % 8)u);
#endfor
#endfor
  for (var group = wid.x * (8 / ROW); group < N; group += params.atOnce) {
    let n = group + image;
    let live = image < 8 / ROW && n < N;
    let plane = (source * N + min(n, N - 1)) * H * P4 + tile * $(S * TV);
#for e in 0..E
    let plane_out$e = (channel$e * N + n) * HO * Q4 + tile * TV;
#endfor
    for (var row_class = 0u; row_class < CLASSES; row_class++) {
      var row = row_class;
#for k in 0..PAD/RU
#for j in 0..S*TV+2
      var r$(k)_$j = vec4f(0);
#endfor
#endfor
#for part in 0..2
#if part == 1
      for (var out_row = row_class; out_row < HO; out_row += CLASSES) {
#endif
#for k in PAD/RU + part*(K-A-PAD/RU)..K-A+part*A
        let inside$k = row < H;
        let at$k = plane + min(row, H - 1) * P4;
        row += RU;
#for j in 1..S*TV+1
        var r$(k)_$j = load_x(at$k + $(j - 1));
#if NORM
        r$(k)_$j = (r$(k)_$j - mean) * scale;
#endif
#if RELU || NORM
        r$(k)_$j = max(r$(k)_$j, vec4f(0));
#endif
#if NORM
        r$(k)_$j *= mask$j;
#endif
        r$(k)_$j = select(vec4f(0), r$(k)_$j, inside$k && tile * $(S * TV) + $j <= P4);
#endfor
        var r$(k)_0 = select(vec4f(0), subgroupShuffle(r$(k)_$(S * TV), left), tile > 0);
        var r$(k)_$(S * TV + 1) = select(vec4f(0), subgroupShuffle(r$(k)_1, right), tile + 1 < ROW);
#endfor
#endfor
#for v in 0..TV
#for e in 0..E
        var s$(e)_$v = vec4f(0);
#endfor
#for k in 0..K
#for q in 0..K
        {
          let a = vec4f(
#for c in 0..4
            r$(k)_$((4 + S*(4*v+c) + q*D - PAD) / 4)[$((4 + S*(4*v+c) + q*D - PAD) % 4)],
#endfor
          );
#for e in 0..E
          s$(e)_$v += w$(e)_$(k*K + q) * a;
#endfor
        }
#endfor
#endfor
        if (live && tile * TV + $v < Q4) {
#for e in 0..E
          store_y(plane_out$e + out_row * Q4 + $v, s$(e)_$v * out_mask$v);
#endfor
        }
#endfor
#for k in 0..K-A
#for j in 0..S*TV+2
        r$(k)_$j = r$(k + A)_$j;
#endfor
#endfor
      }
    }
  }
}

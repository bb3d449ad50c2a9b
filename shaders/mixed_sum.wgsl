// One edge of a mixed operation: y = [y +] sum_k weight_k * zhat_k over COUNT candidates.
//
// Where NORM<k> is set zhat = (z - mean) / sqrt(var + EPS), so that normalised candidates are never stored; else
// zhat = z. params[0] = (the edge's row in the architecture weights, which are COLUMNS wide; vec4s per channel; vec4s
// per row + 65536 * elements in the last of them; vec4s that a strand of 8 invocations walks);
// params[1 + k] = (first vec4 of the edge's channels in z_k, their first channel in the statistics, channels of the
// statistics, weight column + 65536 * the candidate's number).
// STATS_AT is the first binding of statistics.

#for k in 0..COUNT
@group(0) @binding($k) var<storage, read> z$k: array<vec4f>;
#if NORM$k
@group(0) @binding($(STATS_AT + STATS_SLOT$k)) var<uniform> stats$k: array<vec4f, STATS_SIZE$k>;
#endif
#endfor
@group(0) @binding($COUNT) var<storage, read_write> y: array<vec4f>;
@group(0) @binding($(COUNT + 1)) var<uniform> weights: array<vec4f, WEIGHTS>;
@group(0) @binding($PARAMS_AT) var<uniform> params: array<vec4u, $(COUNT + 1)>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let c = wid.y;
  let M4 = params[0].y;
  var shift = 0.0;
#for k in 0..COUNT
  let row$k = params[0].x * COLUMNS + params[$(k + 1)].w % 65536;
#if NORM$k
  let mean_at$k = params[$(k + 1)].y + c;
  let var_at$k = mean_at$k + params[$(k + 1)].z;
  let a$k = weights[row$k / 4][row$k % 4] * inverseSqrt(stats$k[var_at$k / 4][var_at$k % 4] + EPS);
  shift -= a$k * stats$k[mean_at$k / 4][mean_at$k % 4];
#else
  let a$k = weights[row$k / 4][row$k % 4];
#endif
  let base$k = params[$(k + 1)].x + c * M4;
#endfor
  let first = (wid.x * (WG / 8) + lane / 8) * params[0].w;
  let end = min(M4, first + params[0].w);
  let row = params[0].z % 65536;
  let count = params[0].z / 65536;
  let last = vec4f(1.0, f32(count > 1), f32(count > 2), f32(count > 3));
  let step = 8 % row;
  var column = (first + lane % 8) % row;
  for (var m = first + lane % 8; m < end; m += 8) {
    var sum = vec4f(shift);
#for k in 0..COUNT
    sum += a$k * z$k[base$k + m];
#endfor
    sum = select(sum, sum * last, column + 1 == row);
    column += step;
    column -= select(0, row, column >= row);
#if ACCUMULATE
    sum += y[c * M4 + m];
#endif
    y[c * M4 + m] = sum;
  }
}

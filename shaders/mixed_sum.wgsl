// One edge of a mixed operation: y = [y +] sum_k weight_k * zhat_k over COUNT candidates.
//
// Where NORM<k> is set zhat = (z - mean) / sqrt(var + EPS), so that normalised candidates are never stored; else
// zhat = z. params[0].x is the edge's row in the architecture weights (COLUMNS wide); params[1 + k] = (first vec4 of
// the edge's channels in z_k, their first channel in the statistics, channels of the statistics, weight column).
// M4 vec4s per channel, P4 per row; each invocation takes PV of them. STATS_AT is the binding of the statistics.

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
  var shift = 0.0;
#for k in 0..COUNT
  let row$k = params[0].x * COLUMNS + params[$(k + 1)].w;
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
  for (var p = 0u; p < PV; p++) {
    let m = (wid.x * PV + p) * WG + lane;
    if (m < M4) {
      var sum = vec4f(shift);
#for k in 0..COUNT
      sum += a$k * z$k[base$k + m];
#endfor
#if W % 4 != 0
      if (m % P4 == P4 - 1) { sum *= vec4f(1.0, f32(W % 4 > 1), f32(W % 4 > 2), 0.0); }
#endif
#if ACCUMULATE
      sum += y[c * M4 + m];
#endif
      y[c * M4 + m] = sum;
    }
  }
}

// Edges of a mixed operation: y_e = [y_e +] sum_k weight_ek * zhat_k over COUNT candidates. Workgroup row e * C + c does
// channel c of edge e.
//
// Where NORM<k> is set zhat = (z - mean) / sqrt(var + EPS), so that normalised candidates are never stored; else
// zhat = z. Params: channels (C); length, vec4s of a channel; share, those that a strand of 8 invocations walks; firstEdge
// in y; row as in row_ends.wgsl; candidates[k].channels, those of its statistics; terms[e * COUNT + k]: first vec4 of the
// edge's channels in z_k, their first channel in the statistics, index of the weight.

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let C = params.channels;
  let M4 = params.length;
  let c = wid.y % C;
  let edge = wid.y / C * COUNT;
  let to = (params.firstEdge * C + wid.y) * M4;
  var shift = 0.0;
#for k in 0..COUNT
  let of$k = params.terms[edge + $k];
#if NORM$k
  let mean_at$k = of$(k).channel + c;
  let var_at$k = mean_at$k + params.candidates[$k].channels;
  let a$k = weights[of$(k).weight / 4][of$(k).weight % 4] * inverseSqrt(stats$k[var_at$k / 4][var_at$k % 4] + EPS);
  shift -= a$k * stats$k[mean_at$k / 4][mean_at$k % 4];
#else
  let a$k = weights[of$(k).weight / 4][of$(k).weight % 4];
#endif
  let base$k = of$(k).first + c * M4;
#endfor
  let first = (wid.x * (WG / 8) + lane / 8) * params.share;
  let end = min(M4, first + params.share);
  var rows = rows_at(params.row, first + lane % 8);
  for (var m = first + lane % 8; m < end; m += 8) {
    var sum = vec4f(shift);
#for k in 0..COUNT
    sum += a$k * load_z$k(base$k + m);
#endfor
    sum = cut(sum, rows);
    walk(&rows);
#if ACCUMULATE
    sum += load_y(to + m);
#endif
    store_y(to + m, sum);
  }
}

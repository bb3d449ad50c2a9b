// Gradients of candidates of a mixed operation from the coefficients of mixed_grad_sums.wgsl:
// gz_k[group] = sum over the edges e of the group: p_ke * g_e + q_ke * z_k + t_ke.
// Workgroup row y = group * C + c. The first NORMED candidates have q and t, but not in what follows a row. SINGLE: every
// group has one edge. One load of g_e is for all K candidates.
// Params: channels (C); share, vec4s that a strand of 8 invocations walks; length, vec4s of a channel; row as in
// row_ends.wgsl; candidates[k].first, the first coefficient of candidate k; links[i].to, the edge of group i where they are
// SINGLE, else the group of edge i or 0xffffffff.

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let C = params.channels;
  let M4 = params.length;
  let c = wid.y % C;
  let group = wid.y / C;
  let first = (wid.x * (WG / 8) + lane / 8) * params.share;
  let end = min(M4, first + params.share);
#if NORMED
  var rows = rows_at(params.row, first + lane % 8);
#endif
#if SINGLE
  let own = params.links[group].to * C + c;
#for k in 0..K
  let k$k = load_coefficients(params.candidates[$k].first + own);
#endfor
  for (var m = first + lane % 8; m < end; m += 8) {
    let at = wid.y * M4 + m;
    let edge = load_g(own * M4 + m);
#for k in 0..K
#if k < NORMED
    let sum$k = k$(k).x * edge + k$(k).y * load_z$k(at) + k$(k).z;
    store_gz$k(at, cut(sum$k, rows));
#else
    store_gz$k(at, k$(k).x * edge);
#endif
#endfor
#if NORMED
    walk(&rows);
#endif
  }
#else
#for k in 0..K
  var q$k = 0.0;
  var t$k = 0.0;
#endfor
#for e in 0..EDGES
  let in$e = params.links[$e].to == group;
#for k in 0..K
  let k$(e)_$k = select(vec4f(0), load_coefficients(params.candidates[$k].first + $e * C + c), in$e);
  q$k += k$(e)_$(k).y;
  t$k += k$(e)_$(k).z;
#endfor
#endfor
  for (var m = first + lane % 8; m < end; m += 8) {
    let at = wid.y * M4 + m;
#for k in 0..K
#if k < NORMED
    var sum$k = q$k * load_z$k(at) + t$k;
#else
    var sum$k = vec4f(0);
#endif
#endfor
#for e in 0..EDGES
    if (in$e) {
      let edge = load_g(($e * C + c) * M4 + m);
#for k in 0..K
      sum$k += k$(e)_$(k).x * edge;
#endfor
    }
#endfor
#for k in 0..K
#if k < NORMED
    sum$k = cut(sum$k, rows);
#endif
    store_gz$k(at, sum$k);
#endfor
#if NORMED
    walk(&rows);
#endif
  }
#endif
}

// bn_grad_sums.wgsl and bn_grad_input.wgsl in one, for subgroups of 8 lanes, one of which has a whole channel and walks
// it twice: sums[c] = sum of gy, products[c] = sum of gy * xhat, xhat = (x - mean) * rstd, and
// gx = [gamma *] rstd * (gy - sums / n - xhat * products / n). The padding of gy is zero, so x needs no mask for the sums;
// that of gx stays zero. SUM: gy is gy + more, which is kept in `total`. MASKED: something follows the elements of a row.
// Params: length, vec4s of a channel; row as in row_ends.wgsl; elements of a channel.

@compute @workgroup_size(8)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let c = group.x;
  let channels = groups.x;
  let mean = stats[c];
  let rstd = inverseSqrt(stats[channels + c] + EPS);
  let start = c * params.length + lane;
  let end = (c + 1) * params.length;
  var sum = 0.0;
  var product = 0.0;
  for (var at = start; at < end; at += 8) {
#if SUM
    let g = load_gy(at) + load_more(at);
    store_total(at, g);
#else
    let g = load_gy(at);
#endif
    sum += dot(g, vec4f(1.0));
    product += dot(g, load_x(at) - mean);
  }
  var part = vec2f(sum, product);
  part += subgroupShuffleXor(part, 1u);
  part += subgroupShuffleXor(part, 2u);
  part += subgroupShuffleXor(part, 4u);
  part = subgroupShuffle(part, 0u);
  let whole = part.y * rstd;
  if (lane == 0) {
    sums[c] = part.x;
    products[c] = whole;
    if (c == channels - 1) {
      for (var k = channels; k % 4 != 0; k++) {
        sums[k] = 0.0;
        products[k] = 0.0;
      }
    }
  }
  let n = f32(params.elements);
  let average = part.x / n;
  let slope = rstd * whole / n;
#if GAMMA
  let scale = rstd * gamma[c];
#else
  let scale = rstd;
#endif
#if MASKED
  var rows = rows_at(params.row, lane);
#endif
  for (var at = start; at < end; at += 8) {
#if SUM
    let g = load_total(at);
#else
    let g = load_gy(at);
#endif
    let result = (g - average - (load_x(at) - mean) * slope) * scale;
#if MASKED
    store_gx(at, cut(result, rows));
    walk(&rows);
#else
    store_gx(at, result);
#endif
  }
}

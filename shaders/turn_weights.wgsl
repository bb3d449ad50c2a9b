// The weights w [CO, CI, 3, 3] of a convolution as those of the convolution that is the gradient for its input:
// v[i][o][2 - ky][2 - kx] = w[o][i][ky][kx]. One invocation per number.

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  let at = gid.y * params.gridX + gid.x;
  if (at >= params.count) { return; }
  let o = at / 9 % params.outputs;
  let i = at / (9 * params.outputs);
  v[at] = w[(o * params.inputs + i) * 9 + 8 - at % 9];
}

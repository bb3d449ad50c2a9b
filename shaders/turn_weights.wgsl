// The weights w [CO, CI, 3, 3] of a convolution as those of the convolution that is the gradient for its input:
// v[i][o][2 - ky][2 - kx] = w[o][i][ky][kx]. One invocation per pair of channels, of which there are params.count.

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  let at = gid.y * params.gridX + gid.x;
  if (at >= params.count) { return; }
  let i = at / params.outputs;
  let o = at - i * params.outputs;
  let first = (o * params.inputs + i) * 9;
#for t in 0..9
  let w$t = w[first + $t];
#endfor
#for t in 0..9
  v[at * 9 + $t] = w$(8 - t);
#endfor
}

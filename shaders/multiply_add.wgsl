// Nothing but arithmetic: y = sum over k < CHAINS of x + k after STEPS * rounds times s = s a + a a, where a is 255 /
// 256. What a device can compute at most, when nothing waits for memory. llvmpipe copies at the end of a round what the
// round changes, so a round has many steps; and three chains are as many as stay in the 16 registers of a CPU. The
// factors are not known when it is compiled, which would take more registers; on two cores 70 GFLOP/s with known ones,
// 51 with a term of 0.5 - 0.5 a, 163 as it is. Params: length in vec4s, rounds.

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  let i = gid.x;
  if (i >= params.length) { return; }
  let start = load_x(i);
  let factor = min(0.99609375, f32(params.rounds));
  let term = factor * factor;
#for k in 0..CHAINS
  var s$k = start + vec4f($k);
#endfor
  for (var r = 0u; r < params.rounds; r++) {
#for step in 0..STEPS
#for k in 0..CHAINS
    s$k = s$k * factor + term;
#endfor
#endfor
  }
  var sum = s0;
#for k in 1..CHAINS
  sum += s$k;
#endfor
  store_y(i, sum);
}

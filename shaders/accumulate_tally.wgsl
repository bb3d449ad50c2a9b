// metrics[0..2] += tally[0..2], metrics[3] counts steps, metrics[4] is the first step whose loss was not finite.

@compute @workgroup_size(1)
fn main() {
#for i in 0..3
  metrics[$i] += tally[$i];
#endfor
  let steps = metrics[3] + 1.0;
  metrics[3] = steps;
  // Looks at the bits: a compiler may assume that there is no NaN.
  if (metrics[4] == 0.0 && (bitcast<u32>(tally[0]) & 0x7f800000) == 0x7f800000) { metrics[4] = steps; }
}

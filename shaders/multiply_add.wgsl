// Nothing but arithmetic: y = sum over k < 8 of x + k after ROUNDS times s = s * 0.5 + 0.25. What a device can compute
// at most, when nothing waits for memory. params = (vec4s, ROUNDS).

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(2) var<uniform> params: array<vec4u, 1>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  let i = gid.x;
  if (i >= params[0].x) { return; }
  let start = x[i];
#for k in 0..8
  var s$k = start + vec4f($k);
#endfor
  for (var r = 0u; r < params[0].y; r++) {
#for k in 0..8
    s$k = s$k * 0.5 + 0.25;
#endfor
  }
  y[i] = ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7));
}

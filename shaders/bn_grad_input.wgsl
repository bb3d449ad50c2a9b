// gx = [gamma *] rstd * (gy - sum(gy) / COUNT - xhat * sum(gy * xhat) / COUNT), elementwise: workgroup (g, c) does
// part g of channel c. The padding of a row stays zero.
// LENGTH vec4s per channel, of which a strand of 8 invocations walks SHARE; VECS vec4s per row, TAIL elements in the
// last of them (0: all four).

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> gy: array<vec4f>;
@group(0) @binding(2) var<storage, read> stats: array<f32>;
@group(0) @binding(3) var<storage, read> sums: array<f32>;
@group(0) @binding(4) var<storage, read> products: array<f32>;
#if GAMMA
@group(0) @binding(5) var<storage, read> gamma: array<f32>;
#endif
@group(0) @binding($(5 + GAMMA)) var<storage, read_write> gx: array<vec4f>;

#if TAIL
const MASK = vec4f(1.0, f32($(TAIL > 1)), f32($(TAIL > 2)), 0.0);
#endif

// What is the same in the whole channel.
struct Channel { mean: f32, average: f32, slope: f32, scale: f32 }

fn result(at: u32, c: Channel) -> vec4f {
#if TAIL
  let mask = select(vec4f(1.0), MASK, at % VECS == $(VECS - 1));
  return (gy[at] - c.average * mask - (x[at] - c.mean * mask) * c.slope) * c.scale;
#else
  return (gy[at] - c.average - (x[at] - c.mean) * c.slope) * c.scale;
#endif
}

@compute @workgroup_size(SIZE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let c = group.y;
  let rstd = inverseSqrt(stats[groups.y + c] + EPS);
  var channel = Channel(stats[c], sums[c] / f32(COUNT), rstd * products[c] / f32(COUNT), rstd);
#if GAMMA
  channel.scale *= gamma[c];
#endif
  let first = (group.x * $(SIZE / 8) + lane / 8) * SHARE;
  let end = c * LENGTH + min(LENGTH, first + SHARE);
  var at = c * LENGTH + first + lane % 8;
  for (; at + 24 < end; at += 32) {
#for k in 0..4
    let y$k = result(at + $(k * 8), channel);
#endfor
#for k in 0..4
    gx[at + $(k * 8)] = y$k;
#endfor
  }
  for (; at < end; at += 8) { gx[at] = result(at, channel); }
}

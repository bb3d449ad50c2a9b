// gx = [gamma *] rstd * (gy - sum(gy) / COUNT - xhat * sum(gy * xhat) / COUNT), elementwise over channels:
// workgroup (x, c) does ITEMS * SIZE vec4s of channel c. The padding of a row stays zero.

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

@compute @workgroup_size(SIZE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let c = group.y;
  let base = c * LENGTH;
  let first = group.x * $(ITEMS * SIZE) + lane;
  let rstd = inverseSqrt(stats[groups.y + c] + EPS);
#if GAMMA
  let scale = rstd * gamma[c];
#else
  let scale = rstd;
#endif
  let mean = stats[c];
  let slope = rstd * products[c] / f32(COUNT);
  let average = sums[c] / f32(COUNT);
#for k in 0..ITEMS
  {
    let i = first + $(k * SIZE);
#if GUARD
    if (i < LENGTH) {
#endif
#if TAIL
    let mask = select(vec4f(1.0), MASK, i % VECS == $(VECS - 1));
    gx[base + i] = (gy[base + i] - average * mask - (x[base + i] - mean * mask) * slope) * scale;
#else
    gx[base + i] = (gy[base + i] - average - (x[base + i] - mean) * slope) * scale;
#endif
#if GUARD
    }
#endif
  }
#endfor
}

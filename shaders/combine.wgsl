// y = sum_k a_k * x_k over LENGTH vec4s (SHARE per strand of 8 invocations) with TERMS terms and
// a_k = FACTOR<k> * hyper[0]^RATE<k> * norm^NORM<k>, norm = sqrt(square[0]); a power -1 of a norm 0 counts as 0.

#for k in 0..TERMS
@group(0) @binding($k) var<storage, read> x$k: array<vec4f>;
#endfor
@group(0) @binding($TERMS) var<storage, read_write> y: array<vec4f>;
#if HYPER
@group(0) @binding($(TERMS + 1)) var<uniform> hyper: array<vec4f, 2>;
#endif
#if SQUARE
@group(0) @binding($(TERMS + 1 + HYPER)) var<uniform> square: array<vec4f, 1>;
#endif

@compute @workgroup_size(SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
#if HYPER
  let rate = hyper[0].x;
#endif
#if SQUARE
  let norm = sqrt(square[0].x);
  let inverse = select(0.0, 1.0 / norm, norm > 0.0);
#endif
#for k in 0..TERMS
  var a$k = f32(FACTOR$k);
#if RATE$k
  a$k *= rate;
#endif
#if NORM$k == 1
  a$k *= norm;
#endif
#if NORM$k == -1
  a$k *= inverse;
#endif
#endfor
  let first = (group.x * $(SIZE / 8) + lane / 8) * SHARE;
  let end = min(LENGTH, first + SHARE);
  for (var at = first + lane % 8; at < end; at += 8) {
    y[at] = a0 * x0[at]
#for k in 1..TERMS
      + a$k * x$k[at]
#endfor
      ;
  }
}

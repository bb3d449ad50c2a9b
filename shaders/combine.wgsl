// y = sum_k a_k * x_k over LENGTH vec4s (SHARE per strand of 8 invocations) with TERMS terms and
// a_k = FACTOR<k> * hyper.weightLr^RATE<k> * norm^NORM<k>, norm = sqrt(square.sum); a power -1 of a norm 0 counts as 0.

@compute @workgroup_size(SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
#if HYPER
  let rate = hyper.weightLr;
#endif
#if SQUARE
  let norm = sqrt(square.sum);
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
    var sum = a0 * load_x0(at);
#for k in 1..TERMS
    sum += a$k * load_x$k(at);
#endfor
    store_y(at, sum);
  }
}

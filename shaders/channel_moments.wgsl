// Part of other shaders: mean and spread of a channel's elements, by what each invocation finds in its own.

/// (count, mean, sum of squared deviations) of the elements of two, by the formula of Chan, Golub and LeVeque.
fn join(a: vec3f, b: vec3f) -> vec3f {
  let count = a.x + b.x;
  let share = b.x / max(count, 1.0);
  let delta = b.y - a.y;
  return vec3f(count, a.y + delta * share, a.z + b.z + delta * delta * a.x * share);
}

/// The same of every eighth vec4 of x from `start` on, which is vec4 `first` of its channel, before `end`: deviations from
/// the first element are summed, so that a large mean costs no digits. MASKED: what follows the elements of a row, zeros,
/// does not count.
fn moments(start: u32, end: u32, first: u32) -> vec3f {
  if (start >= end) { return vec3f(); }
  let shift = load_x(start).x;
  var sum = 0.0;
  var squares = 0.0;
  var count = 0.0;
#if MASKED
  var rows = rows_at(params.row, first);
#else
  count = 4.0 * f32((end - start + 7) / 8);
#endif
  var at = start;
  // Four steps at a time, then single ones.
#for rounds in 0..2
  for (; at + $(24 * (1 - rounds)) < end; at += $(32 - 24 * rounds)) {
#for k in 0..4-3*rounds
#if MASKED
    let d$k = cut(load_x(at + $(k * 8)) - shift, rows);
    count += select(4.0, f32(rows.count), ends(rows));
    walk(&rows);
#else
    let d$k = load_x(at + $(k * 8)) - shift;
#endif
#endfor
#for k in 0..4-3*rounds
    sum += dot(d$k, vec4f(1.0));
    squares += dot(d$k, d$k);
#endfor
  }
#endfor
  let offset = sum / count;
  return vec3f(count, shift + offset, max(squares - count * offset * offset, 0.0));
}

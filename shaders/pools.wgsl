// Part of the shaders of pools. Keys are integers in the order of the floats that they stand for, so that maxima need no
// care for NaN, which is the largest, nor for the sign of zero.

const LOWEST = -2147483648;

fn key(bits: vec4i) -> vec4i {
  let size = bits & vec4i(0x7fffffff);
  let k = select(size, -size, bits < vec4i(0));
  return select(k, vec4i(0x7fffffff), size > vec4i(0x7f800000));
}

fn value(k: vec4i) -> vec4i { return select(k, -k | vec4i(LOWEST), k < vec4i(0)); }

/// Pixels of a window around `at` along an axis of `size`.
fn inside(at: vec4i, size: i32) -> vec4i { return max(min(at + 1, vec4i(size - 1)) - max(at - 1, vec4i(0)) + 1, vec4i(1)); }

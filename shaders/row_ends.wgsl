// Part of other shaders: where the rows of an image end. Rows are padded to whole vec4s with zeros, which results have to
// keep.

/// Ones for the first `count` elements of a vec4.
fn ones(count: u32) -> vec4f { return vec4f(1.0, f32(count > 1), f32(count > 2), f32(count > 3)); }

/// Ones for the elements of a vec4, with which a row of `width` ends if `last`, that belong to it.
fn tail(width: u32, last: bool) -> vec4f { return select(vec4f(1.0), ones((width - 1) % 4 + 1), last); }

/// Where an invocation is that walks 8 vec4s at a time: vec4 `column` of a row of `length`, whose last one has `count`
/// elements.
struct Rows { length: u32, count: u32, last: vec4f, step: u32, column: u32 }

/// At vec4 `at` of an image; word = vec4s of a row + 65536 * elements in the last of them.
fn rows_at(word: u32, at: u32) -> Rows {
  let length = word % 65536;
  let count = word / 65536;
  return Rows(length, count, ones(count), 8 % length, at % length);
}

fn ends(rows: Rows) -> bool { return rows.column + 1 == rows.length; }

/// `v` without what follows the row.
fn cut(v: vec4f, rows: Rows) -> vec4f { return select(v, v * rows.last, ends(rows)); }

fn walk(rows: ptr<function, Rows>) {
  (*rows).column += (*rows).step;
  (*rows).column -= select(0, (*rows).length, (*rows).column >= (*rows).length);
}


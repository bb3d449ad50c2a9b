// A step of Muon (Jordan et al. 2024) for groups of at most 32 rows of the matrices in an arena, one in each workgroup:
//   B = MOMENTUM * B + coef * G;  M = coef * G + MOMENTUM * B;  P = (1 - rate * DECAY) * P - rate * scale * O,
// with O = M's nearest matrix of orthogonal rows, about: Newton and Schulz's iteration X <- (a + b X X' + c (X X')^2) X
// from X = M / |M|, STEPS times. All factors are polynomials in A = X X', which is at most 32 x 32, so the iteration is done
// with A alone: F = a + b A + c A^2, Q <- F Q, A <- F F A; then O = Q M / |M|. A, Q and F are symmetric. In
// `params.groups`: where the first row lies, how many there are, their length, and the rows of the whole matrix.
// coef = min(1, CLIP / (norm + 1e-6)) as in torch.nn.utils.clip_grad_norm_, or 1 without CLIP.
//
// Element (r, 4 j + c) of a 32 x 32 matrix is component c of vec4 8 r + j. Each invocation makes four rows of a vec4, from
// row 4 i.

const LINES = 8u; // vec4s of a row of 32

var<workgroup> gram: array<vec4f, 256>;
var<workgroup> factor: array<vec4f, 256>;
var<workgroup> product: array<vec4f, 256>;
var<workgroup> squares: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let origin = params.groups[group.x].first;
  let rows = params.groups[group.x].rows;
  let columns = params.groups[group.x].columns;
  let j = lane % 8;
  let i = lane / 8;
#if CLIP > 0
  let coef = min(1.0, f32(CLIP) / (sqrt(square.sum) + 1e-6));
#else
  let coef = 1.0;
#endif

  // A = M M', from 32 columns at a time: `factor` has them, four rows in a vec4.
  var total = 0.0;
#for r in 0..4
  var a$r = vec4f();
#endfor
  for (var start = 0u; start < columns; start += 32) {
    let column = start + lane % 32;
    for (var row = lane / 32 * 4; row < rows; row += 8) {
#for r in 0..4
      let at$r = origin + min(row + $r, rows - 1) * columns + min(column, columns - 1);
      let g$r = coef * grad[at$r];
      let b$r = f32(MOMENTUM) * buffer[at$r] + g$r;
      let is$r = (row + $r < rows) & (column < columns);
#endfor
#for r in 0..4
      if (is$r) { buffer[at$r] = b$r; }
#endfor
      let m = select(
        vec4f(),
        vec4f(g0, g1, g2, g3) + f32(MOMENTUM) * vec4f(b0, b1, b2, b3),
        vec4<bool>(is0, is1, is2, is3),
      );
      total += dot(m, m);
      factor[lane % 32 * LINES + row / 4] = m;
    }
    workgroupBarrier();
    for (var k = 0u; k < 32; k++) {
      let left = factor[k * LINES + i];
      let right = factor[k * LINES + j];
#for r in 0..4
      a$r += left[$r] * right;
#endfor
    }
    workgroupBarrier();
  }
  squares[lane] = total;
  workgroupBarrier();
  total = 0.0;
  for (var k = 0u; k < 64; k++) { total += squares[k]; }
  let inverse = 1.0 / max(total, 1e-30);
#for r in 0..4
  gram[(4 * i + $r) * LINES + j] = inverse * a$r;
  product[(4 * i + $r) * LINES + j] = select(vec4f(), vec4f($(r == 0), $(r == 1), $(r == 2), $(r == 3)), i == j);
#endfor
  storageBarrier(); // others read what was stored in `buffer`
  workgroupBarrier();

  for (var step = 0u; step < STEPS; step++) {
#for r in 0..4
    var f$r = vec4f();
#endfor
    for (var k = 0u; k < rows; k++) {
      let right = gram[k * LINES + j];
      let left = gram[k * LINES + i];
#for r in 0..4
      f$r += left[$r] * right;
#endfor
    }
#for r in 0..4
    f$r = A5 * f$r + A3 * gram[(4 * i + $r) * LINES + j];
    f$r[$r] += select(0.0, A1, i == j);
    factor[(4 * i + $r) * LINES + j] = f$r;
#endfor
    workgroupBarrier();
#for r in 0..4
    var q$r = vec4f();
    var s$r = vec4f();
#endfor
    for (var k = 0u; k < rows; k++) {
      let right = product[k * LINES + j];
      let other = factor[k * LINES + j];
      let left = factor[k * LINES + i];
#for r in 0..4
      q$r += left[$r] * right;
      s$r += left[$r] * other;
#endfor
    }
    workgroupBarrier();
#for r in 0..4
    product[(4 * i + $r) * LINES + j] = q$r;
    factor[(4 * i + $r) * LINES + j] = s$r;
#endfor
    workgroupBarrier();
#for r in 0..4
    var n$r = vec4f();
#endfor
    for (var k = 0u; k < rows; k++) {
      let right = gram[k * LINES + j];
      let other = factor[k * LINES + j];
      let left = factor[k * LINES + i];
#for r in 0..4
      n$r += left[$r] * right;
#endfor
    }
    workgroupBarrier();
#for r in 0..4
    gram[(4 * i + $r) * LINES + j] = n$r;
#endfor
    workgroupBarrier();
  }

  // O = Q M / |M|, 32 columns at a time: `factor` has them, then what comes out.
  let all = f32(params.groups[group.x].all);
  let rate = hyper.weightLr;
  let scale = rate * f32(SCALE) * sqrt(max(1.0, all / f32(columns)) * inverse);
  let keep = 1.0 - rate * f32(DECAY);
  for (var start = 0u; start < columns; start += 32) {
    let column = start + j * 4;
#for c in 0..4
    let at$c = min(column + $c, columns - 1);
#endfor
    for (var row = i; row < rows; row += 8) {
      let line = origin + row * columns;
#for c in 0..4
      let m$c = coef * grad[line + at$c] + f32(MOMENTUM) * buffer[line + at$c];
#endfor
      factor[row * LINES + j] = vec4f(m0, m1, m2, m3);
    }
    workgroupBarrier();
#for r in 0..4
    var o$r = vec4f();
#endfor
    for (var k = 0u; k < rows; k++) {
      let right = factor[k * LINES + j];
      let left = product[k * LINES + i];
#for r in 0..4
      o$r += left[$r] * right;
#endfor
    }
    workgroupBarrier();
#for r in 0..4
    factor[(4 * i + $r) * LINES + j] = o$r;
#endfor
    workgroupBarrier();
    for (var row = i; row < rows; row += 8) {
      let o = factor[row * LINES + j];
      let line = origin + row * columns;
#for c in 0..4
      if (column + $c < columns) { param[line + at$c] = keep * param[line + at$c] - scale * o[$c]; }
#endfor
    }
    workgroupBarrier();
  }
}

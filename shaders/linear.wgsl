// y[n, o] = b[o] + sum over f of x[n, f] w[o, f]; ROWS x COLUMNS results per invocation. QUADS: rows of x and w are vec4s.
// Params: rows and columns of y; `depth`, elements of a row of x and w (vec4s with QUADS); `blocks` of columns; `count` of
// invocations that have work, gridX in a row of the grid; `padded`, length of y in storage. How often a loop
// runs never follows from parameters alone: lavapipe would make constants of them, and compile the shader anew for every
// dispatch.

@compute @workgroup_size(SIZE)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  let t = gid.y * params.gridX + gid.x;
  if (t >= params.count) { return; }
  let rows = params.rows;
  let columns = params.columns;
  let row = t / params.blocks * ROWS;
  let column = t % params.blocks * COLUMNS;
  // Rows and columns past the end repeat the last one and are not stored.
#for n in 0..ROWS
  var x_at$n = min(row + $n, rows - 1) * params.depth;
#for m in 0..COLUMNS
  var sum$(n)_$m = 0.0;
#endfor
#endfor
#for m in 0..COLUMNS
  var w_at$m = min(column + $m, columns - 1) * params.depth;
#endfor
  let end = x_at0 + params.depth;
  while (x_at0 < end) {
#for m in 0..COLUMNS
    let w$m = load_w(w_at$m);
    w_at$m++;
#endfor
#for n in 0..ROWS
    let x$n = load_x(x_at$n);
    x_at$n++;
#for m in 0..COLUMNS
#if QUADS
    sum$(n)_$m += dot(x$n, w$m);
#else
    sum$(n)_$m += x$n * w$m;
#endif
#endfor
#endfor
  }
#for n in 0..ROWS
#for m in 0..COLUMNS
  if (row + $n < rows && column + $m < columns) {
    y[(row + $n) * columns + column + $m] = sum$(n)_$m + b[column + $m];
  }
#endfor
#endfor
  for (var k = rows * columns + (params.count - 1 - t) * 4; k < params.padded; k++) { y[k] = 0.0; }
}

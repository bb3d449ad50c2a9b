// Gradient of the architecture weights from the coefficients of mixed_grad_sums.wgsl: dw[row_e][column_k] = sum over
// channels of h, for the edges of one source; all other elements are 0. One workgroup.
// params[i] = (weight index or 0xffffffff, first coefficient, C, 0) for the TERMS pairs of an edge and a candidate.

@group(0) @binding(0) var<storage, read> coefficients: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> dw: array<f32>;
@group(0) @binding(2) var<uniform> params: array<vec4u, TERMS>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32) {
  for (var i = lane; i < SIZE; i += 64u) { dw[i] = 0.0; }
  storageBarrier();
  for (var i = lane; i < TERMS; i += 64u) {
    var sum = 0.0;
    for (var c = 0u; c < params[i].z; c++) { sum += coefficients[params[i].y + c].w; }
    if (params[i].x < SIZE) { dw[params[i].x] = sum; }
  }
}

// Gradient of the architecture weights from the coefficients of mixed_grad_sums.wgsl: dw[row_e][column_k] = sum over
// channels of h, for the edges of one source; all other elements are 0. One workgroup.
// params.terms: index of the weight or 0xffffffff, first coefficient and channels of the TERMS pairs of an edge and a
// candidate.

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32) {
  for (var i = lane; i < SIZE; i += 64u) { dw[i] = 0.0; }
  storageBarrier();
  for (var i = lane; i < TERMS; i += 64u) {
    var sum = 0.0;
    for (var c = 0u; c < params.terms[i].channels; c++) { sum += load_coefficients(params.terms[i].first + c).w; }
    if (params.terms[i].weight < SIZE) { dw[params.terms[i].weight] = sum; }
  }
}

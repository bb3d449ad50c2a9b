/**
 * Synthetic node statistics for this folder's tests.
 * @module
 */

/**
 * Gram matrix of the rows z_1..z_m, y = sum_k w_k z_k, 1, from samples.
 * @param z m rows of equal length
 * @param w m weights
 * @returns (m+2) x (m+2), row-major
 */
export function gramOf(z: readonly (readonly number[])[], w: readonly number[]): Float64Array {
  const y = z[0].map((_, i) => w.reduce((sum, weight, k) => sum + weight * z[k][i], 0));
  const rows = [...z, y, y.map(() => 1)];
  return Float64Array.from(rows.flatMap((a) => rows.map((b) => a.reduce((sum, value, i) => sum + value * b[i], 0))));
}

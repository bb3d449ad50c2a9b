/**
 * Discretiser `alpha`: DARTS' rule (arXiv 1806.09055), the baseline.
 * @module
 */
import { type Candidate, type CellKind, edgesOf, primitivesOf, type Space } from "../space/space.ts";

/**
 * The weights of the mixed operations: per edge the softmax over its primitives, `none` included.
 * @param alphas E x K, row-major; columns that an edge does not allow are ignored
 * @returns E x K, row-major; 0 in the columns that an edge does not allow
 */
export function softmaxWeights(
  space: Space,
  kind: CellKind,
  alphas: ArrayLike<number>,
): Float64Array {
  const width = space.primitives.length;
  const edges = edgesOf(space);
  const weights = new Float64Array(edges.length * width);
  for (const { index } of edges) {
    const columns = primitivesOf(space, kind, index)
      .map((op) => index * width + space.primitives.indexOf(op));
    const largest = Math.max(...columns.map((at) => alphas[at]));
    let sum = 0;
    for (const at of columns) {
      sum += weights[at] = Math.exp(alphas[at] - largest);
    }
    for (const at of columns) weights[at] /= sum;
  }
  return weights;
}

/**
 * The softmax weight of each candidate. The best operation of an edge is then its argmax, without `none` where it may
 * not be chosen, and edges are ranked by that weight, in whose denominator `none` still counts, as in DARTS' code.
 * @param weights from {@linkcode softmaxWeights}
 */
export function alpha(
  space: Space,
  candidates: readonly Candidate[],
  weights: Float64Array,
): Float64Array {
  return Float64Array.from(
    candidates,
    ({ edge, op }) => weights[edge * space.primitives.length + space.primitives.indexOf(op)],
  );
}

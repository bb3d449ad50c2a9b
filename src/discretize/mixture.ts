/**
 * What alphas and betas mean: the weights of the mixed operations.
 * @module
 */
import { type CellKind, edgesOf, incoming, primitivesOf, type Space } from "../space/space.ts";

/** What is searched: the parameters of the architecture, as they are learnt. */
export interface Architecture {
  /** Raw alphas of each kind of cell, E x K, row-major. */
  readonly alphas: Readonly<Record<CellKind, Float64Array>>;
  /** Raw betas of each kind of cell, one for each edge; absent where edges have no weights of their own. */
  readonly betas?: Readonly<Record<CellKind, Float64Array>>;
}

/**
 * The weights of the operations: per edge the softmax over its primitives, `none` included.
 * @param alphas E x K, row-major; columns that an edge does not allow are ignored
 * @returns E x K, row-major; 0 in the columns that an edge does not allow
 */
export function softmaxWeights(space: Space, kind: CellKind, alphas: ArrayLike<number>): Float64Array {
  const width = space.primitives.length;
  const edges = edgesOf(space);
  const weights = new Float64Array(edges.length * width);
  for (const { index } of edges) {
    const columns = primitivesOf(space, kind, index).map((op) => index * width + space.primitives.indexOf(op));
    putSoftmax(weights, alphas, columns);
  }
  return weights;
}

/** Puts the softmax of the elements `at` of `from` in the same places of `to`. */
function putSoftmax(to: Float64Array, from: ArrayLike<number>, at: readonly number[]): void {
  const largest = Math.max(...at.map((i) => from[i]));
  let sum = 0;
  for (const i of at) sum += to[i] = Math.exp(from[i] - largest);
  for (const i of at) to[i] /= sum;
}

/** The weights of the edges (PC-DARTS, arXiv 1907.05737): softmax of the betas over the edges that enter one node. */
export function edgeSoftmax(space: Space, betas: ArrayLike<number>): Float64Array {
  const weights = new Float64Array(betas.length);
  for (let node = 0; node < space.nodes; node++) {
    putSoftmax(weights, betas, incoming(space, node).map(({ index }) => index));
  }
  return weights;
}

/**
 * What the mixed operations of a kind multiply by, E x K, row-major: operation's weight times edge's, if edges have one.
 * @param bypass adds a column with the weights of the edges themselves (1 if they have none), E x (K + 1)
 */
export function mixtureWeights(
  space: Space,
  kind: CellKind,
  { alphas, betas }: Architecture,
  bypass = false,
): Float64Array {
  const weights = softmaxWeights(space, kind, alphas[kind]), width = space.primitives.length;
  const rows = edgesOf(space).map(({ index }) => weights.subarray(index * width, (index + 1) * width));
  const edges = betas ? edgeSoftmax(space, betas[kind]) : new Float64Array(rows.length).fill(1);
  return Float64Array.from(
    rows.flatMap((row, edge) => [...row.map((weight) => weight * edges[edge]), ...(bypass ? [edges[edge]] : [])]),
  );
}

/**
 * Discretiser `perturbation`: DARTS-PT (arXiv 2108.04392). An operation is worth what the supernet loses without it.
 * What has to be measured is a list of removals; a removal sets weights of the mixed operations to zero and leaves the
 * others as they are. Every removal is measured on the whole supernet, so their order does not matter; the paper decides
 * one edge after the other and trains the supernet in between. Pure: does not know how the supernet is run.
 * @module
 */
import {
  candidatesOf,
  type CellKind,
  edgesOf,
  primitivesOf,
  skeletonOf,
  type Space,
  ZERO_PRIMITIVE,
} from "../space/space.ts";

/** Weights that are set to zero. */
export interface Removal {
  /** In all cells of this kind. */
  readonly kind: CellKind;
  /** Index of the edge. */
  readonly edge: number;
  /** The operation; null: all operations of the edge. */
  readonly op: string | null;
}

/** How well the supernet does on some images. */
export interface Measurement {
  /** Mean loss per image. */
  readonly loss: number;
  /** Share of correct answers. */
  readonly accuracy: number;
  /** Images. */
  readonly count: number;
}

/** The supernet as it is, and after each removal. */
export interface RemovalEvidence {
  /** As it is. */
  readonly whole: Measurement;
  /** One for each of {@linkcode removalsOf}, in that order. */
  readonly removals: readonly (Removal & Measurement)[];
}

/** All removals: by kind and edge first every operation other than `none`, then the whole edge, unless every one stays. */
export function removalsOf(space: Space): Removal[] {
  const { kinds, everyEdge } = skeletonOf(space);
  return kinds.flatMap((kind) =>
    edgesOf(space).flatMap(({ index: edge }) => {
      const ops = primitivesOf(space, kind, edge).filter((op) => op !== ZERO_PRIMITIVE);
      return [...ops, ...everyEdge ? [] : [null]].map((op): Removal => ({ kind, edge, op }));
    })
  );
}

/**
 * The weights of the mixed operations of a kind (E x K, row-major) after a removal in its cells; an edge is removed with
 * what bypasses its operations, if there is a column for it.
 */
export function withoutRemoved(space: Space, weights: Float64Array, { edge, op }: Removal): Float64Array {
  const width = weights.length / edgesOf(space).length, row = edge * width, left = weights.slice();
  if (op === null) left.fill(0, row, row + width);
  else left[row + space.primitives.indexOf(op)] = 0;
  return left;
}

/**
 * What is lost by a removal: accuracy, and where that is equal loss, which can make up for less than one image:
 *
 *     score = (correct - correct') / n + d / (1 + |d|) / (2 n),   d = loss' - loss
 *
 * with the dash after the removal and n images; a loss that is no number counts as infinite. A negative score: the
 * supernet does better without.
 */
export function lossOfRemoval(whole: Measurement, after: Measurement): number {
  const d = after.loss - whole.loss;
  const part = Number.isFinite(d) ? d / (1 + Math.abs(d)) : 1;
  return whole.accuracy - after.accuracy + part / (2 * whole.count);
}

/** Scores of the candidates of a node: what the supernet loses without each of them. */
export function perturbation(space: Space, kind: CellKind, node: number, evidence: RemovalEvidence): Float64Array {
  return Float64Array.from(candidatesOf(space, kind, node), ({ edge, op }) => scoreOf(evidence, kind, edge, op));
}

/** Score of a whole edge: what the supernet loses without it. */
export function edgePerturbation(kind: CellKind, edge: number, evidence: RemovalEvidence): number {
  return scoreOf(evidence, kind, edge, null);
}

function scoreOf({ whole, removals }: RemovalEvidence, kind: CellKind, edge: number, op: string | null): number {
  const found = removals.find((each) => each.kind === kind && each.edge === edge && each.op === op);
  if (!found) {
    throw new RangeError(
      `Cannot score ${op ?? "all operations"} on edge ${edge} (${kind}) as its removal must have been measured`,
    );
  }
  return lossOfRemoval(whole, found);
}

/**
 * Measurements of the supernet without parts of it, as DARTS-PT (arXiv 2108.04392) makes them: a list of removals, each of
 * which sets weights of the mixed operations to zero and leaves the others as they are. Every removal is measured on the
 * whole supernet, so their order does not matter; the paper decides one edge after the other and trains the supernet in
 * between. Pure: does not know how the supernet is run.
 * @module
 */
import {
  type Candidate,
  type CellKind,
  type Edge,
  edgesOf,
  primitivesOf,
  skeletonOf,
  type Space,
  ZERO_PRIMITIVE,
} from "../space/space.ts";
import type { NodeRemovals } from "./rule.ts";

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
 * What was measured without parts of one node.
 * @param candidates what may be chosen at the node
 * @param edges the edges that enter it
 * @throws {RangeError} when a removal is missing.
 */
export function removalsOfNode(
  space: Space,
  kind: CellKind,
  { whole, removals }: RemovalEvidence,
  candidates: readonly Candidate[],
  edges: readonly Edge[],
): NodeRemovals {
  const find = (edge: number, op: string | null): Measurement => {
    const found = removals.find((each) => each.kind === kind && each.edge === edge && each.op === op);
    if (found) return found;
    throw new RangeError(
      `Cannot score ${op ?? "all operations"} on edge ${edge} (${kind}) as its removal must have been measured`,
    );
  };
  return {
    whole,
    candidates: candidates.map(({ edge, op }) => op === ZERO_PRIMITIVE ? whole : find(edge, op)),
    edges: skeletonOf(space).everyEdge ? [] : edges.map(({ index }) => find(index, null)),
  };
}

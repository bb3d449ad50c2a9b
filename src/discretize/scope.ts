/**
 * Options of the rules that decorrelate, and the split of a node's candidates into groups that are
 * decorrelated jointly.
 * @module
 */
import { UsageError } from "../base/errors.ts";
import type { Correlation } from "./statistics.ts";

/** How candidates are decorrelated. */
export interface DecorrelationOptions {
  /** `node`: all candidates of a node jointly; `edge`: only those of one edge. */
  readonly scope: "node" | "edge";
  /**
   * Weight of the identity mixed into the correlation matrix before it is inverted, from 0 to 1. With 0 a
   * singular matrix gets its pseudo-inverse.
   */
  readonly shrinkage: number;
}

/** The defaults: `node` did best in small studies; 1e-3 matters only to directions with eigenvalues near it. */
export const DEFAULT_DECORRELATION: DecorrelationOptions = {
  scope: "node",
  shrinkage: 1e-3,
};

/**
 * Fills in defaults.
 * @throws {UsageError} for an unknown scope or a shrinkage outside 0..1
 */
export function decorrelationOptions(options: Partial<DecorrelationOptions> = {}): DecorrelationOptions {
  const { scope = DEFAULT_DECORRELATION.scope, shrinkage = DEFAULT_DECORRELATION.shrinkage } = options;
  if (scope !== "node" && scope !== "edge") {
    throw new UsageError(
      `Cannot decorrelate, the scope must be node or edge: current value is ${JSON.stringify(scope)}`,
    );
  }
  if (!(shrinkage >= 0 && shrinkage <= 1)) {
    throw new UsageError(`Cannot decorrelate, the shrinkage must be from 0 to 1: current value is ${shrinkage}`);
  }
  return { scope, shrinkage };
}

/**
 * Applies `score` to each group of jointly decorrelated candidates and puts the results in candidate order.
 * @param score from a group's correlation matrix (size x size, row-major) and correlations with the node
 */
export function scoreGroups(
  correlation: Correlation,
  scope: DecorrelationOptions["scope"],
  score: (matrix: Float64Array, withNode: Float64Array) => Float64Array,
): Float64Array {
  const { candidates, matrix, withNode } = correlation;
  if (scope === "node") return score(matrix, withNode);
  const m = candidates.length;
  const scores = new Float64Array(m);
  for (const edge of new Set(candidates.map((candidate) => candidate.edge))) {
    const group = [...candidates.keys()].filter((k) => candidates[k].edge === edge);
    const block = Float64Array.from(group.flatMap((i) => group.map((j) => matrix[i * m + j])));
    score(block, Float64Array.from(group, (k) => withNode[k]))
      .forEach((value, i) => scores[group[i]] = value);
  }
  return scores;
}

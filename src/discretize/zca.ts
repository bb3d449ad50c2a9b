/**
 * Rule `zca`: the second reading of iDARTS' decorrelation, by symmetric whitening (Kessy, Lewin and
 * Strimmer 2018), and the shares of a node's variance that it yields.
 * @module
 */
import { multiply, spectralPower } from "./eigen.ts";
import { meanOverCells, type Rule } from "./rule.ts";
import { type DecorrelationOptions, scoreGroups } from "./scope.ts";
import type { Correlation } from "./statistics.ts";

/**
 * Correlations of the node with the whitened candidates, the CAR scores of Zuber and Strimmer 2011:
 *
 *     omega = P^(-1/2) r
 *
 * For an exact sum r = P v, so this equals P^(1/2) v. We take the form with r: it needs only the Gram matrix,
 * not the weights, and holds when y is no exact sum. A singular P is no obstacle, r lies in its range and the
 * pseudo-inverse root loses nothing.
 * @returns one signed score per candidate, 0 for dead ones
 */
export function zca(correlation: Correlation, { scope, shrinkage }: DecorrelationOptions): Float64Array {
  return scoreGroups(
    correlation,
    scope,
    (matrix, withNode) => multiply(spectralPower(matrix, withNode.length, -0.5, shrinkage).matrix, withNode),
  );
}

/**
 * Share of the node's variance per candidate: omega^2 over all candidates jointly and without shrinkage, so
 * that the shares add up to R^2, which is 1 when the node is an exact sum of its candidates.
 */
export function varianceShares(correlation: Correlation): Float64Array {
  return zca(correlation, { scope: "node", shrinkage: 0 })
    .map((omega) => omega ** 2);
}

/** Scores candidates by {@linkcode zca}. */
export const ZCA: Rule = {
  name: "zca",
  summary: "similarity of the node with the symmetrically whitened operation",
  needs: ["statistics"],
  score: meanOverCells(zca),
};

/**
 * Rule `semipartial`: our reading of iDARTS (arXiv 2108.11014), whose abstract asks for the similarity
 * between a node's output and its *decorrelated* operations and leaves open how they are decorrelated.
 * @module
 */
import { multiply, spectralPower } from "./eigen.ts";
import { meanOverCells, type Rule } from "./rule.ts";
import { type DecorrelationOptions, scoreGroups } from "./scope.ts";
import type { Correlation } from "./statistics.ts";

/**
 * Above this share in the null space a candidate is a linear combination of others; below it is rounding.
 * Only reached without shrinkage.
 */
const DEPENDENT = 1e-6;

/**
 * Correlation of the node with the part of each candidate that the others do not explain:
 *
 *     b = P^-1 r,    u_k = b_k / sqrt((P^-1)_kk)
 *
 * 1 / (P^-1)_kk is the unexplained variance of candidate k, the least c'Pc over c_k = 1. Nothing of a candidate
 * that depends linearly on others is unexplained, so without shrinkage it scores 0, the limit of ever closer
 * copies; for all others the pseudo-inverse gives that minimum.
 * @returns one signed score per candidate, 0 for dead ones
 */
export function semipartial(correlation: Correlation, { scope, shrinkage }: DecorrelationOptions): Float64Array {
  return scoreGroups(correlation, scope, (matrix, withNode) => {
    const size = withNode.length;
    const { matrix: inverse, nullity } = spectralPower(
      matrix,
      size,
      -1,
      shrinkage,
    );
    return multiply(inverse, withNode).map((b, k) => nullity[k] > DEPENDENT ? 0 : b / Math.sqrt(inverse[k * size + k]));
  });
}

/** Scores candidates by {@linkcode semipartial}. */
export const SEMIPARTIAL: Rule = {
  name: "semipartial",
  summary: "similarity of the node with what only this operation contributes",
  needs: ["statistics"],
  score: meanOverCells(semipartial),
};

/**
 * Rule `perturbation`: DARTS-PT (arXiv 2108.04392). An operation, or an edge, is worth what the supernet loses without it.
 * @module
 */
import type { Measurement } from "./removals.ts";
import type { Rule } from "./rule.ts";

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

/** Scores candidates and edges by {@linkcode lossOfRemoval}. */
export const PERTURBATION: Rule = {
  name: "perturbation",
  summary: "largest loss of the supernet's accuracy without it (DARTS-PT; hundreds of evaluations)",
  needs: ["removals"],
  score: ({ removals }) => removals!.candidates.map((after) => lossOfRemoval(removals!.whole, after)),
  scoreEdges: ({ removals }) => removals!.edges.map((after) => lossOfRemoval(removals!.whole, after)),
};

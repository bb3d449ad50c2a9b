/**
 * Rule `similarity`: no decorrelation, the ablation of the method.
 * @module
 */
import { meanOverCells, type Rule } from "./rule.ts";
import type { Correlation } from "./statistics.ts";

/** r itself, the correlation of each candidate with the node's raw sum. */
export function similarity(correlation: Correlation): Float64Array {
  return correlation.withNode;
}

/** Scores candidates by {@linkcode similarity}. */
export const SIMILARITY: Rule = {
  name: "similarity",
  summary: "similarity of the node with the operation as it is (ablation)",
  needs: ["statistics"],
  score: meanOverCells(similarity),
};

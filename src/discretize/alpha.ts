/**
 * Rule `alpha`: DARTS' rule (arXiv 1806.09055), the baseline.
 * @module
 */
import type { Rule } from "./rule.ts";

/**
 * The weight of each candidate in the mixed operation. The best operation of an edge is then its argmax, without `none`
 * where it may not be chosen, and edges are ranked by that weight, in whose denominator `none` still counts, as in DARTS'
 * code. Where edges have weights they are factors of it, as in PC-DARTS' code.
 */
export const ALPHA: Rule = {
  name: "alpha",
  summary: "largest softmax weight, DARTS' rule (baseline)",
  score: ({ weights }) => weights,
};

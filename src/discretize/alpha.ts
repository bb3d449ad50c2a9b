/**
 * Rule `alpha`: DARTS' rule (arXiv 1806.09055), the baseline; and what its own parse comes to where `none` may be kept.
 * @module
 */
import { skeletonOf, ZERO_PRIMITIVE } from "../space/space.ts";
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

/** The same without `none`, which DARTS' parse leaves out and NAS-Bench-201's keeps where it weighs most. */
export const ALPHA_NOT_NONE: Rule = {
  name: "alpha-not-none",
  summary: "largest softmax weight of an operation other than none; where none may be kept at all",
  differs: (space) => skeletonOf(space).everyEdge && space.primitives.includes(ZERO_PRIMITIVE),
  score: ({ candidates, weights }) => candidates.map(({ op }, k) => op === ZERO_PRIMITIVE ? 0 : weights[k]),
};

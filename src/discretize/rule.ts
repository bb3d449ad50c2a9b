/**
 * What a rule of discretisation is: it gets the evidence of one node and scores what may be chosen there. Not responsible
 * for gathering the evidence (evidence.ts), nor for what follows from the scores (choice.ts).
 * @module
 */
import { type Candidate, type CellKind, type Edge, type Space, ZERO_PRIMITIVE } from "../space/space.ts";
import type { Measurement } from "./removals.ts";
import type { DecorrelationOptions } from "./scope.ts";
import type { Correlation } from "./statistics.ts";

/**
 * What a rule may ask for beside the weights of the mixed operations, which are always there. `statistics`: second moments
 * of the candidates' outputs, taken after every epoch. `removals`: the supernet measured without each operation and each
 * edge, hundreds of evaluations, made once at the end.
 */
export type Evidence = "statistics" | "removals";

/** What the supernet does on the same images as it is and with parts of one node removed. */
export interface NodeRemovals {
  /** As it is. */
  readonly whole: Measurement;
  /** Without each candidate, in their order; without `none` it is as it is. */
  readonly candidates: readonly Measurement[];
  /** Without each whole edge, in their order; empty where every edge stays. */
  readonly edges: readonly Measurement[];
}

/** All that is known about one intermediate node of the cells of one kind. */
export interface NodeEvidence {
  /** The space. */
  readonly space: Space;
  /** Kind of the cells. */
  readonly kind: CellKind;
  /** Intermediate node, from 0. */
  readonly node: number;
  /** What may be chosen: by edge, then by primitive; `none` is among it only where every edge stays. */
  readonly candidates: readonly Candidate[];
  /** The edges that enter the node. */
  readonly edges: readonly Edge[];
  /** What the mixed operation multiplies each candidate by: its softmax weight, times that of its edge if edges have one. */
  readonly weights: Float64Array;
  /** Correlations in every cell of the kind, `none` excluded; empty unless the rule needs `statistics`. */
  readonly correlations: readonly Correlation[];
  /** Measurements; absent unless the rule needs `removals`. */
  readonly removals?: NodeRemovals;
  /** How the run decorrelates. */
  readonly options: DecorrelationOptions;
  /** A whole number below 2^32, drawn from the run's seed for this rule and node: for rules that draw at random. */
  readonly seed: number;
}

/**
 * A rule of discretisation. The built-in ones are in {@linkcode RULES}; `search`, `rediscretize` and `discretize` take
 * others in `methods`.
 * @example A rule that prefers what weighs most among what has weights of its own
 * ```ts
 * import type { Rule } from "../../mod.ts";
 * const rule: Rule = {
 *   name: "no-skips",
 *   summary: "largest softmax weight, skip-connections last",
 *   score: ({ candidates, weights }) => candidates.map(({ op }, k) => op === "skip_connect" ? weights[k] - 1 : weights[k]),
 * };
 * console.assert(rule.needs === undefined); // weights are always there
 * ```
 */
export interface Rule {
  /** Name in options, files and reports: lower-case letters, digits and dashes. */
  readonly name: string;
  /** One line for help and reports. */
  readonly summary: string;
  /** What it decides by beside the weights; nothing if left out. */
  readonly needs?: readonly Evidence[];
  /** Whether it may say something of its own in a space; elsewhere it decides only where it is asked for. Everywhere if left out. */
  readonly differs?: (space: Space) => boolean;
  /**
   * One finite score for each of `node.candidates`; a pure function. The best one of an edge stays, or the two best ones
   * of the node (see {@linkcode Keep}); ties go to the first. A rule that needs statistics alone is also asked about
   * some hundred samples of the images, to tell how certain its choice is.
   */
  score(node: NodeEvidence): ArrayLike<number>;
  /**
   * One finite score for each of `node.edges`; a pure function. If left out, an edge has the score of its best operation.
   * Without effect where a node keeps operations.
   */
  scoreEdges?(node: NodeEvidence): ArrayLike<number>;
}

/**
 * The `score` of a rule that reads correlations: mean over the cells of what `score` gives for each of them. `none` has no
 * output, adds nothing to a node and is not missed: it has score 0 and is kept on an edge where nothing else scores more.
 */
export function meanOverCells(
  score: (correlation: Correlation, options: DecorrelationOptions) => ArrayLike<number>,
): Rule["score"] {
  return ({ candidates, correlations, options }) => {
    const cells = correlations.map((correlation) => score(correlation, options));
    let row = 0;
    return candidates.map(({ op }) => {
      if (op === ZERO_PRIMITIVE) return 0;
      const k = row++;
      return cells.reduce((sum, scores) => sum + scores[k], 0) / cells.length;
    });
  };
}

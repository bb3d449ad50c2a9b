/**
 * The only list of discretisers; help, checks and reports iterate it.
 * @module
 */
import { UsageError } from "../base/errors.ts";
import { type Candidate, type CellKind, didYouMean, type Space } from "../space/space.ts";
import { alpha } from "./alpha.ts";
import { edgePerturbation, perturbation, type RemovalEvidence } from "./perturbation.ts";
import type { DecorrelationOptions } from "./scope.ts";
import { semipartial } from "./semipartial.ts";
import { similarity } from "./similarity.ts";
import type { Correlation } from "./statistics.ts";
import { zca } from "./zca.ts";

/** What help and reports say about a rule. */
export interface DiscretizerInfo {
  /** Name on the command line and in reports. */
  readonly name: string;
  /** One line for help and reports. */
  readonly summary: string;
}

/** A rule that scores the candidates of one node in one cell by their outputs. */
export interface StatisticsDiscretizer extends DiscretizerInfo {
  /** What it decides by. */
  readonly needs: "statistics";
  /** One signed score per candidate; a pure function. */
  score(correlation: Correlation, options: DecorrelationOptions): Float64Array;
}

/** A rule that scores the candidates of one node by the weights of the mixed operations alone. */
export interface WeightDiscretizer extends DiscretizerInfo {
  /** What it decides by. */
  readonly needs: "weights";
  /** One score per candidate from what the mixed operations multiply by (E x K, row-major); a pure function. */
  score(
    space: Space,
    candidates: readonly Candidate[],
    weights: Float64Array,
  ): Float64Array;
}

/**
 * A rule that scores the candidates of one node by what the supernet loses without them, and ranks edges by what it
 * loses without a whole edge. Measuring that takes many evaluations, so it is done only where the rule is asked for.
 */
export interface RemovalDiscretizer extends DiscretizerInfo {
  /** What it decides by. */
  readonly needs: "removals";
  /** One score per candidate; a pure function. */
  score(space: Space, kind: CellKind, node: number, evidence: RemovalEvidence): Float64Array;
  /** Score of an edge; a pure function. */
  scoreEdge(kind: CellKind, edge: number, evidence: RemovalEvidence): number;
}

/** A rule that scores candidates. */
export type Discretizer = StatisticsDiscretizer | WeightDiscretizer | RemovalDiscretizer;

/** All rules, the default first. */
export const DISCRETIZERS: readonly Discretizer[] = [
  {
    name: "semipartial",
    summary: "similarity of the node with what only this operation contributes",
    needs: "statistics",
    score: semipartial,
  },
  {
    name: "zca",
    summary: "similarity of the node with the symmetrically whitened operation",
    needs: "statistics",
    score: zca,
  },
  {
    name: "similarity",
    summary: "similarity of the node with the operation as it is (ablation)",
    needs: "statistics",
    score: similarity,
  },
  {
    name: "alpha",
    summary: "largest softmax weight, DARTS' rule (baseline)",
    needs: "weights",
    score: alpha,
  },
  {
    name: "perturbation",
    summary: "largest loss of the supernet's accuracy without it (DARTS-PT; hundreds of evaluations)",
    needs: "removals",
    score: perturbation,
    scoreEdge: edgePerturbation,
  },
];

/**
 * The rule called `name`.
 * @throws {UsageError} when there is none; the message suggests the nearest name.
 */
export function findDiscretizer(name: string): Discretizer {
  const found = DISCRETIZERS.find((each) => each.name === name);
  if (found) return found;
  const names = DISCRETIZERS.map((each) => each.name);
  throw new UsageError(
    `Cannot discretise by a method that does not exist, the name must be one of ${names.join(", ")}: current value is ${
      JSON.stringify(name)
    }${didYouMean(name, names)}`,
  );
}

/** Whether the rule called `name` has to measure the supernet without each operation; false for one that does not exist. */
export function needsRemovals(name: unknown): boolean {
  return DISCRETIZERS.some((each) => each.name === name && each.needs === "removals");
}

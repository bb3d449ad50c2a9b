/**
 * Discretisation: from a trained supernet's alphas and node statistics to a genotype for each rule, with every
 * score, margin and share that went into it. Pure; the report is JSON as it stands.
 * @module
 */
import { UsageError } from "../base/errors.ts";
import {
  type Candidate,
  type CellKind,
  edgesOf,
  type Keep,
  perKind,
  primitivesOf,
  skeletonOf,
  type Space,
} from "../space/space.ts";
import { type Certainty, certaintyOf } from "./certainty.ts";
import { checkKeep, chooseGenotype, type MethodReport } from "./choice.ts";
import { conditionNumber } from "./eigen.ts";
import { gatherEvidence, scoresOf } from "./evidence.ts";
import { type Architecture, edgeSoftmax, softmaxWeights } from "./mixture.ts";
import { differsIn, RULES, rulesOf } from "./registry.ts";
import type { Measurement, RemovalEvidence } from "./removals.ts";
import type { Evidence, Rule } from "./rule.ts";
import { type DecorrelationOptions, decorrelationOptions } from "./scope.ts";
import type { Correlation, NodeStatistics } from "./statistics.ts";
import { varianceShares } from "./zca.ts";

/** What {@linkcode discretize} works on. */
export interface DiscretizationInput extends Architecture {
  /** The space that was searched. */
  readonly space: Space;
  /** Statistics of every node of every cell, or none at all. */
  readonly statistics?: readonly NodeStatistics[];
  /** What the supernet loses by each removal; absent where it was not measured. */
  readonly removals?: RemovalEvidence;
  /** The rules: names of built-in ones, or rules of one's own; absent means all built-in ones that the input allows. */
  readonly methods?: readonly (string | Rule)[];
  /** How to decorrelate. */
  readonly options?: Partial<DecorrelationOptions>;
  /** What a node keeps; its two best edges if left out. The cells of the other way are in the report too. */
  readonly keep?: Keep;
  /** Seed of the rules that draw at random; 0 if left out. */
  readonly seed?: number;
}

/** The weights of one mixed operation. */
export interface EdgeWeights {
  /** Index of the edge. */
  readonly edge: number;
  /** Source node. */
  readonly from: number;
  /** Target node. */
  readonly to: number;
  /** Softmax weight per primitive, `none` included. */
  readonly weights: Readonly<Record<string, number>>;
  /** Softmax weight of the edge among those that enter its node; absent where edges have no weights. */
  readonly edgeWeight?: number;
}

/** How alike the outputs of one edge's candidates are. */
export interface EdgeCorrelation {
  /** Index of the edge. */
  readonly edge: number;
  /** Source node. */
  readonly from: number;
  /** The candidates' primitives. */
  readonly ops: readonly string[];
  /** Correlation of each with each, mean over cells; a constant candidate is uncorrelated with everything. */
  readonly matrix: readonly (readonly number[])[];
}

/** What the statistics say about one intermediate node, over all cells of a kind. */
export interface NodeSummary {
  /** Intermediate node, from 0. */
  readonly node: number;
  /** Number of cells averaged. */
  readonly cells: number;
  /** Condition number of the correlation matrix; 1e7 stands for singular. */
  readonly condition: { readonly mean: number; readonly max: number };
  /** Part of the node's variance that its candidates explain; 1 but for rounding. */
  readonly rSquared: { readonly mean: number; readonly min: number };
  /** Share of the node's variance per candidate, mean over cells; adds up to the mean R^2. */
  readonly shares: readonly (Candidate & {
    readonly share: number;
    /** In how many cells the candidate is constant. */
    readonly dead: number;
  })[];
  /** For each incoming edge with more than one candidate, how alike they are. */
  readonly correlations: readonly EdgeCorrelation[];
}

/** The whole outcome of a discretisation. */
export interface DiscretizationReport {
  /** Name of the space. */
  readonly space: string;
  /** The options in force, defaults filled in. */
  readonly options: DecorrelationOptions;
  /** What nodes keep; absent where every edge stays, and in files of versions that knew of `edges` alone. */
  readonly keep?: Keep;
  /** Weights of the mixed operations. */
  readonly weights: Record<CellKind, readonly EdgeWeights[]>;
  /** One entry for each rule, in the order asked for. */
  readonly methods: readonly MethodReport[];
  /** Per node; null when there were no statistics. */
  readonly nodes: Record<CellKind, readonly NodeSummary[]> | null;
  /** The supernet as it is, where removals were measured. */
  readonly measured?: Measurement;
  /** How certain the choices are, where the statistics were kept in parts. */
  readonly certainty?: Certainty;
}

/** What the evidence is called, and what has to be done to get it. */
const REMEDIES: Readonly<Record<Evidence, readonly [name: string, remedy: string]>> = {
  statistics: ["node statistics", "statistics must be collected"],
  removals: ["measured removals", "the supernet must be measured without each operation"],
};

/**
 * Applies each rule.
 * @throws {UsageError} for unknown rules and options, a rule that needs evidence when there is none, and a way to keep
 * that the space has no room for
 * @throws {RangeError} when alphas, statistics or removals do not fit the space, or the scores of a rule its node
 * @throws {FailureError} when a number is not finite or a cell lacks statistics for a node
 */
export function discretize(input: DiscretizationInput): DiscretizationReport {
  const { space, removals, keep = "edges" } = input, options = decorrelationOptions(input.options);
  checkKeep(space, keep);
  const rules = decidingRules(input), evidence = gatherEvidence(input, options), { correlations, of } = evidence;
  const methods = rules.map((rule) =>
    chooseGenotype(rule.name, space, (kind, node) => scoresOf(rule, of(rule, kind, node)), keep)
  );
  const { statistics = [], seed = 0 } = input;
  const certainty = certaintyOf({ space, rules, methods, evidence, statistics, keep, seed });
  return {
    space: space.name,
    options,
    ...(skeletonOf(space).everyEdge ? {} : { keep }),
    weights: perKind(space, (kind) => edgeWeights(space, kind, input), []),
    methods,
    nodes: correlations ? perKind(space, (kind) => correlations[kind].map(summarize), []) : null,
    ...(removals ? { measured: removals.whole } : {}),
    ...(certainty ? { certainty } : {}),
  };
}

/** The rules asked for, or those that the input allows. */
function decidingRules({ space, methods, statistics = [], removals }: DiscretizationInput): readonly Rule[] {
  const given: Readonly<Record<Evidence, boolean>> = {
    statistics: statistics.length > 0,
    removals: removals !== undefined,
  };
  const lacks = ({ needs = [] }: Rule): Evidence | undefined => needs.find((each) => !given[each]);
  const possible = RULES.filter((rule) => lacks(rule) === undefined && differsIn(space, rule));
  const rules = methods ? rulesOf(methods, undefined, space) : possible, blind = rules.find(lacks);
  if (!blind) return rules;
  const [evidence, remedy] = REMEDIES[lacks(blind)!];
  throw new UsageError(
    `Cannot discretise by ${blind.name} without ${evidence}, the method must be one of ${
      possible.map((rule) => rule.name).join(", ")
    } or ${remedy} first`,
  );
}

function mean(rows: readonly Float64Array[]): Float64Array {
  return rows[0].map((_, k) => rows.reduce((sum, row) => sum + row[k], 0) / rows.length);
}

function summarize(cells: readonly Correlation[], node: number): NodeSummary {
  const size = cells[0].candidates.length;
  const conditions = cells.map(({ matrix }) => conditionNumber(matrix, size));
  const shares = cells.map(varianceShares);
  const rSquared = shares.map((row) => row.reduce((sum, share) => sum + share, 0));
  const average = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const meanShares = mean(shares);
  return {
    node,
    cells: cells.length,
    condition: { mean: average(conditions), max: Math.max(...conditions) },
    rSquared: { mean: average(rSquared), min: Math.min(...rSquared) },
    shares: cells[0].candidates.map((candidate, k) => ({
      ...candidate,
      share: meanShares[k],
      dead: cells.filter(({ dead }) => dead[k]).length,
    })),
    correlations: edgeCorrelations(cells),
  };
}

function edgeCorrelations(cells: readonly Correlation[]): EdgeCorrelation[] {
  const { candidates } = cells[0],
    size = candidates.length,
    rows = candidates.map((candidate, k) => ({ ...candidate, k }));
  const edges = [...Map.groupBy(rows, ({ edge }) => edge).values()].filter((edge) => edge.length > 1);
  const average = (i: number, j: number): number =>
    cells.reduce((sum, { matrix }) => sum + matrix[i * size + j], 0) / cells.length;
  return edges.map((of) => ({
    edge: of[0].edge,
    from: of[0].from,
    ops: of.map(({ op }) => op),
    matrix: of.map((a) => of.map((b) => average(a.k, b.k))),
  }));
}

function edgeWeights(space: Space, kind: CellKind, { alphas, betas }: Architecture): EdgeWeights[] {
  const width = space.primitives.length, weights = softmaxWeights(space, kind, alphas[kind]);
  const edges = betas && edgeSoftmax(space, betas[kind]);
  return edgesOf(space).map(({ index, from, to }) => ({
    edge: index,
    from,
    to,
    weights: Object.fromEntries(
      primitivesOf(space, kind, index)
        .map((op) => [op, weights[index * width + space.primitives.indexOf(op)]]),
    ),
    ...(edges ? { edgeWeight: edges[index] } : {}),
  }));
}

/**
 * Discretisation: from a trained supernet's alphas and node statistics to a genotype for each rule, with every
 * score, margin and share that went into it. Pure; the report is JSON as it stands.
 * @module
 */
import { FailureError, UsageError } from "../base/errors.ts";
import {
  type Candidate,
  candidatesOf,
  type CellKind,
  choosableOf,
  edgesOf,
  perKind,
  primitivesOf,
  skeletonOf,
  type Space,
  ZERO_PRIMITIVE,
} from "../space/space.ts";
import { type Architecture, edgeSoftmax, mixtureWeights, softmaxWeights } from "./alpha.ts";
import { chooseGenotype, type MethodReport } from "./choice.ts";
import { conditionNumber } from "./eigen.ts";
import { type DecorrelationOptions, decorrelationOptions } from "./scope.ts";
import type { Measurement, RemovalEvidence } from "./perturbation.ts";
import { type Discretizer, DISCRETIZERS, findDiscretizer, type StatisticsDiscretizer } from "./registry.ts";
import { correlate, type Correlation, type NodeStatistics } from "./statistics.ts";
import { varianceShares } from "./zca.ts";

/** What {@linkcode discretize} works on. */
export interface DiscretizationInput extends Architecture {
  /** The space that was searched. */
  readonly space: Space;
  /** Statistics of every node of every cell, or none at all. */
  readonly statistics?: readonly NodeStatistics[];
  /** What the supernet loses by each removal; absent where it was not measured. */
  readonly removals?: RemovalEvidence;
  /** Names of the rules; absent means all that the input allows. */
  readonly methods?: readonly string[];
  /** How to decorrelate. */
  readonly options?: Partial<DecorrelationOptions>;
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
  /** Weights of the mixed operations. */
  readonly weights: Record<CellKind, readonly EdgeWeights[]>;
  /** One entry for each rule, in the order asked for. */
  readonly methods: readonly MethodReport[];
  /** Per node; null when there were no statistics. */
  readonly nodes: Record<CellKind, readonly NodeSummary[]> | null;
  /** The supernet as it is, where removals were measured. */
  readonly measured?: Measurement;
}

/** What has to be done before a rule can decide. */
const EVIDENCE: Readonly<Record<Discretizer["needs"], readonly [name: string, remedy: string]>> = {
  weights: ["weights", "the supernet must be trained"],
  statistics: ["node statistics", "statistics must be collected"],
  removals: ["measured removals", "the supernet must be measured without each operation"],
};

/**
 * Applies each rule.
 * @throws {UsageError} for unknown rules and options, and for a rule that needs evidence when there is none
 * @throws {RangeError} when alphas or statistics do not fit the space
 * @throws {FailureError} when a number is not finite or a cell lacks statistics for a node
 */
export function discretize(input: DiscretizationInput): DiscretizationReport {
  const { space, alphas, betas, statistics = [], removals } = input;
  const options = decorrelationOptions(input.options);
  const given = { weights: true, statistics: statistics.length > 0, removals: removals !== undefined };
  const possible = DISCRETIZERS.filter((rule) => given[rule.needs]);
  const rules = input.methods?.map(findDiscretizer) ?? possible, blind = rules.find((rule) => !given[rule.needs]);
  if (blind) {
    const [evidence, remedy] = EVIDENCE[blind.needs];
    throw new UsageError(
      `Cannot discretise by ${blind.name} without ${evidence}, the method must be one of ${
        possible.map((rule) => rule.name).join(", ")
      } or ${remedy} first`,
    );
  }

  for (const kind of skeletonOf(space).kinds) {
    checkAlphas(space, kind, alphas[kind]);
    if (betas) checkBetas(space, kind, betas[kind]);
  }
  const mixture = perKind(space, (kind) => mixtureWeights(space, kind, input), new Float64Array());
  const correlations = statistics.length > 0
    ? perKind(space, (kind) => correlateCells(space, kind, statistics), [])
    : null;

  const methods = rules.map((rule) =>
    chooseGenotype(
      rule.name,
      space,
      (kind, node) => {
        switch (rule.needs) {
          case "statistics":
            return withZero(space, kind, node, meanScores(rule, correlations![kind][node], options));
          case "weights":
            return rule.score(space, choosableOf(space, kind, node), mixture[kind]);
          case "removals":
            return withZero(space, kind, node, rule.score(space, kind, node, removals!));
        }
      },
      rule.needs === "removals" ? (kind, edge) => rule.scoreEdge(kind, edge, removals!) : undefined,
    )
  );
  return {
    space: space.name,
    options,
    weights: perKind(space, (kind) => edgeWeights(space, kind, input), []),
    methods,
    nodes: correlations && perKind(space, (kind) => correlations[kind].map(summarize), []),
    ...(removals ? { measured: removals.whole } : {}),
  };
}

/**
 * Scores of what may be chosen at a node from those of its candidates: `none` adds nothing to the node and is not missed,
 * so it has score 0 and is kept on an edge where nothing else scores more.
 */
function withZero(space: Space, kind: CellKind, node: number, scores: Float64Array): number[] {
  let next = 0;
  return choosableOf(space, kind, node).map(({ op }) => op === ZERO_PRIMITIVE ? 0 : scores[next++]);
}

/** Per intermediate node of a kind its correlations in every cell of that kind, by cell index. */
function correlateCells(
  space: Space,
  kind: CellKind,
  statistics: readonly NodeStatistics[],
): Correlation[][] {
  const ofKind = statistics.filter((each) => each.kind === kind)
    .toSorted((a, b) => a.cell - b.cell);
  const cells = [...new Set(ofKind.map(({ cell }) => cell))];
  return Array.from({ length: space.nodes }, (_, node) => {
    const found = ofKind.filter((each) => each.node === node);
    if (
      cells.length === 0 || found.length !== cells.length ||
      found.some(({ cell }, i) => cell !== cells[i])
    ) {
      throw new FailureError(
        `Cannot discretise, node ${node} must have statistics once from each ${kind} cell (${
          cells.join(", ") || "there are none"
        }): current value is ${found.map(({ cell }) => cell).join(", ") || "none"}`,
      );
    }
    const expected = JSON.stringify(candidatesOf(space, kind, node));
    for (const { candidates, cell } of found) {
      const same = candidates.map(({ edge, from, op }) => ({ edge, from, op }));
      if (JSON.stringify(same) !== expected) {
        throw new RangeError(
          `Cannot discretise node ${node} of cell ${cell} (${kind}), its candidates must be those of space ` +
            `${space.name} in order: current value is ${candidates.map(({ edge, op }) => `${edge}:${op}`).join(" ")}`,
        );
      }
    }
    return found.map(correlate);
  });
}

/** Scores of a node's candidates, mean over cells. */
function meanScores(
  rule: StatisticsDiscretizer,
  cells: readonly Correlation[],
  options: DecorrelationOptions,
): Float64Array {
  return mean(cells.map((cell) => rule.score(cell, options)));
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
        .map((
          op,
        ) => [op, weights[index * width + space.primitives.indexOf(op)]]),
    ),
    ...(edges ? { edgeWeight: edges[index] } : {}),
  }));
}

function checkAlphas(space: Space, kind: CellKind, alphas: Float64Array): void {
  const edges = edgesOf(space), width = space.primitives.length;
  if (alphas.length !== edges.length * width) {
    throw new RangeError(
      `Cannot discretise, alpha of ${kind} must have ${edges.length} x ${width} numbers for space ${space.name}: ` +
        `current value is ${alphas.length}`,
    );
  }
  for (const { index } of edges) {
    for (const op of primitivesOf(space, kind, index)) {
      const value = alphas[index * width + space.primitives.indexOf(op)];
      if (!Number.isFinite(value)) {
        throw new FailureError(
          `Cannot discretise, alpha of ${kind} on edge ${index} for ${op} must be finite: current value is ${value}`,
        );
      }
    }
  }
}

function checkBetas(space: Space, kind: CellKind, betas: Float64Array): void {
  const edges = edgesOf(space).length;
  if (betas.length !== edges) {
    throw new RangeError(
      `Cannot discretise, beta of ${kind} must have ${edges} numbers for space ${space.name}: current value is ${betas.length}`,
    );
  }
  const bad = betas.findIndex((beta) => !Number.isFinite(beta));
  if (bad >= 0) {
    throw new FailureError(
      `Cannot discretise, beta of ${kind} on edge ${bad} must be finite: current value is ${betas[bad]}`,
    );
  }
}

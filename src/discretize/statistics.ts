/**
 * Second moments of a node's candidates and of the node itself: adding them up over batches, and turning them
 * into correlations. Not responsible for computing the sums (the graph does, on the GPU) nor for scores.
 * @module
 */
import { FailureError, type Remedy } from "../base/errors.ts";
import type { Candidate, CellKind } from "../space/space.ts";

/** Accumulated second moments of one node in one cell of the supernet. */
export interface NodeStatistics {
  /** Kind of the cell. */
  readonly kind: CellKind;
  /** Index of the cell in the network. */
  readonly cell: number;
  /** Intermediate node, from 0. */
  readonly node: number;
  /** The m candidates in row order, `none` excluded. */
  readonly candidates: readonly Candidate[];
  /** Number of elements (samples x positions x channels) accumulated. */
  count: number;
  /** (m+2) x (m+2), row-major: sums of products of the rows z_1..z_m, y (the node's raw sum), 1. */
  readonly gram: Float64Array;
  /** The same by parts of the images, which together are all of them; absent where they were not asked for. */
  readonly parts?: readonly StatisticsPart[];
}

/** Second moments on a part of the images. */
export interface StatisticsPart {
  /** Number of elements. */
  count: number;
  /** As that of all images. */
  readonly gram: Float64Array;
}

/** Correlations of one node's candidates (m of them) among each other and with the node. */
export interface Correlation {
  /** The candidates, in row order. */
  readonly candidates: readonly Candidate[];
  /** P, m x m, row-major, unit diagonal. A dead candidate is uncorrelated with everything. */
  readonly matrix: Float64Array;
  /** r, length m: correlation of each candidate with the node's raw sum; 0 for a dead one. */
  readonly withNode: Float64Array;
  /** Standard deviation of each candidate; 0 for a dead one. */
  readonly deviations: Float64Array;
  /** Standard deviation of the node's raw sum; 0 when it is constant. */
  readonly nodeDeviation: number;
  /** Which candidates are constant (zero included) and so say nothing about the node. */
  readonly dead: readonly boolean[];
}

/** What to do where the numbers of a supernet grew beyond all bounds. */
export const SMALLER_STEPS: Remedy = { kind: "lower", options: ["weight-lr", "alpha-lr", "clip"], afresh: true };

/** A variance below this part of the mean square is the rounding of 32-bit sums: the row is constant. */
const DEAD_TOLERANCE = 1e-6;

/** Largest relative difference between `count` and the Gram matrix' own count of elements. */
const COUNT_TOLERANCE = 1e-4;

/** Statistics of a node before the first batch. @param parts in how many parts they are kept besides; 0: in none */
export function emptyStatistics(
  kind: CellKind,
  cell: number,
  node: number,
  candidates: readonly Candidate[],
  parts = 0,
): NodeStatistics {
  const empty = (): StatisticsPart => ({ count: 0, gram: new Float64Array((candidates.length + 2) ** 2) });
  return {
    kind,
    cell,
    node,
    candidates,
    ...empty(),
    ...(parts > 0 ? { parts: Array.from({ length: parts }, empty) } : {}),
  };
}

/**
 * Adds one batch in f64, in place.
 * @param gram the batch's (m+2) x (m+2) sums of products, row-major
 * @param count the batch's number of elements
 * @param batch its number, from 0: batches go to the parts in turn
 * @throws {RangeError} when `gram` has another size
 */
export function addBatch(statistics: NodeStatistics, gram: ArrayLike<number>, count: number, batch = 0): void {
  const sums = statistics.gram;
  if (gram.length !== sums.length) {
    throw new RangeError(
      `Cannot add a batch to ${
        describe(statistics)
      }, its Gram matrix must have ${sums.length} numbers: current value is ${gram.length}`,
    );
  }
  addTo(statistics, gram, count);
  if (statistics.parts) addTo(statistics.parts[batch % statistics.parts.length], gram, count);
}

/** Adds sums to others, in place. */
function addTo(sums: StatisticsPart, gram: ArrayLike<number>, count: number): void {
  for (let i = 0; i < sums.gram.length; i++) sums.gram[i] += gram[i];
  sums.count += count;
}

/** The statistics on some parts of the images; a part that is named twice counts twice. */
export function ofParts(statistics: NodeStatistics, parts: Iterable<number>): NodeStatistics {
  const { kind, cell, node, candidates } = statistics, some = emptyStatistics(kind, cell, node, candidates);
  for (const part of parts) addTo(some, statistics.parts![part].gram, statistics.parts![part].count);
  return some;
}

/**
 * Centres and normalises: cov(a, b) = G_ab / n - mean_a mean_b, cor = cov / (sd_a sd_b), clamped to [-1, 1].
 * @throws {RangeError} when the sizes of `candidates`, `gram` and `count` do not fit together
 * @throws {FailureError} when a sum is not finite (the search diverged) or nothing was accumulated
 */
export function correlate(statistics: NodeStatistics): Correlation {
  const { candidates, count, gram } = statistics;
  const m = candidates.length, rows = m + 2;
  checkSums(statistics);

  const moment = (a: number, b: number): number => (gram[a * rows + b] + gram[b * rows + a]) / (2 * count);
  const covariance = (a: number, b: number): number => moment(a, b) - moment(a, m + 1) * moment(b, m + 1);
  const deviation = (a: number): number => {
    const variance = covariance(a, a);
    return variance > DEAD_TOLERANCE * moment(a, a) ? Math.sqrt(variance) : 0;
  };
  const deviations = Float64Array.from(candidates, (_, k) => deviation(k));
  const nodeDeviation = deviation(m);
  const correlation = (a: number, b: number, scale: number): number =>
    scale === 0 ? 0 : Math.min(1, Math.max(-1, covariance(a, b) / scale));

  const matrix = new Float64Array(m * m);
  for (let i = 0; i < m; i++) {
    matrix[i * m + i] = 1;
    for (let j = 0; j < i; j++) {
      matrix[i * m + j] =
        matrix[j * m + i] =
          correlation(i, j, deviations[i] * deviations[j]);
    }
  }
  return {
    candidates,
    matrix,
    withNode: deviations.map((sd, k) => correlation(k, m, sd * nodeDeviation)),
    deviations,
    nodeDeviation,
    dead: Array.from(deviations, (sd) => sd === 0),
  };
}

function checkSums(statistics: NodeStatistics): void {
  const { candidates, count, gram } = statistics;
  const rows = candidates.length + 2;
  if (gram.length !== rows * rows) {
    throw new RangeError(
      `Cannot correlate ${describe(statistics)}, its Gram matrix must have ${rows} x ${rows} numbers for ` +
        `${candidates.length} candidates: current value is ${gram.length}`,
    );
  }
  const bad = gram.findIndex((sum) => !Number.isFinite(sum));
  if (bad >= 0) {
    const name = (row: number): string => {
      const candidate = candidates[row];
      return candidate
        ? `${candidate.op} on edge ${candidate.edge}`
        : row === candidates.length
        ? "the node's sum"
        : "the mean";
    };
    throw new FailureError(
      `Cannot correlate ${describe(statistics)}, the sum of products of ${name(Math.floor(bad / rows))} and ${
        name(bad % rows)
      } must be finite: current value is ${gram[bad]}`,
      { remedies: [SMALLER_STEPS] },
    );
  }
  if (!(count > 0)) {
    throw new FailureError(
      `Cannot correlate ${
        describe(statistics)
      }, the number of accumulated elements must be positive: current value is ${count}`,
    );
  }
  const own = gram[rows * rows - 1];
  if (Math.abs(own - count) > COUNT_TOLERANCE * count) {
    throw new RangeError(
      `Cannot correlate ${
        describe(statistics)
      }, the last entry of its Gram matrix must be the count ${count}: current value is ${own}`,
    );
  }
}

function describe({ kind, cell, node }: NodeStatistics): string {
  return `node ${node} of cell ${cell} (${kind})`;
}

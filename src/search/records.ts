/**
 * What is recorded after each epoch of a search, and how it is summarised.
 * @module
 */
import {
  aMeasurement,
  aText,
  listOf,
  mapping,
  mappingOf,
  nullable,
  oneOf,
  optional,
  type Shape,
  whole,
} from "../base/shape.ts";
import type { DiscretizationReport } from "../discretize/discretize.ts";
import { perKindShape } from "../discretize/report_shape.ts";
import type { EpochBase } from "../run/phase.ts";
import type { CellKind } from "../space/space.ts";
import type { NodeNormRecord } from "./engine.ts";

/** What is recorded after each epoch. */
export interface EpochRecord extends EpochBase {
  /** Mean loss of the weight steps. */
  readonly trainLoss: number;
  /** Accuracy of the weight steps. */
  readonly trainAccuracy: number;
  /** Mean loss of the alpha steps; null in epochs in which the alphas are frozen. */
  readonly valLoss: number | null;
  /** Accuracy of the alpha steps; null likewise. */
  readonly valAccuracy: number | null;
  /** On images of the architecture half with running statistics. */
  readonly evalLoss: number;
  /** Accuracy that belongs to `evalLoss`. */
  readonly evalAccuracy: number;
  /** Learning rate of the weights in this epoch. */
  readonly weightLr: number;
  /** Entropy of the softmaxed alphas relative to a uniform choice, mean over edges; of the kinds of cell there are. */
  readonly alphaEntropy: { readonly normal: number; readonly reduce?: number };
  /** Mean weight of every primitive over the edges. */
  readonly meanWeights: Record<CellKind, Record<string, number>>;
  /** Weight of each edge among those that enter its node; absent where edges have no weights. */
  readonly edgeWeights?: Record<CellKind, readonly number[]>;
  /** RMS of every node of every cell. */
  readonly nodes: readonly NodeNormRecord[];
  /** Largest over smallest RMS of the nodes of a cell, mean over cells, before and after normalisation. */
  readonly imbalance: { readonly before: number; readonly after: number };
  /** Skip-connections that each discretiser would pick now. */
  readonly skips: Record<string, number>;
  /** What each discretiser would pick now. */
  readonly genotypes: Record<string, string>;
  /** The same the other way to keep, by name of the decision (`zca.operations`); none where every edge stays. */
  readonly others?: Record<string, string>;
  /** How alike the outputs of two operations of one edge are: mean correlation over edges and cells, by pair. */
  readonly alike?: Record<CellKind, Record<string, number>>;
  /** Wall-clock seconds per step; not reproducible, unlike the rest. */
  readonly secondsPerStep: number;
}

/** What an {@linkcode EpochRecord} looks like that was written as JSON. */
export const EPOCH_SHAPE: Shape<EpochRecord> = mapping<EpochRecord>({
  step: whole(),
  epoch: whole(1),
  trainLoss: aMeasurement,
  trainAccuracy: aMeasurement,
  valLoss: nullable(aMeasurement),
  valAccuracy: nullable(aMeasurement),
  evalLoss: aMeasurement,
  evalAccuracy: aMeasurement,
  weightLr: aMeasurement,
  alphaEntropy: mapping<EpochRecord["alphaEntropy"]>({ normal: aMeasurement, reduce: optional(aMeasurement) }),
  meanWeights: perKindShape(mappingOf(aMeasurement)),
  edgeWeights: optional(perKindShape(listOf(aMeasurement))),
  nodes: listOf(
    mapping<NodeNormRecord>({
      cell: whole(),
      kind: oneOf("normal", "reduce"),
      node: whole(),
      before: aMeasurement,
      after: aMeasurement,
    }),
  ),
  imbalance: mapping<EpochRecord["imbalance"]>({ before: aMeasurement, after: aMeasurement }),
  skips: mappingOf(whole()),
  genotypes: mappingOf(aText),
  others: optional(mappingOf(aText)),
  alike: optional(perKindShape(mappingOf(aMeasurement))),
  secondsPerStep: aMeasurement,
});

/** Entropy of the alphas, mean weight of every primitive, and the weights of the edges if they have any. */
export function summariseWeights(
  report: DiscretizationReport,
): Pick<EpochRecord, "alphaEntropy" | "meanWeights" | "edgeWeights"> {
  const alphaEntropy = {} as Record<CellKind, number>, meanWeights = {} as Record<CellKind, Record<string, number>>;
  for (const [kind, edges] of Object.entries(report.weights) as [CellKind, typeof report.weights.normal][]) {
    let entropy = 0;
    const means: Record<string, number> = {};
    for (const { weights } of edges) {
      const values = Object.values(weights);
      const nats = values.reduce((h, w) => h - (w > 0 ? w * Math.log(w) : 0), 0);
      entropy += values.length > 1 ? nats / Math.log(values.length) / edges.length : 0;
      for (const [op, w] of Object.entries(weights)) means[op] = (means[op] ?? 0) + w / edges.length;
    }
    if (edges.length > 0) alphaEntropy[kind] = entropy;
    meanWeights[kind] = means;
  }
  const { normal, reduce } = report.weights;
  if (normal[0].edgeWeight === undefined) return { alphaEntropy, meanWeights };
  const edgeWeights = { normal: normal.map((e) => e.edgeWeight!), reduce: reduce.map((e) => e.edgeWeight!) };
  return { alphaEntropy, meanWeights, edgeWeights };
}

/** How alike the outputs of two operations of one edge are, over edges and cells; undefined without statistics. */
export function summariseCorrelations({ nodes }: DiscretizationReport): EpochRecord["alike"] {
  if (nodes === null) return undefined;
  const ofKind = (kind: CellKind): Record<string, number> => {
    const found = nodes[kind].flatMap(({ correlations }) => correlations).flatMap(({ ops, matrix }) =>
      ops.flatMap((op, i) => ops.slice(i + 1).map((other, j) => [`${op} ${other}`, matrix[i][i + 1 + j]] as const))
    );
    const mean = (of: typeof found): number => of.reduce((sum, [, value]) => sum + value, 0) / of.length;
    return Object.fromEntries([...Map.groupBy(found, ([pair]) => pair)].map(([pair, of]) => [pair, mean(of)]));
  };
  return { normal: ofKind("normal"), reduce: ofKind("reduce") };
}

/** Entropy of the alphas, mean over the kinds of cell. */
export function meanEntropy({ alphaEntropy }: Pick<EpochRecord, "alphaEntropy">): number {
  const each = Object.values(alphaEntropy);
  return each.reduce((sum, entropy) => sum + entropy, 0) / each.length;
}

/** Largest over smallest RMS of the nodes of a cell, mean over cells. */
export function imbalanceOf(norms: readonly NodeNormRecord[]): EpochRecord["imbalance"] {
  const cells = new Set(norms.map((n) => n.cell));
  let before = 0, after = 0;
  for (const cell of cells) {
    const nodes = norms.filter((n) => n.cell === cell);
    before += Math.max(...nodes.map((n) => n.before)) / Math.min(...nodes.map((n) => n.before)) / cells.size;
    after += Math.max(...nodes.map((n) => n.after)) / Math.min(...nodes.map((n) => n.after)) / cells.size;
  }
  return { before, after };
}

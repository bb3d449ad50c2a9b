/**
 * What a {@linkcode DiscretizationReport} that was written as JSON looks like.
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
import { genotypeShape } from "../space/genotype.ts";
import { type Candidate, type CellKind, KEEPS } from "../space/space.ts";
import type { CellsCertainty, Certainty, NodeCertainty, RuleCertainty } from "./certainty.ts";
import type {
  MethodReport,
  NodeChoice,
  NodeSelection,
  ScoredCandidate,
  ScoredChoice,
  ScoredEdge,
  Selection,
} from "./choice.ts";
import type { DiscretizationReport, EdgeCorrelation, EdgeWeights, NodeSummary } from "./discretize.ts";
import type { Measurement } from "./removals.ts";

const candidate = { edge: whole(), from: whole(), op: aText };

/** One of each kind of cell. */
export function perKindShape<T>(of: Shape<T>): Shape<Record<CellKind, T>> {
  return mapping<Record<CellKind, T>>({ normal: of, reduce: of });
}

const nodeSelection = {
  node: whole(),
  choices: listOf(mapping<ScoredChoice>({ ...candidate, score: aMeasurement, margin: aMeasurement })),
  edgeMargin: aMeasurement,
};

const nodeChoice = mapping<NodeChoice>({
  ...nodeSelection,
  scores: listOf(mapping<ScoredCandidate>({ ...candidate, score: aMeasurement })),
  edges: optional(listOf(mapping<ScoredEdge>({ edge: whole(), score: aMeasurement }))),
});

const cells = { genotype: genotypeShape, text: aText, skips: whole(), parameterFree: whole() };

const method = mapping<MethodReport>({
  ...cells,
  method: aText,
  nodes: perKindShape(listOf(nodeChoice)),
  other: optional(
    mapping<Selection>({ ...cells, nodes: perKindShape(listOf(mapping<NodeSelection>(nodeSelection))) }),
  ),
});

/** The shape of {@linkcode EdgeCorrelation}. */
export const EDGE_CORRELATION_SHAPE: Shape<EdgeCorrelation> = mapping<EdgeCorrelation>({
  edge: whole(),
  from: whole(),
  ops: listOf(aText),
  matrix: listOf(listOf(aMeasurement)),
});

const summary = mapping<NodeSummary>({
  node: whole(),
  cells: whole(),
  condition: mapping<NodeSummary["condition"]>({ mean: aMeasurement, max: aMeasurement }),
  rSquared: mapping<NodeSummary["rSquared"]>({ mean: aMeasurement, min: aMeasurement }),
  shares: listOf(
    mapping<Candidate & { share: number; dead: number }>({ ...candidate, share: aMeasurement, dead: whole() }),
  ),
  correlations: listOf(EDGE_CORRELATION_SHAPE),
});

const weights = mapping<EdgeWeights>({
  edge: whole(),
  from: whole(),
  to: whole(),
  weights: mappingOf(aMeasurement),
  edgeWeight: optional(aMeasurement),
});

const nodeCertainty = mapping<NodeCertainty>({
  node: whole(),
  same: aMeasurement,
  choices: listOf(mapping<NodeCertainty["choices"][number]>({ kept: aMeasurement, noise: aMeasurement })),
  edgeNoise: aMeasurement,
  agreement: aMeasurement,
});

const cellsCertainty = { nodes: perKindShape(listOf(nodeCertainty)), shared: whole() };

const certainty = mapping<Certainty>({
  parts: whole(),
  samples: whole(),
  rules: listOf(
    mapping<RuleCertainty>({
      ...cellsCertainty,
      method: aText,
      other: optional(mapping<CellsCertainty>(cellsCertainty)),
    }),
  ),
});

/** The shape of {@linkcode DiscretizationReport}. */
export const DISCRETIZATION_SHAPE: Shape<DiscretizationReport> = mapping<DiscretizationReport>({
  space: aText,
  options: mapping<DiscretizationReport["options"]>({ scope: oneOf("node", "edge"), shrinkage: aMeasurement }),
  keep: optional(oneOf(...KEEPS)),
  weights: perKindShape(listOf(weights)),
  methods: listOf(method),
  nodes: nullable(perKindShape(listOf(summary))),
  measured: optional(mapping<Measurement>({ loss: aMeasurement, accuracy: aMeasurement, count: whole() })),
  certainty: optional(certainty),
});

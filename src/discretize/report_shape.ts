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
import type { Candidate, CellKind } from "../space/space.ts";
import type { MethodReport, NodeChoice, ScoredCandidate, ScoredChoice, ScoredEdge } from "./choice.ts";
import type { DiscretizationReport, EdgeCorrelation, EdgeWeights, NodeSummary } from "./discretize.ts";
import type { Measurement } from "./removals.ts";

const candidate = { edge: whole(), from: whole(), op: aText };

/** One of each kind of cell. */
export function perKindShape<T>(of: Shape<T>): Shape<Record<CellKind, T>> {
  return mapping<Record<CellKind, T>>({ normal: of, reduce: of });
}

const nodeChoice = mapping<NodeChoice>({
  node: whole(),
  scores: listOf(mapping<ScoredCandidate>({ ...candidate, score: aMeasurement })),
  edges: optional(listOf(mapping<ScoredEdge>({ edge: whole(), score: aMeasurement }))),
  choices: listOf(mapping<ScoredChoice>({ ...candidate, score: aMeasurement, margin: aMeasurement })),
  edgeMargin: aMeasurement,
});

const method = mapping<MethodReport>({
  method: aText,
  genotype: genotypeShape,
  text: aText,
  nodes: perKindShape(listOf(nodeChoice)),
  skips: whole(),
  parameterFree: whole(),
});

const correlation = mapping<EdgeCorrelation>({
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
  correlations: listOf(correlation),
});

const weights = mapping<EdgeWeights>({
  edge: whole(),
  from: whole(),
  to: whole(),
  weights: mappingOf(aMeasurement),
  edgeWeight: optional(aMeasurement),
});

/** The shape of {@linkcode DiscretizationReport}. */
export const DISCRETIZATION_SHAPE: Shape<DiscretizationReport> = mapping<DiscretizationReport>({
  space: aText,
  options: mapping<DiscretizationReport["options"]>({ scope: oneOf("node", "edge"), shrinkage: aMeasurement }),
  weights: perKindShape(listOf(weights)),
  methods: listOf(method),
  nodes: nullable(perKindShape(listOf(summary))),
  measured: optional(mapping<Measurement>({ loss: aMeasurement, accuracy: aMeasurement, count: whole() })),
});

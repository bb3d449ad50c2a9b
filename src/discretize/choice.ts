/**
 * From scores to a genotype: per edge the best operation, per node the two best edges, or every edge, as the skeleton
 * wants. The same for every rule, and exactly DARTS' or NAS-Bench-201's parse when the scores are softmax weights.
 * @module
 */
import {
  type Candidate,
  CELL_KINDS,
  type CellKind,
  choosableOf,
  incoming,
  PARAMETER_FREE,
  perKind,
  skeletonOf,
  SKIP_PRIMITIVE,
  type Space,
} from "../space/space.ts";
import { formatGenotypeText, type Genotype, genotypeOf } from "../space/genotype.ts";

/** A candidate and what a rule thinks of it. */
export interface ScoredCandidate extends Candidate {
  /** Signed score; comparable within one node only. */
  readonly score: number;
}

/** A kept operation. */
export interface ScoredChoice extends ScoredCandidate {
  /** Lead over the runner-up on the same edge; null when the edge has no other operation. */
  readonly margin: number | null;
}

/** An edge, and what a rule thinks of it as a whole. */
export interface ScoredEdge {
  /** Index of the edge. */
  readonly edge: number;
  /** Signed score; comparable within one node only. */
  readonly score: number;
}

/** What a rule decided at one intermediate node. */
export interface NodeChoice {
  /** Intermediate node, from 0. */
  readonly node: number;
  /** Everything that may be chosen, by edge, then by primitive. */
  readonly scores: readonly ScoredCandidate[];
  /** Every edge, where the rule scores edges by themselves; absent: an edge has the score of its best operation. */
  readonly edges?: readonly ScoredEdge[];
  /** The kept operations: two, the stronger one first, or where every edge stays one for each, by source. */
  readonly choices: readonly ScoredChoice[];
  /** Lead of the second kept edge over the third; null when none is left out. */
  readonly edgeMargin: number | null;
}

/** The outcome of one rule. */
export interface MethodReport {
  /** Name of the rule. */
  readonly method: string;
  /** The architecture. */
  readonly genotype: Genotype;
  /** The architecture as text (see `formatGenotypeText`). */
  readonly text: string;
  /** Decisions per node. */
  readonly nodes: Record<CellKind, readonly NodeChoice[]>;
  /** Number of skip-connections among the kept operations of all cells. */
  readonly skips: number;
  /** Number of kept operations without weights (pools, skip-connections, `none`), all cells. */
  readonly parameterFree: number;
}

/** What a rule thinks of a node. */
export interface NodeScores {
  /** Score of each that may be chosen, in the order of {@linkcode choosableOf}. */
  readonly candidates: ArrayLike<number>;
  /** Score of each edge that enters the node; if left out, that of its best operation. */
  readonly edges?: ArrayLike<number>;
}

/** Chooses an architecture by the scores of each node. Ties go to the lower index. */
export function chooseGenotype(
  method: string,
  space: Space,
  scoreNode: (kind: CellKind, node: number) => NodeScores,
): MethodReport {
  const { everyEdge } = skeletonOf(space);
  const chooseCell = (kind: CellKind): NodeChoice[] =>
    Array.from({ length: space.nodes }, (_, node) => {
      const { candidates, edges } = scoreNode(kind, node);
      return chooseNode(
        node,
        choosableOf(space, kind, node).map((candidate, k) => ({ ...candidate, score: candidates[k] })),
        everyEdge ? "every" : edges && incoming(space, node).map(({ index }, k) => ({ edge: index, score: edges[k] })),
      );
    });
  const nodes = perKind(space, chooseCell, []);
  const keptOf = (cell: readonly NodeChoice[]) =>
    cell.map((node) => node.choices.map(({ op, from }) => ({ op, from })));
  const genotype = genotypeOf(space, { normal: keptOf(nodes.normal), reduce: keptOf(nodes.reduce) });
  const kept = CELL_KINDS.flatMap((kind) => nodes[kind].flatMap(({ choices }) => choices));
  return {
    method,
    genotype,
    text: formatGenotypeText(genotype),
    nodes,
    skips: kept.filter(({ op }) => op === SKIP_PRIMITIVE).length,
    parameterFree: kept.filter(({ op }) => PARAMETER_FREE.includes(op)).length,
  };
}

/**
 * Chooses at one node; `scores` holds at least one candidate on each of its edges. Two edges stay, ranked by `edges`, or
 * by their best operations where that is left out; or `"every"` edge stays.
 */
export function chooseNode(
  node: number,
  scores: readonly ScoredCandidate[],
  edges?: readonly ScoredEdge[] | "every",
): NodeChoice {
  const best = [...new Set(scores.map(({ edge }) => edge))].map((edge): ScoredChoice => {
    const [first, next] = byScore(scores.filter((each) => each.edge === edge));
    return { ...first, margin: next ? first.score - next.score : null };
  });
  if (edges === "every") return { node, scores, choices: best, edgeMargin: null };
  const own = new Map(edges?.map(({ edge, score }) => [edge, score]));
  const [first, second, third] = byScore(
    best.map((choice) => ({ choice, score: own.get(choice.edge) ?? choice.score })),
  );
  return {
    node,
    scores,
    ...(edges ? { edges } : {}),
    choices: [first.choice, second.choice],
    edgeMargin: third ? second.score - third.score : null,
  };
}

/** Best first; the sort is stable, so ties keep their order. */
function byScore<T extends { readonly score: number }>(scored: readonly T[]): T[] {
  return scored.toSorted((a, b) => b.score - a.score);
}

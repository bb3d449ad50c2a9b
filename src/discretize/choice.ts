/**
 * From scores to a genotype: per edge the best operation, per node the two best edges, or every edge, as the skeleton
 * wants; or per node the two best operations. The same for every rule, and exactly DARTS' or NAS-Bench-201's parse when
 * the scores are softmax weights.
 * @module
 */
import { option, text, UsageError } from "../base/errors.ts";
import {
  type Candidate,
  CELL_KINDS,
  type CellKind,
  choosableOf,
  incoming,
  type Keep,
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
  /**
   * Lead over the runner-up on the same edge, or where the best operations of a node stay over the best one that does
   * not; null where there is no other.
   */
  readonly margin: number | null;
}

/** An edge, and what a rule thinks of it as a whole. */
export interface ScoredEdge {
  /** Index of the edge. */
  readonly edge: number;
  /** Signed score; comparable within one node only. */
  readonly score: number;
}

/** What stays at one intermediate node. */
export interface NodeSelection {
  /** Intermediate node, from 0. */
  readonly node: number;
  /** The kept operations: two, the stronger one first, or where every edge stays one for each, by source. */
  readonly choices: readonly ScoredChoice[];
  /** Lead of the second kept edge over the third; null when none is left out, and where edges are not what is kept. */
  readonly edgeMargin: number | null;
}

/** What a rule thinks of one intermediate node. */
export interface ScoredNode {
  /** Intermediate node, from 0. */
  readonly node: number;
  /** Everything that may be chosen, by edge, then by primitive. */
  readonly scores: readonly ScoredCandidate[];
  /** Every edge, where the rule scores edges by themselves; absent: an edge has the score of its best operation. */
  readonly edges?: readonly ScoredEdge[];
}

/** What a rule decided at one intermediate node. */
export interface NodeChoice extends NodeSelection, ScoredNode {}

/** The cells that follow from the scores of a rule. */
export interface Selection<T extends NodeSelection = NodeSelection> {
  /** The architecture. */
  readonly genotype: Genotype;
  /** The architecture as text (see `formatGenotypeText`). */
  readonly text: string;
  /** Decisions per node. */
  readonly nodes: Record<CellKind, readonly T[]>;
  /** Number of skip-connections among the kept operations of all cells. */
  readonly skips: number;
  /** Number of kept operations without weights (pools, skip-connections, `none`), all cells. */
  readonly parameterFree: number;
}

/** The outcome of one rule. */
export interface MethodReport extends Selection<NodeChoice> {
  /** Name of the rule. */
  readonly method: string;
  /** What follows from the same scores the other way to {@linkcode Keep}; absent where every edge stays. */
  readonly other?: Selection;
}

/** What a rule thinks of a node. */
export interface NodeScores {
  /** Score of each that may be chosen, in the order of {@linkcode choosableOf}. */
  readonly candidates: ArrayLike<number>;
  /** Score of each edge that enters the node; if left out, that of its best operation. */
  readonly edges?: ArrayLike<number>;
}

/**
 * Chooses an architecture by the scores of each node, both ways to {@linkcode Keep}. Ties go to the lower index.
 * @param keep the way whose cells are the rule's; the other way's are beside them
 * @throws {UsageError} for `operations` in a space in which every edge stays.
 */
export function chooseGenotype(
  method: string,
  space: Space,
  scoreNode: (kind: CellKind, node: number) => NodeScores,
  keep: Keep = "edges",
): MethodReport {
  checkKeep(space, keep);
  const { everyEdge } = skeletonOf(space);
  const scored = perKind(
    space,
    (kind) => Array.from({ length: space.nodes }, (_, node) => scoredNode(space, kind, node, scoreNode(kind, node))),
    [],
  );
  const select = (way: Keep | "every"): Selection<NodeChoice> =>
    selectionOf(
      space,
      perKind(space, (kind) => scored[kind].map((node) => ({ ...node, ...chooseNode(node, way) })), []),
    );
  if (everyEdge) return { method, ...select("every") };
  const otherWay = keep === "edges" ? "operations" : "edges";
  const nodes = perKind(space, (kind) => scored[kind].map((node) => chooseNode(node, otherWay)), []);
  return { method, ...select(keep), other: selectionOf(space, nodes) };
}

/** A node whose candidates, and edges if they have scores of their own, have those that a rule gave them. */
export function scoredNode(space: Space, kind: CellKind, node: number, { candidates, edges }: NodeScores): ScoredNode {
  return {
    node,
    scores: choosableOf(space, kind, node).map((candidate, k) => ({ ...candidate, score: candidates[k] })),
    ...(edges ? { edges: incoming(space, node).map(({ index }, k) => ({ edge: index, score: edges[k] })) } : {}),
  };
}

/** @throws {UsageError} where a node of the space cannot keep operations as `keep` says. */
export function checkKeep(space: Space, keep: Keep): void {
  if (keep === "edges" || !skeletonOf(space).everyEdge) return;
  throw new UsageError(
    text`Cannot use ${option("keep")} ${keep} with space ${space.name}, whose cells keep one operation on every edge`,
    { option: "keep", value: keep, remedies: [{ kind: "set", option: "keep", value: "edges" }] },
  );
}

/** The cells of what stays at each node. */
function selectionOf<T extends NodeSelection>(space: Space, nodes: Record<CellKind, readonly T[]>): Selection<T> {
  const keptOf = (cell: readonly T[]) => cell.map((node) => node.choices.map(({ op, from }) => ({ op, from })));
  const genotype = genotypeOf(space, { normal: keptOf(nodes.normal), reduce: keptOf(nodes.reduce) });
  const kept = CELL_KINDS.flatMap((kind) => nodes[kind].flatMap(({ choices }) => choices));
  return {
    genotype,
    text: formatGenotypeText(genotype),
    nodes,
    skips: kept.filter(({ op }) => op === SKIP_PRIMITIVE).length,
    parameterFree: kept.filter(({ op }) => PARAMETER_FREE.includes(op)).length,
  };
}

/**
 * Chooses at one node; `scores` holds at least one candidate on each of its edges. Two edges stay, ranked by `edges`, or
 * by their best operations where that is left out; or the two best operations, for which edges by themselves do not
 * count; or `"every"` edge.
 */
export function chooseNode(
  { node, scores, edges }: ScoredNode,
  keep: Keep | "every" = "edges",
): NodeSelection {
  if (keep === "operations") {
    const [first, second, third] = byScore(scores);
    const lead = (of: ScoredCandidate): ScoredChoice => ({ ...of, margin: third ? of.score - third.score : null });
    return { node, choices: [lead(first), lead(second)], edgeMargin: null };
  }
  const best = [...new Set(scores.map(({ edge }) => edge))].map((edge): ScoredChoice => {
    const [first, next] = byScore(scores.filter((each) => each.edge === edge));
    return { ...first, margin: next ? first.score - next.score : null };
  });
  if (keep === "every") return { node, choices: best, edgeMargin: null };
  const own = new Map(edges?.map(({ edge, score }) => [edge, score]));
  const [first, second, third] = byScore(
    best.map((choice) => ({ choice, score: own.get(choice.edge) ?? choice.score })),
  );
  return {
    node,
    choices: [first.choice, second.choice],
    edgeMargin: third ? second.score - third.score : null,
  };
}

/** Best first; the sort is stable, so ties keep their order. */
function byScore<T extends { readonly score: number }>(scored: readonly T[]): T[] {
  return scored.toSorted((a, b) => b.score - a.score);
}

/**
 * From scores to a genotype: per edge the best operation, per node the two best edges. The same for every
 * rule, and exactly DARTS' parse when the scores are softmax weights.
 * @module
 */
import {
  type Candidate,
  candidatesOf,
  CELL_KINDS,
  type CellKind,
  incoming,
  PARAMETER_FREE,
  SKIP_PRIMITIVE,
  type Space,
} from "../space/space.ts";
import { type CellGenotype, formatGenotypePython, type Genotype } from "../space/genotype.ts";

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
  /** Every candidate, by edge, then by primitive. */
  readonly scores: readonly ScoredCandidate[];
  /** Every edge, where the rule scores edges by themselves; absent: an edge has the score of its best operation. */
  readonly edges?: readonly ScoredEdge[];
  /** The two kept operations, the stronger one first. */
  readonly choices: readonly [ScoredChoice, ScoredChoice];
  /** Lead of the second kept edge over the third; null when there are only two. */
  readonly edgeMargin: number | null;
}

/** The outcome of one rule. */
export interface MethodReport {
  /** Name of the rule. */
  readonly method: string;
  /** The architecture. */
  readonly genotype: Genotype;
  /** The architecture as Python text. */
  readonly text: string;
  /** Decisions per node. */
  readonly nodes: Record<CellKind, readonly NodeChoice[]>;
  /** Number of skip-connections among the kept operations of both cells. */
  readonly skips: number;
  /** Number of kept operations without weights (pools and skip-connections), both cells. */
  readonly parameterFree: number;
}

/** Scores of the candidates of node `node`, in the order of {@linkcode candidatesOf}. */
export type ScoreNode = (kind: CellKind, node: number) => ArrayLike<number>;

/** Score of an edge as a whole. */
export type ScoreEdge = (kind: CellKind, edge: number) => number;

/**
 * Chooses an architecture by `scoreNode`: operations, and edges too unless there is `scoreEdge`. Open to rules that are
 * not in the registry. Ties go to the lower index.
 */
export function chooseGenotype(
  method: string,
  space: Space,
  scoreNode: ScoreNode,
  scoreEdge?: ScoreEdge,
): MethodReport {
  const chooseCell = (kind: CellKind): NodeChoice[] =>
    Array.from({ length: space.nodes }, (_, node) => {
      const scores = scoreNode(kind, node);
      return chooseNode(
        node,
        candidatesOf(space, kind, node)
          .map((candidate, k) => ({ ...candidate, score: scores[k] })),
        scoreEdge && incoming(space.nodes, node).map(({ index: edge }) => ({ edge, score: scoreEdge(kind, edge) })),
      );
    });
  const nodes = { normal: chooseCell("normal"), reduce: chooseCell("reduce") };
  const genotype = {
    normal: cellOf(nodes.normal),
    reduce: cellOf(nodes.reduce),
    ...(space.reduceAt ? { reduceAt: space.reduceAt } : {}),
  };
  const kept = CELL_KINDS.flatMap((kind) => nodes[kind].flatMap(({ choices }) => choices));
  return {
    method,
    genotype,
    text: formatGenotypePython(genotype),
    nodes,
    skips: kept.filter(({ op }) => op === SKIP_PRIMITIVE).length,
    parameterFree: kept.filter(({ op }) => PARAMETER_FREE.includes(op)).length,
  };
}

/**
 * Chooses at one node; `scores` holds at least one candidate on each of at least two edges. Edges are ranked by
 * `edges`, or by their best operations.
 */
export function chooseNode(
  node: number,
  scores: readonly ScoredCandidate[],
  edges?: readonly ScoredEdge[],
): NodeChoice {
  const best = [...new Set(scores.map(({ edge }) => edge))].map((edge): ScoredChoice => {
    const [first, next] = byScore(scores.filter((each) => each.edge === edge));
    return { ...first, margin: next ? first.score - next.score : null };
  });
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

function cellOf(nodes: readonly NodeChoice[]): CellGenotype {
  return {
    nodes: nodes.map(({ choices: [first, second] }) => [
      { op: first.op, from: first.from },
      { op: second.op, from: second.from },
    ]),
    concat: nodes.map(({ node }) => node + 2),
  };
}

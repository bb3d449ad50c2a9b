/**
 * How certain a choice is: the same decision on other images. The statistics that a decision reads are sums over batches
 * of images, kept in parts; other images are parts drawn with replacement (bootstrap, Efron 1979), and the two halves.
 * Batches are what is drawn, and not images, as batch norms mix the images of a batch. Pure: nothing is measured anew.
 * Not responsible for rules that do not read these statistics, nor for how searches with other seeds differ.
 * @module
 */
import { Random } from "../base/random.ts";
import { type CellKind, type Keep, perKind, skeletonOf, type Space } from "../space/space.ts";
import {
  chooseNode,
  type MethodReport,
  type NodeChoice,
  type ScoredCandidate,
  type ScoredNode,
  scoredNode,
  type Selection,
} from "./choice.ts";
import { type GatheredEvidence, scoresOf } from "./evidence.ts";
import { spearman } from "./ranks.ts";
import type { Rule } from "./rule.ts";
import { correlate, type NodeStatistics, ofParts } from "./statistics.ts";

/** In how many parts the statistics of a decision are kept; fewer batches make fewer parts. */
export const CERTAINTY_PARTS = 16;

/** Times that parts are drawn anew. */
const SAMPLES = 100;

/** How certain the choice at one node is. */
export interface NodeCertainty {
  /** Intermediate node, from 0. */
  readonly node: number;
  /** Share of the drawn samples in which the node keeps the same operations. */
  readonly same: number;
  /** For each kept operation, in their order. */
  readonly choices: readonly {
    /** Share of the samples in which it stays. */
    readonly kept: number;
    /** Standard deviation of its lead over the operation that it leads over; null where there is none. */
    readonly noise: number | null;
  }[];
  /** Standard deviation of the lead of the second kept edge over the third; null where that lead is. */
  readonly edgeNoise: number | null;
  /** Spearman's rank correlation of the candidates' scores between the two halves of the images. */
  readonly agreement: number;
}

/** How certain cells are. */
export interface CellsCertainty {
  /** Per node. */
  readonly nodes: Record<CellKind, readonly NodeCertainty[]>;
  /** Operations that the two halves of the images both keep. */
  readonly shared: number;
}

/** How certain the cells of a rule are. */
export interface RuleCertainty extends CellsCertainty {
  /** Name of the rule. */
  readonly method: string;
  /** The same of what follows from its scores the other way to {@linkcode Keep}; absent where every edge stays. */
  readonly other?: CellsCertainty;
}

/** How certain a discretisation is as far as it depends on which images its statistics are of. */
export interface Certainty {
  /** Parts of the images that samples are drawn from. */
  readonly parts: number;
  /** Samples drawn. */
  readonly samples: number;
  /**
   * For each rule that reads nothing else that depends on images, in the order of the report; without those that have no
   * finite scores on some sample.
   */
  readonly rules: readonly RuleCertainty[];
}

/** What {@linkcode certaintyOf} works on. */
export interface CertaintyInput {
  readonly space: Space;
  readonly rules: readonly Rule[];
  readonly methods: readonly MethodReport[];
  readonly evidence: GatheredEvidence;
  readonly statistics: readonly NodeStatistics[];
  readonly keep: Keep;
  readonly seed: number;
  /** Times that parts are drawn; {@linkcode SAMPLES} if left out. */
  readonly samples?: number;
}

/** How certain a discretisation is; undefined without two parts of statistics, or without a rule that reads them alone. */
export function certaintyOf(input: CertaintyInput): Certainty | undefined {
  const { statistics, seed, samples = SAMPLES } = input;
  const filled = statistics.map(({ parts = [] }) => parts.filter(({ count }) => count > 0).length);
  const parts = Math.min(...filled),
    rules = new Set(input.rules.filter(({ needs = [] }) => needs.join() === "statistics"));
  if (statistics.length === 0 || parts < 2 || rules.size === 0) return undefined;
  const random = new Random(seed, "bootstrap"), all = Array.from({ length: parts }, (_, i) => i);
  const scored = (drawn: readonly number[]): Scored => scoreAgain(input, rules, drawn);
  const again: Again = {
    parts,
    drawn: Array.from({ length: samples }, () => scored(all.map(() => random.below(parts)))),
    even: scored(all.filter((part) => part % 2 === 0)),
    odd: scored(all.filter((part) => part % 2 === 1)),
  };
  return { parts, samples, rules: [...rules].map((rule) => ruleCertainty(input, rule, again)) };
}

/** What each rule thinks of each node. */
type Scored = ReadonlyMap<Rule, Readonly<Record<CellKind, readonly ScoredNode[]>>>;

/** The same on other images. */
interface Again {
  readonly parts: number;
  readonly drawn: readonly Scored[];
  readonly even: Scored;
  readonly odd: Scored;
}

/** Scores on some parts of the images; one that is named twice counts twice. Rules that cannot score them leave `rules`. */
function scoreAgain(
  { space, evidence, statistics }: CertaintyInput,
  rules: Set<Rule>,
  drawn: readonly number[],
): Scored {
  const perNode = <T>(of: (kind: CellKind, node: number) => T): Record<CellKind, T[]> =>
    perKind(space, (kind) => Array.from({ length: space.nodes }, (_, node) => of(kind, node)), []);
  const correlations = perNode((kind, node) =>
    statistics.filter((each) => each.kind === kind && each.node === node).toSorted((a, b) => a.cell - b.cell)
      .map((each) => correlate(ofParts(each, drawn)))
  );
  const scored = new Map<Rule, Record<CellKind, ScoredNode[]>>();
  for (const rule of rules) {
    try {
      const nodes = perNode((kind, node) => {
        const known = { ...evidence.of(rule, kind, node), correlations: correlations[kind][node] };
        return scoredNode(space, kind, node, scoresOf(rule, known));
      });
      scored.set(rule, nodes);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      rules.delete(rule); // its cells stand, found on all images
    }
  }
  return scored;
}

function ruleCertainty({ space, keep, methods }: CertaintyInput, rule: Rule, again: Again): RuleCertainty {
  const { method, nodes, other } = methods.find(({ method }) => method === rule.name)!;
  const of = (cells: Pick<Selection, "nodes">, way: Keep | "every"): CellsCertainty => {
    const at = (scored: Scored, kind: CellKind, node: number): NodeChoice => {
      const found = scored.get(rule)![kind][node];
      return { ...found, ...chooseNode(found, way) };
    };
    let shared = 0;
    const certain = perKind(space, (kind) =>
      cells.nodes[kind].map((selection, node) => {
        const even = at(again.even, kind, node), odd = at(again.odd, kind, node);
        const drawn = again.drawn.map((each) => at(each, kind, node));
        shared += common(even, odd);
        const choice = { ...nodes[kind][node], ...selection }; // the scores are the same both ways
        return { ...nodeCertainty(choice, drawn, way, again.parts), agreement: agreementOf(even, odd) };
      }), []);
    return { nodes: certain, shared };
  };
  if (!other) return { method, ...of({ nodes }, skeletonOf(space).everyEdge ? "every" : keep) };
  return { method, ...of({ nodes }, keep), other: of(other, keep === "edges" ? "operations" : "edges") };
}

type Place = Pick<ScoredCandidate, "edge" | "op">;

const isSame = (a: Place, b: Place): boolean => a.edge === b.edge && a.op === b.op;

/** Operations that two decisions at a node both keep. */
function common(a: NodeChoice, b: NodeChoice): number {
  return a.choices.filter((choice) => b.choices.some((other) => isSame(choice, other))).length;
}

/** Rank correlation of the candidates' scores. */
function agreementOf(a: ScoredNode, b: ScoredNode): number {
  return spearman(a.scores.map(({ score }) => score), b.scores.map(({ score }) => score));
}

/** How certain a choice is by the decisions `drawn` on other images. */
function nodeCertainty(
  choice: NodeChoice,
  drawn: readonly NodeChoice[],
  keep: Keep | "every",
  parts: number,
): Omit<NodeCertainty, "agreement"> {
  const { node, choices } = choice,
    share = (of: (each: NodeChoice) => boolean) => drawn.filter(of).length / drawn.length;
  const noise = (lead: ((at: ScoredNode) => number) | null): number | null => lead && deviation(drawn.map(lead), parts);
  return {
    node,
    same: share((each) => common(choice, each) === choices.length),
    choices: choices.map((kept) => ({
      kept: share(({ choices }) => choices.some((each) => isSame(each, kept))),
      noise: noise(leadOf(choice, kept, keep)),
    })),
    edgeNoise: noise(keep === "edges" ? edgeLeadOf(choice) : null),
  };
}

/**
 * Standard deviation of what was drawn. Samples of n parts differ less than samples of other images would, by the factor
 * (n - 1) / n of their variance, which is made good.
 */
function deviation(values: readonly number[], parts: number): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, values.length - 1);
  return Math.sqrt(variance * parts / (parts - 1));
}

const scoreOf = ({ scores }: ScoredNode, place: Place): number => scores.find((each) => isSame(each, place))!.score;

/** The lead of a kept operation over the one that it leads over here, at this node in other samples; null without one. */
function leadOf(
  { scores, choices }: NodeChoice,
  kept: Place,
  keep: Keep | "every",
): ((at: ScoredNode) => number) | null {
  const others = scores.filter((each) =>
    keep === "operations"
      ? !choices.some((choice) => isSame(choice, each))
      : each.edge === kept.edge && !isSame(each, kept)
  );
  if (others.length === 0) return null;
  const rival = others.reduce((best, each) => each.score > best.score ? each : best);
  return (at) => scoreOf(at, kept) - scoreOf(at, rival);
}

/** The same of the second kept edge over the best one that does not stay. */
function edgeLeadOf(choice: NodeChoice): ((at: ScoredNode) => number) | null {
  const best = (at: ScoredNode, edge: number): number =>
    at.edges?.find((each) => each.edge === edge)?.score ??
      Math.max(...at.scores.filter((each) => each.edge === edge).map(({ score }) => score));
  const [, second] = choice.choices, kept = choice.choices.map(({ edge }) => edge);
  const others = [...new Set(choice.scores.map(({ edge }) => edge))].filter((edge) => !kept.includes(edge));
  if (others.length === 0) return null;
  const rival = others.reduce((a, b) => best(choice, b) > best(choice, a) ? b : a);
  return (at) => best(at, second.edge) - best(at, rival);
}

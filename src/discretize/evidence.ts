/**
 * What is known about each node, gathered and checked before a rule sees it, and the check of what a rule answers.
 * @module
 */
import { FailureError } from "../base/errors.ts";
import { Random } from "../base/random.ts";
import {
  candidatesOf,
  CELL_KINDS,
  type CellKind,
  choosableOf,
  edgesOf,
  incoming,
  perKind,
  primitivesOf,
  skeletonOf,
  type Space,
} from "../space/space.ts";
import type { NodeScores } from "./choice.ts";
import type { DiscretizationInput } from "./discretize.ts";
import { mixtureWeights } from "./mixture.ts";
import { removalsOfNode } from "./removals.ts";
import type { NodeEvidence, Rule } from "./rule.ts";
import type { DecorrelationOptions } from "./scope.ts";
import { correlate, type Correlation, type NodeStatistics, SMALLER_STEPS } from "./statistics.ts";

/** What is known about the nodes of all cells. */
export interface GatheredEvidence {
  /** Per kind of cell and node the correlations in every cell; undefined where there are no statistics. */
  readonly correlations: Readonly<Record<CellKind, Correlation[][]>> | undefined;
  /** The evidence of a node of the cells of a kind, as far as a rule asks for it. */
  readonly of: (rule: Rule, kind: CellKind, node: number) => NodeEvidence;
}

/**
 * Checks what the supernet left, and gives each rule the evidence of each node.
 * @throws {RangeError} when something does not fit the space
 * @throws {FailureError} when a number is not finite or a cell lacks statistics for a node
 */
export function gatherEvidence(input: DiscretizationInput, options: DecorrelationOptions): GatheredEvidence {
  const { space, alphas, betas, statistics = [], removals, seed = 0 } = input, width = space.primitives.length;
  for (const kind of skeletonOf(space).kinds) {
    checkAlphas(space, kind, alphas[kind]);
    if (betas) checkBetas(space, kind, betas[kind]);
  }
  const mixture = perKind(space, (kind) => mixtureWeights(space, kind, input), new Float64Array());
  const correlations = statistics.length > 0
    ? perKind(space, (kind) => correlateCells(space, kind, statistics), [])
    : undefined;
  const of: GatheredEvidence["of"] = ({ name, needs = [] }, kind, node) => {
    const candidates = choosableOf(space, kind, node), edges = incoming(space, node);
    const at = ({ edge, op }: { edge: number; op: string }) =>
      mixture[kind][edge * width + space.primitives.indexOf(op)];
    return {
      space,
      kind,
      node,
      candidates,
      edges,
      weights: Float64Array.from(candidates, at),
      correlations: needs.includes("statistics") ? correlations![kind][node] : [],
      ...(needs.includes("removals") ? { removals: removalsOfNode(space, kind, removals!, candidates, edges) } : {}),
      options,
      seed: new Random(seed, `rule/${name}`, CELL_KINDS.indexOf(kind), node).word(),
    };
  };
  return { correlations, of };
}

/**
 * What a rule thinks of a node.
 * @throws {RangeError} when it gives too few or too many scores, or one that is not finite.
 */
export function scoresOf(rule: Rule, node: NodeEvidence): NodeScores {
  const check = (what: string, scores: ArrayLike<number>, count: number): ArrayLike<number> => {
    const bad = Array.from(scores).find((score) => !Number.isFinite(score));
    if (scores.length === count && bad === undefined) return scores;
    throw new RangeError(
      `Cannot decide by rule ${rule.name} as it must give each of the ${count} ${what} of node ${node.node} ` +
        `(${node.kind}) a finite score: current value is ${bad === undefined ? `${scores.length} scores` : bad}`,
    );
  };
  return {
    candidates: check("candidates", rule.score(node), node.candidates.length),
    ...(rule.scoreEdges && !skeletonOf(node.space).everyEdge
      ? { edges: check("edges", rule.scoreEdges(node), node.edges.length) }
      : {}),
  };
}

/** Per intermediate node of a kind its correlations in every cell of that kind, by cell index. */
function correlateCells(space: Space, kind: CellKind, statistics: readonly NodeStatistics[]): Correlation[][] {
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
    const correlations = found.map(correlate);
    if (correlations.every(({ dead }) => dead.length > 0 && dead.every(Boolean))) {
      throw new FailureError(
        `Cannot discretise, some candidate of node ${node} (${kind}) must differ from image to image: all of them are ` +
          `constant, in every cell`,
        { remedies: ["take other images", SMALLER_STEPS] },
      );
    }
    return correlations;
  });
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
      checkParameter(`alpha of ${kind} on edge ${index} for ${op}`, value);
    }
  }
}

/** Largest difference from 0 of alphas and betas: exp(-104) is 0 in 32 bits, and such a weight gets no gradient. */
const MOST = 100;

function checkParameter(what: string, value: number): void {
  if (Math.abs(value) <= MOST) return;
  throw new FailureError(
    Number.isFinite(value)
      ? `Cannot discretise, ${what} must be from -${MOST} to ${MOST}, beyond which softmax gives weights of 0: current value is ${
        value.toPrecision(3)
      }`
      : `Cannot discretise, ${what} must be finite: current value is ${value}`,
    { remedies: [{ kind: "lower", options: ["alpha-lr"], afresh: true }] },
  );
}

function checkBetas(space: Space, kind: CellKind, betas: Float64Array): void {
  const edges = edgesOf(space).length;
  if (betas.length !== edges) {
    throw new RangeError(
      `Cannot discretise, beta of ${kind} must have ${edges} numbers for space ${space.name}: current value is ${betas.length}`,
    );
  }
  betas.forEach((beta, edge) => checkParameter(`beta of ${kind} on edge ${edge}`, beta));
}

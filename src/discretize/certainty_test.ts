/** How certain a choice is: closed forms on parts that are made for it. */
import assert from "node:assert/strict";
import { Random } from "../base/random.ts";
import { checkShape } from "../base/shape.ts";
import {
  candidatesOf,
  CELL_KINDS,
  edgesOf,
  KEEPS,
  NAS_BENCH_201,
  perKind,
  S3,
  skeletonOf,
  type Space,
} from "../space/space.ts";
import { certaintyOf } from "./certainty.ts";
import { discretize } from "./discretize.ts";
import { gatherEvidence } from "./evidence.ts";
import { spearman } from "./ranks.ts";
import type { Rule } from "./rule.ts";
import { RULES, rulesOf } from "./registry.ts";
import { DISCRETIZATION_SHAPE } from "./report_shape.ts";
import { addBatch, correlate, emptyStatistics, type NodeStatistics, ofParts } from "./statistics.ts";
import { gramOf } from "./testing.ts";

/** One node, two edges, skip-connection and convolution on each. */
const SMALL: Space = { ...S3, nodes: 1 };

const alphasOf = (space: Space) =>
  perKind(space, () => new Float64Array(edgesOf(space).length * space.primitives.length), new Float64Array());

/** Samples of a part: `length` values of each of `rows` candidates, and the weights of the node's sum. */
interface Part {
  readonly z: number[][];
  readonly w: number[];
}

function noisePart(rows: number, stream: string, item: number, length = 40): Part {
  const random = new Random(8, stream, item);
  return {
    z: Array.from({ length: rows }, () => Array.from({ length }, () => random.normal())),
    w: Array(rows).fill(1),
  };
}

/** Statistics of all nodes of one cell of each kind, a part for each batch. */
function statisticsOf(space: Space, batches: number, part: (rows: number, stream: string, batch: number) => Part) {
  return skeletonOf(space).kinds.flatMap((kind, cell) =>
    Array.from({ length: space.nodes }, (_, node): NodeStatistics => {
      const candidates = candidatesOf(space, kind, node), of = emptyStatistics(kind, cell, node, candidates, 16);
      for (let batch = 0; batch < batches; batch++) {
        const { z, w } = part(candidates.length, `${kind} ${node}`, batch);
        addBatch(of, gramOf(z, w), z[0].length, batch);
      }
      return of;
    })
  );
}

Deno.test("Spearman's rank correlation: reversed, shared ranks, nothing ranked", () => {
  assert.equal(spearman([1, 2, 3], [9, 5, 1]), -1);
  assert.equal(spearman([3, 1, 2], [30, 10, 20]), 1);
  assert.ok(Math.abs(spearman([1, 2, 2, 3], [1, 2, 3, 4]) - 4.5 / Math.sqrt(4.5 * 5)) < 1e-12);
  assert.equal(spearman([1, 1, 1], [1, 2, 3]), 0);
});

Deno.test("certainty: the parts of the statistics add up to all of them, batches go to them in turn", () => {
  const [node] = statisticsOf(SMALL, 20, noisePart);
  assert.deepEqual(node.parts!.map(({ count }) => count), [...Array(4).fill(80), ...Array(12).fill(40)]);
  const whole = ofParts(node, node.parts!.keys());
  assert.equal(whole.count, node.count);
  whole.gram.forEach((sum, i) => assert.ok(Math.abs(sum - node.gram[i]) < 1e-9));
  assert.equal(emptyStatistics("normal", 0, 0, node.candidates).parts, undefined);
});

Deno.test("certainty: parts that are all alike leave no doubt", () => {
  const statistics = statisticsOf(SMALL, 6, (rows, stream) => noisePart(rows, stream, 0));
  const { certainty, methods } = discretize({ space: SMALL, alphas: alphasOf(SMALL), statistics });
  const { parts, samples, rules } = certainty!;
  assert.deepEqual([parts, samples], [6, 100]);
  const reading = RULES.filter(({ needs }) => needs?.join() === "statistics").map(({ name }) => name);
  assert.deepEqual(rules.map(({ method }) => method), reading, "alpha does not depend on images");
  assert.ok(methods.length > rules.length);
  for (const { nodes, shared } of rules) {
    assert.equal(shared, 4);
    for (const { same, choices, edgeNoise, agreement } of CELL_KINDS.flatMap((kind) => nodes[kind])) {
      assert.deepEqual([same, edgeNoise, choices.map(({ kept }) => kept)], [1, null, [1, 1]]);
      assert.ok(choices.every(({ noise }) => noise! < 1e-12) && Math.abs(agreement - 1) < 1e-12);
    }
  }
});

/** Two parts that disagree on edge 0: the first is for its skip-connection by much, the second for its convolution by less. */
const disagreeing = (rows: number, stream: string, batch: number): Part => ({
  ...noisePart(rows, stream, batch, 200),
  w: batch === 0 ? [3, 0.5, 1, 0.25] : [1, 1.5, 1, 0.25],
});

Deno.test("certainty: of two parts, noise and shares are those of the four samples that there are", () => {
  const statistics = statisticsOf(SMALL, 2, disagreeing), alphas = alphasOf(SMALL), samples = 4000;
  const rules = rulesOf(["similarity"]), options = { scope: "node", shrinkage: 0 } as const;
  const { methods } = discretize({ space: SMALL, alphas, statistics, methods: rules });
  const evidence = gatherEvidence({ space: SMALL, alphas, statistics }, options);
  const found = certaintyOf({ space: SMALL, rules, methods, evidence, statistics, keep: "edges", seed: 1, samples })!;
  const [node] = found.rules[0].nodes.normal, [of] = statistics;
  const r = [[0, 0], [0, 1], [1, 1]].map((parts) => correlate(ofParts(of, parts)).withNode);
  const [aa, ab, bb] = r.map(([skip, convolution]) => skip - convolution);
  assert.ok(aa > 0 && ab > 0 && bb < 0, `${aa} ${ab} ${bb}`);
  const mean = aa / 4 + ab / 2 + bb / 4, variance = aa ** 2 / 4 + ab ** 2 / 2 + bb ** 2 / 4 - mean ** 2;
  const at = methods[0].nodes.normal[0].choices.findIndex(({ edge }) => edge === 0);
  const { noise, kept } = node.choices[at];
  assert.ok(Math.abs(noise! - Math.sqrt(2 * variance)) < 0.05 * noise!, `${noise} ${Math.sqrt(2 * variance)}`);
  assert.ok(Math.abs(kept - 0.75) < 5 * Math.sqrt(0.75 * 0.25 / samples), `${kept}`);
  const other = node.choices[1 - at];
  assert.deepEqual([node.same <= Math.min(kept, other.kept), found.parts, found.samples], [true, 2, samples]);
  assert.equal(node.agreement, spearman([...r[0]], [...r[2]]), "one part is the even half, the other the odd one");
  assert.equal(found.rules[0].shared, 2, "of each kind of cell the operation of edge 1");
});

Deno.test("certainty: what is drawn follows from the seed, and is written and read", () => {
  const statistics = statisticsOf(S3, 5, noisePart), alphas = alphasOf(S3);
  const of = (seed: number, keep = KEEPS[0] as typeof KEEPS[number], given = statistics) =>
    discretize({ space: S3, alphas, statistics: given, seed, keep });
  const report = of(3);
  assert.deepEqual(of(3, "edges", statistics.toReversed()), report);
  assert.notDeepEqual(of(4).certainty, report.certainty);
  assert.deepEqual(checkShape(DISCRETIZATION_SHAPE, JSON.parse(JSON.stringify(report)), "it"), report);
  for (const { nodes } of report.certainty!.rules) {
    for (const { node, edgeNoise, same, choices } of nodes.normal) {
      assert.equal(edgeNoise === null, node === 0, "two edges both stay");
      assert.ok(same >= 0 && choices.every(({ kept, noise }) => kept >= same && noise! > 0));
    }
  }
  const operations = of(3, "operations").certainty!.rules.flatMap(({ nodes }) => nodes.normal);
  assert.ok(
    operations.every(({ edgeNoise, choices }) => edgeNoise === null && choices.every(({ noise }) => noise! > 0)),
  );
});

Deno.test("certainty: both ways to keep have theirs, each the other's other", () => {
  const statistics = statisticsOf(S3, 5, noisePart), alphas = alphasOf(S3);
  const [edges, operations] = KEEPS.map((keep) => discretize({ space: S3, alphas, statistics, keep }).certainty!.rules);
  edges.forEach(({ method, nodes, shared, other }, i) => {
    assert.deepEqual(operations[i].other, { nodes, shared }, method);
    assert.deepEqual({ nodes: operations[i].nodes, shared: operations[i].shared }, other, method);
  });
});

Deno.test("certainty: a rule that cannot score some sample keeps its cells and has none", () => {
  const statistics = statisticsOf(SMALL, 4, noisePart), alphas = alphasOf(SMALL);
  const whole = correlate(statistics[0]).withNode[0];
  const rule: Rule = {
    name: "brittle",
    summary: "",
    needs: ["statistics"],
    score: ({ candidates, correlations: [{ withNode }], kind }) =>
      candidates.map((_, k) => kind === "reduce" || withNode[0] === whole ? k : NaN),
  };
  const { methods, certainty } = discretize({ space: SMALL, alphas, statistics, methods: ["zca", rule] });
  assert.deepEqual(methods.map(({ method }) => method), ["zca", "brittle"]);
  assert.deepEqual(certainty!.rules.map(({ method }) => method), ["zca"]);
  const broken = {
    ...rule,
    score: () => {
      throw new TypeError("a mistake");
    },
  };
  assert.throws(() => discretize({ space: SMALL, alphas, statistics, methods: [broken] }), /a mistake/);
});

Deno.test("certainty: nothing is said of one part, of rules that read no statistics, and without parts", () => {
  const alphas = alphasOf(SMALL), one = statisticsOf(SMALL, 1, noisePart), two = statisticsOf(SMALL, 2, noisePart);
  const of = (statistics: NodeStatistics[], methods?: string[]) =>
    discretize({ space: SMALL, alphas, statistics, methods }).certainty;
  assert.equal(of(one), undefined);
  assert.equal(of(two, ["alpha"]), undefined);
  assert.deepEqual(of(two, ["alpha", "zca"])!.rules.map(({ method }) => method), ["zca"]);
  const without = two.map(({ parts: _, ...rest }) => rest);
  assert.equal(of(without), undefined);
  const { certainty, ...rest } = discretize({ space: SMALL, alphas, statistics: two });
  assert.deepEqual(discretize({ space: SMALL, alphas, statistics: without }), rest, "parts change nothing else");
  assert.ok(certainty);
});

Deno.test("certainty: where every edge stays each operation has its own lead", () => {
  const statistics = statisticsOf(NAS_BENCH_201, 4, noisePart), alphas = alphasOf(NAS_BENCH_201);
  const { certainty } = discretize({ space: NAS_BENCH_201, alphas, statistics });
  for (const { nodes } of certainty!.rules) {
    assert.deepEqual([nodes.normal.length, nodes.reduce.length], [3, 0]);
    nodes.normal.forEach(({ choices, edgeNoise }, i) => {
      assert.deepEqual([choices.length, edgeNoise], [i + 1, null]);
      assert.ok(choices.every(({ noise }) => noise! > 0));
    });
  }
});

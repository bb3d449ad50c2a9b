/** What a node keeps: its two best edges, or its two best operations, side by side for every rule. */
import assert from "node:assert/strict";
import { FailureError, UsageError } from "../base/errors.ts";
import { Random } from "../base/random.ts";
import { checkShape } from "../base/shape.ts";
import { costOf } from "../space/cost.ts";
import { IDARTS } from "../space/published.ts";
import {
  candidatesOf,
  CELL_KINDS,
  DARTS,
  edgesOf,
  type Keep,
  KEEPS,
  NAS_BENCH_201,
  perKind,
  S3,
  skeletonOf,
  type Space,
  SPACES,
} from "../space/space.ts";
import { chooseNode, type NodeSelection, type ScoredCandidate } from "./choice.ts";
import { decisionName, decisionsOf, parseDecision } from "./decisions.ts";
import { type DiscretizationReport, discretize } from "./discretize.ts";
import { mixtureWeights } from "./mixture.ts";
import { differsIn, RULES } from "./registry.ts";
import { removalsOf } from "./removals.ts";
import { DISCRETIZATION_SHAPE } from "./report_shape.ts";
import { gramOf } from "./testing.ts";

const score = (edge: number, op: string, score: number): ScoredCandidate => ({ edge, from: edge, op, score });
const short = ({ choices }: NodeSelection) => choices.map(({ op, edge, margin }) => [op, edge, margin]);

Deno.test("keep operations: the two best ones stay, of one edge too, and lead over the best that does not", () => {
  const scores = [
    score(0, "a", 0.75),
    score(0, "b", 0.5),
    score(1, "a", 0.375),
    score(1, "b", -1),
    score(2, "a", 0.25),
  ];
  assert.deepEqual(short(chooseNode({ node: 1, scores }, "operations")), [["a", 0, 0.375], ["b", 0, 0.125]]);
  assert.deepEqual(short(chooseNode({ node: 1, scores }, "edges")), [["a", 0, 0.25], ["a", 1, 1.375]]);
  assert.equal(chooseNode({ node: 1, scores }, "operations").edgeMargin, null, "edges are not what is kept");
  const edges = [0, 1, 2].map((edge) => ({ edge, score: edge }));
  assert.deepEqual(
    chooseNode({ node: 1, scores, edges }, "operations"),
    chooseNode({ node: 1, scores }, "operations"),
    "scores of edges by themselves do not count",
  );
});

Deno.test("keep operations: ties go to the lower edge and the earlier primitive, negative scores last, none left out: no lead", () => {
  const tied = [score(0, "a", 1), score(0, "b", 1), score(1, "a", 1)];
  assert.deepEqual(short(chooseNode({ node: 0, scores: tied }, "operations")), [["a", 0, 0], ["b", 0, 0]]);
  const below = [score(0, "a", -0.5), score(0, "b", -0.25), score(1, "a", -1)];
  assert.deepEqual(short(chooseNode({ node: 0, scores: below }, "operations")), [["b", 0, 0.75], ["a", 0, 0.5]]);
  const two = [score(0, "a", 1), score(1, "a", 2)];
  assert.deepEqual(short(chooseNode({ node: 0, scores: two }, "operations")), [["a", 1, null], ["a", 0, null]]);
});

/** Everything that every rule asks for, drawn at random. */
function evidence(space: Space, seed = 4) {
  const random = new Random(seed, "keep"), edges = edgesOf(space).length, width = space.primitives.length;
  const draw = (length: number) => Float64Array.from({ length }, () => 0.3 * random.normal());
  const alphas = perKind(space, () => draw(edges * width), new Float64Array());
  const betas = perKind(space, () => draw(edges), new Float64Array());
  const statistics = skeletonOf(space).kinds.flatMap((kind, cell) =>
    Array.from({ length: space.nodes }, (_, node) => {
      const candidates = candidatesOf(space, kind, node), weights = mixtureWeights(space, kind, { alphas, betas });
      const w = candidates.map(({ edge, op }) => weights[edge * width + space.primitives.indexOf(op)]);
      const z = candidates.map(() => [...draw(60)]);
      return { kind, cell, node, candidates, count: 60, gram: gramOf(z, w) };
    })
  );
  const whole = { loss: 0.5, accuracy: 0.75, count: 1000 };
  const removals = removalsOf(space).map((removal) => (
    {
      ...removal,
      count: 1000,
      loss: 0.5 + random.uniform(),
      accuracy: 0.75 - Math.round(200 * random.uniform()) / 1000,
    }
  ));
  return { space, alphas, betas, statistics, removals: { whole, removals } };
}

/** What the two best candidates of every node are by the scores in a report. */
function bestPairs(report: DiscretizationReport, method: number) {
  const { nodes } = report.methods[method];
  return perKind(
    DARTS,
    (kind) =>
      nodes[kind].map(({ scores }) =>
        scores.map((each, k) => ({ ...each, k })).sort((a, b) => b.score - a.score || a.k - b.k).slice(0, 2)
          .map(({ op, from }) => ({ op, from }))
      ),
    [],
  );
}

Deno.test("keep: every rule in every space of two for each node, the one way's cells are the other way's others", () => {
  for (const space of SPACES.filter((each) => !skeletonOf(each).everyEdge)) {
    const input = evidence(space), [edges, operations] = KEEPS.map((keep) => discretize({ ...input, keep }));
    assert.deepEqual(discretize(input), edges, "DARTS' way unless told otherwise");
    assert.deepEqual([edges.keep, operations.keep], ["edges", "operations"]);
    assert.deepEqual(
      edges.methods.map(({ method }) => method),
      RULES.filter((rule) => differsIn(space, rule)).map(({ name }) => name),
    );
    let doubled = 0;
    edges.methods.forEach((own, i) => {
      const instead = operations.methods[i];
      assert.deepEqual(own.other!.genotype, instead.genotype);
      assert.deepEqual([instead.other!.genotype, instead.other!.text], [own.genotype, own.text]);
      for (const kind of CELL_KINDS) {
        assert.deepEqual(own.nodes[kind].map((n) => n.scores), instead.nodes[kind].map((n) => n.scores));
        assert.deepEqual(instead.genotype[kind].nodes, bestPairs(operations, i)[kind]);
        assert.ok(own.genotype[kind].nodes.every(([a, b]) => a.from !== b.from));
        doubled += instead.genotype[kind].nodes.filter(([a, b]) => a.from === b.from).length;
      }
    });
    if (space.primitives.length > 2) {
      assert.ok(doubled > 0, `${space.name}: some node takes two operations of one edge`);
    }
    const read = checkShape(DISCRETIZATION_SHAPE, JSON.parse(JSON.stringify(operations)), "it");
    assert.deepEqual(read, operations, "read back from JSON");
    const { keep: _, ...old } = edges, methods = old.methods.map(({ other: _, ...method }) => method);
    assert.deepEqual(checkShape(DISCRETIZATION_SHAPE, { ...old, methods }, "it"), { ...old, methods }, "of old files");
  }
});

Deno.test("keep operations: the weights of iDARTS' cell give iDARTS' cell, whose node 5 no rule of edges can give", () => {
  const alphas = perKind(DARTS, () => new Float64Array(edgesOf(DARTS).length * 8), new Float64Array());
  for (const kind of CELL_KINDS) {
    IDARTS[kind].nodes.forEach((pair, node) =>
      pair.forEach(({ op, from }, rank) => {
        const { index } = edgesOf(DARTS).find((edge) => edge.from === from && edge.to === node + 2)!;
        alphas[kind][index * 8 + DARTS.primitives.indexOf(op)] = 3 - rank / 4;
      })
    );
  }
  const [{ genotype, other }] = discretize({ space: DARTS, alphas, keep: "operations" }).methods;
  assert.deepEqual(genotype, IDARTS);
  const size = { channels: 36, cells: 20, classes: 10, inputChannels: 3, height: 32, width: 32 };
  assert.equal(costOf({ ...size, genotype, form: "cifar" }).parameters, 3_562_966);
  assert.deepEqual(other!.genotype.reduce, IDARTS.reduce);
  assert.deepEqual(other!.genotype.normal.nodes.slice(0, 3), IDARTS.normal.nodes.slice(0, 3));
  assert.deepEqual(other!.genotype.normal.nodes[3].map(({ from }) => from), [0, 1], "another edge instead");
});

Deno.test("keep operations: perturbation ranks what is lost without each operation, not without each edge", () => {
  const space = { ...S3, nodes: 2 }, lost: Record<string, number> = { "skip_connect 3": 9, "sep_conv_3x3 3": 8 };
  const whole = { loss: 0.5, accuracy: 0.75, count: 100 };
  const removals = removalsOf(space).map((removal) => {
    const { edge, op } = removal, correct = op === null ? 50 - edge : lost[`${op} ${edge}`] ?? edge;
    return { ...removal, loss: 0.5, accuracy: 0.75 - correct / 100, count: 100 };
  });
  const alphas = { normal: new Float64Array(15), reduce: new Float64Array(15) };
  const input = {
    space,
    alphas,
    removals: { whole, removals },
    methods: ["perturbation"],
    keep: "operations",
  } as const;
  const [{ genotype, nodes, other }] = discretize(input).methods;
  assert.deepEqual(genotype.normal.nodes[1], [{ op: "skip_connect", from: 1 }, { op: "sep_conv_3x3", from: 1 }]);
  const [first, second] = nodes.normal[1].choices; // 9 and 8 answers against the 4 of edge 4
  assert.ok(Math.abs(first.margin! - 0.05) < 1e-12 && Math.abs(second.margin! - 0.04) < 1e-12);
  assert.deepEqual(other!.genotype.normal.nodes[1].map(({ from }) => from), [0, 1], "edges are missed in their order");
});

Deno.test("keep operations: where every edge stays there is nothing to choose between, and it is refused", () => {
  const input = evidence(NAS_BENCH_201), report = discretize(input);
  assert.equal(report.keep, undefined);
  assert.ok(report.methods.every(({ other }) => other === undefined));
  assert.throws(
    () => discretize({ ...input, keep: "operations" }),
    (error) =>
      error instanceof UsageError && !(error instanceof FailureError) &&
      /^Cannot use keep operations with space nas-bench-201, whose cells keep one operation on every edge: use keep edges$/
        .test(error.message),
  );
  assert.deepEqual(decisionsOf(report).map(({ name }) => name), RULES.map(({ name }) => name));
});

Deno.test("decisions have names that files may have, and are found by them", () => {
  for (const { name: rule } of RULES) {
    for (const keep of KEEPS) assert.deepEqual(parseDecision(decisionName({ rule, keep })), { rule, keep });
  }
  const input = { ...evidence(S3), methods: ["zca", "alpha"] };
  const names = (keep: Keep) => decisionsOf(discretize({ ...input, keep })).map(({ name }) => name);
  assert.deepEqual(names("edges"), ["zca", "alpha", "zca.operations", "alpha.operations"]);
  assert.deepEqual(names("operations"), ["zca.operations", "alpha.operations", "zca", "alpha"]);
  const [a, b] = KEEPS.map((keep) =>
    new Map(decisionsOf(discretize({ ...input, keep })).map((d) => [d.name, d.cells.text]))
  );
  for (const [name, text] of a) assert.equal(b.get(name), text, name);
});

import assert from "node:assert/strict";
import { FailureError, UsageError } from "../base/errors.ts";
import { Random } from "../base/random.ts";
import { parseGenotype } from "../space/genotype.ts";
import { candidatesOf, CELL_KINDS, type CellKind, DARTS, edgesOf, S3, type Space } from "../space/space.ts";
import { chooseNode } from "./choice.ts";
import { discretize } from "./discretize.ts";
import { softmaxWeights } from "./mixture.ts";
import { RULES, rulesOf } from "./registry.ts";
import type { NodeEvidence, Rule } from "./rule.ts";
import type { NodeStatistics } from "./statistics.ts";
import { gramOf } from "./testing.ts";

type Alphas = Record<CellKind, Float64Array>;

/** One node, two edges, four candidates each. */
const SMALL: Space = {
  name: "small",
  summary: "",
  nodes: 1,
  primitives: [
    "none",
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
  ],
};

function randomAlphas(space: Space, seed: number, scale = 1): Alphas {
  const length = edgesOf(space).length * space.primitives.length;
  const draw = (kind: CellKind): Float64Array => {
    const random = new Random(seed, `alpha/${kind}`);
    return Float64Array.from({ length }, () => scale * random.normal());
  };
  return { normal: draw("normal"), reduce: draw("reduce") };
}

/** Statistics of a node that is exactly the softmax-weighted sum of `candidate(k)`'s samples. */
function statisticsOf(
  space: Space,
  alphas: Alphas,
  cells: readonly CellKind[],
  samples: (cell: number, node: number, count: number) => number[][],
): NodeStatistics[] {
  return cells.flatMap((kind, cell) => {
    const weights = softmaxWeights(space, kind, alphas[kind]);
    return Array.from({ length: space.nodes }, (_, node) => {
      const candidates = candidatesOf(space, kind, node);
      const z = samples(cell, node, candidates.length);
      const w = candidates.map(({ edge, op }) =>
        weights[edge * space.primitives.length + space.primitives.indexOf(op)]
      );
      return {
        kind,
        cell,
        node,
        candidates,
        count: z[0].length,
        gram: gramOf(z, w),
      };
    });
  });
}

const noise = (cell: number, node: number, count: number): number[][] => {
  const random = new Random(9, "noise", cell, node);
  return Array.from({ length: count }, () => Array.from({ length: 128 }, () => random.normal()));
};

Deno.test("rule alpha multiplies by the weights of the edges, which rank them but not their operations", () => {
  const space = { ...SMALL, nodes: 2 }, edges = 5;
  const alphas = { normal: new Float64Array(edges * 5), reduce: new Float64Array(edges * 5) };
  alphas.normal.forEach((_, i) => alphas.normal[i] = Math.sin(i));
  const betas = { normal: Float64Array.of(0, Math.log(3), 2, -1, 2), reduce: new Float64Array(edges) };
  const by = (input: Partial<Parameters<typeof discretize>[0]>) =>
    discretize({ space, alphas, methods: ["alpha"], ...input });
  const plain = by({}), weighted = by({ betas }), { normal } = weighted.methods[0].nodes;
  assert.deepEqual(plain.weights.normal[0].edgeWeight, undefined);
  assert.deepEqual(weighted.weights.normal.slice(0, 2).map(({ edgeWeight }) => edgeWeight?.toFixed(12)), [
    "0.250000000000",
    "0.750000000000",
  ]);
  assert.deepEqual(weighted.weights.normal[0].weights, plain.weights.normal[0].weights);
  normal.forEach(({ scores }, node) =>
    scores.forEach(({ edge, score }, k) => {
      const expected = plain.methods[0].nodes.normal[node].scores[k].score * weighted.weights.normal[edge].edgeWeight!;
      assert.ok(Math.abs(score - expected) < 1e-15);
    })
  );
  assert.deepEqual(normal[1].choices.map(({ edge }) => edge).sort(), [2, 4], "the edges that weigh most");
  assert.throws(() => by({ betas: { ...betas, normal: new Float64Array(4) } }), RangeError);
  assert.throws(() => by({ betas: { ...betas, reduce: betas.reduce.map(() => NaN) } }), /beta of reduce on edge 0/);
});

Deno.test("alpha is DARTS' parse, written after its public code", () => {
  for (let seed = 0; seed < 20; seed++) {
    const alphas = randomAlphas(DARTS, seed);
    const [report] = discretize({ space: DARTS, alphas }).methods;
    for (const kind of CELL_KINDS) {
      const weights = softmaxWeights(DARTS, kind, alphas[kind]);
      let start = 0;
      const expected = [];
      for (let i = 0; i < 4; i++) {
        const rows = Array.from({ length: i + 2 }, (_, j) => [...weights.slice((start + j) * 8, (start + j + 1) * 8)]);
        const strength = rows.map((row) => Math.max(...row.slice(1)));
        const kept = [...rows.keys()].sort((a, b) => strength[b] - strength[a])
          .slice(0, 2);
        expected.push(
          kept.map((from) => ({
            op: DARTS.primitives[rows[from].indexOf(strength[from])],
            from,
          })),
        );
        start += i + 2;
      }
      assert.deepEqual(report.genotype[kind], {
        nodes: expected,
        concat: [2, 3, 4, 5],
      });
    }
    assert.deepEqual(parseGenotype(report.text, "text"), report.genotype);
  }
});

Deno.test("none never wins but its weight counts: it sinks an edge's other weights", () => {
  const alphas = { normal: new Float64Array(10), reduce: new Float64Array(10) };
  alphas.normal.set([5, 0, 0, 0, 1, 0, 0, 0, 0, 0.5]);
  const [{ genotype, nodes }] = discretize({ space: SMALL, alphas }).methods;
  assert.deepEqual(genotype.normal.nodes[0], [{ op: "sep_conv_3x3", from: 1 }, {
    op: "sep_conv_3x3",
    from: 0,
  }]);
  assert.equal(nodes.normal[0].edgeMargin, null);
});

Deno.test("ties go to the lower edge and the earlier primitive", () => {
  const alphas = {
    normal: new Float64Array(14 * 8),
    reduce: new Float64Array(14 * 8),
  };
  const [{ genotype, skips, parameterFree, nodes }] = discretize({ space: DARTS, alphas }).methods;
  const first = { op: "max_pool_3x3", from: 0 },
    second = { op: "max_pool_3x3", from: 1 };
  assert.deepEqual(genotype.normal.nodes, Array(4).fill([first, second]));
  assert.deepEqual([skips, parameterFree], [0, 16]);
  assert.deepEqual(nodes.normal[2].choices.map(({ margin }) => margin), [0, 0]);
  assert.equal(nodes.normal[2].edgeMargin, 0);
});

Deno.test("an edge is ranked by its best operation, signed, and margins are leads over runners-up", () => {
  const score = (edge: number, op: string, score: number) => ({
    edge,
    from: edge,
    op,
    score,
  });
  const scores = [
    score(0, "a", -0.9),
    score(0, "b", -0.1),
    score(1, "a", 0),
    score(1, "b", 0.5),
    score(2, "a", 0.25),
  ];
  const { choices, edgeMargin } = chooseNode({ node: 1, scores });
  assert.deepEqual(choices, [{ ...score(1, "b", 0.5), margin: 0.5 }, { ...score(2, "a", 0.25), margin: null }]);
  assert.equal(edgeMargin, 0.35);
});

Deno.test("semipartial finds the operation that carries variance alone; argmax and similarity do not", () => {
  const alphas = { normal: new Float64Array(10), reduce: new Float64Array(10) };
  for (const kind of CELL_KINDS) {
    alphas[kind].set([-3, 0, 0.1, 0.2, -0.6, -3, 0, 0.1, 0.2, -0.6]);
  }
  const random = new Random(3, "planted");
  // Per edge: both pools and skip are near-copies of one signal, the convolution is on its own and four times as strong.
  const planted = (): number[][] => {
    const z: number[][] = Array.from({ length: 8 }, () => []);
    for (let i = 0; i < 2000; i++) {
      for (let edge = 0; edge < 2; edge++) {
        const common = random.normal();
        for (let k = 0; k < 3; k++) {
          z[edge * 4 + k].push(common + 0.3 * random.normal());
        }
        z[edge * 4 + 3].push(4 * random.normal());
      }
    }
    return z;
  };
  const { methods, nodes } = discretize({
    space: SMALL,
    alphas,
    statistics: statisticsOf(SMALL, alphas, ["normal", "reduce"], planted),
  });
  const ops = Object.fromEntries(
    methods.map(({ method, genotype }) => [
      method,
      CELL_KINDS.flatMap((kind) => genotype[kind].nodes.flat().map(({ op }) => op)),
    ]),
  );
  assert.deepEqual(ops.semipartial, Array(4).fill("sep_conv_3x3"));
  assert.deepEqual(ops.alpha, Array(4).fill("skip_connect"));
  assert(!ops.similarity.includes("sep_conv_3x3"), String(ops.similarity));
  const convolution = nodes!.normal[0].shares.filter(({ op }) => op === "sep_conv_3x3");
  assert(convolution.every(({ share }) => share > 0.1));
});

Deno.test("a report covers every rule that the statistics serve, adds shares up to 1 and survives JSON", () => {
  const alphas = randomAlphas(S3, 4, 0.1);
  const cells = ["normal", "reduce", "normal", "reduce", "normal"] as const;
  const report = discretize({
    space: S3,
    alphas,
    statistics: statisticsOf(S3, alphas, cells, noise),
  });
  assert.deepEqual(report.methods.map(({ method }) => method), rulesOf().map(({ name }) => name));
  assert.deepEqual(JSON.parse(JSON.stringify(report)), report);
  for (const kind of CELL_KINDS) {
    assert.equal(report.weights[kind].length, 14);
    for (const { weights } of report.weights[kind]) {
      const total = Object.values(weights).reduce((sum, weight) => sum + weight, 0);
      assert(Math.abs(total - 1) < 1e-12 && Object.keys(weights).length === 3);
    }
    report.nodes![kind].forEach(
      ({ node, cells, shares, rSquared, condition }) => {
        assert.equal(cells, kind === "normal" ? 3 : 2);
        assert.equal(shares.length, (node + 2) * 2);
        const total = shares.reduce((sum, { share }) => sum + share, 0);
        assert(
          Math.abs(total - 1) < 1e-9 && Math.abs(rSquared.mean - 1) < 1e-9 &&
            Math.abs(rSquared.min - 1) < 1e-9,
        );
        assert(
          condition.mean > 1 && condition.max >= condition.mean &&
            condition.max < 10,
        );
      },
    );
  }
});

Deno.test("scores are averaged over the cells of a kind, whatever their order", () => {
  const alphas = randomAlphas(SMALL, 6, 0.1);
  const statistics = statisticsOf(
    SMALL,
    alphas,
    ["normal", "normal", "reduce"],
    noise,
  );
  const score = (some: NodeStatistics[]): number[] =>
    discretize({
      space: SMALL,
      alphas,
      statistics: some,
      methods: ["semipartial"],
    })
      .methods[0].nodes.normal[0].scores.map(({ score }) => score);
  const [first, second] = [score([statistics[0], statistics[2]]), score([statistics[1], statistics[2]])];
  score(statistics).forEach((value, k) => assert(Math.abs(value - (first[k] + second[k]) / 2) < 1e-15));
  assert.deepEqual(score(statistics.toReversed()), score(statistics));
});

Deno.test("edges with their own primitives choose among those only", () => {
  const space: Space = {
    ...SMALL,
    edgePrimitives: {
      normal: [["none", "sep_conv_3x3"], ["max_pool_3x3", "skip_connect"]],
      reduce: [["skip_connect"], ["none", "avg_pool_3x3"]],
    },
  };
  const alphas = randomAlphas(space, 1, 0);
  alphas.normal[1] = NaN;
  const statistics = statisticsOf(space, alphas, ["normal", "reduce"], noise);
  const report = discretize({ space, alphas, statistics });
  for (const { genotype } of report.methods) {
    for (const { op, from } of genotype.normal.nodes[0]) {
      assert(from === 0 ? op === "sep_conv_3x3" : ["max_pool_3x3", "skip_connect"].includes(op));
    }
  }
  assert.deepEqual(report.weights.reduce[0].weights, { skip_connect: 1 });
  assert.deepEqual(report.weights.reduce[1].weights, {
    none: 0.5,
    avg_pool_3x3: 0.5,
  });
});

Deno.test("a rule of one's own gets the evidence of a node, as far as it asks for it, and decides beside the others", () => {
  const alphas = randomAlphas(SMALL, 3),
    statistics = statisticsOf(SMALL, alphas, ["normal", "reduce", "normal"], noise);
  const seen: NodeEvidence[] = [], see = (node: NodeEvidence) => (seen.push(node), node.candidates.map(() => 0));
  const rule = (name: string, more: Partial<Rule> = {}): Rule => ({ name, summary: "", score: see, ...more });
  const edges = (node: NodeEvidence) => node.edges.map(({ from }) => from);
  const plain = rule("plain"), full = rule("full", { needs: ["statistics"], scoreEdges: edges });
  const decide = (seed: number) =>
    discretize({
      space: SMALL,
      alphas,
      statistics,
      methods: [plain, "alpha", full],
      seed,
      options: { shrinkage: 0.5 },
    });
  const { methods: [first, alpha, last] } = decide(7);
  assert.deepEqual([first, alpha, last].map(({ method }) => method), ["plain", "alpha", "full"]);
  assert.deepEqual(
    first.genotype.normal.nodes[0].map(({ from }) => from),
    [0, 1],
    "equal scores: the lower edge first",
  );
  assert.deepEqual(last.genotype.normal.nodes[0].map(({ from }) => from), [1, 0], "edges by their own scores");
  assert.deepEqual(seen.map(({ kind, node }) => [kind, node]), [["normal", 0], ["reduce", 0], ["normal", 0], [
    "reduce",
    0,
  ]]);
  const [without, , node] = seen, { candidates, weights } = node;
  assert.deepEqual(candidates, candidatesOf(SMALL, "normal", 0));
  assert.deepEqual([...weights], alpha.nodes.normal[0].scores.map(({ score }) => score));
  assert.deepEqual([node.edges.length, node.options, node.removals], [2, { scope: "node", shrinkage: 0.5 }, undefined]);
  assert.deepEqual([without, node].map(({ correlations }) => correlations.length), [0, 2], "one for each normal cell");
  assert.deepEqual(node.correlations[0].candidates, candidates);
  const seeds = seen.map(({ seed }) => seed);
  assert.equal(new Set(seeds).size, 4, "one for each rule, kind and node");
  seen.length = 0;
  decide(7);
  assert.deepEqual(seen.map(({ seed }) => seed), seeds);
});

Deno.test("a rule of one's own that answers nonsense is refused by name", () => {
  const alphas = randomAlphas(SMALL, 3), decide = (rule: Rule) => discretize({ space: SMALL, alphas, methods: [rule] });
  const rule = (more: Partial<Rule>): Rule => ({ name: "mine", summary: "", score: ({ weights }) => weights, ...more });
  assert.equal(decide(rule({})).methods[0].method, "mine");
  const refuses = (more: Partial<Rule>, kind: new (text: string) => Error, text: RegExp) =>
    assert.throws(() => decide(rule(more)), (error) => error instanceof kind && text.test(error.message));
  refuses(
    { score: () => [1] },
    RangeError,
    /rule mine .* each of the 8 candidates of node 0 \(normal\) .*: .* 1 scores/,
  );
  refuses({ score: ({ weights }) => weights.map(() => NaN) }, RangeError, /finite score: current value is NaN/);
  refuses({ scoreEdges: () => [0] }, RangeError, /each of the 2 edges/);
  refuses({ needs: ["statistics"] }, UsageError, /by mine without node statistics/);
  refuses({ name: "../mine" }, UsageError, /lower-case letters, digits and dashes: current value is "..\/mine"/);
  refuses({ name: "alpha" }, UsageError, /a name of its own: current value is "alpha"/);
  assert.throws(() => rulesOf(["alpha", "alpha"]), UsageError);
  assert.throws(() => rulesOf([rule({})], "min"), /one of mine, .*did you mean "mine"/);
  assert.deepEqual(rulesOf([rule({})], "alpha").map(({ name }) => name), ["mine", "alpha"]);
});

Deno.test("docs/method.md: its table has every rule, in order", () => {
  const text = Deno.readTextFileSync(new URL("../../docs/method.md", import.meta.url));
  const [section] = text.slice(text.indexOf("## Discretisation")).split("\n### ");
  const table = section.match(/^\| `[a-z-]+` /gm)!;
  assert.deepEqual(table.map((row) => row.slice(3, -2)), RULES.map(({ name }) => name));
});

Deno.test("wrong inputs are refused by name", () => {
  const alphas = randomAlphas(SMALL, 2);
  const statistics = statisticsOf(SMALL, alphas, ["normal", "reduce"], noise);
  const good = { space: SMALL, alphas, statistics };
  const refuses = (
    input: Partial<Parameters<typeof discretize>[0]>,
    kind: new (text: string) => Error,
    text: RegExp,
  ) =>
    assert.throws(
      () => discretize({ ...good, ...input }),
      (error) => error instanceof kind && text.test(error.message),
    );
  refuses(
    { statistics: [], methods: ["alpha", "zca"] },
    UsageError,
    /by zca without node statistics.*one of alpha/,
  );
  refuses({ methods: ["semi-partial"] }, UsageError, /did you mean "semipartial"/);
  refuses({ options: { shrinkage: -1 } }, UsageError, /shrinkage must be from 0 to 1: current value is -1/);
  refuses({ options: { shrinkage: NaN } }, UsageError, /current value is NaN/);
  refuses(
    { options: { scope: "cell" as "node" } },
    UsageError,
    /scope must be node or edge: current value is "cell"/,
  );
  refuses(
    { space: S3 },
    RangeError,
    /alpha of normal must have 14 x 3 numbers for space s3: current value is 10/,
  );
  refuses(
    { alphas: { ...alphas, reduce: alphas.reduce.map(() => NaN) } },
    FailureError,
    /reduce on edge 0 for none/,
  );
  refuses({ statistics: [statistics[0]] }, FailureError, /each reduce cell \(there are none\)/);
  refuses(
    { statistics: [...statistics, statistics[1]] },
    FailureError,
    /once from each reduce cell \(1\).*1, 1/,
  );
  refuses(
    {
      statistics: [{
        ...statistics[0],
        candidates: statistics[0].candidates.toReversed(),
      }, statistics[1]],
    },
    RangeError,
    /cell 0 \(normal\), its candidates must be those of space small in order/,
  );
});

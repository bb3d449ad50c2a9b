/** The rules on one node: published check values, degenerate candidates, identities. */
import assert from "node:assert/strict";
import { Random } from "../base/random.ts";
import { DARTS, incoming, NAS_BENCH_201 } from "../space/space.ts";
import { discretize } from "./discretize.ts";
import { conditionNumber, spectralPower } from "./eigen.ts";
import { RULES, rulesOf } from "./registry.ts";
import type { DecorrelationOptions } from "./scope.ts";
import { semipartial } from "./semipartial.ts";
import { similarity } from "./similarity.ts";
import { correlate, type Correlation } from "./statistics.ts";
import { gramOf } from "./testing.ts";
import { varianceShares, zca } from "./zca.ts";

const EXACT = { scope: "node", shrinkage: 0 } as const;
const P = [[1, .9, .5], [.9, 1, .4], [.5, .4, 1]];

function correlation(matrix: number[][], withNode: number[], edges = matrix.map(() => 0)): Correlation {
  return {
    candidates: edges.map((edge, k) => ({ edge, from: edge, op: `op${k}` })),
    matrix: Float64Array.from(matrix.flat()),
    withNode: Float64Array.from(withNode),
    deviations: new Float64Array(withNode.length).fill(1),
    nodeDeviation: 1,
    dead: withNode.map(() => false),
  };
}

function close(actual: ArrayLike<number>, expected: readonly number[], tolerance = 5.1e-9): void {
  assert.equal(actual.length, expected.length);
  expected.forEach((value, k) =>
    assert(Math.abs(actual[k] - value) <= tolerance, `[${k}] ${actual[k]} is not ${value}`)
  );
}

/** Every built-in rule that reads correlations, as a function of those of one cell. */
function correlationRules(): ((given: Correlation, options: DecorrelationOptions) => number[])[] {
  const rules = RULES.filter(({ needs }) => needs?.includes("statistics"));
  assert.ok(rules.length > 0);
  return rules.map((rule) => (given, options) => {
    const { candidates } = given, weights = Float64Array.from(candidates, () => 1 / candidates.length);
    const node = { space: DARTS, kind: "normal", node: 0, candidates, weights, options, seed: 0 } as const;
    return Array.from(rule.score({ ...node, correlations: [given], edges: incoming(DARTS, 0) }));
  });
}

Deno.test("alpha-not-none: as alpha where none may not be kept; elsewhere the best of the other operations", () => {
  const alphas = { normal: Float64Array.from({ length: 6 * 5 }, (_, i) => i % 5), reduce: new Float64Array() };
  alphas.normal.fill(9, 0, 1); // `none` on the first edge, which else weighs least
  const kept = (method: string) =>
    discretize({ space: NAS_BENCH_201, alphas, methods: [method] }).methods[0].genotype.normal.nodes.flat();
  assert.deepEqual(
    kept("alpha-not-none"),
    kept("alpha").map((kept, k) => k === 0 ? { ...kept, op: "avg_pool_3x3" } : kept),
  );
  assert.equal(kept("alpha")[0].op, "none");
  assert.deepEqual(rulesOf().filter(({ differs }) => differs), []);
  assert.ok(rulesOf(undefined, undefined, NAS_BENCH_201).some(({ name }) => name === "alpha-not-none"));
});

const sum = (values: Float64Array): number => values.reduce((total, value) => total + value, 0);

/** Correlations of samples z (m rows) whose node is the sum of w_k z_k. */
function planted(z: number[][], w: number[]): Correlation {
  return correlate({
    kind: "normal",
    cell: 0,
    node: 0,
    candidates: z.map((_, k) => ({ edge: k % 2, from: k % 2, op: `op${k}` })),
    count: z[0].length,
    gram: gramOf(z, w),
  });
}

function samples(rows: number, length: number, stream: string): number[][] {
  const random = new Random(5, stream);
  return Array.from({ length: rows }, () => Array.from({ length }, () => random.normal()));
}

Deno.test("check values 1: general correlations", () => {
  const given = correlation(P, [.8, .85, .3]);
  close(zca(given, EXACT), [0.52769686, 0.67135209, 0.07512536]);
  close([sum(varianceShares(given))], [0.73482143]);
  close(semipartial(given, EXACT), [0.10206207, 0.28546120, -0.07664242]);
  close(similarity(given), [.8, .85, .3], 0);
});

Deno.test("check values 2: an exact sum, through its Gram matrix", () => {
  const w = [.2, .3, .5], sd = [1, 1, 2], mean = [.3, -1, 2], n = 1000;
  const covariance = P.map((row, i) => row.map((value, j) => value * sd[i] * sd[j]));
  covariance.forEach((row) => row.push(w.reduce((total, weight, j) => total + weight * row[j], 0)));
  covariance.push([...covariance.map((row) => row[3])]);
  covariance[3].push(w.reduce((total, weight, j) => total + weight * covariance[3][j], 0));
  const means = [...mean, w.reduce((total, weight, j) => total + weight * mean[j], 0)];
  const rows = covariance.map((row, i) => [...row.map((value, j) => n * (value + means[i] * means[j])), n * means[i]]);
  rows.push([...means.map((value) => n * value), n]);
  const given = correlate({
    kind: "normal",
    cell: 0,
    node: 0,
    candidates: w.map((_, k) => ({ edge: 0, from: 0, op: `op${k}` })),
    count: n,
    gram: Float64Array.from(rows.flat()),
  });
  close([given.nodeDeviation], [1.29537639]);
  close(given.deviations, sd);
  close(given.matrix, P.flat());
  close(similarity(given), [0.74881710, 0.67933923, 0.94181120]);
  close(zca(given, EXACT), [0.42920317, 0.39384840, 0.81281491]);
  close([sum(varianceShares(given))], [1], 1e-12);
  close(semipartial(given, EXACT), [0.06303161, 0.10005958, 0.66266074]);
});

Deno.test("P^(-1/2) r is P^(1/2) v for an exact sum", () => {
  const z = samples(6, 400, "identity").map((row, k, all) => row.map((x, i) => x + (k > 0 ? all[0][i] : 0)));
  const w = [.1, .2, .3, .1, .2, .1];
  const given = planted(z, w);
  const v = w.map((weight, k) => weight * given.deviations[k] / given.nodeDeviation);
  const root = spectralPower(given.matrix, 6, 0.5, 0).matrix;
  close(
    zca(given, EXACT),
    v.map((_, i) => v.reduce((total, x, j) => total + root[i * 6 + j] * x, 0)),
    1e-12,
  );
});

Deno.test("shares add up to 1 for an exact sum, also with duplicates and dead candidates", () => {
  const [a, b, c] = samples(3, 300, "sum");
  for (
    const z of [
      [a, b, c],
      [a, b, c, b],
      [a, a.map((x) => -x), b, c],
      [a, b.map(() => 0), c, a.map((x, i) => x + c[i]), c.map(() => 7)],
    ]
  ) {
    close([sum(varianceShares(planted(z, z.map((_, k) => .1 + .07 * k))))], [1], 1e-9);
  }
});

Deno.test("exact duplicates contribute nothing by themselves, and score alike", () => {
  const [a, b] = samples(2, 500, "duplicate");
  const given = planted([a, a, b], [.5, .2, .1]);
  const [first, second, third] = semipartial(given, EXACT);
  assert.deepEqual([first, second], [0, 0]);
  assert(third > .1);
  for (const shrinkage of [1e-6, 1e-3, .1]) {
    const [one, two, other] = semipartial(given, { scope: "node", shrinkage });
    close([one], [two], 1e-9);
    assert(
      one > 0 && one < Math.sqrt(shrinkage) &&
        Math.abs(other - third) < shrinkage,
    );
  }
  const [one, two] = zca(given, EXACT);
  close([one], [two], 1e-9);
  assert.equal(Math.round(conditionNumber(given.matrix, 3)), 1e7);
});

Deno.test("near-copies approach the score of exact copies", () => {
  const [a, b, noise] = samples(3, 500, "near");
  const scores = [.3, .1, .03, .01].map((size) =>
    semipartial(planted([a, a.map((x, i) => x + size * noise[i]), b], [.3, .3, .1]), EXACT)[0]
  );
  assert(scores.every((score, i) => score > 0 && (i === 0 || score < scores[i - 1])), String(scores));
  assert(scores[3] < .01);
});

Deno.test("a candidate that opposes the node scores negative", () => {
  const [a, b] = samples(2, 500, "opposed");
  const given = planted([a, b], [1, -.5]);
  for (const rule of [semipartial, zca]) {
    const [forward, backward] = rule(given, EXACT);
    assert(forward > .5 && backward < -.2);
  }
  const flipped = planted([a, b.map((x) => -x)], [1, .5]);
  close(semipartial(given, EXACT).map(Math.abs), [...semipartial(flipped, EXACT)], 1e-12);
});

Deno.test("dead candidates score 0 and change nothing else", () => {
  const [a, b] = samples(2, 500, "dead");
  const alive = planted([a, b], [.4, .6]);
  const given = planted([a, b, a.map(() => 0), a.map(() => 7)], [
    .4,
    .6,
    .9,
    .9,
  ]);
  assert.deepEqual(given.dead, [false, false, true, true]);
  for (const score of correlationRules()) {
    for (const scope of ["node", "edge"] as const) {
      const scores = score(given, { scope, shrinkage: 1e-3 });
      assert.deepEqual([...scores.slice(2)], [0, 0]);
      close(scores.slice(0, 2), score(alive, { scope, shrinkage: 1e-3 }), 1e-6);
    }
  }
  close([conditionNumber(given.matrix, 4)], [conditionNumber(alive.matrix, 2)], 1e-6);
});

Deno.test("a constant node gives zeros, not NaN", () => {
  const [a] = samples(1, 100, "constant");
  const given = planted([a, a.map((x) => -x)], [.5, .5]);
  assert.equal(given.nodeDeviation, 0);
  for (const score of correlationRules()) {
    assert.deepEqual(score(given, EXACT).map(Math.abs), [0, 0]);
  }
  const nothing = planted([a.map(() => 0)], [1]);
  assert.deepEqual([...semipartial(nothing, EXACT), ...varianceShares(nothing)], [0, 0]);
});

Deno.test("edge scope decorrelates inside each edge only", () => {
  const given = correlation(P, [.8, .85, .3], [0, 1, 0]);
  const pair = correlation([[1, .5], [.5, 1]], [.8, .3]);
  for (const rule of [semipartial, zca]) {
    const [first, third] = rule(pair, EXACT);
    close(rule(given, { scope: "edge", shrinkage: 0 }), [first, .85, third], 1e-12);
  }
});

Deno.test("full shrinkage is plain similarity", () => {
  const given = correlation(P, [.8, .85, .3]);
  for (const rule of [semipartial, zca]) {
    close(rule(given, { scope: "node", shrinkage: 1 }), [.8, .85, .3], 1e-12);
  }
});

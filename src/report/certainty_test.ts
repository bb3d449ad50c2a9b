/** How certain choices are, summed up. */
import assert from "node:assert/strict";
import type { NodeCertainty } from "../discretize/certainty.ts";
import type { DiscretizationReport } from "../discretize/discretize.ts";
import { discretize } from "../discretize/discretize.ts";
import { perKind, S3 } from "../space/space.ts";
import { certaintyLines } from "../commands/outcome.ts";
import { certaintyPart, certaintySummaries, isClose } from "./certainty.ts";

/** A report whose every node leads by 4, 3 and, between edges, 2 times `unit`, and is kept in `same` of the samples. */
function reportOf(same: readonly number[], noise: number): DiscretizationReport {
  const alphas = perKind(S3, () => new Float64Array(14 * 3), new Float64Array());
  const report = discretize({ space: S3, alphas, methods: ["alpha"] }), [method] = report.methods;
  const choices = (margins: readonly (number | null)[]) =>
    method.nodes.normal[0].choices.map((choice, i) => ({ ...choice, score: 10, margin: margins[i] }));
  const nodes = (kind: "normal" | "reduce") =>
    method.nodes[kind].map((node, i) => ({ ...node, choices: choices([4, 3]), edgeMargin: i === 0 ? null : 2 }));
  const certain = (offset: number) =>
    method.nodes.normal.map(({ node }) => ({
      node,
      same: same[offset + node],
      choices: [{ kept: 1, noise: 4 * noise }, { kept: same[offset + node], noise }],
      edgeNoise: node === 0 ? null : noise,
      agreement: node / 4,
    }));
  return {
    ...report,
    methods: [{ ...method, method: "zca", nodes: { normal: nodes("normal"), reduce: nodes("reduce") } }],
    certainty: {
      parts: 8,
      samples: 20,
      rules: [{ method: "zca", nodes: { normal: certain(0), reduce: certain(4) }, shared: 13 }],
    },
  };
}

Deno.test("certainty: means and medians over nodes", () => {
  const [summary] = certaintySummaries(reportOf([1, 1, 0.95, 0.9, 0.5, 0.5, 0.5, 0.65], 2));
  const { same, lead, agreement, ...counts } = summary;
  assert.deepEqual(counts, { method: "zca", otherWay: false, nodes: 8, certain: 3, shared: 13, kept: 16 });
  assert.ok(Math.abs(same - 0.75) < 1e-12 && Math.abs(agreement - 0.375) < 1e-12);
  assert.equal(lead, 0.5, "4 over 8 is less than 3 over 2 and 2 over 2");
  const [exact] = certaintySummaries(reportOf(Array(8).fill(1), 0));
  assert.deepEqual([exact.lead, exact.certain], [Infinity, 8], "no noise at all");
  const { certainty: _, ...without } = reportOf(Array(8).fill(1), 1);
  assert.deepEqual([certaintySummaries(without), certaintyPart(without), certaintyLines(without)], [[], false, []]);
});

Deno.test("certainty: a lead is close below twice its noise, or below a part of its score where that is not known", () => {
  const close = (noise: number | undefined, rank: number): boolean => {
    const { methods: [{ nodes: { normal: [node] } }], certainty } = reportOf(Array(8).fill(1), noise ?? 1);
    return isClose(node, rank, noise === undefined ? undefined : certainty!.rules[0].nodes.normal[0], 0.05);
  };
  assert.deepEqual([close(0.4, 0), close(0.6, 0), close(1.4, 1), close(1.6, 1)], [false, true, false, true]);
  assert.deepEqual([close(undefined, 0), close(undefined, 1)], [false, false], "4 and 3 of 10 are no 5 %");
});

Deno.test("certainty: the cells of the other way to keep have their own, under their own name", () => {
  const { certainty, methods, ...rest } = reportOf([1, 1, 1, 1, 1, 1, 1, 0.5], 0.5), [rule] = certainty!.rules;
  const kept = (nodes: NodeCertainty[]) => nodes.map((node) => ({ ...node, same: 0.25, edgeNoise: null }));
  const other = { nodes: perKind(S3, (kind) => kept([...rule.nodes[kind]]), []), shared: 3 };
  const report = { ...rest, methods, certainty: { ...certainty!, rules: [{ ...rule, other }] } };
  const [own, beside] = certaintySummaries(report);
  assert.deepEqual([own.otherWay, own.shared, beside.otherWay, beside.shared], [false, 13, true, 3]);
  assert.deepEqual([beside.same, beside.certain], [0.25, 0]);
  const lines = certaintyLines(report), page = String(certaintyPart(report));
  assert.match(lines.at(-1)!, /^ {2}zca\.operations +0 of 8 +25\.0%/);
  assert.match(page, /<th scope="row">zca\.operations<\/th>/);
  assert.match(certaintyLines({ ...report, keep: "operations" }).at(-1)!, /^ {2}zca +0 of 8/);
});

Deno.test("certainty: a report and the terminal say it", () => {
  const report = reportOf([1, 1, 1, 1, 1, 1, 1, 0.5], 0.5), text = certaintyLines(report).join("\n");
  assert.match(text, /on 20 samples of the images \(in 8 parts\)/);
  assert.match(text, /\n {2}zca +7 of 8 +93\.8% +2\.0 +0\.38 +13 of 16$/);
  const page = String(certaintyPart(report));
  assert.match(page, /How certain the choice is/);
  assert.match(page, /<td class="num">7 of 8<\/td>\s*<td class="num">94%<\/td>/);
  assert.match(page, /<th scope="row">reduce 5<\/th>\s*<td class="num">50%<\/td>/);
  assert.match(String(certaintyPart(reportOf(Array(8).fill(1), 0))), /∞/);
});

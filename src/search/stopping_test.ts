/** Rules that end a search early, and whether a choice has settled, on records made by hand. */
import assert from "node:assert/strict";
import { formatGenotypePython, type Genotype } from "../space/genotype.ts";
import { DARTS_V2 } from "../space/published.ts";
import { changedPicks, changesOf, settledOf } from "./settled.ts";
import { type StopConfig, stopReason } from "./stopping.ts";

const NEVER: StopConfig = {
  alphaWarmupEpochs: 0,
  discretizer: "alpha",
  epochs: 50,
  stopSkips: null,
  stopStableEpochs: null,
};

/** DARTS_V2, which has two skip-connections in its normal cell, with other operations at the last node. */
function cell(first: string, second = "dil_conv_3x3", swapped = false): string {
  const last = [{ op: first, from: 0 }, { op: second, from: 2 }] as const;
  const nodes: Genotype["normal"]["nodes"] = [
    ...DARTS_V2.normal.nodes.slice(0, 3),
    swapped ? [last[1], last[0]] : [last[0], last[1]],
  ];
  return formatGenotypePython({ ...DARTS_V2, normal: { ...DARTS_V2.normal, nodes } });
}

const epochs = (...texts: string[]) =>
  texts.map((text, i) => ({ epoch: i + 1, genotypes: { alpha: text, zca: cell("sep_conv_3x3") } }));

Deno.test("settled: the order of a node's two operations is no change", () => {
  assert.equal(changedPicks(cell("skip_connect"), cell("skip_connect", "dil_conv_3x3", true)), 0);
  assert.equal(changedPicks(cell("skip_connect"), cell("sep_conv_5x5")), 1);
  assert.equal(changedPicks(cell("skip_connect"), cell("sep_conv_5x5", "max_pool_3x3", true)), 2);
  assert.equal(changedPicks("|a form|", "|of its own|"), 1);
});

Deno.test("settled: counts the epochs since the last change, per rule", () => {
  const [a, b] = [cell("skip_connect"), cell("sep_conv_5x5")];
  assert.deepEqual(changesOf(epochs(a, b, b, a)).alpha, [null, 1, 0, 1]);
  assert.deepEqual(settledOf(epochs(a, b, a, a, a)), [
    { method: "alpha", epochs: 3, since: 3, changes: 2 },
    { method: "zca", epochs: 5, since: 1, changes: 0 },
  ]);
  assert.deepEqual(settledOf([]), []);
});

Deno.test("stopping: skip-connections of the normal cell of the chosen rule", () => {
  const many = epochs(cell("sep_conv_5x5"), cell("skip_connect"));
  assert.equal(stopReason({ ...NEVER, stopSkips: 3 }, many), undefined); // the reduction cell's do not count
  assert.deepEqual(stopReason({ ...NEVER, stopSkips: 2 }, many), {
    rule: "skips",
    epoch: 2,
    text: "the normal cell of alpha came to 2 skip-connections",
  });
  assert.equal(stopReason({ ...NEVER, stopSkips: 2, discretizer: "zca" }, many), undefined);
  assert.equal(stopReason({ ...NEVER, stopSkips: 2 }, many.slice(0, 1)), undefined);
});

Deno.test("stopping: the same cells for some epochs, frozen ones not counted", () => {
  const [a, b] = [cell("skip_connect"), cell("sep_conv_5x5")], config = { ...NEVER, stopStableEpochs: 3 };
  assert.equal(stopReason(config, epochs(b, a, a)), undefined);
  assert.equal(stopReason(config, epochs(b, a, a, a))?.rule, "stable");
  assert.equal(stopReason({ ...config, alphaWarmupEpochs: 2 }, epochs(b, a, a, a)), undefined);
  assert.equal(stopReason({ ...config, alphaWarmupEpochs: 1 }, epochs(b, a, a, a))?.epoch, 4);
});

Deno.test("stopping: without a rule after the last epoch", () => {
  const two = { ...NEVER, epochs: 2 }, a = cell("skip_connect");
  assert.equal(stopReason(two, epochs(a)), undefined);
  assert.deepEqual(stopReason(two, epochs(a, a))?.rule, "epochs");
});

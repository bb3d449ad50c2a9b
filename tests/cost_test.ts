/**
 * What derived networks cost, against published counts, and the sizes that are chosen within a budget.
 */
import assert from "node:assert/strict";
import { UsageError } from "../src/base/errors.ts";
import { costOf, parseCount, scaleNetwork } from "../src/space/cost.ts";
import type { NetworkConfig } from "../src/space/derived.ts";
import { DARTS_V2 } from "../src/space/published.ts";
import { resolveTrainConfig } from "../src/train/config.ts";
import { networkConfig } from "../src/train/setup.ts";
import { halves, message } from "./search_support.ts";

const CIFAR = { form: "cifar", classes: 10, inputChannels: 3, height: 32, width: 32 } as const;
const IMAGENET = { form: "imagenet", classes: 1000, inputChannels: 3, height: 224, width: 224 } as const;

Deno.test("cost: the published counts of DARTS' cell", () => {
  assert.equal(costOf({ genotype: DARTS_V2, ...CIFAR, channels: 36, cells: 20 }).parameters, 3_349_342);
  const { parameters, macs, layers, peakBytes } = costOf({
    genotype: DARTS_V2,
    ...IMAGENET,
    channels: 48,
    cells: 14,
  });
  assert.equal(parameters, 4_718_752);
  assert.equal(macs, 529_911_552);
  assert.equal(layers.reduce((sum, layer) => sum + layer.parameters, 0), parameters);
  assert.equal(layers.reduce((sum, layer) => sum + layer.macs, 0), macs);
  assert.deepEqual(layers.at(-1)!.shape, [1000]);
  assert.ok(peakBytes > 48 * 56 * 56 * 4 && peakBytes < 16 * 2 ** 20, `${peakBytes}`);
});

Deno.test("cost: budgets pick the deepest network of at least 16 channels, then the widest", () => {
  const base = { genotype: DARTS_V2, ...CIFAR };
  const check = (network: NetworkConfig, key: "parameters" | "macs", most: number) => {
    assert.ok(costOf(network)[key] <= most);
    assert.ok(costOf({ ...network, channels: network.channels + 2 })[key] > most);
    return [network.channels, network.cells];
  };
  assert.deepEqual(check(scaleNetwork(base, { parameters: 1e6 }), "parameters", 1e6), [18, 20]);
  assert.deepEqual(check(scaleNetwork(base, { macs: 50e6 }), "macs", 50e6), [16, 8]);
  assert.deepEqual(check(scaleNetwork(base, { parameters: 50_000 }), "parameters", 50_000), [8, 5]);
  assert.equal(check(scaleNetwork(base, { parameters: 1e6 }, 8), "parameters", 1e6)[1], 8);
  const close = { ...base, genotype: { ...DARTS_V2, reduceAt: [0.4, 0.45, 0.5] } }; // which 11 cells cannot have
  assert.deepEqual([scaleNetwork(close, { macs: 20e6 }).cells, scaleNetwork(close, { macs: 20e6 }).channels], [14, 6]);
  assert.throws(() => scaleNetwork(base, { parameters: 100 }), message(/within the budget: the smallest/, UsageError));
  assert.deepEqual(["1M", "600k", "2.5e6", "1.5 G"].map((t) => parseCount(t, "x")), [1e6, 6e5, 2.5e6, 1.5e9]);
  for (const bad of ["", "M", "1MB", "-1", "0", "1e99", "0x10"]) {
    assert.throws(() => parseCount(bad, "params"), message(/^Cannot use params as it must be a count/, UsageError));
  }
  const config = resolveTrainConfig({ params: "1M" });
  assert.equal(networkConfig(config, DARTS_V2, { ...halves(2, [3, 32, 32]), classes: 10 }).channels, 18);
});

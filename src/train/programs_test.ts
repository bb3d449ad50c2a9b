import assert from "node:assert/strict";
import { BOUNDLESS_LIMITS } from "../gpu/device.ts";
import { elementCount } from "../graph/tensor_type.ts";
import { DARTS_V2 } from "../space/published.ts";
import type { NetworkConfig } from "../space/derived.ts";
import { resolveTrainConfig } from "./config.ts";
import { planTraining } from "./programs.ts";

Deno.test("Muon takes the weights of convolutions but depthwise ones, SGD all others, and nobody takes any twice", () => {
  const network: NetworkConfig = {
    ...{ genotype: DARTS_V2, form: "cifar", channels: 6, cells: 4, classes: 5 },
    ...{ inputChannels: 3, height: 32, width: 32, pooling: "pyramid" },
  };
  const config = resolveTrainConfig({ optimizer: "muon" }), plan = planTraining(network, 4, config, BOUNDLESS_LIMITS);
  const { weights, matrices, others } = plan.variables, taken = new Map<number, string[]>();
  const take = (by: string, first: number, end: number): void => {
    for (let at = first; at < end; at++) taken.set(at, [...(taken.get(at) ?? []), by]);
  };
  for (const { first, rows, columns } of matrices) take("muon", first, first + rows * columns);
  for (const { first, end } of others) {
    assert.deepEqual([first % 4, end % 4], [0, 0]);
    take("sgd", first, end);
  }
  assert.ok(taken.size <= weights.length);
  const kinds = new Map<string, Set<string>>();
  for (const { name, type, offset } of weights.variables) {
    const kind = /classifier|gamma|beta/.exec(name)?.[0] ?? (type.shape.length === 3 ? "depthwise" : "convolution");
    const by = kinds.get(kind) ?? new Set<string>();
    kinds.set(kind, by);
    for (let at = offset; at < offset + elementCount(type); at++) by.add(String(taken.get(at)));
  }
  assert.deepEqual(Object.fromEntries([...kinds].map(([kind, by]) => [kind, [...by]]).sort()), {
    ...{ beta: ["sgd"], classifier: ["sgd"], convolution: ["muon"], depthwise: ["sgd"], gamma: ["sgd"] },
  });
  const optimisers = plan.plans[0].nodes.map(({ node }) => node.op.name).filter((name) => /sgd|muon/.test(name));
  assert.deepEqual(optimisers, ["muon", "sgd"]);
});

/** Costs in the field's terms, against values computed by hand. */
import assert from "node:assert/strict";
import { BOUNDLESS_LIMITS } from "../gpu/device.ts";
import { S3 } from "../space/space.ts";
import { resolveSearchConfig } from "./config.ts";
import {
  CARDS,
  CORE,
  type DeviceRates,
  fieldCosts,
  PAPER_GPU_DAYS,
  programRuns,
  rooflineSeconds,
  workOf,
} from "./field_cost.ts";
import { planSearch } from "./programs.ts";
import { supernetConfig } from "./search.ts";

const close = (a: number, b: number): void => assert.ok(Math.abs(a - b) <= 1e-9 * Math.abs(b), `${a} is not ${b}`);

/** Two 10^12 operations and three 10^9 bytes a second. */
const DEVICE: DeviceRates = { name: "d", teraflops: 2, gigabytes: 3 };

Deno.test("roofline: each operation takes what is longer, its arithmetic or its bytes", () => {
  const work = [
    { macs: 4e12, bytes: 3e9 }, // 4 s of arithmetic, 1 s of bytes
    { macs: 1e12, bytes: 6e9 }, // 1 s, 2 s
    { macs: 0, bytes: 1.5e9 }, // 0 s, 0.5 s
  ];
  close(rooflineSeconds(work, DEVICE), 4 + 2 + 0.5);
  assert.equal(rooflineSeconds([], DEVICE), 0);
});

Deno.test("runs of programs: the recipe on CIFAR-10's images, counted by hand", () => {
  const config = resolveSearchConfig(), first = { space: S3, alphaStep: ["alpha_step"] as const };
  // 25,000 images of each half in batches of 64: 390 steps; 2,000 images evaluated in 32 batches, the last one filled up;
  // statistics on 128 images after each epoch and on 512 at the end.
  assert.deepEqual(programRuns(config, first, 50_000), {
    weight_step: 50 * 390,
    alpha_step: 50 * 390,
    soften: 50 * 32,
    evaluate: 50 * 32,
    statistics: 50 * 2 + 8,
  });
  assert.equal(programRuns(config, first, undefined), undefined, "no images, no number of steps");
  const some = resolveSearchConfig({ images: 1001, epochs: 3, alphaWarmupEpochs: 1, stepsPerEpoch: 5 });
  assert.deepEqual(programRuns(some, first, undefined), {
    weight_step: 15,
    alpha_step: 10,
    soften: 3 * 8, // 501 images in 8 batches
    evaluate: 3 * 8,
    statistics: 3 * 2 + 7, // 501 images, 7 whole batches
  });
  assert.equal(programRuns(some, first, 500)!.weight_step, 3 * 3, "no more than the images give");
  const second = { space: S3, alphaStep: ["unroll", "look_ahead", "alpha_plus", "alpha_minus"] as const };
  const runs = programRuns(resolveSearchConfig({ stepsPerEpoch: 7, epochs: 2 }), second, undefined)!;
  assert.deepEqual([runs.unroll, runs.alpha_minus, runs.alpha_step, runs.weight_step], [14, 14, undefined, 14]);
  // S3: two kinds of cell, 14 edges, two operations and the edge itself on each, and the supernet as it is.
  const measured = resolveSearchConfig({
    discretizer: "perturbation",
    stepsPerEpoch: 1,
    epochs: 1,
    perturbationImages: 192,
  });
  assert.equal(programRuns(measured, first, undefined)!.evaluate, 32 + (2 * 14 * 3 + 1) * 3);
});

Deno.test("costs: of a step and of all programs, on every card and a core, in proportion to their rates", () => {
  const shape = { classes: 10, channels: 3, height: 16, width: 16 };
  const of = (options: Parameters<typeof resolveSearchConfig>[0], images?: number) => {
    const config = resolveSearchConfig({ space: "s3", initChannels: 4, cells: 3, batchSize: 8, ...options });
    return fieldCosts(supernetConfig(config, shape), config, images);
  };
  const { steps, cards, core } = of({ epochs: 2, evalImages: 8, probeImages: 8, statisticsImages: 8 }, 160);
  assert.equal(steps, 20);
  assert.deepEqual(cards.map(({ device }) => device), CARDS);
  assert.equal(core.device, CORE);
  for (const { step, search } of [...cards, core]) assert.ok(search! > 20 * step && search! < 26 * step);
  const [gtx, , v100] = cards, h100 = cards.find(({ device }) => device.name.startsWith("H100"))!;
  assert.ok(gtx.step > v100.step && v100.step > h100.step && core.step > 20 * gtx.step);
  const twice = of({ epochs: 4, evalImages: 8, probeImages: 8, statisticsImages: 8 }, 160);
  assert.equal(twice.cards[0].step, gtx.step);
  assert.ok(twice.cards[0].search! < 2 * gtx.search! && twice.cards[0].search! > 1.9 * gtx.search!);
  assert.ok(of({ order: 2 }).cards[0].step > 2 * gtx.step, "the second order costs more");
  assert.deepEqual([of({}).steps, of({}).cards[0].search, of({}).core.search], [undefined, undefined, undefined]);
});

Deno.test("work: an operation's bytes are those of its inputs, outputs and scratch, once", () => {
  const config = resolveSearchConfig({ space: "s3", initChannels: 4, cells: 3, batchSize: 8 });
  const net = supernetConfig(config, { classes: 10, channels: 3, height: 16, width: 16 });
  const plan = planSearch(net, config, BOUNDLESS_LIMITS).plans.find(({ name }) => name === "statistics")!;
  const work = workOf(plan),
    gram = plan.nodes.findIndex(({ node }) => node.op.name === "gram"),
    node = plan.nodes[gram];
  const places = [...node.inputs, ...node.outputs, ...node.scratch].map(({ bytes }) => bytes);
  assert.equal(work[gram].bytes, places.reduce((a, b) => a + b));
  assert.ok(node.traffic > work[gram].bytes, "its dispatches read the same images again and again");
  assert.ok(work.every(({ bytes, macs }, i) => bytes <= plan.nodes[i].traffic && macs === plan.nodes[i].macs));
});

Deno.test("cards: every rate is one that cards have, names are different", () => {
  assert.equal(new Set(CARDS.map(({ name }) => name)).size, CARDS.length);
  for (const { name, teraflops, gigabytes } of CARDS) {
    const intensity = 1000 * teraflops / gigabytes; // operations for each byte
    assert.ok(teraflops > 1 && teraflops < 200 && gigabytes > 50 && intensity > 8 && intensity < 100, name);
  }
  assert.deepEqual(PAPER_GPU_DAYS, { "CIFAR-10": 0.2, "ImageNet": 1.9 });
});

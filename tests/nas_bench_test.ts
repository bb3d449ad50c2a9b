/**
 * NAS-Bench-201: its cells, networks and supernet, counted by hand; searched, trained, resumed, drawn and read.
 */
import assert from "node:assert/strict";
import {
  cellSvg,
  choosableOf,
  costOf,
  decodeModel,
  discretize,
  edgesOf,
  encodeModel,
  openGpu,
  parseGenotype,
  parseSpace,
  randomGenotype,
  rediscretize,
  resolveTrainConfig,
  RunFolder,
  search,
  supernetConfig,
  train,
} from "../mod.ts";
import { reportHtml } from "../src/report/html_report.ts";
import { comparisonLines, epochLines, varianceLines } from "../src/commands/outcome.ts";
import { rulesOf } from "../src/discretize/registry.ts";
import type { Rule } from "../src/discretize/rule.ts";
import { PORTABLE_LIMITS } from "../src/gpu/device.ts";
import { resolveSearchLayers, SEARCH_OPTIONS } from "../src/search/config.ts";
import { meanEntropy } from "../src/search/records.ts";
import { planSearch } from "../src/search/programs.ts";
import { NAS_BENCH_SIZE } from "../src/space/nas_bench_network.ts";
import { alphaCount, NAS_BENCH_201 } from "../src/space/space.ts";

import { interrupted, predictImages, stateOf } from "./search_support.ts";
import { DATA, roundTrip, tiny } from "./space_support.ts";

const gpu = await openGpu();

const TEMPORARY = Deno.makeTempDirSync({ prefix: "nas-bench-" });
Deno.test.afterAll(() => Deno.removeSync(TEMPORARY, { recursive: true }));
const temporary = (): string => Deno.makeTempDirSync({ dir: TEMPORARY });

/** A cell of NAS-Bench-201 with every operation. */
const NAS_BENCH = "|nor_conv_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|none~0|avg_pool_3x3~1|nor_conv_3x3~2|";

Deno.test("NAS-Bench-201: parameters and MACs are those of its skeleton, counted by hand", () => {
  const size = { form: "cifar", ...NAS_BENCH_SIZE, classes: 10, inputChannels: 3, height: 32, width: 32 } as const;
  const cost = (text: string) => costOf({ genotype: parseGenotype(text, "arch"), ...size });
  const widths = [16, 32, 64],
    sum = (of: (c: number, stage: number) => number) => widths.reduce((total, c, stage) => total + of(c, stage), 0);
  const stem = 3 * 16 * 9, blocks = [16, 32].map((c) => [2 * c * c * 9, 4 * c * c * 9, 2 * c * c]);
  // Without an operation that has weights: stem, two residual blocks, the last batch norm, the classifier.
  const skeleton = stem + 32 + blocks.flat().reduce((a, b) => a + b) + 2 * 2 * (2 * 32 + 2 * 64) / 2 + 128 + 650;
  assert.equal(skeleton, 73_306);
  const empty = cost("|none~0|+|skip_connect~0|none~1|+|skip_connect~0|avg_pool_3x3~1|none~2|");
  assert.equal(empty.parameters, skeleton);
  assert.equal(cost("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|").parameters, skeleton);
  const own = sum((c) => 5 * (2 * (9 * c * c + 2 * c) + (c * c + 2 * c))), full = cost(NAS_BENCH);
  assert.equal(full.parameters, skeleton + own);
  const pixels = (stage: number) => 1024 / 4 ** stage;
  const macs = stem * 1024 + sum((c, stage) => 5 * pixels(stage) * 19 * c * c) + 640 +
    blocks.reduce((total, parts, i) => total + parts.reduce((a, b) => a + b) * pixels(i + 1), 0);
  assert.equal(full.macs, macs);
});

Deno.test("NAS-Bench-201: a network is trained, resumed to the same bits, kept, read and drawn", async () => {
  const genotype = parseGenotype(NAS_BENCH, "arch"), halted = temporary();
  const config = resolveTrainConfig({
    initChannels: 4,
    cells: 3,
    batchSize: 8,
    epochs: 2,
    stepsPerEpoch: 3,
    checkpointSteps: 1,
    auxiliaryWeight: 0.4,
    dropPath: 0.2,
  });
  using reference = RunFolder.create(temporary());
  const { model } = await train(config, genotype, { train: DATA }, { gpu, folder: reference });
  await interrupted(halted, (options) => train(config, genotype, { train: DATA }, { gpu, ...options }));
  using folder = RunFolder.open(halted);
  await train(config, genotype, { train: DATA }, { gpu, folder });
  assert.deepEqual(stateOf(folder), stateOf(reference));
  const again = decodeModel(encodeModel(model), "m");
  assert.deepEqual(again.network, model.network);
  const image = { images: DATA.images.subarray(0, 64), count: 1 };
  assert.deepEqual(await predictImages(again, image, { gpu }), await predictImages(model, image, { gpu }));
  const picture = await cellSvg(genotype);
  assert.match(picture, /^<svg/);
  assert.doesNotMatch(picture, /Reduction cell|undefined|NaN/);
  const refuse = (values: Record<string, unknown>, pattern: RegExp) =>
    assert.throws(() => costOf({ ...model.network, ...values }), pattern);
  refuse(
    { form: "imagenet", height: 64, width: 64 },
    /form imagenet with a NAS-Bench-201 cell, which has none but cifar: use form cifar/,
  );
  refuse({ height: 30 }, /images of 30x8 with a NAS-Bench-201 cell: both sides must be multiples of 4/);
});

Deno.test("NAS-Bench-201: the supernet has the edges, alphas and parameters that are counted by hand", () => {
  const edges = edgesOf(NAS_BENCH_201).map(({ from, to }) => `${from}${to}`).join(" ");
  assert.equal(edges, "01 02 12 03 13 23");
  assert.equal(alphaCount(NAS_BENCH_201), 6 * 5);
  assert.deepEqual(choosableOf(NAS_BENCH_201, "normal", 1).slice(4, 6), [
    { edge: 1, from: 0, op: "avg_pool_3x3" },
    { edge: 2, from: 1, op: "none" },
  ]);
  const config = tiny({ space: "nas-bench-201", cells: 15, initChannels: 16 });
  const data = { ...DATA, classes: 10, channels: 3, height: 32, width: 32 };
  const plan = planSearch(supernetConfig(config, data), config, PORTABLE_LIMITS);
  // The skeleton of the test above (73,306), and on each of 6 edges of 5 cells of a stage both convolutions, without
  // scales and shifts: 6 x 5 x (9 + 1) x (16^2 + 32^2 + 64^2).
  assert.equal(plan.variables.weights.elements, 73_306 + 300 * (256 + 1024 + 4096));
  assert.deepEqual(plan.arenas.alphas.variables.map(({ name, type }) => [name, type.shape]), [["normal", [6, 5]]]);
  assert.deepEqual([...new Set(plan.nodes.map(({ sum }) => sum.type.shape.join("x")))], [
    "16x8x32x32",
    "32x8x16x16",
    "64x8x8x8",
  ]);
  assert.equal(plan.nodes.length, 15 * 3);
  const odd = supernetConfig(config, { ...data, height: 30 });
  assert.throws(() => planSearch(odd, config, PORTABLE_LIMITS), /images of 30x32 .* both sides must be multiples of 4/);
});

Deno.test("NAS-Bench-201: every edge keeps its best operation, none among them", () => {
  const log = Math.log, alphas = { normal: new Float64Array(30), reduce: new Float64Array() };
  // Edges in order; the weights are those of a softmax over (1, 1, 1, 1, k) / (4 + k).
  [[0, 0, 0, log(4), 0], [log(4), 0, 0, 0, 0], [0, log(2), 0, 0, log(3)], [0, 0, 0, 0, 0], [0, 0, 9, 0, 0]]
    .forEach((row, edge) => alphas.normal.set(row, 5 * edge));
  const [{ text, nodes, genotype, skips, parameterFree }] =
    discretize({ space: NAS_BENCH_201, alphas, methods: ["alpha"] }).methods;
  assert.equal(text, "|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|none~0|nor_conv_1x1~1|none~2|");
  assert.deepEqual([skips, parameterFree], [0, 4]);
  assert.deepEqual([nodes.reduce, genotype.reduce.nodes], [[], []]);
  const [{ choices, edgeMargin }] = nodes.normal;
  assert.equal(edgeMargin, null);
  assert.ok(Math.abs(choices[0].score - 0.5) < 1e-12 && Math.abs(choices[0].margin! - 3 / 8) < 1e-12);
  // A rule that has seen outputs scores none 0: kept where all else is below.
  const score: Rule["score"] = ({ node, candidates }) =>
    candidates.map((_, k) => node === 0 ? [0, -1, -2, -1, -3][k] : 1);
  const [mine] = discretize({ space: NAS_BENCH_201, alphas, methods: [{ name: "mine", summary: "", score }] }).methods;
  assert.equal(mine.text.split("+")[0], "|none~0|");
});

Deno.test("NAS-Bench-201: random cells draw every operation for every edge, none too, and can be drawn again", () => {
  const cells = Array.from({ length: 60 }, (_, i) => randomGenotype(NAS_BENCH_201, 1, i));
  cells.forEach(roundTrip);
  assert.deepEqual(randomGenotype(NAS_BENCH_201, 1, 7), cells[7]);
  for (let edge = 0; edge < 6; edge++) {
    assert.equal(new Set(cells.map((cell) => cell.normal.nodes.flat()[edge].op)).size, 5, `edge ${edge}`);
  }
});

Deno.test("NAS-Bench-201: a search is resumed to the same bits, reported, and its cell trained", async () => {
  const config = tiny({ space: "nas-bench-201", discretizer: "perturbation" });
  using reference = RunFolder.create(temporary());
  const { report, genotype, epochs, plan } = await search(config, DATA, { gpu, folder: reference });
  assert.ok(plan.nodes.every(({ kind }) => kind === "normal"));
  assert.equal(report.methods.length, 6);
  assert.deepEqual(Object.keys(epochs[1].alphaEntropy), ["normal"]);
  assert.ok(meanEntropy(epochs[1]) > 0.9);
  for (const { method, nodes } of report.methods.filter((each) => each.method !== "alpha")) {
    for (const { scores } of nodes.normal.flat()) {
      assert.ok(scores.filter(({ op }) => op === "none").every(({ score }) => score === 0), method);
    }
  }
  const checkpoint = reference.readCheckpoint()!;
  assert.deepEqual(
    await rediscretize(config, DATA, checkpoint, { gpu, methods: rulesOf(undefined, "perturbation", NAS_BENCH_201) }),
    report,
  );
  assert.ok(!checkpoint.tensors.has("alphas/reduce"));
  const halted = temporary();
  await interrupted(halted, (options) => search(config, DATA, { gpu, ...options }));
  using folder = RunFolder.open(halted);
  assert.deepEqual((await search(config, DATA, { gpu, folder })).report, report);
  assert.deepEqual(stateOf(folder), stateOf(reference));
  const html = await reportHtml({
    environment: { version: "0", adapter: "a" },
    data: DATA,
    config: SEARCH_OPTIONS.toRecord(config),
    epochs,
    discretization: { ...report, chosen: "perturbation" },
  });
  assert.match(html, /kept one for each edge: 6\s+operations/);
  assert.deepEqual(html.match(/.{40}(reduction cell|both cells|NaN|undefined|Infinity|node 4).{40}/gi), null);
  const lines = [...comparisonLines(report), ...varianceLines(report), ...epochLines(epochs)].join("\n");
  assert.match(lines, / normal 1 .*\n +normal 2 .*\n {8,}\S.*\n +normal 3 /);
  assert.match(lines, /skips +\d of 6/);
  assert.doesNotMatch(lines, /reduce|NaN|undefined/);
  const trainConfig = resolveTrainConfig({ initChannels: 4, cells: 3, batchSize: 8, epochs: 1, stepsPerEpoch: 2 });
  const { model } = await train(trainConfig, genotype, { train: DATA }, { gpu });
  assert.deepEqual(decodeModel(encodeModel(model), "m").network.genotype, genotype);
});

Deno.test("NAS-Bench-201: a space of one's own may stand in its skeleton", async () => {
  const text = Deno.readTextFileSync(new URL("../docs/spaces.md", import.meta.url));
  const [, definition] = [...text.matchAll(/```yaml\n([^`]*)```/g)].map(([, yaml]) =>
    parseSpace("docs/spaces.md", yaml)
  );
  const config = tiny({ space: definition, epochs: 1 });
  const { genotype, report } = await search(config, DATA, { gpu });
  assert.deepEqual([report.space, genotype.normal.nodes.flat().length], ["three-edges", 3]);
  const values = SEARCH_OPTIONS.toRecord(config);
  assert.deepEqual(resolveSearchLayers([{ source: "a file", values }]), config);
  roundTrip(genotype);
});

Deno.test("NAS-Bench-201: its operations may be searched in cells of DARTS' kind, also with stride 2", async () => {
  const primitives = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"];
  const config = tiny({ space: { name: "nb", nodes: 2, primitives }, epochs: 1 });
  const { genotype, epochs } = await search(config, DATA, { gpu });
  assert.ok(epochs.every((e) => Number.isFinite(e.trainLoss) && Number.isFinite(e.evalLoss)));
  roundTrip(genotype);
});

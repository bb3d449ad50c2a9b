/**
 * Every search space through the whole library, tiny: a search, its alphas and scores, checkpoints and a second
 * discretisation, a network of the cell that is found, and that what is drawn at random can be drawn again.
 */
import assert from "node:assert/strict";
import {
  CELL_KINDS,
  cellSvg,
  checkGenotype,
  choosableOf,
  costOf,
  type Dataset,
  decodeModel,
  discretize,
  edgesOf,
  encodeModel,
  findSpace,
  formatGenotypeJson,
  formatGenotypeText,
  type Genotype,
  NAS_BENCH_201,
  openGpu,
  parseGenotype,
  parseSpace,
  predictImages,
  primitivesOf,
  randomGenotype,
  rediscretize,
  reportHtml,
  resolveSearchConfig,
  resolveTrainConfig,
  RunFolder,
  S1,
  search,
  SEARCH_OPTIONS,
  type SearchConfig,
  SearchInterrupted,
  skeletonOf,
  SPACES,
  supernetConfig,
  train,
  TrainInterrupted,
} from "../mod.ts";
import { chooseGenotype } from "../src/discretize/choice.ts";
import { comparisonLines, epochLines, varianceLines } from "../src/commands/outcome.ts";
import { PORTABLE_LIMITS } from "../src/gpu/device.ts";
import { noiseKey } from "../src/nn/noise_key.ts";
import { meanEntropy } from "../src/search/records.ts";
import { planSearch } from "../src/search/programs.ts";
import { NAS_BENCH_SIZE } from "../src/space/nas_bench_network.ts";
import { alphaCount, PRIMITIVE_NAMES } from "../src/space/space.ts";

const gpu = await openGpu();

/** Images that are brighter in one half: above for class 0, below for class 1. */
function halves(count: number): Dataset {
  const labels = Int32Array.from({ length: count }, (_, i) => i % 2);
  const images = Uint8Array.from({ length: count * 64 }, (_, p) => {
    const lower = p % 64 >= 32;
    return (lower === (labels[Math.floor(p / 64)] === 1) ? 150 : 60) + (Math.imul(p, 0x9e3779b1) >>> 26);
  });
  return {
    name: "halves",
    images,
    labels,
    count,
    channels: 1,
    height: 8,
    width: 8,
    classes: 2,
    classNames: ["above", "below"],
    mean: [0.53],
    std: [0.19],
    fingerprint: `halves ${count}`,
  };
}

const DATA = halves(96);

/** A search of two epochs of three steps. */
function tiny(values: Record<string, unknown> = {}): SearchConfig {
  const base = {
    "cells": 3,
    "init-channels": 2,
    "batch-size": 8,
    "epochs": 2,
    "steps-per-epoch": 3,
    "checkpoint-steps": 1,
    "alpha-lr": 0.05,
    "alpha-init": 0.1,
    "eval-images": 24,
    "probe-images": 16,
    "statistics-images": 16,
  };
  return resolveSearchConfig([{ source: "test", values: { ...base, ...values } }]);
}

const TEMPORARY = Deno.makeTempDirSync({ prefix: "spaces-" });
Deno.test.afterAll(() => Deno.removeSync(TEMPORARY, { recursive: true }));
const temporary = (): string => Deno.makeTempDirSync({ dir: TEMPORARY });

/** Tensors and metrics of a finished run, without times. */
function stateOf(folder: RunFolder): unknown {
  const { step, tensors } = folder.readCheckpoint()!;
  return [step, [...tensors], folder.readMetrics().map(({ secondsPerStep: _, ...rest }) => rest)];
}

/** Both texts of a genotype give it back. */
function roundTrip(genotype: Genotype): void {
  assert.deepEqual(parseGenotype(formatGenotypeJson(genotype), "g.json"), genotype);
  assert.deepEqual(parseGenotype(formatGenotypeText(genotype), "g.txt"), genotype);
  assert.deepEqual(checkGenotype(JSON.parse(JSON.stringify(genotype)), "g"), genotype);
}

for (const space of SPACES) {
  Deno.test(`space ${space.name}: searched, decided, decided again and costed`, async () => {
    const config = tiny({ space: space.name });
    using folder = RunFolder.create(temporary());
    const { genotype, report, epochs } = await search(config, DATA, { gpu, folder });
    assert.ok(epochs.every((e) => Number.isFinite(e.trainLoss) && Number.isFinite(e.evalLoss)));
    assert.equal(report.space, space.name);
    const { kinds, inputs } = skeletonOf(space), edges = edgesOf(space);
    for (const kind of kinds) {
      for (const { edge, weights } of report.weights[kind]) {
        assert.deepEqual(Object.keys(weights), primitivesOf(space, kind, edge));
        const total = Object.values(weights).reduce((a, b) => a + b, 0);
        assert.ok(Math.abs(total - 1) < 1e-9, `edge ${edge} of ${kind}: ${total}`);
      }
      for (const method of report.methods) {
        method.nodes[kind].forEach(({ scores }, node) => {
          assert.deepEqual(scores.map(({ score: _, ...candidate }) => candidate), choosableOf(space, kind, node));
        });
        method.genotype[kind].nodes.forEach((choices, node) =>
          choices.forEach(({ op, from }) => {
            const edge = edges.find((e) => e.from === from && e.to === node + inputs)!;
            assert.ok(primitivesOf(space, kind, edge.index).includes(op), `${op} on edge ${edge.index} of ${kind}`);
          })
        );
      }
      for (const { shares } of report.nodes![kind]) {
        assert.ok(Math.abs(shares.reduce((sum, { share }) => sum + share, 0) - 1) < 2e-3);
      }
    }
    report.methods.forEach((method) => roundTrip(method.genotype));
    const checkpoint = folder.readCheckpoint()!;
    assert.deepEqual(await rediscretize(config, DATA, checkpoint, { gpu }), report);
    // What an edge does not allow has no alpha: it stays 0.
    for (const kind of kinds) {
      const { shape: [rows, columns], data } = checkpoint.tensors.get(`alphas/${kind}`)!;
      assert.deepEqual([rows, columns], [edges.length, space.primitives.length]);
      for (let i = 0; i < rows * columns; i++) {
        const allowed = primitivesOf(space, kind, Math.floor(i / columns)).includes(space.primitives[i % columns]);
        assert.equal(data[i] !== 0, allowed, `alpha ${i} of ${kind}`);
      }
    }
    const size = { channels: 4, cells: 3, classes: 2, inputChannels: 1, height: 8, width: 8 };
    assert.ok(costOf({ genotype, form: "cifar", ...size }).parameters > 0);
  });
}

Deno.test("spaces: S1 has the published pair on each edge", () => {
  const s1 = findSpace("s1"), edge = (kind: "normal" | "reduce", index: number) => primitivesOf(s1, kind, index);
  assert.deepEqual(edge("normal", 0), ["skip_connect", "dil_conv_3x3"]);
  assert.deepEqual(edge("normal", 3), ["skip_connect", "sep_conv_3x3"]);
  assert.deepEqual(edge("normal", 5), ["max_pool_3x3", "skip_connect"]);
  assert.deepEqual(edge("normal", 13), ["dil_conv_3x3", "dil_conv_5x5"]);
  assert.deepEqual(edge("reduce", 1), ["max_pool_3x3", "dil_conv_3x3"]);
  assert.deepEqual(edge("reduce", 6), ["max_pool_3x3", "sep_conv_3x3"]);
  assert.deepEqual(edge("reduce", 10), ["max_pool_3x3", "avg_pool_3x3"]);
  for (const kind of CELL_KINDS) {
    const lists = s1.edgePrimitives![kind];
    assert.equal(lists.length, 14);
    for (const list of lists) {
      assert.equal(list.length, 2);
      assert.deepEqual(list, s1.primitives.filter((op) => list.includes(op)), "in the order of the space");
    }
  }
});

Deno.test("spaces: alphas of two operations on each edge give the weights and the choice that they give by hand", () => {
  // Columns: max, avg, skip, sep 3, dil 3, dil 5. 9s stand where an edge has no such operation and must not count.
  const row = (...values: number[]) => values, log3 = Math.log(3);
  const normal = Float64Array.from([
    ...row(9, 9, 0, 9, log3, 9), // edge 0, skip against dil 3: 1/4 and 3/4
    ...row(9, 9, log3, 9, 9, 2 * log3), // edge 1, skip against dil 5: 1/4 and 3/4
    ...row(9, 9, 5, 9, 9, 5), // edge 2: 1/2 each
    ...row(9, 9, 2 * log3, 0, 9, 9), // edge 3, skip against sep 3: 9/10 and 1/10
    ...row(9, 9, 1, 9, 1 + log3, 9), // edge 4, skip against dil 3: 1/4 and 3/4
    ...Array(9 * 6).fill(0),
  ]);
  const report = discretize({ space: S1, alphas: { normal, reduce: new Float64Array(14 * 6) }, methods: ["alpha"] });
  const weights = report.weights.normal.slice(0, 5).map((e) => Object.values(e.weights).map((w) => +w.toFixed(12)));
  assert.deepEqual(weights, [[0.25, 0.75], [0.25, 0.75], [0.5, 0.5], [0.9, 0.1], [0.25, 0.75]]);
  const [{ genotype, nodes }] = report.methods;
  assert.deepEqual(genotype.normal.nodes.slice(0, 2), [
    [{ op: "dil_conv_3x3", from: 0 }, { op: "dil_conv_5x5", from: 1 }],
    [{ op: "skip_connect", from: 1 }, { op: "dil_conv_3x3", from: 2 }],
  ]);
  assert.ok(Math.abs(nodes.normal[1].edgeMargin! - (0.75 - 0.5)) < 1e-12);
});

Deno.test("noise: its key differs from step to step, program to program and seed to seed, and nothing else", () => {
  const plan = (name: string) => ({ name, inputs: new Map([["noise", 16], ["images", 1]]) });
  const keys = [["a", 0, 0], ["a", 0, 1], ["b", 0, 0], ["a", 1, 0], ["a", 2 ** 40, 0]] as const;
  const texts = keys.map(([name, seed, step]) => String(noiseKey(plan(name), seed, step).noise));
  assert.equal(new Set(texts).size, keys.length);
  assert.deepEqual(noiseKey(plan("a"), 0, 1), noiseKey(plan("a"), 0, 1));
  assert.deepEqual(noiseKey({ name: "a", inputs: new Map() }, 0, 0), {});
});

Deno.test("docs/spaces.md: its table has every space, its list every primitive, and its example is one", () => {
  const text = Deno.readTextFileSync(new URL("../docs/spaces.md", import.meta.url));
  const rows = [...text.matchAll(/^\| `(\S+)`/gm)].map((match) => match[1]);
  assert.deepEqual(rows, SPACES.map((space) => space.name));
  const listed = /The primitives are ([^.]*)\./.exec(text)![1];
  assert.deepEqual([...listed.matchAll(/`(\S+)`/g)].map((match) => match[1]), PRIMITIVE_NAMES);
  const definition = parseSpace("docs/spaces.md", /```yaml\n([^`]*)```/.exec(text)![1]);
  const net = { ...supernetConfig(tiny({ space: definition, cells: 8 }), halves(8)) };
  assert.deepEqual(net.space.reduceAt, ["1/4", "1/2", "3/4"]);
  assert.equal(alphaCount(net.space), 5 * 4 + 4 * 2 + 1);
});

/** A definition that covers what definitions may say. */
const MINE = parseSpace(
  "mine.yaml",
  `name: mine
nodes: 2
primitives:
  normal: [sep_conv_7x7, none, skip_connect]
  reduce:
    - [max_pool_3x3, avg_pool_3x3]
    - [skip_connect]
    - [noise, dil_conv_3x3, skip_connect]
    - [skip_connect, dil_conv_5x5]
    - [none, sep_conv_3x3]
reduce-at: [0.5]
`,
);

Deno.test("a space of one's own: searched, kept in the configuration, and its network stacked with its reductions", async () => {
  const config = tiny({ space: MINE, cells: 4 });
  assert.deepEqual(tiny(SEARCH_OPTIONS.toRecord(config)), config, "what a run's folder keeps gives the same");
  using folder = RunFolder.create(temporary());
  const { genotype, report } = await search(config, DATA, { gpu, folder });
  assert.equal(report.space, "mine");
  assert.deepEqual(genotype.reduceAt, [0.5]);
  assert.deepEqual(parseGenotype(formatGenotypeJson(genotype), "g.json"), genotype);
  assert.deepEqual(report.weights.reduce.map(({ weights }) => Object.keys(weights).length), [2, 1, 3, 2, 2]);
  assert.equal(report.weights.reduce[1].weights.skip_connect, 1, "nothing to choose from");
  assert.deepEqual(await rediscretize(config, DATA, folder.readCheckpoint()!, { gpu }), report);
  const size = { form: "cifar", channels: 4, cells: 4, classes: 2, inputChannels: 1, height: 8, width: 8 } as const;
  const atHalf = costOf({ genotype, ...size });
  const sizes = new Set(atHalf.layers.filter((l) => l.name.endsWith(".concat")).map((l) => l.shape.join("x")));
  assert.deepEqual([...sizes], ["8x8x8", "16x4x4"], "one reduction");
  const { reduceAt: _, ...thirds } = genotype;
  assert.notEqual(costOf({ genotype: thirds, ...size }).parameters, atHalf.parameters);
  const trainConfig = resolveTrainConfig([{
    source: "test",
    values: { "init-channels": 4, "cells": 4, "batch-size": 8, "epochs": 1, "steps-per-epoch": 2 },
  }]);
  const { model } = await train(trainConfig, genotype, { train: DATA }, { gpu });
  assert.deepEqual(decodeModel(encodeModel(model), "m").network.genotype, genotype);
});

Deno.test("a list for each edge that is the same everywhere has the bits of one list for all", async () => {
  const primitives = Array(14).fill(["none", "skip_connect", "sep_conv_3x3"]), name = "s3-per-edge";
  using one = RunFolder.create(temporary());
  using other = RunFolder.create(temporary());
  await search(tiny({ space: "s3" }), DATA, { gpu, folder: one });
  await search(tiny({ space: { name, nodes: 4, primitives } }), DATA, { gpu, folder: other });
  assert.deepEqual(stateOf(other), stateOf(one));
});

/** A cell of noise in every node. */
const NOISY: Genotype = parseGenotype(
  `Genotype(normal=[('noise', 0), ('sep_conv_3x3', 1), ('noise', 1), ('skip_connect', 2)], normal_concat=range(2, 4),
            reduce=[('noise', 0), ('noise', 1), ('sep_conv_3x3', 0), ('noise', 2)], reduce_concat=range(2, 4))`,
  "noisy",
);

Deno.test("space s4: stopped and resumed, noise and all has the same bits, and each step draws its own", async () => {
  const whole = temporary(), halted = temporary(), config = tiny({ space: "s4", seed: 2 ** 40 + 3 });
  using reference = RunFolder.create(whole);
  await search(config, DATA, { gpu, folder: reference });
  const stop = new AbortController();
  {
    using folder = RunFolder.create(halted);
    folder.writeJson("config.json", {});
    const onProgress = ({ epoch, step }: { epoch: number; step: number }) => epoch === 1 && step === 1 && stop.abort();
    await assert.rejects(search(config, DATA, { gpu, folder, signal: stop.signal, onProgress }), SearchInterrupted);
  }
  using folder = RunFolder.open(halted);
  await search(config, DATA, { gpu, folder, resume: true });
  assert.deepEqual(stateOf(folder), stateOf(reference));
});

Deno.test("space s4: a network with noise is trained, resumed to the same bits, measured and used", async () => {
  const config = resolveTrainConfig([{
    source: "test",
    values: {
      "init-channels": 4,
      "cells": 3,
      "batch-size": 8,
      "epochs": 2,
      "steps-per-epoch": 3,
      "checkpoint-steps": 1,
      "auxiliary-weight": 0,
      "drop-path": 0.2,
      "seed": 7,
    },
  }]);
  const data = { train: DATA, test: halves(24) }, stop = new AbortController(), halted = temporary();
  using reference = RunFolder.create(temporary());
  const { model, test } = await train(config, NOISY, data, { gpu, folder: reference });
  assert.ok(Number.isFinite(test!.loss));
  {
    using folder = RunFolder.create(halted);
    folder.writeJson("config.json", {});
    const onProgress = ({ epoch, step }: { epoch: number; step: number }) => epoch === 1 && step === 1 && stop.abort();
    await assert.rejects(
      train(config, NOISY, data, { gpu, folder, signal: stop.signal, onProgress }),
      TrainInterrupted,
    );
  }
  using folder = RunFolder.open(halted);
  const resumed = await train(config, NOISY, data, { gpu, folder, resume: true });
  assert.deepEqual(stateOf(folder), stateOf(reference));
  assert.deepEqual(resumed.test, test);
  // Noise is a function of the batch's number: the same call gives the same, twice the same image does not.
  const image = DATA.images.subarray(0, 64), twice = new Uint8Array([...image, ...image]);
  const [a, b] = await predictImages(model, { images: twice, count: 2 }, { gpu });
  assert.notDeepEqual(a, b);
  assert.deepEqual(await predictImages(model, { images: twice, count: 2 }, { gpu }), [a, b]);
});

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
  const genotype = parseGenotype(NAS_BENCH, "arch"), stop = new AbortController(), halted = temporary();
  const config = resolveTrainConfig([{
    source: "test",
    values: {
      "init-channels": 4,
      "cells": 3,
      "batch-size": 8,
      "epochs": 2,
      "steps-per-epoch": 3,
      "checkpoint-steps": 1,
      "auxiliary-weight": 0.4,
      "drop-path": 0.2,
    },
  }]);
  using reference = RunFolder.create(temporary());
  const { model } = await train(config, genotype, { train: DATA }, { gpu, folder: reference });
  {
    using folder = RunFolder.create(halted);
    folder.writeJson("config.json", {});
    const onProgress = ({ epoch, step }: { epoch: number; step: number }) => epoch === 1 && step === 1 && stop.abort();
    const options = { gpu, folder, signal: stop.signal, onProgress };
    await assert.rejects(train(config, genotype, { train: DATA }, options), TrainInterrupted);
  }
  using folder = RunFolder.open(halted);
  await train(config, genotype, { train: DATA }, { gpu, folder, resume: true });
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
  refuse({ form: "imagenet", height: 64, width: 64 }, /--form imagenet with a NAS-Bench-201 cell: it must be cifar/);
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
  const config = tiny({ "space": "nas-bench-201", "cells": 15, "init-channels": 16 });
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
  const report = chooseGenotype(
    "mine",
    NAS_BENCH_201,
    (_, node) => node === 0 ? [0, -1, -2, -1, -3] : Array(15).fill(1),
  );
  assert.equal(report.text.split("+")[0], "|none~0|");
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
  const config = tiny({ space: "nas-bench-201", discretizer: "perturbation" }), stop = new AbortController();
  using reference = RunFolder.create(temporary());
  const { report, genotype, epochs, plan } = await search(config, DATA, { gpu, folder: reference });
  assert.ok(plan.nodes.every(({ kind }) => kind === "normal"));
  assert.equal(report.methods.length, 5);
  assert.deepEqual(Object.keys(epochs[1].alphaEntropy), ["normal"]);
  assert.ok(meanEntropy(epochs[1]) > 0.9);
  for (const { method, nodes } of report.methods.filter((each) => each.method !== "alpha")) {
    for (const { scores } of nodes.normal.flat()) {
      assert.ok(scores.filter(({ op }) => op === "none").every(({ score }) => score === 0), method);
    }
  }
  const checkpoint = reference.readCheckpoint()!;
  assert.deepEqual(await rediscretize(config, DATA, checkpoint, { gpu, method: "perturbation" }), report);
  assert.ok(!checkpoint.tensors.has("alphas/reduce"));
  const halted = temporary();
  {
    using folder = RunFolder.create(halted);
    folder.writeJson("config.json", {});
    const onProgress = ({ epoch, step }: { epoch: number; step: number }) => epoch === 1 && step === 1 && stop.abort();
    await assert.rejects(search(config, DATA, { gpu, folder, signal: stop.signal, onProgress }), SearchInterrupted);
  }
  using folder = RunFolder.open(halted);
  assert.deepEqual((await search(config, DATA, { gpu, folder, resume: true })).report, report);
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
  const trainConfig = resolveTrainConfig([{
    source: "test",
    values: { "init-channels": 4, "cells": 3, "batch-size": 8, "epochs": 1, "steps-per-epoch": 2 },
  }]);
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
  assert.deepEqual(tiny({ ...SEARCH_OPTIONS.toRecord(config) }), config);
  roundTrip(genotype);
});

Deno.test("NAS-Bench-201: its operations may be searched in cells of DARTS' kind, also with stride 2", async () => {
  const primitives = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"];
  const config = tiny({ space: { name: "nb", nodes: 2, primitives }, epochs: 1 });
  const { genotype, epochs } = await search(config, DATA, { gpu });
  assert.ok(epochs.every((e) => Number.isFinite(e.trainLoss) && Number.isFinite(e.evalLoss)));
  roundTrip(genotype);
});

/**
 * Every search space through the whole library, tiny: a search, its alphas and scores, checkpoints and a second
 * discretisation, a network of the cell that is found, and that what is drawn at random can be drawn again.
 */
import assert from "node:assert/strict";
import {
  choosableOf,
  costOf,
  decodeModel,
  discretize,
  edgesOf,
  encodeModel,
  formatGenotypeJson,
  type Genotype,
  openGpu,
  parseGenotype,
  parseSpace,
  primitivesOf,
  rediscretize,
  resolveTrainConfig,
  RunFolder,
  search,
  skeletonOf,
  SPACES,
  supernetConfig,
  train,
} from "../mod.ts";
import { noiseKey } from "../src/nn/noise_key.ts";
import { resolveSearchLayers, SEARCH_OPTIONS } from "../src/search/config.ts";
import { alphaCount, CELL_KINDS, findSpace, PRIMITIVE_NAMES, S1 } from "../src/space/space.ts";

import { halves, interrupted, predictImages, stateOf } from "./search_support.ts";
import { DATA, roundTrip, tiny } from "./space_support.ts";

const gpu = await openGpu();

const TEMPORARY = Deno.makeTempDirSync({ prefix: "spaces-" });
Deno.test.afterAll(() => Deno.removeSync(TEMPORARY, { recursive: true }));
const temporary = (): string => Deno.makeTempDirSync({ dir: TEMPORARY });

for (const space of SPACES) {
  Deno.test(`space ${space.name}: searched, decided, decided again and costed`, async () => {
    const config = tiny({ space: space.name as "s3" });
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
  const net = { ...supernetConfig(tiny({ space: definition, cells: 8 }), halves(8, [1, 8, 8])) };
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
  const kept = { source: "config.json", values: SEARCH_OPTIONS.toRecord(config) };
  assert.deepEqual(resolveSearchLayers([kept]), config, "what a run's folder keeps gives the same");
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
  const trainConfig = resolveTrainConfig({ initChannels: 4, cells: 4, batchSize: 8, epochs: 1, stepsPerEpoch: 2 });
  const { model } = await train(trainConfig, genotype, { train: DATA }, { gpu });
  assert.deepEqual(decodeModel(encodeModel(model), "m").network.genotype, genotype);
});

Deno.test("a list for each edge that is the same everywhere has the bits of one list for all", async () => {
  const primitives = Array(14).fill(["none", "skip_connect", "sep_conv_3x3"]), name = "s3-per-edge";
  using one = RunFolder.create(temporary());
  using other = RunFolder.create(temporary());
  await search(tiny({ space: "s3" }), DATA, { gpu, folder: one });
  await search(tiny({ space: { name, nodes: 4, primitives } }), DATA, { gpu, folder: other });
  const [otherBits, bits] = [other, one].map((folder) => {
    const { state, ...rest } = stateOf(folder),
      { options: { space: _, ...options }, ...more } = state as {
        options: Record<string, unknown>;
      };
    return { ...rest, options, ...more };
  });
  assert.deepEqual(otherBits, bits);
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
  await interrupted(halted, (options) => search(config, DATA, { gpu, ...options }));
  using folder = RunFolder.open(halted);
  await search(config, DATA, { gpu, folder });
  assert.deepEqual(stateOf(folder), stateOf(reference));
});

Deno.test("space s4: a network with noise is trained, resumed to the same bits, measured and used", async () => {
  const config = resolveTrainConfig({
    initChannels: 4,
    cells: 3,
    batchSize: 8,
    epochs: 2,
    stepsPerEpoch: 3,
    checkpointSteps: 1,
    auxiliaryWeight: 0,
    dropPath: 0.2,
    seed: 7,
  });
  const data = { train: DATA, test: halves(24, [1, 8, 8]) }, halted = temporary();
  using reference = RunFolder.create(temporary());
  const { model, test } = await train(config, NOISY, data, { gpu, folder: reference });
  assert.ok(Number.isFinite(test!.loss));
  await interrupted(halted, (options) => train(config, NOISY, data, { gpu, ...options }));
  using folder = RunFolder.open(halted);
  const resumed = await train(config, NOISY, data, { gpu, folder });
  assert.deepEqual(stateOf(folder), stateOf(reference));
  assert.deepEqual(resumed.test, test);
  // Noise is a function of the batch's number: the same call gives the same, twice the same image does not.
  const image = DATA.images.subarray(0, 64), twice = new Uint8Array([...image, ...image]);
  const [a, b] = await predictImages(model, { images: twice, count: 2 }, { gpu });
  assert.notDeepEqual(a, b);
  assert.deepEqual(await predictImages(model, { images: twice, count: 2 }, { gpu }), [a, b]);
});

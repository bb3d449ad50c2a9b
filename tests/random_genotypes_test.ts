/**
 * Cells that nobody chose, of every space, and iDARTS' own: each becomes a network that is trained, measured, kept, read, predicts, is
 * exported and drawn, also where nothing that has weights is live or nothing at all.
 */
import assert from "node:assert/strict";
import {
  cellSvg,
  decodeModel,
  encodeModel,
  evaluateModel,
  exportOnnx,
  exportWeights,
  formatGenotypeText,
  type Genotype,
  openGpu,
  parseGenotype,
  randomGenotype,
  resolveTrainConfig,
  search,
  SPACES,
  train,
} from "../mod.ts";
import { IDARTS } from "../src/space/published.ts";
import { DARTS, S2 } from "../src/space/space.ts";
import { genotypeText } from "../src/report/cell_svg.ts";
import { DATA, roundTrip, tiny } from "./space_support.ts";
import { predictImages } from "./search_support.ts";

const gpu = await openGpu();

/** The whole way of a cell; `extras` are drop path and the auxiliary classifier. */
async function goThrough(genotype: Genotype, extras: boolean): Promise<void> {
  const text = formatGenotypeText(genotype), noisy = text.includes("noise");
  const config = resolveTrainConfig({
    initChannels: 4,
    cells: 3,
    batchSize: 8,
    epochs: 1,
    stepsPerEpoch: 2,
    dropPath: extras ? 0.2 : 0,
    auxiliaryWeight: extras ? 0.4 : 0,
  });
  const { model, test, epochs } = await train(config, genotype, { train: DATA, test: DATA }, { gpu });
  assert.ok(epochs.every(({ trainLoss }) => Number.isFinite(trainLoss)), text);
  const again = decodeModel(encodeModel(model), "m"), { loss } = await evaluateModel(again, DATA, { gpu });
  assert.ok(Number.isFinite(loss) && (noisy || Math.abs(loss - test!.loss) < 1e-5), `${text}: ${loss}, ${test!.loss}`);
  const [row] = await predictImages(again, { images: DATA.images.subarray(0, 64), count: 1 }, { gpu });
  assert.ok(Math.abs(row.reduce((a, b) => a + b, 0) - 1) < 1e-9, `${text}: ${row}`);
  assert.ok(exportWeights(again).length > 0);
  if (noisy) assert.throws(() => exportOnnx(again), /to ONNX as noise is drawn anew/, text);
  else assert.ok(exportOnnx(again).length > 0);
  const operations = genotype.normal.nodes.flat().length + genotype.reduce.nodes.flat().length;
  assert.equal((await cellSvg(genotype)).match(/class="node (?!state)/g)?.length, operations, text);
  roundTrip(genotype);
}

for (const space of SPACES) {
  Deno.test(`random cells of ${space.name} are trained, measured, kept, exported and drawn`, async () => {
    for (const index of [0, 1]) await goThrough(randomGenotype(space, 18, index), index === 1);
  });
}

Deno.test("random cells whose nodes take two operations of one edge go the same way", async () => {
  const doubled = (genotype: Genotype): number =>
    [...genotype.normal.nodes, ...genotype.reduce.nodes].filter(([a, b]) => a.from === b.from).length;
  for (const [i, space] of [DARTS, S2].entries()) {
    const genotypes = Array.from({ length: 30 }, (_, index) => randomGenotype(space, 7, index, "operations"));
    const genotype = genotypes.sort((a, b) => doubled(b) - doubled(a))[0]; // the one with the most of them
    assert.ok(doubled(genotype) > 2);
    await goThrough(genotype, i === 0);
  }
});

Deno.test("iDARTS' cell, one of whose nodes takes two operations from one source, goes the same way", async () => {
  for (const extras of [false, true]) await goThrough(IDARTS, extras);
  assert.ok(genotypeText(IDARTS).includes("\n  5 = sep_conv_3x3(0) + sep_conv_5x5(0)\n"));
});

for (
  const [what, text] of [
    ["a convolution that reads nothing", "|none~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|none~2|"],
    ["a convolution that nothing reads", "|nor_conv_3x3~0|+|none~0|none~1|+|avg_pool_3x3~0|none~1|none~2|"],
    ["weights, but no way from the images", "|none~0|+|none~0|nor_conv_1x1~1|+|none~0|nor_conv_3x3~1|none~2|"],
    ["nothing at all", "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"],
  ]
) {
  Deno.test(`NAS-Bench-201 cell with ${what}`, async () => {
    for (const extras of [false, true]) await goThrough(parseGenotype(text, "cell"), extras);
  });
}

for (const skeleton of [undefined, "nas-bench-201"] as const) {
  Deno.test(`a space in which nothing reads the images is searched, its cell goes the same way: ${skeleton ?? "DARTS"}`, async () => {
    const space = { name: "blind", nodes: 2, primitives: ["none", "noise"], ...(skeleton ? { skeleton } : {}) };
    const { genotype, epochs } = await search(tiny({ space, epochs: 1 }), DATA, { gpu });
    assert.ok(epochs.every((e) => Number.isFinite(e.trainLoss) && Number.isFinite(e.evalLoss)));
    await goThrough(genotype, true);
  });
}

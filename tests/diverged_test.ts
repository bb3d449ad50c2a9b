/**
 * Nothing to learn, and numbers that grow beyond all bounds: every computation ends in one sentence with advice instead of
 * a cell or an accuracy that means nothing.
 */
import assert from "node:assert/strict";
import {
  type Dataset,
  discretize,
  evaluateModel,
  openGpu,
  rediscretize,
  resolveTrainConfig,
  RunFolder,
  search,
  train,
  type TrainOptions,
} from "../mod.ts";
import { DARTS_V2 } from "../src/space/published.ts";
import { FailureError } from "../src/base/errors.ts";
import { checkLearnable } from "../src/data/dataset.ts";
import { emptyStatistics } from "../src/discretize/statistics.ts";
import { candidatesOf, CELL_KINDS, S2 } from "../src/space/space.ts";
import { DATA, tiny } from "./space_support.ts";
import { predictImages } from "./search_support.ts";

const gpu = await openGpu();
const TEMPORARY = Deno.makeTempDirSync({ prefix: "diverged-" });
Deno.test.afterAll(() => {
  gpu.device.destroy();
  Deno.removeSync(TEMPORARY, { recursive: true });
});
const temporary = (): string => Deno.makeTempDirSync({ dir: TEMPORARY });

const training = (values: TrainOptions = {}) =>
  resolveTrainConfig({ initChannels: 4, cells: 3, batchSize: 8, epochs: 2, stepsPerEpoch: 3, ...values });

/** Rejects with a FailureError of that message. */
async function fails(doing: Promise<unknown>, message: RegExp): Promise<void> {
  await assert.rejects(doing, (error) => {
    assert.ok(error instanceof FailureError, String(error));
    assert.match(error.message, message);
    return true;
  });
}

const same = (pixel: (i: number) => number): Dataset => ({ ...DATA, images: DATA.images.map((_, i) => pixel(i)) });

Deno.test("nothing to learn: images that are all the same are refused by search and train, others are not", async () => {
  const black = { ...same(() => 0), mean: [0], std: [0] }, one = same((i) => i % 64), what = "data set 'halves'";
  const plain = new RegExp(
    `learn from ${what} as its 96 images must differ: in each channel all pixels .* one value; look`,
  );
  const copies = new RegExp(`learn from ${what} as its 96 images must differ: all of them are one and the same; look`);
  for (const [data, message] of [[black, plain], [one, copies]] as const) {
    await fails(search(tiny(), data, { gpu }), message);
    await fails(train(training(), DARTS_V2, { train: data }, { gpu }), message);
  }
  const stream = { load: () => Promise.resolve(null), close: () => {} };
  assert.throws(() => checkLearnable({ ...black, images: new Uint8Array(), stream }), plain);
  checkLearnable({ ...one, images: new Uint8Array(), stream });
  // Brightness alone can be learnt.
  checkLearnable({ ...same((i) => Math.floor(i / 64)), std: [0.1] });
  checkLearnable({ ...black, count: 1, images: new Uint8Array(64) });
  checkLearnable(DATA);
});

Deno.test("a search whose weights have grown warns at once, and ends in advice instead of a cell", async () => {
  for (const values of [{ weightLr: 1e4 }, { weightLr: 100, nodeNorm: "none", order: 2 }] as const) {
    using folder = RunFolder.create(temporary());
    const warnings: string[] = [];
    const running = search(tiny({ ...values, space: "s2" }), DATA, { gpu, folder, warn: (w) => warnings.push(w) });
    await fails(
      running,
      /^The training loss is [\d.e+]+, more than 5 times that of guessing among 2 classes \(0\.69\), at step 6 \(epoch 2\): the checkpoint of step 6 is kept in '.*'; start again with a smaller weightLr, alphaLr or clip$/,
    );
    await fails(
      rediscretize(tiny({ ...values, space: "s2" }), DATA, folder.readCheckpoint()!, { gpu, source: "'the run'" }),
      /^Cannot decide by 'the run' as its training loss is .*, more than 5 times .*: start again with a smaller weightLr, /,
    );
    assert.equal(warnings.length, 1);
    assert.match(warnings[0], /^The training loss is .* at step 3 \(epoch 1\): if it stays there, the run fails$/);
  }
  await fails(
    search(tiny({ weightLr: 1e30, space: "s2" }), DATA, { gpu }),
    /no longer .*finite.* step \d.*: start again with a smaller weightLr, alphaLr or clip$/,
  );
});

Deno.test("a search whose alphas have grown ends in advice", async () => {
  await fails(
    search(tiny({ alphaLr: 1e6, space: "s2" }), DATA, { gpu }),
    /alpha of normal on edge 0 for skip_connect must be from -100 to 100, beyond which .* start again with a smaller alphaLr$/,
  );
});

Deno.test("a training whose weights have grown ends in advice, its model is of no use and says so", async () => {
  const folder = temporary(), warnings: string[] = [];
  await fails(
    train(training({ lr: 1000 }), DARTS_V2, { train: DATA, test: DATA }, {
      gpu,
      folder,
      warn: (w) => warnings.push(w),
    }),
    /^The training loss is .*, more than 5 times .* is kept in '.*'; start again with a smaller lr or clip$/,
  );
  assert.equal(warnings.length, 1);
  assert.throws(() => Deno.statSync(`${folder}/evaluation.json`), Deno.errors.NotFound);
  const { model } = await train(training(), DARTS_V2, { train: DATA }, { gpu });
  const tensors = new Map(model.tensors), bias = tensors.get("weights/classifier.bias")!;
  tensors.set("weights/classifier.bias", { ...bias, data: Float32Array.of(3e38, 0) });
  const weight = tensors.get("weights/classifier.weight")!;
  tensors.set("weights/classifier.weight", { ...weight, data: new Float32Array(weight.data.length).fill(3e38) });
  const advice =
    /its outputs must be finite numbers: current value is .*; train it again with a smaller learning rate$/;
  await fails(evaluateModel({ ...model, tensors }, DATA, { gpu }), advice);
  await fails(predictImages({ ...model, tensors }, { images: DATA.images.subarray(0, 64), count: 1 }, { gpu }), advice);
});

Deno.test("a discretisation of what is not finite, or does not vary, ends in advice", () => {
  const alphas = { normal: new Float64Array(28), reduce: new Float64Array(28) };
  /** Statistics in which every candidate and sum has `mean` and `variance`, uncorrelated. */
  const statistics = (mean: number, variance: number) =>
    CELL_KINDS.flatMap((kind, cell) =>
      Array.from({ length: 4 }, (_, node) => {
        const empty = emptyStatistics(kind, cell, node, candidatesOf(S2, kind, node)),
          rows = empty.candidates.length + 2;
        const gram = Float64Array.from({ length: rows * rows }, (_, i) => {
          const [a, b] = [Math.floor(i / rows), i % rows], ones = rows - 1;
          if (a === ones || b === ones) return a === b ? 100 : 100 * mean;
          return 100 * (mean ** 2 + (a === b ? variance : 0));
        });
        return { ...empty, count: 100, gram };
      })
    );
  const decide = (mean: number, variance: number) => () =>
    discretize({ space: S2, alphas, statistics: statistics(mean, variance) });
  assert.equal(decide(1, 1)().methods.length, 4);
  assert.throws(decide(2, 0), (error) => {
    assert.ok(error instanceof FailureError);
    assert.match(
      error.message,
      /some candidate of node 0 \(normal\) must differ .*: all of them are constant, in every cell; take other images or start again with a smaller weightLr, alphaLr or clip$/,
    );
    return true;
  });
  assert.throws(
    decide(NaN, 1),
    /must be finite: current value is NaN; start again with a smaller weightLr, alphaLr or clip$/,
  );
});

/**
 * Derived networks: whole trainings through the library on synthetic images (that they learn, that the same
 * seed gives the same bits whatever interrupts it), and the models that come out, hostile ones among them.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { decodeTensors, encodeTensors } from "../src/base/safetensors.ts";
import { FailureError, UsageError } from "../src/base/errors.ts";
import { VERSION } from "../src/base/version.ts";
import { openGpu } from "../src/gpu/device.ts";
import { RunFolder } from "../src/run/run_folder.ts";
import { costOf } from "../src/space/cost.ts";
import type { Genotype } from "../src/space/genotype.ts";
import { DARTS_V2 } from "../src/space/published.ts";
import { resolveTrainConfig, type TrainConfig } from "../src/train/config.ts";
import { evaluateModel } from "../src/train/inference.ts";
import { buildInference, decodeModel, encodeModel, loadModel } from "../src/train/model_file.ts";
import type { TrainOptions } from "../src/train/options.ts";
import type { Pace, TrainRecord, TrainResult, TrainRunOptions } from "../src/train/records.ts";
import { readTraining } from "../src/train/run_record.ts";
import { dropShare, learningRate } from "../src/train/schedule.ts";
import { BEST_MODEL, LAST_MODEL, train } from "../src/train/train.ts";
import { halves, interrupted, message, predictImages, stateOf } from "./search_support.ts";

const gpu = await openGpu();

const FAINT = { levels: [80, 130], std: 0.15 } as const;
const DATA = { train: halves(96, [1, 9, 8], FAINT), test: halves(30, [1, 9, 8], { ...FAINT, start: 1e6 }) };
/** Epochs enough for every seed tried: after three, the network is at chance or has learnt all, by the last bits. */
const STEPS = 5, EPOCHS = 6;

function tiny(values: TrainOptions = {}): TrainConfig {
  const base: TrainOptions = {
    cells: 3,
    initChannels: 4,
    batchSize: 16,
    epochs: EPOCHS,
    lr: 0.05,
    pad: 1,
    cutout: 2,
    flip: "on",
    valImages: 12,
    dropPath: 0.3,
    seed: 3,
  };
  return resolveTrainConfig({ ...base, ...values });
}

const temporary = (): string => Deno.makeTempDirSync({ prefix: "train-" });
const sha = (path: string): string => createHash("sha256").update(Deno.readFileSync(path)).digest("hex");

/** {@linkcode stateOf} a finished training, its models and what they were found to do. */
function bitsOf(folder: RunFolder, { test, best, modelFile }: TrainResult): unknown {
  const models = [LAST_MODEL, BEST_MODEL].map((name) => sha(folder.file(name)));
  return { ...stateOf(folder), models, test, best, modelFile };
}

async function complete(folder: RunFolder, options: TrainRunOptions = {}, config = tiny()): Promise<unknown> {
  return bitsOf(folder, await train(config, DARTS_V2, DATA, { gpu, folder, ...options }));
}

/** The uninterrupted run that others are compared with. */
const whole = temporary();
const epochs: TrainRecord[] = [];
let outcome: TrainResult | undefined;
const reference = await (async () => {
  using folder = RunFolder.create(whole);
  outcome = await train(tiny(), DARTS_V2, DATA, {
    gpu,
    folder,
    onEpoch: (record) => epochs.push(record),
  });
  return bitsOf(folder, outcome);
})();

Deno.test("train: it learns, and measures what it promises", () => {
  const { model, test, best, modelFile, plan } = outcome!;
  assert.deepEqual(
    epochs.map((e) => [e.epoch, e.step]),
    Array.from({ length: EPOCHS }, (_, i) => [i + 1, (i + 1) * STEPS]),
  );
  const [first, last] = [epochs[0], epochs[EPOCHS - 1]];
  assert.ok(last.trainLoss < first.trainLoss && last.auxiliaryLoss! < first.auxiliaryLoss!, JSON.stringify(epochs));
  assert.ok(last.lr < first.lr && last.dropPath > first.dropPath);
  assert.equal(best!.accuracy, Math.max(...epochs.map((e) => e.valAccuracy!)));
  assert.equal(epochs[best!.epoch - 1].best, true);
  assert.equal(modelFile, BEST_MODEL);
  assert.equal(test!.count, 30);
  assert.ok(test!.accuracy > 0.8, JSON.stringify(test));
  assert.deepEqual(test!.confusion.map((row) => row[0] + row[1]), [15, 15]);
  assert.equal((test!.confusion[0][0] + test!.confusion[1][1]) / 30, test!.accuracy);
  assert.deepEqual(test!.perClass, test!.confusion.map((row, k) => row[k] / 15));
  assert.equal(plan.parameters, costOf(model.network).parameters);
  const written = JSON.parse(Deno.readTextFileSync(`${whole}/evaluation.json`));
  assert.deepEqual([written.model, written.test, written.classNames], [BEST_MODEL, test, ["above", "below"]]);
});

Deno.test("model file: what was trained comes back, and evaluates and predicts the same", async () => {
  const { model, test, best } = outcome!, read = loadModel(`${whole}/${BEST_MODEL}`);
  assert.deepEqual({ ...read, tensors: null }, { ...model, tensors: null });
  assert.deepEqual([read.version, read.notes.valAccuracy], [VERSION, best!.accuracy]);
  assert.ok(![...read.tensors.keys()].some((name) => name.includes("auxiliary")));
  assert.deepEqual(encodeModel(read), Deno.readFileSync(`${whole}/${BEST_MODEL}`));
  const again = await evaluateModel(read, DATA.test, { gpu, batch: 7 });
  assert.deepEqual(again.confusion, test!.confusion);
  assert.ok(Math.abs(again.loss - test!.loss) < 1e-5);
  const rows = await predictImages(read, DATA.test, { gpu });
  assert.equal(rows.length, 30);
  let correct = 0;
  rows.forEach((row, i) => {
    assert.ok(Math.abs(row[0] + row[1] - 1) < 1e-12);
    if (row[DATA.test.labels[i]] > 0.5) correct++;
  });
  assert.equal(correct / 30, test!.accuracy);
  const { graph, images, logits, variables, values } = buildInference(read, 5);
  assert.deepEqual([images.type.shape, logits.type.shape], [[1, 5, 9, 8], [5, 2]]);
  assert.equal(values.get(variables.weights)!.length, variables.weights.length);
  assert.ok(graph.nodes.length > 50);
});

Deno.test("model file: other images and other classes are refused", async () => {
  const { model } = outcome!;
  await assert.rejects(evaluateModel(model, halves(4, [1, 8, 8]), { gpu }), message(/takes 1x9x8/, UsageError));
  await assert.rejects(
    evaluateModel(model, { ...DATA.test, classNames: ["below", "above"] }, { gpu }),
    message(/its classes must be the model's 2 \(above, below\): it has 2 \(below, above\)/, UsageError),
  );
  const labels = DATA.test.labels.map(() => 2);
  await assert.rejects(evaluateModel(model, { ...DATA.test, labels }, { gpu }), message(/label 0 must be/, UsageError));
  await assert.rejects(predictImages(model, { images: new Uint8Array(10), count: 1 }, { gpu }), UsageError);
});

Deno.test("train: stopped in the middle of an epoch, the same call goes on to the same bits", async () => {
  const path = `${temporary()}/run`, config = tiny({ checkpointSteps: 1 }); // so that it looks up after each step
  await interrupted(path, (options) => train(config, DARTS_V2, DATA, { gpu, ...options, name: "V2" }), 1, 2);
  {
    using folder = RunFolder.open(path);
    assert.equal(folder.readCheckpoint()!.step, STEPS + 2);
    folder.appendMetric({ step: 2 * STEPS, stale: true }); // as if it had been killed later
    const { name, search, genotype } = readTraining(folder);
    assert.deepEqual([name, search, genotype], ["V2", null, DARTS_V2]);
    const other: Genotype = { ...DARTS_V2, reduce: DARTS_V2.normal };
    await assert.rejects(
      train(tiny(), other, DATA, { gpu, folder }),
      message(/with this genotype: it is not the one/, UsageError),
    );
    const data = { train: { ...DATA.train, fingerprint: "other" } };
    await assert.rejects(
      train(tiny(), DARTS_V2, data, { gpu, folder }),
      message(/the images are not those/, UsageError),
    );
    const changed = message(/^Cannot change lr .* must stay 0.05: current value is 0.1/, UsageError);
    await assert.rejects(train(tiny({ lr: 0.1 }), DARTS_V2, DATA, { gpu, folder }), changed);
  }
  const result = await train(config, DARTS_V2, DATA, { gpu, folder: path });
  using folder = RunFolder.open(path);
  assert.deepEqual(bitsOf(folder, result), reference);
  // A finished run is measured again, to the same result.
  assert.deepEqual(await complete(folder), reference);
});

Deno.test("train: mixed images change what is learnt, and stay the same ones when it is resumed", async () => {
  const lossOf = async (config: TrainConfig, run: TrainRunOptions = {}): Promise<number> =>
    (await train(config, DARTS_V2, DATA, { gpu, ...run })).epochs.at(-1)!.trainLoss;
  const shares = [0, 0.5, 1], losses: number[] = [];
  for (const cutmix of shares) losses.push(await lossOf(tiny({ epochs: 2, cutmix })));
  assert.equal(new Set(losses).size, shares.length, "none, some and all");
  const path = `${temporary()}/run`, config = tiny({ epochs: 2, cutmix: 0.5, checkpointSteps: 1 });
  await interrupted(path, (options) => train(config, DARTS_V2, DATA, { gpu, ...options }), 1, 2);
  assert.equal(await lossOf(config, { folder: path }), losses[1]);
});

Deno.test("train: Muon moves weights otherwise than SGD, and to the same bits when it is resumed", async () => {
  const lossOf = async (config: TrainConfig, run: TrainRunOptions = {}): Promise<number> =>
    (await train(config, DARTS_V2, DATA, { gpu, ...run })).epochs.at(-1)!.trainLoss;
  const config = tiny({ epochs: 2, optimizer: "muon", checkpointSteps: 1 }), loss = await lossOf(config);
  assert.notEqual(loss, await lossOf(tiny({ epochs: 2 })));
  const path = `${temporary()}/run`;
  await interrupted(path, (options) => train(config, DARTS_V2, DATA, { gpu, ...options }), 1, 2);
  assert.equal(await lossOf(config, { folder: path }), loss);
});

Deno.test("train: at the pace of a clock the schedule ends when it says so, resumed or not", async () => {
  const marks = [0.1, 0.5, 0.9, 1], config = tiny({ checkpointSteps: 1, valImages: 0 }), path = `${temporary()}/run`;
  const pace = (): Pace => ({ shares: [], next: (epoch) => marks[epoch] });
  const run = (options: TrainRunOptions) => train(config, DARTS_V2, DATA, { gpu, ...options });
  const { model, epochs } = await run({ pace: pace() });
  assert.deepEqual([epochs.length, model.notes.epoch, model.notes.epochs], [4, 4, 4], "though six were planned");
  const steps = epochs[0].step, at = [0, ...marks.slice(0, -1)].map((share) => share * config.epochs * steps);
  assert.deepEqual(epochs.map(({ lr }) => lr), at.map((position) => learningRate(config, position, steps)));
  assert.deepEqual(epochs.map(({ dropPath }) => dropPath), at.map((position) => dropShare(config, position, steps)));

  await interrupted(path, (options) => run({ ...options, pace: pace() }), 1, 2);
  const asked: number[] = [], later = { shares: [], next: (epoch: number) => (asked.push(epoch), marks[epoch]) };
  await assert.rejects(run({ folder: path }), message(/as its learning rate followed a clock/, UsageError));
  const resumed = await run({ folder: path, pace: later });
  assert.deepEqual([asked, later.shares], [[2, 3], marks], "what was decided in the epoch that is gone on with stays");
  assert.deepEqual([...resumed.model.tensors], [...model.tensors]);

  const even = await run({ pace: { shares: [], next: (epoch) => (epoch + 1) / EPOCHS } }), plain = await run({});
  assert.deepEqual(even.epochs.map(({ step }) => step), plain.epochs.map(({ step }) => step));
  const near = even.epochs.every(({ lr }, i) => Math.abs(lr - plain.epochs[i].lr) < 1e-9);
  assert.ok(near, "equal shares are the schedule without a pace");
});

Deno.test("train: an epoch of several passes takes the steps of as many epochs of one", async () => {
  const of = async (values: TrainOptions): Promise<unknown> => {
    const { model, epochs } = await train(tiny({ valImages: 0, ...values }), DARTS_V2, DATA, { gpu });
    return [epochs.at(-1)!.step, [...model.tensors]];
  };
  const passes = await of({ epochs: 4 });
  assert.deepEqual(await of({ epochs: 2, stepsPerEpoch: 12 }), passes);
  assert.notDeepEqual(await of({ epochs: 2, stepsPerEpoch: 12, seed: 4 }), passes);
});

Deno.test("train: a best model that is missing, or not of this run, is told of", async () => {
  const path = `${temporary()}/run`, config = tiny({ checkpointSteps: 1 }), warnings: string[] = [];
  await interrupted(path, (options) => train(config, DARTS_V2, DATA, { gpu, ...options }), 2, 1);
  const file = `${path}/${BEST_MODEL}`, kept = Deno.readFileSync(file);
  const { notes, ...model } = decodeModel(kept, file);
  const told = async (pattern: RegExp): Promise<void> => {
    const stop = new AbortController(), warn = (text: string): void => void warnings.push(text);
    const options = { gpu, folder: path, signal: stop.signal, warn };
    await assert.rejects(train(config, DARTS_V2, DATA, { ...options, onStart: () => stop.abort() }), {
      name: "AbortError",
    });
    assert.match(warnings.join(), pattern);
  };
  for (
    const [change, pattern] of [
      [
        { seed: 99 },
        /best.safetensors' as it must be the model of epoch [12] of this run; the best epoch is chosen from/,
      ],
      [{ epoch: 0 }, /must be the model of epoch [12] of this run/],
    ] as const
  ) {
    Deno.writeFileSync(file, encodeModel({ ...model, notes: { ...notes, ...change } }));
    await told(pattern);
    warnings.length = 0;
  }
  Deno.removeSync(file);
  await told(/best.safetensors' as it does not exist/);
  Deno.writeFileSync(file, kept);
  const result = await train(config, DARTS_V2, DATA, { gpu, folder: path });
  using folder = RunFolder.open(path);
  assert.deepEqual(bitsOf(folder, result), reference);
});

Deno.test("train: a signal stops the measurement of the test images too", async () => {
  const path = `${temporary()}/run`, stop = new AbortController(), reason = Symbol("enough"), stopped: number[] = [];
  const config = tiny({ epochs: 1, batchSize: 8 });
  const options = { gpu, folder: path, signal: stop.signal, onStopped: (step: number) => void stopped.push(step) };
  const onTest = (done: number): void => void (done > 0 && stop.abort(reason));
  await assert.rejects(train(config, DARTS_V2, DATA, { ...options, onTest }), (error) => error === reason);
  assert.deepEqual(stopped, [10]);
  const { test, model } = await train(config, DARTS_V2, DATA, { gpu, folder: path });
  assert.equal(test!.count, 30);
  const aborted = { gpu, signal: AbortSignal.abort(reason) };
  await assert.rejects(evaluateModel(model, DATA.test, aborted), (error) => error === reason);
  await assert.rejects(predictImages(model, DATA.test, aborted), (error) => error === reason);
});

Deno.test("train: validation images of the data set's own choose the best epoch, resumed or not", async () => {
  const val = { ...halves(21, [1, 9, 8], { ...FAINT, start: 2e6 }), mean: [0], std: [1] }, data = { ...DATA, val };
  const config = tiny({ valImages: 19, epochs: 2, checkpointSteps: 1 });
  const run = async (folder: RunFolder, options: TrainRunOptions = {}, from = data) =>
    bitsOf(folder, await train(config, DARTS_V2, from, { gpu, folder, ...options }));
  using once = RunFolder.create(temporary());
  const bits = await run(once);
  const [{ step, epoch, valAccuracy, valLoss }] = once.readMetrics() as unknown as TrainRecord[];
  assert.deepEqual([step, epoch], [96 / 16, 1]); // nothing is held out of the training images
  assert.equal(Math.round(valAccuracy! * 19) / 19, valAccuracy);

  const path = `${temporary()}/run`;
  await interrupted(path, (options) => train(config, DARTS_V2, data, { gpu, ...options }), 0, 4);
  const refused = message(/validation images: they are not those/, UsageError);
  using folder = RunFolder.open(path);
  for (const other of [{ ...val, fingerprint: "other" }, undefined]) {
    await assert.rejects(run(folder, {}, { ...DATA, val: other! }), refused);
  }
  assert.deepEqual(await run(folder), bits);

  // All of them, normalised as the training images are: what evaluating the model on them gives.
  const all = await train(tiny({ epochs: 1, valImages: 99 }), DARTS_V2, data, { gpu });
  const measured = await evaluateModel(all.model, val, { gpu });
  assert.equal(measured.count, 21);
  assert.equal(measured.accuracy, all.best!.accuracy);
  assert.ok(Math.abs(measured.loss - all.best!.loss) < 1e-4 && measured.loss !== valLoss);
  const none = await train(tiny({ epochs: 1, valImages: 0 }), DARTS_V2, data, { gpu });
  assert.deepEqual([none.best, none.modelFile, none.epochs[0].valLoss], [null, LAST_MODEL, null]);
  const wrong = { ...DATA, val: halves(4, [1, 8, 8]) };
  await assert.rejects(train(tiny(), DARTS_V2, wrong, { gpu }), message(/images of 1x8x8 \('halves'\)/, UsageError));
});

Deno.test("train: a lost device is replaced and the bits stay the same", async () => {
  using folder = RunFolder.create(temporary());
  const mine = await openGpu(), warnings: string[] = [];
  let lost = false;
  const bits = await complete(folder, {
    gpu: mine,
    warn: (text) => warnings.push(text),
    onProgress: ({ epoch }) => {
      if (epoch !== 1 || lost) return;
      lost = true;
      mine.device.destroy();
    },
  });
  assert.deepEqual(bits, reference);
  assert.equal(warnings.length, 1);
});

Deno.test("train: a loss that is no number stops it, names the step and keeps the last good checkpoint", async () => {
  using folder = RunFolder.create(temporary());
  const config = tiny({ lr: 1e30, checkpointSteps: 1, clip: 0 });
  await assert.rejects(train(config, DARTS_V2, DATA, { gpu, folder }), message(/(at|after) step \d.* smaller lr/));
  for (const [name, { data }] of folder.readCheckpoint()?.tensors ?? []) {
    assert.ok(Array.from(data as Float32Array).every(Number.isFinite), name);
  }
});

Deno.test("train: what does not fit is refused by name", async () => {
  const run = (values: Record<string, string | number>, data = DATA.train) =>
    train(tiny(values), DARTS_V2, { train: data }, { gpu });
  await assert.rejects(
    run({ memoryLimit: 5 }),
    message(/^Cannot train with batchSize 16: it needs \d+ MiB .* use (batchSize \d+ or less|a smaller initChannels)/),
  );
  await assert.rejects(run({ initChannels: 3 }), message(/initChannels .* even/, UsageError));
  await assert.rejects(run({ form: "imagenet" }), message(/9x8 with the imagenet form: .* 32x32/, UsageError));
  await assert.rejects(run({}, halves(96, [1, 4, 4])), message(/; use auxiliaryWeight 0$/, UsageError));
  await assert.rejects(run({ batchSize: 90 }), message(/lower the batch size/, UsageError));
  await assert.rejects(run({ valImages: 96 }), UsageError);
  assert.throws(() => tiny({ params: "1M" }), message(/initChannels together with params/, UsageError));
  assert.throws(() => tiny({ lrMin: 1 }), message(/lrMin/, UsageError));
});

Deno.test("train: the ImageNet form, odd sizes, nothing held out, a linear schedule", async () => {
  const values: TrainOptions = {
    form: "imagenet",
    epochs: 1,
    stepsPerEpoch: 2,
    valImages: 0,
    images: 20,
    batchSize: 6,
    schedule: "linear",
    warmupEpochs: 1,
    labelSmoothing: 0.1,
    dropPath: 0,
    cutout: 0,
  };
  const data = { train: halves(40, [2, 41, 35]), test: halves(5, [2, 41, 35]) };
  const { epochs: [record], best, modelFile, model, test } = await train(tiny(values), DARTS_V2, data, { gpu });
  assert.ok(Number.isFinite(record.trainLoss) && Number.isFinite(record.auxiliaryLoss));
  assert.deepEqual([record.valLoss, best, modelFile, test!.count], [null, null, LAST_MODEL, 5]);
  assert.equal(decodeModel(encodeModel(model), "x").network.form, "imagenet");
});

Deno.test("model file: hostile files are refused in one sentence", () => {
  const bytes = encodeModel(outcome!.model), { tensors, metadata } = decodeTensors(bytes, "x");
  const refused = (edit: (meta: Map<string, string>, all: Map<string, unknown>) => void, pattern: RegExp) => {
    const meta = new Map(metadata), all = new Map(tensors);
    edit(meta, all);
    assert.throws(() => decodeModel(encodeTensors([...all], [...meta]), "m.safetensors"), message(pattern));
  };
  const set = (key: string, value: unknown) => (meta: Map<string, string>) => {
    meta.set(key, typeof value === "string" ? value : JSON.stringify(value));
  };
  const size = (changes: object) => set("network", { ...JSON.parse(metadata.get("network")!), ...changes });
  refused(set("format", "idarts-model/9"), /format must be/);
  for (const key of ["version", "genotype", "network", "classes", "preprocessing", "notes"]) {
    refused((meta) => void meta.delete(key), new RegExp(`must have '${key}'`));
  }
  refused(set("network", "{"), /'network' must be JSON/);
  refused(set("notes", '{"a":1,"a":2}'), /each key once/);
  refused(set("notes", "[]"), /notes must be a mapping/);
  refused(size({ form: "resnet" }), /its network.form must be one of cifar, imagenet and is .resnet./);
  for (const bad of [0, -1, 1.5, 1e9, "4", null]) {
    refused(size({ channels: bad }), /its network.channels must be a whole number from 1 to 4096 and is/);
  }
  refused(size({ channels: 6 }), /tensor 'weights\/.*' must be F32/);
  refused(size({ channels: 5 }), /cannot be built/);
  refused(size({ cells: 4 }), /must hold the \d+ tensors/);
  refused(size({ cells: 256 }), /must hold the (tensors of 256 cells|\d+ tensors)/);
  refused(size({ height: 2 }), /cannot be built/);
  refused(size({ classes: 3 }), /its classes must be a list of 3 and is a list of 2/);
  refused(set("classes", ["a", 2]), /its classes\[1\] must be a text and is 2/);
  const many = Array.from({ length: 100_000 }, (_, i) => `c${i}`);
  refused((meta) => [size({ classes: 100_000 }), set("classes", many)].forEach((edit) => edit(meta)), /must be F32 \[/);
  refused(size({ channels: 4096 }), /must be F32 \[12288,1,3,3\]/);
  refused(set("genotype", { normal: {}, reduce: {} }), /as a genotype/);
  refused(set("preprocessing", { scale: 1, mean: [0], std: [1] }), /scale/);
  refused(set("preprocessing", { scale: 1 / 255, mean: [0, 0], std: [1] }), /mean/);
  refused(set("preprocessing", { scale: 1 / 255, mean: [0], std: [-1] }), /std/);
  refused((_, all) => void all.delete("weights/stem.conv"), /must hold the \d+ tensors/);
  refused((_, all) => {
    all.set("weights/stem.conv", { shape: [12, 1, 3, 3], data: new Float32Array(108).fill(NaN) });
  }, /finite numbers/);
  refused((_, all) => {
    all.set("weights/stem.conv", { shape: [108], data: new Float32Array(108) });
  }, /must be F32 \[12,1,3,3\]/);
  // Any byte of the header may be anything.
  const header = 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true));
  let thrown = 0;
  for (let i = 0; i < 600; i++) {
    const broken = bytes.slice(), at = Math.imul(i, 0x9e3779b1) >>> 0, where = at % header;
    broken[where] ^= 1 + (at >>> 8) % 255;
    try {
      decodeModel(broken, "m.safetensors");
    } catch (error) {
      assert.ok(error instanceof FailureError, `${where}: ${error}`);
      assert.doesNotMatch(error.message, /\n/);
      thrown++;
    }
  }
  assert.ok(thrown > 500, `${thrown}`); // the rest changed a note or a name of a class
});

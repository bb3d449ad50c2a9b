/**
 * Whole searches through the library, tiny ones on synthetic images: that they learn, that the same seed gives the
 * same bits whatever interrupts it, and that what cannot work is refused in one sentence.
 */
import assert from "node:assert/strict";
import {
  type Dataset,
  type EpochRecord,
  FailureError,
  openGpu,
  rediscretize,
  resolveTrainConfig,
  RunFolder,
  search,
  type SearchConfig,
  type SearchResult,
  type SearchRunOptions,
  train,
  UsageError,
} from "../mod.ts";
import { DARTS_V2 } from "../src/space/published.ts";
import { rulesOf } from "../src/discretize/registry.ts";
import { encodeCheckpoint } from "../src/run/checkpoint_file.ts";
import { bitsOf, DATA, EPOCHS, halves, interrupted, message, STEPS, tiny } from "./search_support.ts";

const gpu = await openGpu();

const TEMPORARY = Deno.makeTempDirSync({ prefix: "search-" });
Deno.test.afterAll(() => Deno.removeSync(TEMPORARY, { recursive: true }));

/** A new folder. */
function temporary(): string {
  return Deno.makeTempDirSync({ dir: TEMPORARY });
}

/** A search in a folder, to its end, and what it gives. */
async function complete(folder: RunFolder, options: SearchRunOptions = {}, config = tiny()): Promise<unknown> {
  return bitsOf(folder, await search(config, DATA, { gpu, folder, ...options }));
}

/** The uninterrupted run that others are compared with. */
const whole = temporary();
const epochs: EpochRecord[] = [];
const reference = await (async () => {
  using folder = RunFolder.create(whole);
  return await complete(folder, { onEpoch: (record) => epochs.push(record) });
})();

Deno.test("search: it learns, and measures what it promises", () => {
  assert.deepEqual(epochs.map((e) => [e.epoch, e.step]), [[1, STEPS], [2, 2 * STEPS], [3, 3 * STEPS]]);
  const [first, last] = [epochs[0], epochs[EPOCHS - 1]];
  assert.ok(last.trainLoss < first.trainLoss && last.valLoss! < first.valLoss!, JSON.stringify(epochs));
  assert.ok(last.valAccuracy! > 0.8 && last.evalAccuracy > 0.7, JSON.stringify(epochs));
  assert.ok(last.weightLr < first.weightLr);
  assert.equal(last.nodes.length, 3 * 4);
  assert.ok(last.imbalance.before > 1.1);
  assert.ok(Math.abs(last.imbalance.after - 1) < 1e-3, "rms brings every node to the same norm");
  assert.deepEqual(Object.keys(last.skips), rulesOf().map(({ name }) => name));
  assert.ok(last.alphaEntropy.normal < first.alphaEntropy.normal, "the alphas move");
  const total = Object.values(last.meanWeights.normal).reduce((a, b) => a + b, 0);
  assert.ok(Math.abs(total - 1) < 1e-6);
});

Deno.test("search: the shares of a node's variance add up to 1", () => {
  const { report } = reference as { report: SearchResult["report"] };
  for (const { shares, rSquared } of [...report.nodes!.normal, ...report.nodes!.reduce]) {
    assert.ok(Math.abs(shares.reduce((sum, { share }) => sum + share, 0) - 1) < 1e-3);
    assert.ok(Math.abs(rSquared.mean - 1) < 1e-3);
  }
});

Deno.test("search: the same seed gives the same bits, another seed does not", async () => {
  using folder = RunFolder.create(temporary());
  assert.deepEqual(await complete(folder), reference);
  const other = await search(tiny({ seed: 6, epochs: 1, stepsPerEpoch: 1 }), DATA, { gpu });
  assert.notEqual(other.epochs[0].trainLoss, epochs[0].trainLoss);
});

Deno.test("search: stopped in the middle of an epoch, the same call goes on to the same bits", async () => {
  const path = `${temporary()}/new`, config = tiny({ checkpointSteps: 1 }); // so that it looks up after each step
  const before = DATA.images.slice();
  await interrupted(path, (options) => search(config, DATA, { gpu, ...options }), 1, 2);
  {
    using folder = RunFolder.open(path);
    assert.equal(folder.readCheckpoint()!.step, STEPS + 2);
    folder.appendMetric({ step: 2 * STEPS, stale: true }); // as if it had been killed later
  }
  const result = await search(config, DATA, { gpu, folder: path });
  using folder = RunFolder.open(path);
  assert.deepEqual(bitsOf(folder, result), reference);
  assert.deepEqual(DATA.images, before);
  // A finished run is decided again, to the same result.
  assert.deepEqual(await complete(folder), reference);
});

Deno.test("search: a signal is looked at first, and rejects with its reason between the last measurements too", async () => {
  const reason = { any: "thing" }, path = `${temporary()}/none`;
  const wrong = { ...DATA, std: [] }, aborted = { signal: AbortSignal.abort(reason) };
  const same = (error: unknown): boolean => error === reason;
  await assert.rejects(search(tiny(), wrong, { folder: path, ...aborted }), same);
  assert.throws(() => Deno.statSync(path), Deno.errors.NotFound);
  await assert.rejects(rediscretize(tiny(), wrong, { tensors: new Map() }, aborted), same);
  await assert.rejects(train(resolveTrainConfig(), DARTS_V2, { train: wrong }, { folder: path, ...aborted }), same);

  const stop = new AbortController(), stopped: number[] = [], one = tiny({ epochs: 1, discretizer: "perturbation" });
  const onMeasured = (done: number): void => void (done === 2 && stop.abort(reason));
  const options = {
    gpu,
    folder: path,
    signal: stop.signal,
    onMeasured,
    onStopped: (step: number) => stopped.push(step),
  };
  await assert.rejects(search(one, DATA, options), same);
  assert.deepEqual(stopped, [STEPS]);
  const { report } = await search(one, DATA, { gpu, folder: path });
  assert.deepEqual((await search(one, DATA, { gpu })).report, report);
  const checkpoint = RunFolder.view(path).readCheckpoint()!, again = new AbortController();
  const measured = (done: number): void => void (done === 1 && again.abort(reason));
  await assert.rejects(
    rediscretize(one, DATA, checkpoint, { gpu, methods: ["perturbation"], signal: again.signal, onMeasured: measured }),
    same,
  );
});

Deno.test("search: a run is gone on with only by what makes it: options, images, class names, and its own files", async () => {
  const path = `${temporary()}/run`, config = tiny({ checkpointSteps: 1 });
  await interrupted(path, (options) => search(config, DATA, { gpu, ...options }), 1, 2);
  const file = `${path}/config.json`, record = JSON.parse(Deno.readTextFileSync(file));
  assert.deepEqual([record.format, record.config.seed, record.data.fingerprint], ["idarts-run/1", 1, DATA.fingerprint]);
  assert.deepEqual(record.data.classNames, ["above", "below"]);
  const refused = (
    pattern: RegExp,
    values = {},
    data = DATA,
    type: typeof UsageError | typeof FailureError = UsageError,
  ) =>
    assert.rejects(
      search(tiny({ checkpointSteps: 1, ...values }), data, { gpu, folder: path }),
      message(pattern, type),
    );
  await refused(/^Cannot change seed of the run in '.*' as it must stay 1: current value is 6; /, { seed: 6 });
  await refused(/^Cannot change stopSkips .* as it must stay unset: current value is 2/, { stopSkips: 2 });
  await refused(/: the images are not those that the run began with; take those again or take another folder$/, {}, {
    ...DATA,
    fingerprint: "other",
  });
  const renamed = { ...DATA, classNames: ["above", "under"] };
  await refused(/: its class 'under' is not the 'below' that the run began with; /, {}, renamed);
  const more = { ...DATA, classes: 3, classNames: ["above", "below", "else"] };
  await refused(/: its 3 classes are not the 2 that the run began with; /, {}, more);
  await assert.rejects(
    train(resolveTrainConfig(), DARTS_V2, { train: DATA }, { gpu, folder: path }),
    message(/as a training as it is a search: name another run$/, UsageError),
  );

  const edited = async (config: object, pattern: RegExp, values: Record<string, number>): Promise<void> => {
    Deno.writeTextFileSync(file, JSON.stringify({ ...record, config: { ...record.config, ...config } }));
    await refused(pattern, values);
    Deno.writeTextFileSync(file, JSON.stringify(record));
  };
  const made = (key: string, was: number, is: number): RegExp =>
    new RegExp(`its checkpoint of step 8 was made with ${key} ${was} and '.*config.json' says ${is}: put it back`);
  await edited({ seed: 6 }, made("seed", 1, 6), { seed: 6 });
  await edited({ "batch-size": 16 }, made("batch-size", 8, 16), { batchSize: 16 });
  await edited({ seed: 6 }, /^Cannot change seed .* must stay 6: current value is 1/, {});
  // What has no effect on the bits may change.
  Deno.writeTextFileSync(file, JSON.stringify({ ...record, config: { ...record.config, "memory-limit": 99999 } }));
  const result = await search(tiny({ checkpointSteps: 7 }), { ...DATA, name: "moved" }, { gpu, folder: path });
  using folder = RunFolder.open(path);
  assert.deepEqual(bitsOf(folder, result), reference);
});

Deno.test("search: metrics that are missing behind a checkpoint are told of, and refused where they decide", async () => {
  for (const values of [{}, { stopStableEpochs: 3 }] as Record<string, number>[]) {
    const path = `${temporary()}/run`, config = tiny({ checkpointSteps: 1, ...values }), warnings: string[] = [];
    await interrupted(path, (options) => search(config, DATA, { gpu, ...options }), 2, 1);
    const file = `${path}/metrics.jsonl`, lines = Deno.readTextFileSync(file).split("\n");
    Deno.writeTextFileSync(file, lines[1] + "\n");
    const options = { gpu, folder: path, warn: (text: string) => void warnings.push(text) };
    const sentence = /metrics.jsonl' has no record of epoch 1, which the checkpoint of step 13 comes after/;
    if ("stopStableEpochs" in values) {
      await assert.rejects(search(config, DATA, options), message(sentence));
      Deno.writeTextFileSync(file, lines.join("\n"));
      assert.equal((await search(config, DATA, options)).stopped.epoch, 3);
      continue;
    }
    Deno.removeSync(file);
    const { report } = await search(config, DATA, options);
    assert.match(warnings.join(), /metrics.jsonl' has no record of epochs 1, 2, which .*: the run goes on/);
    assert.deepEqual(report, (reference as { report: SearchResult["report"] }).report);
  }
});

Deno.test("search: a lost device is replaced and the bits stay the same", async () => {
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
  assert.match(warnings[0], /device was lost .* going on from the last checkpoint/);
});

Deno.test("search: a loss that is no number stops it, names the step and keeps the last good checkpoint", async () => {
  const config = tiny({ weightLr: 1e30, clip: 0 }), remedy = "start again with a smaller weightLr";
  {
    using folder = RunFolder.create(temporary());
    const none = `^(?=.*(at|after) step [1-6] ).* \\(epoch 1\\): there is no checkpoint yet; ${remedy}`;
    await assert.rejects(search(config, DATA, { gpu, folder }), message(new RegExp(none)));
    assert.equal(folder.readCheckpoint(), undefined);
  }
  using folder = RunFolder.create(temporary());
  const each = tiny({ weightLr: 1e30, clip: 0, checkpointSteps: 1 });
  const kept = `^(?=.*(at|after) step [2-6] ).* \\(epoch 1\\): the checkpoint of step [1-5] is kept in '.*'; ${remedy}`;
  await assert.rejects(search(each, DATA, { gpu, folder }), message(new RegExp(kept)));
  for (const [name, { data }] of folder.readCheckpoint()!.tensors) {
    assert.ok(Array.from(data as Float32Array).every(Number.isFinite), name);
  }
});

Deno.test("search: what does not fit in memory is refused with the largest batch that fits", async () => {
  const values = { batchSize: 48, memoryLimit: 2, epochs: 1, stepsPerEpoch: 1 };
  let batch = 0;
  await assert.rejects(search(tiny(values), DATA, { gpu }), (error: unknown) => {
    assert.ok(error instanceof FailureError);
    const match = /^Cannot search with batchSize 48: it needs \d+ MiB .* use batchSize (\d+) or less$/
      .exec(error.message);
    assert.ok(match, error.message);
    batch = Number(match[1]);
    return true;
  });
  assert.ok(batch >= 2 && batch < 48);
  const { plan } = await search(tiny({ ...values, batchSize: batch }), DATA, { gpu });
  assert.ok(plan.bytes <= 2 * 2 ** 20);
  await assert.rejects(
    search(tiny({ ...values, initChannels: 8, memoryLimit: 1 }), DATA, { gpu }),
    message(/use a smaller initChannels or cells$/),
  );
});

Deno.test("search: a damaged checkpoint is replaced by the one before, and the bits stay the same", async () => {
  const path = temporary(), warnings: string[] = [];
  for (const name of ["config.json", "metrics.jsonl", "checkpoint.safetensors", "checkpoint.prev.safetensors"]) {
    Deno.copyFileSync(`${whole}/${name}`, `${path}/${name}`);
  }
  const bytes = Deno.readFileSync(`${path}/checkpoint.safetensors`);
  Deno.writeFileSync(`${path}/checkpoint.safetensors`, bytes.subarray(0, bytes.length - 100));
  using folder = RunFolder.open(path, { warn: (text) => warnings.push(text) });
  assert.deepEqual(await complete(folder), reference);
  assert.equal(warnings.length, 1);
  assert.match(warnings[0], /going on from step 12/);
});

Deno.test("search: a checkpoint of another supernet is refused; one of an older version is gone on with", async () => {
  /** A folder with the configuration of a run that has not begun to step, and a checkpoint without one. */
  const older = async (config: SearchConfig): Promise<string> => {
    const path = `${temporary()}/run`, { step, tensors, state } = RunFolder.view(whole).readCheckpoint()!;
    const stop = new AbortController();
    {
      using folder = RunFolder.create(path);
      const options = { gpu, folder, signal: stop.signal, onStart: () => stop.abort() };
      await assert.rejects(search(config, DATA, options), { name: "AbortError" });
    }
    const { options: _, classNames: __, ...rest } = state as Record<string, unknown>;
    Deno.copyFileSync(`${whole}/metrics.jsonl`, `${path}/metrics.jsonl`);
    Deno.writeFileSync(`${path}/checkpoint.safetensors`, encodeCheckpoint(step, tensors, rest));
    return path;
  };
  const four = tiny({ initChannels: 4 }), deep = tiny({ cells: 4 });
  await assert.rejects(
    search(four, DATA, { gpu, folder: await older(four) }),
    message(/^Cannot use '.*' as tensor 'weights\/stem.conv' must be F32/),
  );
  await assert.rejects(
    search(deep, DATA, { gpu, folder: await older(deep) }),
    message(/must hold the \d+ tensors of this supernet/),
  );
  const { report } = await search(tiny(), DATA, { gpu, folder: await older(tiny()) });
  assert.deepEqual(report, (reference as { report: SearchResult["report"] }).report);
});

Deno.test("search: a checkpoint is discretised again to the same scores, and with other options to others", async () => {
  const { report } = reference as { report: SearchResult["report"] };
  using folder = RunFolder.view(whole);
  const checkpoint = folder.readCheckpoint()!;
  assert.deepEqual(await rediscretize(tiny(), DATA, checkpoint, { gpu }), report);
  const edge = await rediscretize(tiny(), DATA, checkpoint, { gpu, scope: "edge", images: 16 });
  assert.equal(edge.options.scope, "edge");
  assert.notDeepEqual(edge.methods[0].nodes, report.methods[0].nodes);
});

Deno.test("search: odd sizes, two input channels, space s2 and plain DARTS nodes", async () => {
  const values = { space: "s2", nodeNorm: "none", epochs: 1, stepsPerEpoch: 2, batchSize: 6 } as const;
  const { epochs: [record], genotype, report } = await search(tiny(values), halves(40, [2, 9, 7]), { gpu });
  assert.ok(Number.isFinite(record.trainLoss) && Number.isFinite(record.evalLoss));
  assert.ok(Math.abs(record.imbalance.before / record.imbalance.after - 1) < 1e-5);
  assert.equal(genotype.reduce.nodes.length, 4);
  assert.equal(report.space, "s2");
});

Deno.test("data sets of one's own: what does not fit together is refused by field", async () => {
  const config = tiny(),
    { images, labels } = DATA,
    wrong: [Partial<Dataset>, RegExp][] = [
      [{ count: 1.5 }, /'halves' as its count must be a whole number from 1: current value is 1.5$/],
      [{ images: images.subarray(1) }, /length of its images must be 8192: current value is 8191$/],
      [{ labels: labels.subarray(8) }, /length of its labels must be 128: .* 120$/],
      [{ labels: labels.map((label) => label + 1) }, /label 1 must be from 0 to 1: .* 2$/],
      [{ mean: [0.5, 0.5, 0.5] }, /length of its mean must be 1: .* 3$/],
      [{ std: [] }, /length of its std must be 1/],
      [{ classNames: ["above"] }, /length of its classNames must be 2/],
    ];
  for (const [fields, text] of wrong) {
    await assert.rejects(search(config, { ...DATA, ...fields }, { gpu }), message(text, UsageError));
  }
  const data = { ...DATA, std: [] }, error = message(/its std/, UsageError);
  await assert.rejects(rediscretize(config, data, { tensors: new Map() }, { gpu }), error);
  const training = resolveTrainConfig();
  await assert.rejects(train(training, DARTS_V2, { train: data }, { gpu }), error);
  await assert.rejects(train(training, DARTS_V2, { train: DATA, val: data }, { gpu }), error);
  await assert.rejects(train(training, DARTS_V2, { train: DATA, test: data }, { gpu }), error);
});

Deno.test("search: impossible sizes are refused by name", async () => {
  await assert.rejects(search(tiny(), halves(64, [1, 3, 8]), { gpu }), message(/at least 4x4/, UsageError));
  await assert.rejects(
    search(tiny({ initChannels: 3 }), DATA, { gpu }),
    message(/initChannels .* even/, UsageError),
  );
  const large = /at most the number of images, 64 of 128 in this part: lower the batch size/;
  await assert.rejects(search(tiny({ batchSize: 100 }), DATA, { gpu }), message(large, UsageError));
});

/**
 * Whole searches through the library, tiny ones on synthetic images: that they learn, that the same seed gives the
 * same bits whatever interrupts it, and that what cannot work is refused in one sentence.
 */
import assert from "node:assert/strict";
import {
  DARTS_V2,
  type Dataset,
  type EpochRecord,
  FailureError,
  openGpu,
  rediscretize,
  resolveTrainConfig,
  RunFolder,
  search,
  SearchInterrupted,
  type SearchResult,
  type SearchRunOptions,
  train,
  UsageError,
} from "../mod.ts";
import { rulesOf } from "../src/discretize/registry.ts";
import { bitsOf, DATA, EPOCHS, halves, message, STEPS, tiny } from "./search_support.ts";

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
  const other = await search(tiny({ seed: 6, epochs: 1, "steps-per-epoch": 1 }), DATA, { gpu });
  assert.notEqual(other.epochs[0].trainLoss, epochs[0].trainLoss);
});

Deno.test("search: stopped in the middle of an epoch and resumed, it gives the same bits", async () => {
  const path = temporary(), stop = new AbortController();
  {
    using folder = RunFolder.create(path);
    folder.writeJson("config.json", {});
    await assert.rejects(
      complete(folder, {
        signal: stop.signal,
        onProgress: ({ epoch, step }) => epoch === 1 && step === 2 && stop.abort(),
      }, tiny({ "checkpoint-steps": 1 })), // so that it looks up after each step
      message(/^Stopped after step \d+$/, SearchInterrupted),
    );
    const { step } = folder.readCheckpoint()!;
    assert.equal(step, STEPS + 2);
    folder.appendMetric({ step: 2 * STEPS, stale: true }); // as if it had been killed later
  }
  using folder = RunFolder.open(path);
  assert.deepEqual(await complete(folder, { resume: true }), reference);
  // A finished run is decided again, to the same result.
  assert.deepEqual(await complete(folder, { resume: true }), reference);
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
  const config = tiny({ "weight-lr": 1e30, "clip": 0 }), remedy = "start again with a smaller weightLr";
  {
    using folder = RunFolder.create(temporary());
    const none = `^(?=.*(at|after) step [1-6] ).* \\(epoch 1\\): there is no checkpoint yet; ${remedy}`;
    await assert.rejects(search(config, DATA, { gpu, folder }), message(new RegExp(none)));
    assert.equal(folder.readCheckpoint(), undefined);
  }
  const path = temporary(), file = `${path}/checkpoint.safetensors`;
  Deno.copyFileSync(`${whole}/checkpoint.prev.safetensors`, file);
  Deno.writeTextFileSync(`${path}/config.json`, "{}");
  const before = Deno.readFileSync(file);
  using folder = RunFolder.open(path);
  const kept = `^(?=.*(at|after) step 1[3-8] ).* \\(epoch 3\\): the checkpoint of step 12 is kept in '.*'; ${remedy}`;
  await assert.rejects(search(config, DATA, { gpu, folder, resume: true }), message(new RegExp(kept)));
  const after = Deno.readFileSync(file);
  assert.ok(before.length === after.length && before.every((byte, i) => byte === after[i]), "it is as it was");
});

Deno.test("search: what does not fit in memory is refused with the largest batch that fits", async () => {
  const values = { "batch-size": 48, "memory-limit": 2, "epochs": 1, "steps-per-epoch": 1 };
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
  const { plan } = await search(tiny({ ...values, "batch-size": batch }), DATA, { gpu });
  assert.ok(plan.bytes <= 2 * 2 ** 20);
  await assert.rejects(
    search(tiny({ ...values, "init-channels": 8, "memory-limit": 1 }), DATA, { gpu }),
    message(/use a smaller initChannels or cells$/),
  );
});

Deno.test("search: a damaged checkpoint is replaced by the one before, and the bits stay the same", async () => {
  const path = temporary(), warnings: string[] = [];
  for (const name of ["metrics.jsonl", "checkpoint.safetensors", "checkpoint.prev.safetensors"]) {
    Deno.copyFileSync(`${whole}/${name}`, `${path}/${name}`);
  }
  Deno.writeTextFileSync(`${path}/config.json`, "{}");
  const bytes = Deno.readFileSync(`${path}/checkpoint.safetensors`);
  Deno.writeFileSync(`${path}/checkpoint.safetensors`, bytes.subarray(0, bytes.length - 100));
  using folder = RunFolder.open(path, { warn: (text) => warnings.push(text) });
  assert.deepEqual(await complete(folder, { resume: true }), reference);
  assert.equal(warnings.length, 1);
  assert.match(warnings[0], /going on from step 12/);
});

Deno.test("search: a checkpoint of another supernet or of other images is refused", async () => {
  const path = temporary();
  Deno.copyFileSync(`${whole}/checkpoint.safetensors`, `${path}/checkpoint.safetensors`);
  Deno.writeTextFileSync(`${path}/config.json`, "{}");
  using folder = RunFolder.open(path);
  const options = { gpu, folder, resume: true };
  await assert.rejects(
    search(tiny({ "init-channels": 4 }), DATA, options),
    message(/^Cannot use '.*' as tensor 'weights\/stem.conv' must be F32/),
  );
  await assert.rejects(
    search(tiny({ cells: 4 }), DATA, options),
    message(/must hold the \d+ tensors of this supernet/),
  );
  await assert.rejects(
    search(tiny(), { ...DATA, fingerprint: "other" }, options),
    message(/^Cannot resume .*: the images are not those that the run began with$/, UsageError),
  );
});

Deno.test("search: a checkpoint is discretised again to the same scores, and with other options to others", async () => {
  const { report } = reference as { report: SearchResult["report"] };
  using folder = RunFolder.view(withConfig(whole));
  const checkpoint = folder.readCheckpoint()!;
  assert.deepEqual(await rediscretize(tiny(), DATA, checkpoint, { gpu }), report);
  const edge = await rediscretize(tiny(), DATA, checkpoint, { gpu, scope: "edge", images: 16 });
  assert.equal(edge.options.scope, "edge");
  assert.notDeepEqual(edge.methods[0].nodes, report.methods[0].nodes);
});

function withConfig(path: string): string {
  Deno.writeTextFileSync(`${path}/config.json`, "{}");
  return path;
}

Deno.test("search: odd sizes, two input channels, space s2 and plain DARTS nodes", async () => {
  const values = { "space": "s2", "node-norm": "none", "epochs": 1, "steps-per-epoch": 2, "batch-size": 6 };
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
  const training = resolveTrainConfig([]);
  await assert.rejects(train(training, DARTS_V2, { train: data }, { gpu }), error);
  await assert.rejects(train(training, DARTS_V2, { train: DATA, val: data }, { gpu }), error);
  await assert.rejects(train(training, DARTS_V2, { train: DATA, test: data }, { gpu }), error);
});

Deno.test("search: impossible sizes are refused by name", async () => {
  await assert.rejects(search(tiny(), halves(64, [1, 3, 8]), { gpu }), message(/at least 4x4/, UsageError));
  await assert.rejects(
    search(tiny({ "init-channels": 3 }), DATA, { gpu }),
    message(/initChannels .* even/, UsageError),
  );
  const large = /at most the number of images, 64 of 128 in this part: lower the batch size/;
  await assert.rejects(search(tiny({ "batch-size": 100 }), DATA, { gpu }), message(large, UsageError));
});

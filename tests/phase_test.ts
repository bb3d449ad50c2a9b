/**
 * A kind of run that is neither a search nor a training: a trial, which tells after how many epochs a network has learnt
 * its images. Shows what a further kind takes, and that a folder, stopping and going on are there for it.
 */
import assert from "node:assert/strict";
import { UsageError } from "../src/base/errors.ts";
import { aMeasurement, mapping, whole } from "../src/base/shape.ts";
import { Batcher } from "../src/data/batches.ts";
import type { Dataset } from "../src/data/dataset.ts";
import { type Gpu, type GpuLimits, openGpu } from "../src/gpu/device.ts";
import type { Tally } from "../src/run/engine.ts";
import type { Beginnings, EpochBase, Finished, Phase, RunOptions, RunProgress } from "../src/run/phase.ts";
import { runPhase } from "../src/run/run.ts";
import { RunFolder } from "../src/run/run_folder.ts";
import { DARTS_V2 } from "../src/space/published.ts";
import { resolveTrainConfig } from "../src/train/config.ts";
import { TrainEngine, type TrainMetric } from "../src/train/engine.ts";
import { planTraining, type TrainPlan } from "../src/train/programs.ts";
import { DATA, interrupted, message } from "./search_support.ts";

const gpu = await openGpu(), ROOT = Deno.makeTempDirSync({ prefix: "phase-" });
Deno.test.afterAll(() => Deno.removeSync(ROOT, { recursive: true }));

const CONFIG = { batchSize: 16, checkpointSteps: 2, epochs: 20, memoryLimit: null, seed: 1, tuning: "off" };

interface TrialEpoch extends EpochBase {
  readonly accuracy: number;
}

class Trial implements Phase<TrainPlan, TrainMetric, TrainEngine, RunProgress, TrialEpoch, number> {
  readonly config = CONFIG;
  readonly stepsPerEpoch = 5;
  readonly losses = [["train", "training"]] as const;
  readonly remedies = ["lr"];
  readonly epochShape = mapping<TrialEpoch>({
    step: whole(),
    epoch: whole(1),
    trainLoss: aMeasurement,
    accuracy: aMeasurement,
  });
  readonly watches = true;
  readonly beginnings: Beginnings;
  readonly #images: Batcher;

  constructor(data: Dataset, readonly wanted: number) {
    const options = { wanted };
    this.beginnings = { kind: "train", options, read: (values) => ({ ...options, ...values }), harmless: [], data };
    this.#images = new Batcher(data, { batch: 16, seed: 1, stream: "trial", shuffle: true, last: "drop" });
  }

  plan(limits: GpuLimits, batch: number): TrainPlan {
    const { classes, channels: inputChannels, height, width } = DATA, size = { channels: 4, cells: 3 };
    const network = { genotype: DARTS_V2, form: "cifar", classes, inputChannels, height, width, ...size } as const;
    const config = resolveTrainConfig({ weightDecay: 0, auxiliaryWeight: 0, dropPath: 0, precision: "f32" });
    return planTraining(network, batch, config, limits);
  }

  create(gpu: Gpu, plan: TrainPlan): Promise<TrainEngine> {
    return TrainEngine.create(gpu, plan);
  }

  initialise(engine: TrainEngine): void {
    engine.initialise(CONFIG.seed);
  }

  async step(engine: TrainEngine, epoch: number, at: number): Promise<void> {
    const host = this.#images.host();
    this.#images.fill(epoch, at, host.images, host.labels);
    await engine.step(host, 0.05);
  }

  progress(at: RunProgress): RunProgress {
    return at;
  }

  async measure(engine: TrainEngine, epoch: number): Promise<TrialEpoch> {
    const { train }: Record<TrainMetric, Tally> = await engine.tallies();
    return {
      step: (epoch + 1) * this.stepsPerEpoch,
      epoch: epoch + 1,
      trainLoss: train.loss,
      accuracy: train.accuracy,
    };
  }

  ended(done: number, known: readonly TrialEpoch[]): boolean {
    return done >= CONFIG.epochs || (known.at(-1)?.accuracy ?? 0) >= this.wanted;
  }

  finish({ step }: Finished<TrainEngine, TrialEpoch>): Promise<number> {
    return Promise.resolve(step / this.stepsPerEpoch);
  }
}

const trial = (options: RunOptions<TrainPlan, RunProgress, TrialEpoch> = {}, wanted = 0.95): Promise<number> =>
  runPhase(new Trial(DATA, wanted), { gpu, ...options });

Deno.test("a further kind of run is a description: it ends by its own rule, stops, goes on, and keeps to what it began with", async () => {
  const accuracies: number[] = [], path = `${ROOT}/run`;
  const epochs = await trial({ onEpoch: ({ accuracy }) => void accuracies.push(accuracy) });
  assert.ok(epochs > 1 && epochs < CONFIG.epochs, accuracies.join());
  assert.deepEqual(accuracies.map((accuracy) => accuracy >= 0.95), accuracies.map((_, i) => i === epochs - 1));
  await interrupted(path, (options) => trial(options), 0, 2);
  await assert.rejects(
    trial({ folder: path }, 0.5),
    message(/^Cannot change wanted of the run in '.*' as it must stay 0.95: current value is 0.5/, UsageError),
  );
  assert.equal(await trial({ folder: path }), epochs);
  const records = RunFolder.view(path).readMetrics() as unknown as TrialEpoch[];
  assert.deepEqual(records.map(({ accuracy }) => accuracy), accuracies);
});

/**
 * A trial: a candidate trained for some steps, from the weights of its trial before, and measured on held-out images.
 * Not responsible for which trials there are.
 * @module
 */
import { FailureError } from "../base/errors.ts";
import { exists, joinPath } from "../base/files.ts";
import { MOST_PAD } from "../data/augment.ts";
import { Batcher } from "../data/batches.ts";
import type { Dataset } from "../data/dataset.ts";
import type { Gpu } from "../gpu/device.ts";
import { planWithin } from "../run/memory.ts";
import { RunFolder } from "../run/run_folder.ts";
import { resolveTrainConfig, type TrainConfig } from "../train/config.ts";
import { TrainEngine } from "../train/engine.ts";
import { type Evaluation, logSoftmax } from "../train/evaluation.ts";
import { Predictor } from "../train/inference.ts";
import { loadModel, type Model } from "../train/model_file.ts";
import { planTraining } from "../train/programs.ts";
import type { Pace } from "../train/records.ts";
import { networkConfig } from "../train/setup.ts";
import { LAST_MODEL, train } from "../train/train.ts";
import { type CandidateNetwork, POOLING } from "./candidates.ts";
import { TimeOver } from "./ledger.ts";

/** How a trial trains. */
export interface TrialPlan {
  /** Images per step. */
  readonly batch: number;
  /** Steps of an epoch. */
  readonly stepsPerEpoch: number;
  /** Number of epochs. */
  readonly epochs: number;
  /** Epochs in which the learning rate rises. */
  readonly warmup: number;
  /** Highest learning rate. */
  readonly lr: number;
  /** Share of the steps whose images are mixed; none if left out. */
  readonly cutmix?: number;
  /** How weights are updated; SGD if left out, as in runs of earlier versions. */
  readonly optimizer?: "muon";
  /** Whether it goes on from the weights of the trial before; otherwise it begins anew. */
  readonly again: boolean;
}

/** Images per step for so many images. */
export function batchFor(images: number): number {
  return Math.max(2, Math.min(images < 2000 ? 32 : 64, Math.floor(images / 2)));
}

/**
 * Epochs of a trial, where its steps suffice, and steps and seconds of one: after each its network and a checkpoint are
 * kept, which takes about 0.05 s, and where the time is over the last whole epoch counts. Where steps are slow, an epoch has
 * few of them: it is short beside the whole training, and long beside what is kept after it.
 */
const LEAST_EPOCHS = 6, MOST_EPOCHS = 60, EPOCH_STEPS = 50, EPOCH_SECONDS = 0.5, SLOW_PARTS = 30, SLOW_SECONDS = 2;
/** Share of the epochs in which the learning rate rises. */
const WARMUP_SHARE = 1 / 6;
/** Share of the steps whose images are mixed where every image is seen often, and how often that is. */
const CUTMIX = 0.5, MANY_PASSES = 50;

/**
 * A schedule of about so many steps: one rise and one fall of the learning rate.
 * @param images that are trained on
 * @param again whether it goes on from trained weights, which a lower rate keeps
 * @param secondsPerStep where the clock counts: quick steps make longer epochs, slow ones shorter ones
 */
export function trialPlan(steps: number, images: number, again: boolean, secondsPerStep = Infinity): TrialPlan {
  const few = secondsPerStep < Infinity ? Math.max(steps / SLOW_PARTS, SLOW_SECONDS / secondsPerStep) : Infinity;
  const epochSteps = Math.max(Math.min(EPOCH_STEPS, few), EPOCH_SECONDS / secondsPerStep);
  const parts = Math.max(LEAST_EPOCHS, Math.min(MOST_EPOCHS, Math.round(steps / epochSteps)));
  const stepsPerEpoch = Math.max(1, Math.floor(steps / parts)), epochs = Math.max(1, Math.floor(steps / stepsPerEpoch));
  const batch = batchFor(images), warmup = Math.floor(epochs * WARMUP_SHARE);
  const mixes = steps * batch >= MANY_PASSES * images;
  const lr = again ? 0.06 : 0.1, optimizer = "muon";
  return { batch, stepsPerEpoch, epochs, warmup, lr, optimizer, again, ...(mixes && { cutmix: CUTMIX }) };
}

/** The configuration of a training by a plan. */
function configOf(
  { batch, stepsPerEpoch, epochs, warmup, lr, cutmix = 0, optimizer }: TrialPlan,
  candidate: CandidateNetwork,
  data: Dataset,
  seed: number,
): TrainConfig {
  return resolveTrainConfig({
    initChannels: candidate.channels,
    cells: candidate.cells,
    pooling: POOLING,
    batchSize: batch,
    stepsPerEpoch,
    epochs,
    warmupEpochs: warmup,
    optimizer: optimizer ?? "sgd",
    lr,
    cutmix,
    weightDecay: 5e-4,
    labelSmoothing: 0.1,
    auxiliaryWeight: 0,
    dropPath: 0,
    ...{ cutout: 0, resizedCrop: 1, jitter: 0 }, // what suits long trainings of a folder is too much for short ones
    pad: Math.min(MOST_PAD, Math.max(1, Math.round(Math.min(data.height, data.width) / 12))),
    valImages: 0,
    checkpointSteps: 1_000_000,
    seed,
  });
}

/** What a trial needs. */
export interface Trial {
  readonly candidate: CandidateNetwork;
  readonly plan: TrialPlan;
  readonly data: Dataset;
  readonly gpu: Gpu;
  /** Folder of its run; without one nothing is written. */
  readonly folder?: string;
  /** Network to go on from, where the plan says so. */
  readonly from?: Model;
  readonly seed: number;
  readonly signal?: AbortSignal;
  /** Epochs after which it stops, as another trial of the same plan was stopped by the clock. */
  readonly stopAfter?: number;
  /** Lets a clock have a say in the learning rate: its epochs may be more or fewer than planned then. */
  readonly pace?: Pace;
  readonly warn?: (message: string) => void;
  /** Told of the network after each epoch. */
  readonly onModel?: (model: Model) => void;
  /** Told how far it is, from 0 to 1, and its loss. */
  readonly onProgress?: (share: number, loss: number) => void;
}

/** A trained candidate. */
export interface Trained {
  readonly model: Model;
  /** Epochs that were done: fewer than planned where the time was over. */
  readonly epochs: number;
  /** Steps that were taken. */
  readonly steps: number;
  /** Wall-clock seconds for a step, with what comes between epochs, compilation not counted; 0 where it is not known. */
  readonly secondsPerStep: number;
}

/**
 * Trains a candidate. Where the time is over, what comes out is the network of the last whole epoch.
 * @throws {TimeOver} where that was before the first epoch's end.
 * @throws the signal's reason where that was raised otherwise; the folder then holds a checkpoint.
 */
export async function runTrial(trial: Trial): Promise<Trained> {
  const { candidate, plan, data, gpu, folder, from, seed, signal, stopAfter = Infinity, pace, warn } = trial;
  const enough = new AbortController(), signals = [enough.signal, ...(signal ? [signal] : [])];
  let last: Model | undefined, first: { readonly epoch: number; readonly at: number } | undefined, secondsPerStep = 0;
  const share = (epochs: number): number => (pace ? pace.shares[epochs - 1] ?? 0 : epochs / plan.epochs);
  const trained = (model: Model): Trained => {
    const epochs = Number(model.notes.epoch);
    return { model, epochs, steps: epochs * plan.stepsPerEpoch, secondsPerStep };
  };
  /** The network of an earlier process; what its pace was stands in the checkpoint. */
  const kept = (): Model => {
    const model = loadModel(joinPath(folder!, LAST_MODEL));
    if (pace && pace.shares.length < Number(model.notes.epoch)) {
      const state = RunFolder.view(folder!).readCheckpoint()?.state as
        | { readonly shares?: readonly number[] }
        | undefined;
      if (state?.shares) pace.shares.splice(0, Infinity, ...state.shares);
    }
    return model;
  };
  if (stopAfter < Infinity && hasModel(folder)) { // it was killed right before it would have stopped
    const model = kept();
    if (Number(model.notes.epoch) >= stopAfter) return trained(model);
  }
  try {
    const { model } = await train(configOf(plan, candidate, data, seed), candidate.genotype, { train: data }, {
      ...{
        gpu,
        folder,
        from: plan.again ? from : undefined,
        signal: AbortSignal.any(signals),
        pace,
        warn,
        name: candidate.name,
      },
      onModel: (model) => {
        last = model;
        trial.onModel?.(model);
      },
      onEpoch: ({ epoch, secondsPerStep: seconds }) => {
        const at = performance.now() / 1000;
        secondsPerStep = first ? (at - first.at) / (epoch - first.epoch) / plan.stepsPerEpoch : seconds;
        first ??= { epoch, at };
        if (epoch >= stopAfter && share(epoch) < 1) enough.abort(new TimeOver());
      },
      onProgress: ({ epoch, step, stepsPerEpoch, trainLoss }) => {
        const [done, next] = [share(epoch), share(epoch + 1)];
        trial.onProgress?.(done + (next - done) * step / stepsPerEpoch, trainLoss);
      },
    });
    return trained(model);
  } catch (error) {
    if (!(error instanceof TimeOver)) throw error;
    if (!last && hasModel(folder)) last = kept();
    if (!last) throw error;
    return trained(last);
  }
}

/**
 * Steps that are waited for together at first, twice as many each time; the time that they take where it is enough, and
 * how often they are. The host looks only every 10 ms or so whether a device is done, in which a GPU does several.
 */
const TIMED_STEPS = 4, TIMED_SECONDS = 0.25, TIMED_OFTEN = 8;

/**
 * Seconds that a training step of a candidate takes here, measured; whatever it needs is compiled then.
 * @throws {FailureError} where it needs more memory than there is.
 */
export async function measureStep(
  candidate: CandidateNetwork,
  data: Dataset,
  gpu: Gpu,
  signal?: AbortSignal,
): Promise<number> {
  const config = configOf(trialPlan(1, data.count, false), candidate, data, 0), { batchSize: batch } = config;
  const network = networkConfig(config, candidate.genotype, data);
  const plan = planWithin(gpu, config, (size) => planTraining(network, size, config, gpu.limits), "train");
  const engine = await TrainEngine.create(gpu, plan);
  try {
    engine.initialise(0);
    const batcher = new Batcher(data, { batch, seed: 0, stream: "auto/speed", shuffle: false, last: "drop" });
    const host = batcher.host();
    await batcher.ready(0, 0);
    batcher.fill(0, 0, host.images, host.labels);
    let done = 0;
    const steps = async (count: number): Promise<void> => {
      signal?.throwIfAborted();
      for (let i = 0; i < count; i++) await engine.step(host, 1e-3, done++);
      await engine.tallies(); // waits for them
    };
    await steps(1); // compiles
    for (let count = TIMED_STEPS, often = 1;; count *= 2, often++) {
      const began = performance.now();
      await steps(count);
      const seconds = (performance.now() - began) / 1000;
      if (seconds >= TIMED_SECONDS || often === TIMED_OFTEN) return seconds / count;
    }
  } finally {
    engine.destroy();
  }
}

/** How a network answers, image by image. */
export interface Answers {
  /** All in all. */
  readonly evaluation: Evaluation;
  /** Class that it says; -1 where the image cannot be read. */
  readonly predicted: readonly number[];
  /** Probability of the right class; NaN likewise. */
  readonly rightProbability: readonly number[];
  /** Right answers. */
  readonly correct: number;
  /** Wall-clock seconds for an image, compilation not counted. */
  readonly secondsPerImage: number;
}

/**
 * The answers of a network to images.
 * @throws {FailureError} where they are no numbers.
 */
export async function answersOf(
  model: Model,
  data: Dataset,
  gpu: Gpu,
  { signal, onProgress }: { readonly signal?: AbortSignal; readonly onProgress?: (share: number) => void } = {},
): Promise<Answers> {
  await using predictor = await Predictor.open(model, { gpu, signal });
  const predicted = Array<number>(data.count).fill(-1), rightProbability = Array<number>(data.count).fill(NaN);
  const clock: { done: number; at: number }[] = [];
  const evaluation = await predictor.evaluate(data, {
    signal,
    onProgress: (done, all) => {
      clock.push({ done, at: performance.now() });
      onProgress?.(done / all);
    },
    onImage: (row, label, index) => {
      predicted[index] = row.indexOf(row.reduce((a, b) => Math.max(a, b)));
      rightProbability[index] = Math.exp(logSoftmax(row)[label]);
    },
  });
  if (!Number.isFinite(evaluation.loss)) throw new FailureError("Cannot use its answers as they are no numbers");
  if (clock.length < 2) { // what is known includes compilation
    clock[0] = { done: 0, at: performance.now() };
    await predictor.evaluate(data, { signal, onProgress: (done) => clock[1] = { done, at: performance.now() } });
  }
  const [first, last] = [clock[0], clock[clock.length - 1]];
  return {
    ...{ evaluation, predicted, rightProbability },
    correct: predicted.filter((label, i) => label === data.labels[i]).length,
    secondsPerImage: (last.at - first.at) / 1000 / (last.done - first.done),
  };
}

/** Predictions that are timed, after one that compiles. */
const TIMED_PREDICTIONS = 11;

/** Seconds from an image to its answer, one image at a time: the median of some, on the first of the images. */
export async function measureLatency(model: Model, data: Dataset, gpu: Gpu, signal?: AbortSignal): Promise<number> {
  await using predictor = await Predictor.open(model, { gpu, signal });
  const image = { images: data.images.subarray(0, data.images.length / data.count), count: 1 }, times: number[] = [];
  for (let i = 0; i <= TIMED_PREDICTIONS; i++) {
    const began = performance.now();
    await predictor.probabilities(image, { signal });
    if (i > 0) times.push((performance.now() - began) / 1000);
  }
  return times.toSorted((a, b) => a - b)[times.length >> 1];
}

/** Whether the network of a trial is in its folder. */
export function hasModel(folder: string | undefined): boolean {
  return folder !== undefined && exists(joinPath(folder, LAST_MODEL));
}

/** The name of a trial among files. */
export function trialTask(id: string): string {
  return id.replace(/[^\w.+-]+/g, "-");
}

/** The folder of a trial within that of its run. */
export function trialFolder(run: string, id: string): string {
  return joinPath(run, `trials/${trialTask(id)}`);
}

/**
 * A trial: a candidate trained for some steps, from the weights of its trial before, and measured on held-out images.
 * Not responsible for which trials there are.
 * @module
 */
import { UsageError } from "../base/errors.ts";
import { joinPath } from "../base/files.ts";
import { Batcher } from "../data/batches.ts";
import type { Dataset } from "../data/dataset.ts";
import type { Gpu } from "../gpu/device.ts";
import { resolveTrainConfig, type TrainConfig } from "../train/config.ts";
import { TrainEngine } from "../train/engine.ts";
import { Predictor } from "../train/inference.ts";
import type { Model } from "../train/model_file.ts";
import { planTraining } from "../train/programs.ts";
import { networkConfig } from "../train/setup.ts";
import { train } from "../train/train.ts";
import type { CandidateNetwork } from "./candidates.ts";

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
}

/** Images per step for so many images. */
export function batchFor(images: number): number {
  return Math.max(2, Math.min(images < 2000 ? 32 : 64, Math.floor(images / 2)));
}

/** Parts that a trial has at the least, where its steps suffice: the learning rate rises in the first one. */
const PARTS = 6;

/**
 * A schedule of about so many steps: one rise and one fall of the learning rate.
 * @param images that are trained on
 * @param again whether it goes on from trained weights, which a lower rate keeps
 */
export function trialPlan(steps: number, images: number, again: boolean): TrialPlan {
  const batch = batchFor(images), most = Math.max(1, Math.floor(images / batch));
  const stepsPerEpoch = Math.max(1, Math.min(most, Math.floor(steps / PARTS))),
    epochs = Math.max(1, Math.floor(steps / stepsPerEpoch));
  return { batch, stepsPerEpoch, epochs, warmup: Math.floor(epochs / PARTS), lr: again ? 0.06 : 0.1 };
}

/** The configuration of a training by a plan. */
function configOf(
  { batch, stepsPerEpoch, epochs, warmup, lr }: TrialPlan,
  candidate: CandidateNetwork,
  data: Dataset,
  seed: number,
): TrainConfig {
  return resolveTrainConfig({
    initChannels: candidate.channels,
    cells: candidate.cells,
    batchSize: batch,
    stepsPerEpoch,
    epochs,
    warmupEpochs: warmup,
    lr,
    weightDecay: 5e-4,
    labelSmoothing: 0.1,
    auxiliaryWeight: 0,
    dropPath: 0,
    cutout: 0,
    pad: Math.max(1, Math.round(Math.min(data.height, data.width) / 12)),
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
  /** Network to go on from. */
  readonly from?: Model;
  readonly seed: number;
  readonly signal?: AbortSignal;
  readonly warn?: (message: string) => void;
  /** Told how far it is, from 0 to 1, and its loss. */
  readonly onProgress?: (share: number, loss: number) => void;
}

/** A trained candidate. */
export interface Trained {
  readonly model: Model;
  /** Steps that were taken. */
  readonly steps: number;
  /** Wall-clock seconds per step in its last epoch. */
  readonly secondsPerStep: number;
}

/** Trains a candidate. Throws the signal's reason where that was raised; the folder then holds the last epoch. */
export async function runTrial(trial: Trial): Promise<Trained> {
  const { candidate, plan, data, gpu, folder, from, seed, signal, warn, onProgress } = trial;
  const { model, epochs } = await train(configOf(plan, candidate, data, seed), candidate.genotype, { train: data }, {
    ...{ gpu, folder, from, signal, warn, name: candidate.name },
    onProgress: ({ epoch, step, stepsPerEpoch, trainLoss }) =>
      onProgress?.((epoch + step / stepsPerEpoch) / plan.epochs, trainLoss),
  });
  return { model, steps: plan.epochs * plan.stepsPerEpoch, secondsPerStep: epochs.at(-1)?.secondsPerStep ?? 0 };
}

/** Steps that are timed. */
const TIMED_STEPS = 4;

/** Seconds that a training step of a candidate takes here, measured; whatever it needs is compiled then. */
export async function measureStep(
  candidate: CandidateNetwork,
  data: Dataset,
  gpu: Gpu,
  signal?: AbortSignal,
): Promise<number> {
  const config = configOf(trialPlan(1, data.count, false), candidate, data, 0), { batchSize: batch } = config;
  const plan = planTraining(networkConfig(config, candidate.genotype, data), batch, config, gpu.limits);
  const engine = await TrainEngine.create(gpu, plan);
  try {
    engine.initialise(0);
    const batcher = new Batcher(data, { batch, seed: 0, stream: "auto/speed", shuffle: false, last: "drop" });
    const host = batcher.host();
    await batcher.ready(0, 0);
    batcher.fill(0, 0, host.images, host.labels);
    let began = 0;
    for (let step = 0; step <= TIMED_STEPS; step++) {
      signal?.throwIfAborted();
      if (step === 1) began = performance.now();
      await engine.step(host, 1e-3, step);
      if (step === 0 || step === TIMED_STEPS) await engine.tallies();
    }
    return (performance.now() - began) / 1000 / TIMED_STEPS;
  } finally {
    engine.destroy();
  }
}

/** How a network answers, image by image. */
export interface Answers {
  /** Class that it says. */
  readonly predicted: readonly number[];
  /** Probability of the right class. */
  readonly rightProbability: readonly number[];
  /** Right answers. */
  readonly correct: number;
  /** Mean cross-entropy. */
  readonly loss: number;
}

/** The answers of a network to images in memory. */
export async function answersOf(model: Model, data: Dataset, gpu: Gpu, signal?: AbortSignal): Promise<Answers> {
  if (data.stream) throw new UsageError(`Cannot ask a network about '${data.name}' as its images are not in memory`);
  await using predictor = await Predictor.open(model, { gpu, signal });
  const rows = await predictor.probabilities({ images: data.images, count: data.count }, { signal });
  const predicted = rows.map((row) => row.indexOf(Math.max(...row)));
  const rightProbability = rows.map((row, i) => row[data.labels[i]]);
  return {
    predicted,
    rightProbability,
    correct: predicted.filter((label, i) => label === data.labels[i]).length,
    loss: rightProbability.reduce((sum, p) => sum - Math.log(Math.max(p, 1e-12)), 0) / data.count,
  };
}

/** The folder of a trial within that of its run. */
export function trialFolder(run: string, id: string): string {
  return joinPath(run, `trials/${id.replace(/[^\w.+-]+/g, "-")}`);
}

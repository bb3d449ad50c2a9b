/**
 * What a training tells while it runs and when it is done.
 * @module
 */
import { aBoolean, aMeasurement, mapping, nullable, type Shape, shape, whole } from "../base/shape.ts";
import type { EpochBase, RunOptions, RunProgress } from "../run/phase.ts";
import type { Evaluation } from "./evaluation.ts";
import type { Model } from "./model_file.ts";
import type { TrainPlan } from "./programs.ts";

/** What is recorded after each epoch. */
export interface TrainRecord extends EpochBase {
  /** Mean loss of the steps, with label smoothing, without the auxiliary loss. */
  readonly trainLoss: number;
  /** Accuracy of the steps: on changed images, with dropped paths. */
  readonly trainAccuracy: number;
  /** Mean loss of the auxiliary classifier; null: there is none. */
  readonly auxiliaryLoss: number | null;
  /** On the validation images, with running statistics; null: there are none. */
  readonly valLoss: number | null;
  /** Accuracy that belongs to `valLoss`. */
  readonly valAccuracy: number | null;
  /** Whether this is the best epoch so far. */
  readonly best: boolean;
  /** Learning rate of the epoch's first step. */
  readonly lr: number;
  /** Share of dropped paths in the epoch's first step. */
  readonly dropPath: number;
  /** Wall-clock seconds per step; not reproducible, unlike the rest. */
  readonly secondsPerStep: number;
}

/** The best epoch so far. */
export interface BestEpoch {
  /** Epochs done then. */
  readonly epoch: number;
  /** Accuracy on the validation images. */
  readonly accuracy: number;
  /** Loss on them. */
  readonly loss: number;
}

/** What a {@linkcode BestEpoch} looks like that was written as JSON. */
export const BEST_SHAPE: Shape<BestEpoch> = mapping<BestEpoch>({
  epoch: whole(1),
  accuracy: aMeasurement,
  loss: aMeasurement,
});

/** What a share of a schedule looks like that was written as JSON. */
export const SHARE_SHAPE: Shape<number> = shape(
  "a number from 0 to 1",
  (value) => typeof value === "number" && value >= 0 && value <= 1,
);

/** What a {@linkcode TrainRecord} looks like that was written as JSON. */
export const EPOCH_SHAPE: Shape<TrainRecord> = mapping<TrainRecord>({
  step: whole(),
  epoch: whole(1),
  trainLoss: aMeasurement,
  trainAccuracy: aMeasurement,
  auxiliaryLoss: nullable(aMeasurement),
  valLoss: nullable(aMeasurement),
  valAccuracy: nullable(aMeasurement),
  best: aBoolean,
  lr: aMeasurement,
  dropPath: aMeasurement,
  secondsPerStep: aMeasurement,
});

/** Where a training is. */
export interface TrainProgress extends RunProgress {
  /** Mean loss of this epoch so far. */
  readonly trainLoss: number;
  /** Accuracy of this epoch so far. */
  readonly trainAccuracy: number;
}

/** How a training goes through its schedule where a clock has a say: it ends when all is done, after any number of epochs. */
export interface Pace {
  /** Share of the schedule that is done after each epoch, as far as it is decided; the training keeps this list. */
  readonly shares: number[];
  /** Decides, before an epoch (from 0), which share is to be done after it; `done` is what is done already. */
  next(epoch: number, done: number): number;
}

/** Resources and callbacks of a training; all optional. Its folder gets the models too. */
export interface TrainRunOptions extends RunOptions<TrainPlan, TrainProgress, TrainRecord> {
  /** What the genotype is called, for the run's `config.json` and reports. */
  readonly name?: string;
  /** The run folder of the search that found the genotype, likewise. */
  readonly search?: string | null;
  /** A network of the same cells and size whose weights and running statistics it starts from; random ones if left out. */
  readonly from?: Model;
  /** Lets a clock have a say; where it is left out, `epochs` epochs share the schedule equally. */
  readonly pace?: Pace;
  /** Told of the network after each epoch. */
  readonly onModel?: (model: Model, epoch: number) => void;
  /** Told while the test images are measured. */
  readonly onTest?: (done: number, total: number) => void;
}

/** The outcome of a training. */
export interface TrainResult {
  /** The network of the best epoch, or of the last one where there are no validation images. */
  readonly model: Model;
  /** Name of its file in the run folder. */
  readonly modelFile: string;
  /** The best epoch; null without validation images. */
  readonly best: BestEpoch | null;
  /** How well the model does on the test images; null without any. */
  readonly test: Evaluation | null;
  /** Records of this process' epochs. */
  readonly epochs: readonly TrainRecord[];
  /** What was run. */
  readonly plan: TrainPlan;
}

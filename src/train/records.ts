/**
 * What a training tells while it runs and when it is done.
 * @module
 */
import type { Gpu } from "../gpu/device.ts";
import type { RunFolder } from "../run/run_folder.ts";
import type { Evaluation } from "./inference.ts";
import type { Model } from "./model_file.ts";
import type { TrainPlan } from "./programs.ts";

/** What is recorded after each epoch. */
export interface TrainRecord {
  /** Steps done since the start. */
  readonly step: number;
  /** Epochs done. */
  readonly epoch: number;
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

/** Where a training is. */
export interface TrainProgress {
  /** Epoch from 0. */
  readonly epoch: number;
  /** Epochs of the whole training. */
  readonly epochs: number;
  /** Steps done in this epoch. */
  readonly step: number;
  /** Steps of an epoch. */
  readonly stepsPerEpoch: number;
  /** Mean loss of this epoch so far. */
  readonly trainLoss: number;
  /** Accuracy of this epoch so far. */
  readonly trainAccuracy: number;
  /** Seconds per step, lately. */
  readonly secondsPerStep: number;
}

/** Callbacks and resources of a training; all optional. */
export interface TrainRunOptions {
  /** Device to use; it is opened if left out. */
  readonly gpu?: Gpu;
  /** Folder for metrics, checkpoints and models, open for writing. Without one nothing is written. */
  readonly folder?: RunFolder;
  /** Go on from the folder's checkpoint. */
  readonly resume?: boolean;
  /** Stops the training after the current step, with a checkpoint. */
  readonly signal?: AbortSignal;
  /** Version of the program, for model files. */
  readonly version?: string;
  /** Told once it is known that the plan fits, before anything is allocated; again after a lost device. */
  readonly onStart?: (plan: TrainPlan, gpu: Gpu, stepsPerEpoch: number) => void;
  /** Told every so often, when the loss was looked at. */
  readonly onProgress?: (progress: TrainProgress) => void;
  /** Told after each epoch. */
  readonly onEpoch?: (record: TrainRecord) => void;
  /** Told while the test images are measured. */
  readonly onTest?: (done: number, total: number) => void;
  /** Told in one sentence what was repaired. */
  readonly warn?: (message: string) => void;
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

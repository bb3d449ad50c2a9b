/**
 * The options of a training: the one list from which come flags, YAML keys, help, defaults and validation. Defaults are
 * DARTS' published recipe for CIFAR-10, but for validation: by images of the data set's own, else by a part of the
 * training images that is held out.
 * @module
 */
import { option, optionError, text } from "../base/errors.ts";
import { defineOptions, type Layer, type OptionSet } from "../base/options.ts";
import { MOST_PAD } from "../data/augment.ts";
import { DATA_OPTION_LIST, FLIP_OPTION } from "../data/config.ts";
import { TUNING_OPTION } from "../graph/tuning.ts";
import { OPTIMIZERS } from "../nn/weight_step.ts";
import { MEMORY_LIMIT_OPTION } from "../run/memory.ts";
import { NETWORK_FORMS, POOLINGS } from "../space/derived.ts";
import { budgetOf, SIZE_OPTION_LIST } from "../space/size_options.ts";
import type { TrainOptions } from "./options.ts";
import { SCHEDULES } from "./schedule.ts";

/** The list behind {@linkcode TRAIN_OPTIONS}. */
export const TRAIN_OPTION_LIST = [
  ...DATA_OPTION_LIST,
  {
    key: "images",
    kind: "int",
    min: 2,
    default: null,
    group: "Data",
    help: "training images to use in all, those held out for validation among them (default: all)",
  },
  {
    key: "val-images",
    kind: "int",
    min: 0,
    default: null,
    group: "Data",
    help: "images to choose the best epoch by, of val/ where the data have it, else held out of those for training; " +
      "0 = none, the last epoch is kept (default: all of val/, else a tenth)",
  },
  {
    key: "pad",
    kind: "int",
    min: 0,
    max: MOST_PAD,
    default: null,
    group: "Data",
    help: "pixels of padding for random crops (default: as suits the data)",
  },
  { ...FLIP_OPTION, default: "auto" },
  {
    key: "cutout",
    kind: "int",
    min: 0,
    max: 512,
    default: null,
    group: "Data",
    help: "side of the square that is blanked at random; 0 = none (default: as suits the data, 16 for CIFAR)",
  },
  {
    key: "resized-crop",
    kind: "number",
    min: 0.01,
    max: 1,
    default: null,
    group: "Data",
    help: "smallest share of the area that a random resized crop takes; 1 = none (default: as suits the data)",
  },
  {
    key: "jitter",
    kind: "number",
    min: 0,
    max: 1,
    default: null,
    group: "Data",
    help: "how far brightness, contrast and saturation change; 0 = not at all (default: as suits the data)",
  },
  {
    key: "cutmix",
    kind: "number",
    min: 0,
    max: 1,
    default: 0,
    group: "Data",
    help: "share of the steps whose images get a part of another one, and two classes (CutMix); 0 = none",
  },
  { key: "form", kind: "choice", choices: NETWORK_FORMS, default: "cifar", group: "Network", help: "which stem" },
  {
    key: "pooling",
    kind: "choice",
    choices: POOLINGS,
    default: "global",
    group: "Network",
    help: "what the classifier sees: each channel's mean, or also its means over 4 x 4 parts of the image",
  },
  ...SIZE_OPTION_LIST,
  { key: "epochs", kind: "int", min: 1, max: 100000, default: 600, group: "Training", help: "passes over the images" },
  { key: "batch-size", kind: "int", min: 2, max: 4096, default: 96, group: "Training", help: "images per step" },
  {
    key: "steps-per-epoch",
    kind: "int",
    min: 1,
    default: null,
    group: "Training",
    help: "steps of an epoch, of several passes over the images where they are more (default: one pass)",
  },
  {
    key: "seed",
    kind: "int",
    min: 0,
    max: 2 ** 52,
    default: 0,
    group: "Training",
    help: "same seed and adapter: same bits",
  },
  {
    key: "optimizer",
    kind: "choice",
    choices: OPTIMIZERS,
    default: "sgd",
    group: "Training",
    help:
      "how weights are updated; muon: those of convolutions but depthwise ones by Muon, at a fifth of lr, others by SGD",
  },
  { key: "lr", kind: "number", exclusiveMin: 0, default: 0.025, group: "Training", help: "learning rate of SGD" },
  {
    key: "lr-min",
    kind: "number",
    min: 0,
    default: 0,
    group: "Training",
    help: "learning rate at the end (schedules cosine and linear)",
  },
  {
    key: "schedule",
    kind: "choice",
    choices: SCHEDULES,
    default: "cosine",
    group: "Training",
    help: "how the learning rate falls, from step to step",
  },
  {
    key: "lr-decay",
    kind: "number",
    exclusiveMin: 0,
    max: 1,
    default: 0.97,
    group: "Training",
    help: "factor per epoch (schedule exponential)",
  },
  {
    key: "warmup-epochs",
    kind: "int",
    min: 0,
    default: 0,
    group: "Training",
    help: "epochs in which the learning rate rises to its full value first",
  },
  { key: "momentum", kind: "number", min: 0, max: 0.9999, default: 0.9, group: "Training", help: "momentum" },
  { key: "weight-decay", kind: "number", min: 0, default: 3e-4, group: "Training", help: "weight decay" },
  {
    key: "precision",
    kind: "choice",
    choices: ["bf16", "f32"],
    default: "bf16",
    group: "Training",
    help:
      "how training steps and the validation after each epoch store activations and gradients; weights and sums are " +
      "f32 always, and test images are measured with activations as bf16, as predict does",
  },
  {
    key: "clip",
    kind: "number",
    min: 0,
    default: 5,
    group: "Training",
    help: "largest global norm of the gradient; 0 = no clipping",
  },
  {
    key: "label-smoothing",
    kind: "number",
    min: 0,
    max: 0.9,
    default: 0,
    group: "Training",
    help: "label smoothing of the training loss",
  },
  {
    key: "auxiliary-weight",
    kind: "number",
    min: 0,
    default: 0.4,
    group: "Training",
    help: "weight of the auxiliary classifier's loss; 0 = without it",
  },
  {
    key: "drop-path",
    kind: "number",
    min: 0,
    max: 0.9,
    default: 0.2,
    group: "Training",
    help: "share of dropped paths at the end, rising from 0; 0 = none",
  },
  {
    key: "checkpoint-steps",
    kind: "int",
    min: 1,
    default: 500,
    group: "Run",
    help: "write a checkpoint every so many steps, besides after each epoch",
  },
  MEMORY_LIMIT_OPTION,
  TUNING_OPTION,
] as const;

/** Options of `train`. */
export const TRAIN_OPTIONS: OptionSet<typeof TRAIN_OPTION_LIST> = defineOptions(TRAIN_OPTION_LIST);

/** What a training works with: every option, defaults filled in. */
export type TrainConfig = Required<TrainOptions>;

/** Named sets of options, to be spread: `{ ...TRAIN_PRESETS.demo, seed: 1 }`. */
export const TRAIN_PRESETS: Readonly<Record<"demo" | "imagenet", TrainOptions>> = {
  /** A small network and a few hundred steps: a minute or two on two cores, for images of about 28x28. */
  demo: {
    initChannels: 8,
    cells: 5,
    images: 3300,
    batchSize: 64,
    epochs: 3,
    pad: 2,
    lr: 0.1,
    auxiliaryWeight: 0,
    dropPath: 0,
  },
  /** DARTS' published recipe for ImageNet. */
  imagenet: {
    form: "imagenet",
    imageSize: 224,
    batchSize: 128,
    epochs: 250,
    lr: 0.1,
    schedule: "exponential",
    weightDecay: 3e-5,
    labelSmoothing: 0.1,
    dropPath: 0,
    cutout: 0,
    flip: "on",
    resizedCrop: 0.08,
    jitter: 0.4,
  },
};

/**
 * The options of a training, defaults filled in.
 * @throws {UsageError} for an unknown key, naming the nearest one, and for a value that an option does not take.
 */
export function resolveTrainConfig(options: TrainOptions = {}): TrainConfig {
  return resolveTrainLayers([TRAIN_OPTIONS.objectLayer(options)]);
}

/**
 * Defaults, then the layers (preset, file, flags).
 * @throws {UsageError} for an unknown key or value.
 */
export function resolveTrainLayers(layers: readonly Layer[]): TrainConfig {
  const config = TRAIN_OPTIONS.resolve(layers);
  const atMost = (key: string, value: number, other: string, limit: number) => {
    if (value > limit) throw optionError({ key, must: text`at most ${option(other)} ${limit}`, value });
  };
  atMost("lr-min", config.lrMin, "lr", config.lr);
  atMost("warmup-epochs", config.warmupEpochs, "epochs", config.epochs);
  budgetOf(config);
  return config;
}

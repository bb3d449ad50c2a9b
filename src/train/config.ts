/**
 * The options of a training: the one list from which come flags, YAML keys, help, defaults and validation. Defaults are
 * DARTS' published recipe for CIFAR-10, but for validation: by images of the data set's own, else by a part of the
 * training images that is held out.
 * @module
 */
import { option, optionError, text, UsageError } from "../base/errors.ts";
import { defineOptions, type Layer, type OptionSet, type Resolved } from "../base/options.ts";
import { DATA_OPTION_LIST } from "../data/options.ts";
import { TUNING_OPTION } from "../graph/tuning.ts";
import { NETWORK_FORMS } from "../space/derived.ts";
import { budgetOf, SIZE_OPTION_LIST } from "../space/size_options.ts";
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
    max: 64,
    default: null,
    group: "Data",
    help: "pixels of padding for random crops (default: as suits the data)",
  },
  {
    key: "flip",
    kind: "choice",
    choices: ["auto", "on", "off"],
    default: "auto",
    group: "Data",
    help: "whether images are flipped at random; auto: as suits the data (not for digits)",
  },
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
  { key: "form", kind: "choice", choices: NETWORK_FORMS, default: "cifar", group: "Network", help: "which stem" },
  ...SIZE_OPTION_LIST,
  { key: "epochs", kind: "int", min: 1, max: 100000, default: 600, group: "Training", help: "passes over the images" },
  { key: "batch-size", kind: "int", min: 2, max: 4096, default: 96, group: "Training", help: "images per step" },
  {
    key: "steps-per-epoch",
    kind: "int",
    min: 1,
    default: null,
    group: "Training",
    help: "steps of an epoch (default: as many as the images give)",
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
  { key: "momentum", kind: "number", min: 0, max: 0.9999, default: 0.9, group: "Training", help: "momentum of SGD" },
  { key: "weight-decay", kind: "number", min: 0, default: 3e-4, group: "Training", help: "weight decay" },
  {
    key: "precision",
    kind: "choice",
    choices: ["bf16", "f32"],
    default: "bf16",
    group: "Training",
    help: "how a training step stores activations and their gradients; weights, sums and evaluation are f32 always",
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
  {
    key: "memory-limit",
    kind: "int",
    min: 1,
    default: null,
    group: "Run",
    help: "refuse a plan of more MiB of GPU memory than this",
  },
  TUNING_OPTION,
] as const;

/** Options of `train`. */
export const TRAIN_OPTIONS: OptionSet<typeof TRAIN_OPTION_LIST> = defineOptions(TRAIN_OPTION_LIST);

/** A resolved configuration of a training. */
export type TrainConfig = Resolved<typeof TRAIN_OPTION_LIST>;

/** Named sets of values. */
export const TRAIN_PRESETS: Readonly<Record<string, Readonly<Record<string, string | number | boolean>>>> = {
  /** A small network and a few hundred steps: a minute or two on two cores, for images of about 28x28. */
  demo: {
    "init-channels": 8,
    "cells": 5,
    "images": 3300,
    "batch-size": 64,
    "epochs": 3,
    "pad": 2,
    "lr": 0.1,
    "auxiliary-weight": 0,
    "drop-path": 0,
  },
  /** DARTS' published recipe for ImageNet. */
  imagenet: {
    "form": "imagenet",
    "batch-size": 128,
    "epochs": 250,
    "lr": 0.1,
    "schedule": "exponential",
    "weight-decay": 3e-5,
    "label-smoothing": 0.1,
    "drop-path": 0,
    "cutout": 0,
    "flip": "on",
    "resized-crop": 0.08,
    "jitter": 0.4,
  },
};

/**
 * Defaults, then the preset, then the layers (file, flags).
 * @throws {UsageError} for an unknown preset, key or value.
 */
export function resolveTrainConfig(layers: readonly Layer[], preset?: string): TrainConfig {
  const chosen = preset !== undefined && Object.hasOwn(TRAIN_PRESETS, preset) ? TRAIN_PRESETS[preset] : undefined;
  if (preset !== undefined && !chosen) {
    throw new UsageError(`Cannot use preset '${preset}': it must be one of ${Object.keys(TRAIN_PRESETS).join(", ")}`);
  }
  const config = TRAIN_OPTIONS.resolve([
    ...(chosen ? [{ source: `preset '${preset}'`, values: chosen }] : []),
    ...layers,
  ]);
  if (config.lrMin > config.lr) {
    throw optionError({ key: "lr-min", must: text`at most ${option("lr")} ${config.lr}`, value: config.lrMin });
  }
  if (config.warmupEpochs > config.epochs) {
    throw optionError({
      key: "warmup-epochs",
      must: text`at most ${option("epochs")} ${config.epochs}`,
      value: config.warmupEpochs,
    });
  }
  budgetOf(config);
  return config;
}

/**
 * What a training is made of, by its configuration: data, network, random changes, images for validation.
 * @module
 */
import type { Augment } from "../data/augment.ts";
import { type Dataset, defaultAugment } from "../data/dataset.ts";
import { datasetOf, type LabelledImages } from "../data/labelled_images.ts";
import { scaleNetwork } from "../space/cost.ts";
import { type NetworkConfig, publishedSize } from "../space/derived.ts";
import type { Genotype } from "../space/genotype.ts";
import { budgetOf } from "../space/size_options.ts";
import type { TrainConfig } from "./config.ts";

/** The data of a training. */
export interface TrainData<D = Dataset> {
  /** Training images. */
  readonly train: D;
  /** Images to choose the best epoch by; without them, a part of `train` is held out. */
  readonly val?: D;
  /** Test images, looked at once at the end. */
  readonly test?: D;
}

/** The data sets of what a caller gave. @throws {UsageError} for fields that do not fit together. */
export async function trainDataOf({ train, val, test }: TrainData<Dataset | LabelledImages>): Promise<TrainData> {
  return {
    train: await datasetOf(train),
    ...(val && { val: await datasetOf(val) }),
    ...(test && { test: await datasetOf(test) }),
  };
}

/** How many images choose the best epoch, and whether they are held out of the training images. */
export function validationOf(
  config: TrainConfig,
  { train, val }: { readonly train: Pick<Dataset, "count">; readonly val?: Pick<Dataset, "count"> },
): { readonly count: number; readonly held: boolean } {
  const { images, valImages } = config;
  if (val) return { count: Math.min(valImages ?? val.count, val.count), held: false };
  return { count: valImages ?? Math.floor(Math.min(images ?? train.count, train.count) / 10), held: true };
}

/**
 * The network that a configuration describes for a genotype and a data set.
 * @throws {UsageError} when no network fits the configured budget.
 */
export function networkConfig(
  config: TrainConfig,
  genotype: Genotype,
  data: Pick<Dataset, "classes" | "channels" | "height" | "width">,
): NetworkConfig {
  const { classes, channels: inputChannels, height, width } = data, { form, pooling } = config;
  const base = { genotype, form, classes, inputChannels, height, width, pooling }, budget = budgetOf(config);
  if (budget) return scaleNetwork(base, budget, config.cells ?? undefined);
  const { channels, cells } = publishedSize(genotype, form);
  return { ...base, channels: config.initChannels ?? channels, cells: config.cells ?? cells };
}

/** The random changes that a configuration asks for: its own, and for the rest those that suit the data. */
export function trainAugment(config: TrainConfig, data: Dataset): Augment {
  const suited = defaultAugment(data, "train"), { pad, flip, cutout, resizedCrop, jitter } = config;
  return {
    pad: pad ?? suited.pad,
    flip: flip === "auto" ? suited.flip : flip === "on",
    cutout: cutout ?? suited.cutout,
    resizedCrop: resizedCrop ?? suited.resizedCrop,
    jitter: jitter ?? suited.jitter,
  };
}

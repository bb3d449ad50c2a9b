/**
 * How the parts of a data set that a training takes are opened.
 * @module
 */
import { FailureError, type IdartsError } from "../base/errors.ts";
import type { DataConfig } from "../data/config.ts";
import { type Dataset, openData, type OpenDataOptions, partsOf, type Split } from "../data/dataset.ts";
import type { TrainConfig } from "./config.ts";
import type { TrainData } from "./setup.ts";

/** Who is told what; all optional. */
export interface OpenTrainOptions {
  /** Told in one sentence what is to be heeded. */
  readonly warn?: (message: string) => void;
  /** Told of the images instead, and how far reading them is. */
  readonly data?: Pick<OpenDataOptions, "warn" | "onProgress" | "signal">;
  /** How an error is worded; its message if left out. */
  readonly describe?: (error: IdartsError) => string;
}

/** Opens a part of the data that a configuration names. Throws FailureError and UsageError. */
export async function openPart(
  config: DataConfig,
  split: Split,
  { data, warn }: Pick<OpenTrainOptions, "data" | "warn">,
): Promise<Dataset> {
  return await openData(config.data, { warn, ...data, ...config, split });
}

/**
 * The images of a training: validation and test images where the data have some. Those of `val` that have chosen the
 * epoch do not stand in for test images.
 * @throws {FailureError} where training or validation images cannot be read; without test images it goes on.
 */
export async function openTrainData(config: TrainConfig, options: OpenTrainOptions): Promise<TrainData> {
  const parts = partsOf(config.data), own = config.valImages !== 0 && parts.includes("val");
  const train = await openPart(config, "train", options);
  const val = own ? await openPart(config, "val", options) : undefined;
  if (val && !parts.includes("test")) return { train, val };
  if (parts.includes("val") && !parts.includes("test")) {
    options.warn?.(`'${train.name}' has no test/, so its val/ images are measured as test images`);
  }
  try {
    return { train, val, test: await openPart(config, "test", options) };
  } catch (error) {
    if (!(error instanceof FailureError)) throw error;
    const { describe = ({ message }) => message } = options;
    options.warn?.(`${describe(error)}; going on without test images`);
    return { train, val };
  }
}

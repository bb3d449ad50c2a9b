/**
 * How commands open data sets: with what a configuration says, or in the size that a model takes.
 * @module
 */
import { FailureError } from "../base/errors.ts";
import { exists } from "../base/files.ts";
import { type Dataset, openData, type OpenDataOptions, type Split } from "../data/dataset.ts";
import { FORMATS } from "../data/formats.ts";
import type { DataConfig } from "../data/config.ts";
import type { NetworkConfig } from "../space/derived.ts";
import { THREAD_PLACES } from "./program.ts";
import { count, type Terminal } from "./terminal.ts";
import { errorText } from "./wording.ts";

/** What is told while a data set is opened, and what stops that. */
export function telling(
  terminal: Terminal,
  signal?: AbortSignal,
): Pick<OpenDataOptions, "warn" | "onProgress" | "signal"> {
  return {
    signal,
    warn: (message) => terminal.warnOnce(message),
    onProgress: (done, total) => terminal.progress(() => `reading images: ${count(done)} of ${count(total)}`),
  };
}

/** Opens a part of the data that a configuration names. Throws FailureError and UsageError. */
export async function openConfigured(
  config: DataConfig,
  split: Split,
  terminal: Terminal,
  signal?: AbortSignal,
): Promise<Dataset> {
  return await openData(config.data, { ...config, split, ...telling(terminal, signal) });
}

/** Opens the test part of the data that a configuration names; undefined, with a warning, where it cannot be done. */
export async function openTest(
  config: DataConfig,
  terminal: Terminal,
  signal?: AbortSignal,
): Promise<Dataset | undefined> {
  try {
    return await openConfigured(config, "test", terminal, signal);
  } catch (error) {
    if (!(error instanceof FailureError)) throw error;
    terminal.warn(`${errorText(error)}; going on without test images`);
    return undefined;
  }
}

/** Opens a part of `data` as a model takes it: images that may be of any size get its size and colours. */
export async function openForNetwork(
  data: string,
  { height, width, inputChannels }: NetworkConfig,
  options: Pick<OpenDataOptions, "split" | "limit" | "testFraction">,
  terminal: Terminal,
): Promise<Dataset> {
  return await openData(data, {
    ...options,
    ...(height === width && height >= 8 && height <= 1024 ? { imageSize: height } : {}),
    ...(inputChannels === 1 ? { colours: "grey" } : inputChannels === 3 ? { colours: "rgb" } : {}),
    ...telling(terminal),
  });
}

/**
 * What has to be readable for a data set, for commands that are suggested: its place, and for what may be a folder of
 * images also the modules of the threads that decode them.
 */
export function dataPlaces(spec: string): string[] {
  const paths = FORMATS.flatMap(({ known }) => known).find(({ name }) => name === spec)?.paths;
  return paths ? [paths.find(exists) ?? paths[0]] : [spec, ...THREAD_PLACES];
}

/** `60,000 images of 1x28x28, 10 classes`. */
export function dataText(data: Dataset, images: number | null = null): string {
  const number = images === null || images >= data.count
    ? count(data.count)
    : `${count(images)} of ${count(data.count)}`;
  return `${data.name}: ${number} images of ${data.channels}x${data.height}x${data.width}, ${data.classes} classes`;
}

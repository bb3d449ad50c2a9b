/**
 * Data that a program has in memory: pixels, labels and class names. What else a data set has is computed from them.
 * @module
 */
import { UsageError } from "../base/errors.ts";
import { checkDataset, type Dataset } from "./dataset.ts";
import { channelStats, fingerprintOf } from "./statistics.ts";

/** Labelled images of one size. */
export interface LabelledImages {
  /** Pixels, dense `[count, channels, height, width]`, 0 to 255: of each image one plane for each channel. */
  readonly images: Uint8Array | Uint8ClampedArray;
  /** Class of each image, 0 to the number of class names - 1. */
  readonly labels: ArrayLike<number>;
  /** Name of each class. */
  readonly classNames: readonly string[];
  /** Number of colour channels. */
  readonly channels: number;
  /** Rows of an image. */
  readonly height: number;
  /** Columns of an image. */
  readonly width: number;
  /** What messages and reports call them; "images in memory" if left out. */
  readonly name?: string;
}

/**
 * The data set of what a caller gave: itself, or that of images in memory, whose statistics and fingerprint are
 * computed. Pixels are not copied.
 *
 * @example Four images of two pixels
 * ```ts
 * import { datasetOf } from "./labelled_images.ts";
 * const { count, mean } = await datasetOf({
 *   images: Uint8Array.of(0, 255, 0, 255, 255, 0, 255, 0),
 *   labels: [0, 0, 1, 1],
 *   classNames: ["rising", "falling"],
 *   ...{ channels: 1, height: 1, width: 2 },
 * });
 * console.assert(count === 4 && mean[0] === 0.5);
 * ```
 * @throws {UsageError} naming the first field that does not fit.
 */
export async function datasetOf(given: Dataset | LabelledImages): Promise<Dataset> {
  if ("fingerprint" in given) {
    checkDataset(given);
    return given;
  }
  const { labels: classOf, classNames, channels, height, width, name = "images in memory" } = given;
  const refuse = (what: string, must: string, value: unknown): never => {
    throw new UsageError(`Cannot use data set '${name}' as ${what} must be ${must}: current value is ${value}`);
  };
  for (const [field, value] of Object.entries({ channels, height, width })) {
    if (!Number.isSafeInteger(value) || value < 1) refuse(`its ${field}`, "a whole number from 1", value);
  }
  if (!(given.images instanceof Uint8Array || given.images instanceof Uint8ClampedArray)) {
    refuse("its images", "a Uint8Array of pixels from 0 to 255", typeof given.images);
  }
  const count = classOf.length, pixels = height * width, size = channels * pixels, length = given.images.length;
  if (count < 1) refuse("the number of its labels", "one for each image, 1 at least", count);
  if (length !== count * size) {
    refuse(
      "the length of its images",
      `${count * size} for ${count} labels and images of ${channels}x${height}x${width}`,
      length,
    );
  }
  const twice = classNames.find((each, i) => classNames.indexOf(each) < i);
  if (twice !== undefined) refuse("each of its class names", "there once", `'${twice}' twice`);
  const labels = Int32Array.from(classOf), classes = classNames.length;
  for (let i = 0; i < count; i++) {
    if (labels[i] !== classOf[i] || labels[i] < 0 || labels[i] >= classes) {
      refuse(`label ${i}`, `a whole number from 0 to ${classes - 1}, as there are ${classes} class names`, classOf[i]);
    }
  }
  const images = new Uint8Array(given.images.buffer, given.images.byteOffset, length);
  return {
    ...{ name, images, labels, count, channels, height, width, classes, classNames },
    ...channelStats(images, channels, pixels),
    fingerprint: await fingerprintOf([count, channels, height, width], images, labels),
  };
}

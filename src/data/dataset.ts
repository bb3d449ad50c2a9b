/**
 * Data sets: what they consist of, and how one is opened whatever its format. Not responsible for the formats (one file
 * each, listed in `formats.ts`), batches and augmentation.
 * @module
 */
import { FailureError, UsageError } from "../base/errors.ts";
import { exists } from "../base/files.ts";
import { type Augment, NO_AUGMENT } from "./augment.ts";
import type { Change } from "./changes.ts";
import type { DataFormat, DataPlace } from "./format.ts";
import { FORMATS } from "./formats.ts";
import type { DataOptions } from "./options.ts";
import { describeOther } from "./other_data.ts";

export { MNIST_FOLDER } from "./idx_dataset.ts";

/** A labelled set of images of one size. */
export interface Dataset {
  /** For messages and reports, for example `"mnist"`. */
  readonly name: string;
  /** Pixels, dense `[count, channels, height, width]`, 0 to 255; empty for a data set with a {@linkcode stream}. */
  readonly images: Uint8Array;
  /** Class of each image, 0 to classes - 1. */
  readonly labels: Int32Array;
  /** Number of images. */
  readonly count: number;
  /** Number of colour channels. */
  readonly channels: number;
  /** Rows of an image. */
  readonly height: number;
  /** Columns of an image. */
  readonly width: number;
  /** Number of classes, over the whole training set. */
  readonly classes: number;
  /** Name of each class, in the order of the labels. */
  readonly classNames: readonly string[];
  /** Mean of each channel over all training pixels (of a folder: of 2,048 of its images at most), in 0..1 units. */
  readonly mean: readonly number[];
  /** Standard deviation of each channel over the same pixels, in 0..1 units. */
  readonly std: readonly number[];
  /**
   * SHA-256 (hex) of the shape, pixels and labels; a resumed run compares it. For a streamed data set, names and
   * sizes of the files stand for the pixels.
   */
  readonly fingerprint: string;
  /** Name of its format in the list of formats; see {@linkcode defaultAugment}. */
  readonly format?: string;
  /** Where the images come from that are not in memory. */
  readonly stream?: ImageStream;
  /** Files that were left out, and why. */
  readonly skipped?: readonly SkippedFile[];
  /** Of each image the first one with the same content; absent where nobody looked, or all differ. */
  readonly firsts?: Int32Array;
  /** Of a folder whose test images were shared out: how many of its files are for what, damaged ones included. */
  readonly shared?: SharedOut;
}

/** Numbers of files that a folder without parts was shared out into. */
export interface SharedOut {
  /** For training. */
  readonly train: number;
  /** For testing. */
  readonly test: number;
}

/**
 * Checks that the fields of a data set fit together: those of one that a program made itself may not.
 * @throws {UsageError} naming the first field that does not.
 */
export function checkDataset(data: Dataset): void {
  const { count, channels, height, width, classes, images, labels, classNames, mean, std } = data;
  const refuse = (field: string, wanted: string, value: unknown): never => {
    throw new UsageError(`Cannot use data set '${data.name}' as ${field} must be ${wanted}: current value is ${value}`);
  };
  for (const [field, value] of Object.entries({ count, channels, height, width, classes })) {
    if (!Number.isSafeInteger(value) || value < 1) refuse(`its ${field}`, "a whole number from 1", value);
  }
  const lengths = [
    ["images", images, data.stream ? 0 : count * channels * height * width],
    ["labels", labels, count],
    ["classNames", classNames, classes],
    ["mean", mean, channels],
    ["std", std, channels],
  ] as const;
  for (const [field, { length }, wanted] of lengths) {
    if (length !== wanted) refuse(`the length of its ${field}`, String(wanted), length);
  }
  const bad = labels.findIndex((label) => label < 0 || label >= classes);
  if (bad >= 0) refuse(`label ${bad}`, `from 0 to ${classes - 1}`, labels[bad]);
}

/**
 * Checks that there is something to learn: that not every image is the same. Of streamed images the statistics tell.
 * @throws {FailureError} where all are the same.
 */
export function checkLearnable(data: Dataset): void {
  const { name, images, count, stream, std } = data, size = images.length / count;
  const plain = std.every((deviation) => deviation === 0);
  const same = stream ? plain : images.every((value, i) => value === images[i % size]);
  if (count < 2 || !same) return;
  const what = plain ? "in each channel all pixels of all images have one value" : "all of them are one and the same";
  throw new FailureError(
    `Cannot learn from data set '${name}' as its ${count} images must differ: ${what}`,
    { remedies: ["look at the files, and at how they were made"] },
  );
}

/** Images that are decoded when they are needed. */
export interface ImageStream {
  /**
   * The image of this index, `[channels, height, width]`, changed as told; null for one that is damaged. Rejects with
   * ImagesLostError where the images have gone away since they were listed.
   */
  load(index: number, change?: Change): Promise<Uint8Array | null>;
  /** Stops the decoding threads; they also stop by themselves a few seconds after the last image. */
  close(): void;
}

/** A file that is no part of the data set. */
export interface SkippedFile {
  /** Its path within the data set. */
  readonly file: string;
  /** Why, in a few words. */
  readonly why: string;
}

/** Which part of a data set; only image folders with a folder for it have `"val"`. */
export type Split = "train" | "val" | "test";

/** What {@linkcode openData} takes besides the data set's name. */
export interface OpenDataOptions extends Omit<DataOptions, "data"> {
  /** Training or test images. */
  readonly split: Split;
  /**
   * Take this many images, spread evenly over the file so that files sorted by class work too; all if left out.
   * The statistics and classes stay those of the whole training set.
   */
  readonly limit?: number;
  /** Formats of one's own, which are tried before the built-in ones. */
  readonly formats?: readonly DataFormat[];
  /** The folder that `"mnist"` stands for; `.cache/mnist` if left out. */
  readonly mnistFolder?: string;
  /** Image folders: bytes of decoded images that are kept in memory, larger sets are streamed; 1 GiB if left out. */
  readonly memoryBudget?: number;
  /** Image folders: seconds that a file is waited for which was listed and is gone; 10 if left out. */
  readonly patience?: number;
  /** Stops it: the call rejects with its reason. */
  readonly signal?: AbortSignal;
  /** Told in one sentence each what was left out and what looks wrong. */
  readonly warn?: (message: string) => void;
  /** Image folders: told how many images are decoded, of how many. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** Where `spec` lies and of which format it is. */
function locate(
  spec: string,
  { mnistFolder, formats: own = [] }: Pick<OpenDataOptions, "mnistFolder" | "formats">,
): { place: DataPlace; format: DataFormat } {
  const formats = [...own, ...FORMATS];
  for (const format of formats) {
    const known = format.known.find(({ name }) => name === spec);
    if (known === undefined) continue;
    const paths = spec === "mnist" && mnistFolder !== undefined ? [mnistFolder] : known.paths;
    const path = paths.find(exists);
    if (path !== undefined) return { place: { path, name: spec, remedies: known.remedies }, format };
    throw new FailureError(`Cannot open data set '${spec}' as the folder '${paths[0]}' does not exist`, {
      remedies: known.remedies,
    });
  }
  const names = formats.flatMap(({ known }) => known.map(({ name }) => `'${name}'`)).join(", ");
  if (spec === "" || !exists(spec)) {
    throw new FailureError(
      `Cannot open data set '${spec}' as the folder '${spec}' does not exist: check the path, or take one of ${names}`,
    );
  }
  const format = formats.find(({ detect }) => detect(spec));
  if (format !== undefined) return { place: { path: spec, remedies: format.remedies }, format };
  const other = describeOther(spec);
  if (other !== undefined) throw new FailureError(`Cannot open data set '${spec}' as ${other}`);
  const kinds = formats.map(({ help }) => help).join("; or ");
  throw new FailureError(`Cannot open data set '${spec}' as it must be ${kinds}: it looks like none of them`);
}

/**
 * Opens a data set. `spec` is the name of one that was fetched (`"mnist"`, `"cifar10"`, `"cifar100"`; for a folder of
 * that name write `./mnist`), or the path of one in any of the formats. Statistics and classes are always those of the
 * training images. Throws FailureError where files are missing, damaged or do not fit together, and the reason of
 * `options.signal` when that was raised.
 */
export async function openData(spec: string, options: OpenDataOptions): Promise<Dataset> {
  options.signal?.throwIfAborted();
  const { place, format } = locate(spec, options), data = await format.open(place, options);
  if (options.signal?.aborted) data.stream?.close();
  options.signal?.throwIfAborted();
  return data;
}

/**
 * The parts that a data set has. A folder of images has `"val"` only where there is a folder for it, and no `"test"`
 * where there is one for validation alone. Throws FailureError where there is no such data set.
 */
export function partsOf(spec: string, mnistFolder?: string): readonly Split[] {
  const { place, format } = locate(spec, { mnistFolder });
  return format.parts?.(place.path) ?? ["train", "test"];
}

/**
 * The random changes that suit a data set: in `"train"` all that its format suggests, in `"search"` no cutout (DARTS
 * searches without).
 */
export function defaultAugment(
  data: Pick<Dataset, "name" | "height" | "width" | "channels" | "format">,
  purpose: "search" | "train" = "train",
): Augment {
  const augment = FORMATS.find(({ name }) => name === data.format)?.augment(data) ?? NO_AUGMENT;
  return purpose === "train" ? augment : { ...augment, cutout: 0 };
}

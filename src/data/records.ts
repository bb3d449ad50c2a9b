/**
 * From labelled images of one size, as files of fixed records hold them, to a {@linkcode Dataset}.
 * @module
 */
import { FailureError, UsageError } from "../base/errors.ts";
import type { Dataset, Split } from "./dataset.ts";
import type { DataPlace } from "./format.ts";
import { evenly, fingerprintOf } from "./statistics.ts";

/** What a file says. */
export interface Records
  extends Pick<Dataset, "name" | "images" | "channels" | "height" | "width" | "classNames" | "mean" | "std"> {
  /** Name of the format in the list of formats. */
  readonly format: string;
  /** Class of each image. */
  readonly labels: ArrayLike<number>;
}

/** The split, unless it is `"val"`, which formats of records do not have. Throws UsageError. */
export function refuseVal(split: Split, place: DataPlace): "train" | "test" {
  if (split !== "val") return split;
  throw new UsageError(`Cannot open the val images of '${place.path}' as it has none: take 'train' or 'test'`);
}

/** The data set of all records, or of `limit` of them, spread evenly. `source` names it in errors. */
export async function fromRecords(source: string, limit: number | undefined, records: Records): Promise<Dataset> {
  const { images: all, labels: from, channels, height, width, classNames } = records;
  const available = from.length, size = channels * height * width, count = limit ?? available;
  checkLimit(source, count, available);
  let images = all;
  const labels = new Int32Array(count);
  if (count === available) labels.set(from);
  else {
    images = new Uint8Array(count * size);
    evenly(count, available).forEach((at, i) => {
      images.set(all.subarray(at * size, (at + 1) * size), i * size);
      labels[i] = from[at];
    });
  }
  const classes = classNames.length;
  const fingerprint = await fingerprintOf([count, channels, height, width, classes], images, labels);
  return { ...records, images, labels, count, classes, fingerprint };
}

/** Throws FailureError for a limit that is not from 1 to `available`. */
export function checkLimit(source: string, limit: number, available: number): void {
  if (Number.isSafeInteger(limit) && limit >= 1 && limit <= available) return;
  throw new FailureError(
    `Cannot take ${limit} images from '${source}' as the number must be from 1 to ${available}: lower the limit`,
  );
}

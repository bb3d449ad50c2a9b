/**
 * Decoded images, and what is refused before decoding: files from anywhere may claim any size.
 * Not responsible for file formats.
 * @module
 */
import { FailureError } from "../base/errors.ts";

/** An image in memory: 8 bits a sample, rows from the top, samples of a pixel side by side. */
export interface Pixels {
  /** Columns. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
  /** 1 (grey) or 3 (red, green, blue). */
  readonly channels: 1 | 3;
  /** `height * width * channels` samples. */
  readonly data: Uint8Array;
  /** How the picture is to be turned for viewing: EXIF's orientation, 1 (as it is) to 8. */
  readonly orientation: number;
}

/** An image whose pixels are handed out a few rows at a time, so that there is no second copy of all of them. */
export interface Picture extends Omit<Pixels, "data"> {
  /** The rows `y` to `y + count - 1` of the columns `x` to `x + columns - 1`, as in {@linkcode Pixels}. */
  rows(x: number, y: number, columns: number, count: number): Uint8Array;
}

/** The largest image that is decoded, in pixels: about 268 million, for the time that it takes. */
const MAX_PIXELS: number = 2 ** 28;

/** The largest image file that is read: 128 MiB. */
export const MAX_IMAGE_BYTES: number = 2 ** 27;

/** Refuses an image by what its header says, before any memory is taken for it. Throws FailureError. */
export function checkSize(file: string, width: number, height: number): void {
  if (width < 1 || height < 1 || width * height > MAX_PIXELS) {
    throw new FailureError(
      `Cannot read '${file}' as an image must have 1 to ${Math.floor(MAX_PIXELS / 1e6)} million pixels: ` +
        `its header says ${width} x ${height}, so save it smaller`,
    );
  }
}

/** The error for an image file that is damaged: `why` completes "as ...". */
export function imageError(file: string, why: string, cause?: unknown): FailureError {
  return new FailureError(`Cannot read '${file}' as ${why}`, cause === undefined ? undefined : { cause });
}

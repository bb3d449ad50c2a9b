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

/** The largest image that is decoded, in pixels: 50 million, which take about 1 GiB while a JPEG is decoded. */
export const MAX_PIXELS = 50_000_000;

/** The largest image file that is read: 64 MiB. */
export const MAX_IMAGE_BYTES: number = 2 ** 26;

/** Refuses an image by what its header says, before any memory is taken for it. Throws FailureError. */
export function checkSize(file: string, width: number, height: number): void {
  if (width < 1 || height < 1 || width * height > MAX_PIXELS) {
    throw new FailureError(
      `Cannot read '${file}' as an image must have 1 to ${MAX_PIXELS / 1e6} million pixels: ` +
        `its header says ${width} x ${height}`,
    );
  }
}

/** The error for an image file that is damaged: `why` completes "as ...". */
export function imageError(file: string, why: string, cause?: unknown): FailureError {
  return new FailureError(`Cannot read '${file}' as ${why}`, cause === undefined ? undefined : { cause });
}

/** What a decoder of the npm registry threw, in a few words on one line. */
export function reason(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/\s+/g, " ").slice(0, 120);
}

/**
 * One image file from the disk to the square that a network sees: the work of a decoding thread.
 * Not responsible for threads.
 * @module
 */
import { readBytes } from "../base/files.ts";
import { applyJitter, type Change, cropPart } from "./changes.ts";
import { decodeImage, toSquare } from "./decode.ts";
import { MAX_IMAGE_BYTES } from "./pixels.ts";

/** What to load. */
export interface ImageJob {
  /** The file. */
  readonly path: string;
  /** Side of the square. */
  readonly size: number;
  /** 1 or 3. */
  readonly channels: number;
  /** Random changes; none if left out. */
  readonly change?: Change;
}

/** Loads `[channels, size, size]` samples. Throws FailureError for a file that cannot be read. */
export function loadImage({ path, size, channels, change }: ImageJob): Uint8Array<ArrayBuffer> {
  const pixels = decodeImage(readBytes(path, { maxBytes: MAX_IMAGE_BYTES }), path);
  const part = change?.crop && cropPart(change.crop, pixels.width, pixels.height);
  const out = toSquare(pixels, size, channels, part);
  if (change?.jitter) applyJitter(out, channels, size * size, change.jitter);
  return out;
}

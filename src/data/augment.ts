/**
 * What is done to one image on its way into a batch: torchvision's
 * `RandomCrop(size, padding=pad)`, `RandomHorizontalFlip()`, `ToTensor()`, `Normalize(mean, std)`, in that order,
 * so that the border around the image is black before it is normalised. Not responsible for which images.
 * @module
 */
import type { Random } from "../base/random.ts";
import { rowPitch } from "../graph/tensor_type.ts";

/** Which random changes images get. */
export interface Augment {
  /** Black pixels put around the image before a crop of the original size is taken; 0 to 127. */
  readonly pad: number;
  /** Whether half of the images are mirrored left to right. */
  readonly flip: boolean;
  /** Side of the square hole that is cut out of each image, in pixels; none if left out (cutout, in `changes.ts`). */
  readonly cutout?: number;
  /** Smallest share of the area that a random resized crop takes, 0.01 to 1; none if left out. */
  readonly resizedCrop?: number;
  /** How far brightness, contrast and saturation change, 0 to 1; not at all if left out. */
  readonly jitter?: number;
}

/** Most padding that options take, and data sets and plans choose. */
export const MOST_PAD = 64;

/** No changes: what evaluation uses. */
export const NO_AUGMENT: Augment = Object.freeze({ pad: 0, flip: false });

/** Throws RangeError for a value out of the range that {@linkcode Augment} gives. */
export function checkAugment({ pad, cutout = 0, resizedCrop = 1, jitter = 0 }: Augment): void {
  const check = (name: string, value: number, good: boolean, range: string): void => {
    if (!good) throw new RangeError(`Cannot augment images as ${name} must be ${range}: current value is ${value}`);
  };
  const whole = (n: number): boolean => Number.isSafeInteger(n) && n >= 0;
  check("pad", pad, whole(pad) && pad <= 127, "a whole number from 0 to 127");
  check("cutout", cutout, whole(cutout), "a whole number from 0");
  check("resizedCrop", resizedCrop, resizedCrop >= 0.01 && resizedCrop <= 1, "from 0.01 to 1");
  check("jitter", jitter, jitter >= 0 && jitter <= 1, "from 0 to 1");
}

/**
 * What a byte of channel c becomes: entry `256 c + v` is `(v / 255 - mean[c]) / std[c]`. A channel that never
 * varies (std 0) is only centred.
 */
export function normaliseTable(mean: readonly number[], std: readonly number[]): Float32Array {
  const table = new Float32Array(256 * mean.length);
  for (let c = 0; c < mean.length; c++) {
    for (let v = 0; v < 256; v++) {
      table[256 * c + v] = (v / 255 - mean[c]) / (std[c] > 0 ? std[c] : 1);
    }
  }
  return table;
}

/** The random choices for the images of one epoch, one entry per image; allocated once. */
export class Placements {
  /** Vertical shift of the crop against the image, -pad to pad. */
  readonly dy: Int8Array;
  /** Horizontal shift of the crop against the image, -pad to pad. */
  readonly dx: Int8Array;
  /** 1 where the crop is mirrored. */
  readonly flip: Uint8Array;

  /** Room for `count` images, all of them left as they are. */
  constructor(count: number) {
    this.dy = new Int8Array(count);
    this.dx = new Int8Array(count);
    this.flip = new Uint8Array(count);
  }

  /** Draws all choices anew from `random`. */
  draw(random: Random, augment: Augment): void {
    const { pad, flip } = augment;
    for (let i = 0; i < this.dy.length; i++) {
      if (pad > 0) {
        this.dy[i] = random.below(2 * pad + 1) - pad;
        this.dx[i] = random.below(2 * pad + 1) - pad;
      }
      if (flip) this.flip[i] = random.below(2);
    }
  }
}

/**
 * Writes one channel of one image, cropped, mirrored and normalised, to rows of pitch `rowPitch(width)`. Output
 * pixel (y, x) is source pixel (y + dy, x' + dx) with x' = width - 1 - x where mirrored, else x; outside of the
 * source it is black. The lanes between the width and the pitch are set to 0. Allocates nothing.
 */
export function placePlane(
  out: Float32Array,
  outAt: number,
  source: Uint8Array,
  sourceAt: number,
  height: number,
  width: number,
  dy: number,
  dx: number,
  flip: boolean,
  table: Float32Array,
  tableAt: number,
): void {
  const pitch = rowPitch(width);
  const black = table[tableAt];
  const step = flip ? -1 : 1;
  const shift = flip ? width - 1 + dx : dx; // source x = shift + step * x
  // Output pixels from `low` to before `high` lie inside the source row.
  const low = Math.min(width, Math.max(0, flip ? shift - (width - 1) : -shift));
  const high = Math.max(low, Math.min(width, flip ? shift + 1 : width - shift));
  for (let y = 0; y < height; y++) {
    const row = outAt + y * pitch;
    const sy = y + dy;
    if (sy < 0 || sy >= height) {
      out.fill(black, row, row + width);
    } else {
      const base = sourceAt + sy * width + shift;
      for (let x = 0; x < low; x++) out[row + x] = black;
      for (let x = low; x < high; x++) {
        out[row + x] = table[tableAt + source[base + step * x]];
      }
      for (let x = high; x < width; x++) out[row + x] = black;
    }
    for (let x = width; x < pitch; x++) out[row + x] = 0;
  }
}

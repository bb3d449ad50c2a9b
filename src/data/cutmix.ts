/**
 * CutMix (Yun et al. 2019): images of a batch with a part of another one, and two classes each. Not responsible for
 * which batches.
 * @module
 */
import type { Random } from "../base/random.ts";
import { rowPitch } from "../graph/tensor_type.ts";
import type { Dataset } from "./dataset.ts";

/** What images of a batch are of besides their labels. */
export interface MixedLabels {
  /** The class of the other image, one for each image. */
  readonly others: Int32Array<ArrayBuffer>;
  /** Share of the area that each image has left, 0 to 1. */
  readonly shares: Float32Array<ArrayBuffer>;
}

/** A batch in the layout of `batches.ts`. */
interface Images {
  readonly images: Float32Array;
  readonly labels: Int32Array;
}

/** Mixes batches, and says what their images are of; allocates nothing after it was made. */
export class CutMix implements MixedLabels {
  readonly others: Int32Array<ArrayBuffer>;
  readonly shares: Float32Array<ArrayBuffer>;
  readonly #size: Pick<Dataset, "channels" | "height" | "width">;
  /** What a row of the first image had. */
  readonly #row: Float32Array;

  /** @param batch number of images */
  constructor(batch: number, size: Pick<Dataset, "channels" | "height" | "width">) {
    this.others = new Int32Array(batch);
    this.shares = new Float32Array(batch);
    this.#size = size;
    this.#row = new Float32Array(size.width);
  }

  /** Nothing mixed: each image is of its own class alone. */
  leave({ labels }: Pick<Images, "labels">): void {
    this.others.set(labels);
    this.shares.fill(1);
  }

  /**
   * Puts the same rectangle of the next image into each image of a batch, of the first into the last. Its sides are to
   * those of the images as the root of a share that is drawn evenly; what sticks out is cut off.
   */
  mix({ images, labels }: Images, random: Random): void {
    const { channels, height, width } = this.#size, count = labels.length, last = count - 1;
    const pitch = rowPitch(width), plane = height * pitch, side = Math.sqrt(random.uniform());
    const [top, bottom] = spanOf(height, side, random), [left, right] = spanOf(width, side, random);
    const length = right - left;
    for (let c = 0; c < channels; c++) {
      for (let y = top; y < bottom; y++) {
        const at = c * count * plane + y * pitch + left; // in the first image
        for (let x = 0; x < length; x++) this.#row[x] = images[at + x];
        for (let n = 0; n < last; n++) {
          images.copyWithin(at + n * plane, at + (n + 1) * plane, at + (n + 1) * plane + length);
        }
        for (let x = 0; x < length; x++) images[at + last * plane + x] = this.#row[x];
      }
    }
    for (let n = 0; n < count; n++) this.others[n] = labels[(n + 1) % count];
    this.shares.fill(1 - (bottom - top) * length / (height * width));
  }
}

/** Where a span of a share of `size` around a random place begins and ends, cut to it. */
function spanOf(size: number, share: number, random: Random): [from: number, to: number] {
  const length = Math.floor(size * share), from = random.below(size) - Math.floor(length / 2);
  return [Math.max(0, from), Math.min(size, from + length)];
}

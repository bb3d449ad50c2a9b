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

/** Nothing mixed: each image is of its own class alone. */
export function mixNothing({ labels }: Pick<Images, "labels">, { others, shares }: MixedLabels): void {
  others.set(labels);
  shares.fill(1);
}

/**
 * Puts the same rectangle of the next image into each image of a batch, of the first into the last. Its sides are to
 * those of the images as the root of a share that is drawn evenly; what sticks out is cut off. Allocates one channel of
 * a part of an image.
 */
export function cutMix(
  { images, labels }: Images,
  { others, shares }: MixedLabels,
  { channels, height, width }: Pick<Dataset, "channels" | "height" | "width">,
  random: Random,
): void {
  const count = labels.length, pitch = rowPitch(width), plane = height * pitch, side = Math.sqrt(random.uniform());
  const [top, bottom] = spanOf(height, side, random), [left, right] = spanOf(width, side, random);
  const first = new Float32Array((bottom - top) * (right - left));
  for (let c = 0; c < channels; c++) {
    for (let n = 0; n < count; n++) {
      const own = (c * count + n) * plane;
      for (let y = top; y < bottom; y++) {
        const row = own + y * pitch, kept = (y - top) * (right - left);
        if (n === 0) first.set(images.subarray(row + left, row + right), kept);
        if (n === count - 1) images.set(first.subarray(kept, kept + right - left), row + left);
        else images.copyWithin(row + left, row + plane + left, row + plane + right);
      }
    }
  }
  for (let n = 0; n < count; n++) others[n] = labels[(n + 1) % count];
  shares.fill(1 - (bottom - top) * (right - left) / (height * width));
}

/** Where a span of a share of `size` around a random place begins and ends, cut to it. */
function spanOf(size: number, share: number, random: Random): [from: number, to: number] {
  const length = Math.floor(size * share), from = random.below(size) - Math.floor(length / 2);
  return [Math.max(0, from), Math.min(size, from + length)];
}

/**
 * Batches in the layout that the device takes, as a pure function of (seed, stream, epoch, step): a resumed run
 * needs no state of the loader. Filling allocates nothing; only the first batch of another epoch draws that
 * epoch's order. Not responsible for uploading.
 *
 * Device layout: channel-major with padded rows, element (c, n, y, x) at `((c * N + n) * H + y) * P + x` with
 * P = W rounded up to a multiple of 4; the lanes from W to P hold 0.
 * @module
 */
import { UsageError } from "../base/errors.ts";
import { Random } from "../base/random.ts";
import { type Augment, NO_AUGMENT, normaliseTable, Placements, placePlane, rowPitch } from "./augment.ts";
import type { Dataset } from "./dataset.ts";

/** How a {@linkcode Batcher} walks over its images. */
export interface BatcherOptions {
  /** Which images of the data set; all of them if left out. */
  readonly indices?: Uint32Array;
  /** Images a batch (N). */
  readonly batch: number;
  /** The run's seed. */
  readonly seed: number;
  /** What the random numbers are for, for example `"train/weights"`: two batchers of a run need two names. */
  readonly stream: string;
  /** Random changes; none if left out. */
  readonly augment?: Augment;
  /** Whether each epoch has an order of its own; if not, images come in the order of `indices`. */
  readonly shuffle: boolean;
  /**
   * What becomes of a last batch that is not full. `"drop"` (training): it is left out. `"fill"` (evaluation):
   * its images are repeated with the label -1, which the loss ignores, so that every image counts exactly once.
   */
  readonly last: "drop" | "fill";
}

/** The label of an image that only fills a batch up. */
export const IGNORED_LABEL: number = -1;

/** Elements of a batch of `batch` images in the device layout. */
export function batchElements(
  data: Pick<Dataset, "channels" | "height" | "width">,
  batch: number,
): number {
  return data.channels * batch * data.height * rowPitch(data.width);
}

/** Assembles batches on the host. */
export class Batcher {
  /** Batches an epoch. */
  readonly batchesPerEpoch: number;
  /** Images an epoch: what is left after dropping. */
  readonly imagesPerEpoch: number;
  /** Length of the `images` array that {@linkcode fill} takes. */
  readonly imageElements: number;
  readonly #data: Dataset;
  readonly #options: BatcherOptions;
  readonly #indices: Uint32Array;
  readonly #augment: Augment;
  readonly #table: Float32Array;
  readonly #placements: Placements;
  #order: Uint32Array;
  #epoch = -1;

  /** Throws UsageError for a batch larger than the data, and RangeError for indices or padding out of range. */
  constructor(data: Dataset, options: BatcherOptions) {
    const { batch, last } = options;
    const indices = options.indices ??
      Uint32Array.from({ length: data.count }, (_, i) => i);
    const augment = options.augment ?? NO_AUGMENT;
    const count = indices.length;
    if (!Number.isSafeInteger(batch) || batch < 1) {
      throw new UsageError(
        `Cannot make batches as the batch size must be a whole number from 1: current value is ${batch}`,
      );
    }
    if (count === 0 || (last === "drop" && batch > count)) {
      throw new UsageError(
        `Cannot make batches of ${batch} from '${data.name}' as the batch size must be at most the number of images, ${count}: lower the batch size or take more images`,
      );
    }
    const bad = indices.findIndex((index) => index >= data.count);
    if (bad >= 0) {
      throw new RangeError(
        `Cannot use index ${indices[bad]} of '${data.name}' as it must be below ${data.count}`,
      );
    }
    if (
      !Number.isSafeInteger(augment.pad) || augment.pad < 0 || augment.pad > 127
    ) {
      throw new RangeError(
        `Cannot augment images as pad must be a whole number from 0 to 127: current value is ${augment.pad}`,
      );
    }
    this.#data = data;
    this.#options = options;
    this.#indices = indices;
    this.#augment = augment;
    this.#table = normaliseTable(data.mean, data.std);
    this.#placements = new Placements(count);
    this.#order = indices;
    this.batchesPerEpoch = last === "drop" ? Math.floor(count / batch) : Math.ceil(count / batch);
    this.imagesPerEpoch = last === "drop" ? this.batchesPerEpoch * batch : count;
    this.imageElements = batchElements(data, batch);
  }

  /** Draws the order and the placements of `epoch`. */
  #begin(epoch: number): void {
    const { seed, stream, shuffle } = this.#options;
    if (shuffle) {
      this.#order = new Random(seed, `${stream}/order`, epoch)
        .permutation(this.#indices.length);
      for (let i = 0; i < this.#order.length; i++) {
        this.#order[i] = this.#indices[this.#order[i]];
      }
    }
    this.#placements.draw(
      new Random(seed, `${stream}/augment`, epoch),
      this.#augment,
    );
    this.#epoch = epoch;
  }

  /**
   * Writes batch `step` of `epoch` (both from 0): `images` in the device layout, normalised, {@linkcode
   * imageElements} long; `labels` one a image. Returns how many of the images count. Throws RangeError for an
   * epoch, step or length out of range.
   */
  fill(
    epoch: number,
    step: number,
    images: Float32Array,
    labels: Int32Array,
  ): number {
    const { channels, height, width, images: pixels, labels: classes } = this.#data;
    const { batch } = this.#options;
    if (!Number.isSafeInteger(epoch) || epoch < 0) {
      throw new RangeError(
        `Cannot fill a batch as the epoch must be a whole number from 0: current value is ${epoch}`,
      );
    }
    if (
      !Number.isSafeInteger(step) || step < 0 || step >= this.batchesPerEpoch
    ) {
      throw new RangeError(
        `Cannot fill a batch as the step must be a whole number from 0 to ${
          this.batchesPerEpoch - 1
        }: current value is ${step}`,
      );
    }
    if (images.length !== this.imageElements || labels.length !== batch) {
      throw new RangeError(
        `Cannot fill a batch as the arrays must be ${this.imageElements} and ${batch} long: current lengths are ${images.length} and ${labels.length}`,
      );
    }
    if (epoch !== this.#epoch) this.#begin(epoch);
    const plane = height * width;
    const outPlane = height * rowPitch(width);
    const first = step * batch;
    const valid = Math.min(batch, this.#order.length - first);
    const { dy, dx, flip } = this.#placements;
    for (let n = 0; n < batch; n++) {
      const at = first + n % valid;
      const index = this.#order[at];
      labels[n] = n < valid ? classes[index] : IGNORED_LABEL;
      for (let c = 0; c < channels; c++) {
        placePlane(
          images,
          (c * batch + n) * outPlane,
          pixels,
          (index * channels + c) * plane,
          height,
          width,
          dy[at],
          dx[at],
          flip[at] === 1,
          this.#table,
          256 * c,
        );
      }
    }
    return valid;
  }
}

/** Two disjoint sets of images. */
export interface Halves {
  /** For the weights. */
  readonly train: Uint32Array;
  /** For the architecture (search) or for validation. */
  readonly val: Uint32Array;
}

/**
 * Shares `total` out over classes in proportion to `sizes`, at most `room` each: whole parts first, then one
 * more to the largest remainders (ties: lower class).
 */
function quotas(
  total: number,
  sizes: readonly number[],
  room: readonly number[],
): number[] {
  const sum = sizes.reduce((a, b) => a + b, 0);
  const ideal = sizes.map((n) => n * total / sum);
  const out = ideal.map((x, c) => Math.min(room[c], Math.floor(x + 1e-9)));
  let left = total - out.reduce((a, b) => a + b, 0);
  const order = sizes.map((_, c) => c)
    .sort((a, b) => (ideal[b] - out[b]) - (ideal[a] - out[a]) || a - b);
  while (left > 0) {
    for (const c of order) {
      if (left > 0 && out[c] < room[c]) {
        out[c]++;
        left--;
      }
    }
  }
  return out;
}

/**
 * Splits a data set in two disjoint, shuffled sets in which each class has its share. `split` is the fraction that
 * goes to `train` (the rest goes to `val`), or the two counts. Depends on the labels, seed and split only. Throws
 * UsageError where one of the sets would be empty or the images do not suffice.
 */
export function splitHalves(
  data: Pick<Dataset, "name" | "labels" | "classes">,
  seed: number,
  split: number | { readonly train: number; readonly val: number },
): Halves {
  const { labels, classes, name } = data;
  const count = labels.length;
  if (typeof split === "number" && !(split > 0 && split < 1)) {
    throw new UsageError(
      `Cannot split '${name}' as the fraction for training must be between 0 and 1: current value is ${split}`,
    );
  }
  const train = typeof split === "number" ? Math.round(count * split) : split.train;
  const val = typeof split === "number" ? count - train : split.val;
  if (
    !Number.isSafeInteger(train) || !Number.isSafeInteger(val) || train < 1 ||
    val < 1 || train + val > count
  ) {
    throw new UsageError(
      `Cannot split '${name}' as the two parts must be at least 1 and at most ${count} images together: current sizes are ${train} and ${val}`,
    );
  }
  const members: number[][] = Array.from({ length: classes }, () => []);
  labels.forEach((label, i) => members[label].push(i));
  const sizes = members.map((list) => list.length);
  const trainQuota = quotas(train, sizes, sizes);
  const valQuota = quotas(val, sizes, sizes.map((n, c) => n - trainQuota[c]));
  const first = new Uint32Array(train);
  const second = new Uint32Array(val);
  let a = 0, b = 0;
  for (let c = 0; c < classes; c++) {
    const order = new Random(seed, "split/class", 0, c).permutation(sizes[c]);
    for (let i = 0; i < trainQuota[c] + valQuota[c]; i++) {
      const index = members[c][order[i]];
      if (i < trainQuota[c]) first[a++] = index;
      else second[b++] = index;
    }
  }
  const mix = (list: Uint32Array, stream: string): Uint32Array =>
    new Random(seed, stream).permutation(list.length).map((i) => list[i]);
  return { train: mix(first, "split/train"), val: mix(second, "split/val") };
}

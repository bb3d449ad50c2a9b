/**
 * Batches in the layout that the device takes, as a pure function of (seed, stream, epoch, step): a resumed run
 * needs no state of the loader. Filling allocates nothing for images that are only shifted and mirrored; only the
 * first batch of another epoch draws that epoch's order. Not responsible for uploading.
 *
 * Device layout: channel-major with padded rows, element (c, n, y, x) at `((c * N + n) * H + y) * P + x` with
 * P = W rounded up to a multiple of 4; the lanes from W to P hold 0.
 * @module
 */
import { UsageError } from "../base/errors.ts";
import { Random } from "../base/random.ts";
import { rowPitch } from "../graph/tensor_type.ts";
import { type Augment, checkAugment, NO_AUGMENT, normaliseTable, Placements, placePlane } from "./augment.ts";
import { applyJitter, type Change, cropPart, drawChange, hasChanges, holeOf } from "./changes.ts";
import type { Dataset } from "./dataset.ts";
import { Prefetcher } from "./prefetch.ts";
import { Resampler } from "./resample.ts";

export { splitHalves } from "./split.ts";

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
const IGNORED_LABEL: number = -1;

/** Elements of a batch of `batch` images in the device layout. */
export function batchElements(data: Pick<Dataset, "channels" | "height" | "width">, batch: number): number {
  return data.channels * batch * data.height * rowPitch(data.width);
}

/** Batches of a streamed data set that are decoded ahead of the one that is waited for. */
const AHEAD = 3;

/** The order and the shifts of one epoch. */
interface Epoch {
  readonly number: number;
  readonly order: Uint32Array;
  readonly placements: Placements;
}

/**
 * Assembles batches on the host.
 *
 * @example A batch; `ready` returns at once unless the data set is streamed
 * ```ts
 * import type { Batcher } from "./batches.ts";
 * async function first(batcher: Batcher, epoch: number): Promise<void> {
 *   const { images, labels } = batcher.host();
 *   await batcher.ready(epoch, 0);
 *   batcher.fill(epoch, 0, images, labels);
 * }
 * ```
 */
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
  readonly #changes: boolean;
  readonly #table: Float32Array;
  readonly #scratch: Uint8Array;
  readonly #prefetcher: Prefetcher | undefined;
  /** The epochs that were used last, at most two: a streamed one runs into the next. */
  readonly #epochs: Epoch[] = [];

  /** Throws UsageError for a batch larger than the data, and RangeError for indices or changes out of range. */
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
        `Cannot make batches of ${batch} from '${data.name}' as the batch size must be at most the number of images, ${
          count === data.count ? count : `${count} of ${data.count} in this part`
        }: lower the batch size or take more images`,
      );
    }
    const bad = indices.findIndex((index) => index >= data.count);
    if (bad >= 0) {
      throw new RangeError(`Cannot use index ${indices[bad]} of '${data.name}' as it must be below ${data.count}`);
    }
    checkAugment(augment);
    this.#data = data;
    this.#options = options;
    this.#indices = indices;
    this.#augment = augment;
    this.#changes = hasChanges(augment);
    this.#table = normaliseTable(data.mean, data.std);
    this.#scratch = new Uint8Array(data.channels * data.height * data.width);
    this.#prefetcher = data.stream && new Prefetcher(data.stream);
    this.batchesPerEpoch = last === "drop" ? Math.floor(count / batch) : Math.ceil(count / batch);
    this.imagesPerEpoch = last === "drop" ? this.batchesPerEpoch * batch : count;
    this.imageElements = batchElements(data, batch);
  }

  /** The order and the placements of an epoch. */
  #epoch(number: number): Epoch {
    const known = this.#epochs.find((e) => e.number === number);
    if (known !== undefined) return known;
    const { seed, stream, shuffle } = this.#options, count = this.#indices.length;
    const placements = (this.#epochs.length < 2 ? undefined : this.#epochs.shift()!.placements) ??
      new Placements(count);
    let order = this.#indices;
    if (shuffle) {
      order = new Random(seed, `${stream}/order`, number).permutation(count);
      for (let i = 0; i < count; i++) order[i] = this.#indices[order[i]];
    }
    placements.draw(new Random(seed, `${stream}/augment`, number), this.#augment);
    const epoch = { number, order, placements };
    this.#epochs.push(epoch);
    return epoch;
  }

  /** The random changes of image `index` in an epoch. */
  #change(epoch: number, index: number): Change | undefined {
    if (!this.#changes) return undefined;
    const { seed, stream } = this.#options;
    return drawChange(new Random(seed, `${stream}/change`, epoch, index), this.#augment);
  }

  #check(epoch: number, step: number): void {
    if (!Number.isSafeInteger(epoch) || epoch < 0) {
      throw new RangeError(`Cannot fill a batch as the epoch must be a whole number from 0: current value is ${epoch}`);
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
  }

  /**
   * Waits until batch `step` of `epoch` can be filled, and has the next ones decoded meanwhile. Only a streamed data
   * set needs it; for others it does nothing. Throws RangeError for an epoch or step out of range.
   */
  async ready(epoch: number, step: number): Promise<void> {
    if (this.#prefetcher === undefined) return;
    this.#check(epoch, step);
    const keys: string[] = [], steps = new Map<string, [epoch: number, step: number]>();
    for (let e = epoch, s = step; keys.length <= AHEAD; s++) {
      if (s === this.batchesPerEpoch) {
        if (!this.#options.shuffle) break; // Who does not shuffle measures, once.
        e++;
        s = 0;
      }
      const key = `${e}/${s}`;
      keys.push(key);
      steps.set(key, [e, s]);
    }
    this.#prefetcher.window(keys, (key) => {
      const [e, s] = steps.get(key)!, { order } = this.#epoch(e), { batch } = this.#options;
      return Array.from(order.subarray(s * batch, (s + 1) * batch), (index) => {
        return { index, change: this.#change(e, index) };
      });
    });
    await this.#prefetcher.ready(keys[0]);
  }

  /**
   * Writes batch `step` of `epoch` (both from 0): `images` in the device layout, normalised, {@linkcode
   * imageElements} long; `labels` one a image. Returns how many of the images count: one of a streamed data set that
   * is damaged is black and has the label -1. Throws RangeError for an epoch, step or length out of range, and
   * TypeError for a batch of a streamed data set that was not waited for with {@linkcode ready}.
   */
  fill(
    epoch: number,
    step: number,
    images: Float32Array,
    labels: Int32Array,
  ): number {
    const { labels: classes, channels, height, width } = this.#data;
    const { batch } = this.#options;
    this.#check(epoch, step);
    if (images.length !== this.imageElements || labels.length !== batch) {
      throw new RangeError(
        `Cannot fill a batch as the arrays must be ${this.imageElements} and ${batch} long: current lengths are ${images.length} and ${labels.length}`,
      );
    }
    const loaded = this.#prefetcher?.get(`${epoch}/${step}`);
    if (this.#prefetcher !== undefined && loaded === undefined) {
      throw new TypeError(`Cannot fill batch ${step} of epoch ${epoch} as it must be waited for first: call ready()`);
    }
    const { order, placements: { dy, dx, flip } } = this.#epoch(epoch);
    const plane = height * width;
    const outPlane = height * rowPitch(width);
    const first = step * batch;
    const valid = Math.min(batch, order.length - first);
    let count = 0;
    for (let n = 0; n < batch; n++) {
      const at = first + n % valid;
      const index = order[at];
      const change = this.#change(epoch, index);
      const [pixels, from] = loaded === undefined
        ? this.#fromMemory(index, change)
        : [loaded[n % valid] ?? this.#scratch.fill(0), 0];
      const good = n < valid && loaded?.[n % valid] !== null;
      labels[n] = good ? classes[index] : IGNORED_LABEL;
      if (good) count++;
      for (let c = 0; c < channels; c++) {
        placePlane(
          images,
          (c * batch + n) * outPlane,
          pixels,
          from + c * plane,
          height,
          width,
          dy[at],
          dx[at],
          flip[at] === 1,
          this.#table,
          256 * c,
        );
      }
      if (change?.hole !== undefined) this.#cut(images, n, change.hole);
    }
    return count;
  }

  /** Arrays that {@linkcode fill} takes. */
  host(): { images: Float32Array<ArrayBuffer>; labels: Int32Array<ArrayBuffer> } {
    return { images: new Float32Array(this.imageElements), labels: new Int32Array(this.#options.batch) };
  }

  /** All batches of an epoch, one after the other in the same arrays. */
  async *batches(epoch = 0): AsyncGenerator<{ images: Float32Array<ArrayBuffer>; labels: Int32Array<ArrayBuffer> }> {
    const host = this.host();
    for (let step = 0; step < this.batchesPerEpoch; step++) {
      await this.ready(epoch, step);
      this.fill(epoch, step, host.images, host.labels);
      yield host;
    }
  }

  /** The samples of an image in memory, and where they begin; changed ones are in the scratch array. */
  #fromMemory(index: number, change: Change | undefined): [Uint8Array, number] {
    const { images, channels, height, width } = this.#data, plane = height * width, at = index * channels * plane;
    if (change === undefined || (change.crop === undefined && change.jitter === undefined)) return [images, at];
    const out = this.#scratch;
    if (change.crop === undefined) out.set(images.subarray(at, at + channels * plane));
    else {
      const part = cropPart(change.crop, width, height);
      const rect = { x: part.x * width, y: part.y * height, width: part.width * width, height: part.height * height };
      const resampler = new Resampler(width, height, rect, width, height);
      for (let c = 0; c < channels; c++) {
        resampler.plane({ data: images, at: at + c * plane, step: 1, width, height }, out, c * plane);
      }
    }
    if (change.jitter !== undefined) applyJitter(out, channels, plane, change.jitter);
    return [out, 0];
  }

  /** Cutout: 0 after normalising, the mean, as in DARTS' code. */
  #cut(images: Float32Array, n: number, hole: { readonly x: number; readonly y: number }): void {
    const { channels, height, width } = this.#data, { batch } = this.#options, pitch = rowPitch(width);
    const { top, bottom, left, right } = holeOf(hole, this.#augment.cutout ?? 0, height, width);
    for (let c = 0; c < channels; c++) {
      for (let y = top; y < bottom; y++) {
        const row = ((c * batch + n) * height + y) * pitch;
        images.fill(0, row + left, row + right);
      }
    }
  }
}

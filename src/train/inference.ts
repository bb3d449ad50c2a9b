/**
 * A trained network at work: a predictor for images of any kind, and accuracy, loss and confusion on data sets. Batch
 * norms use the running statistics, images get no random changes. Not responsible for files.
 * @module
 */
import { UsageError } from "../base/errors.ts";
import { Batcher } from "../data/batches.ts";
import type { Dataset } from "../data/dataset.ts";
import { type ImageInput, prepareInput } from "../data/image_input.ts";
import { datasetOf, type LabelledImages } from "../data/labelled_images.ts";
import { type Gpu, openGpu } from "../gpu/device.ts";
import { storageLength } from "../graph/tensor_type.ts";
import { checkMeasurable, type Evaluation, logSoftmax, Tally } from "./evaluation.ts";
import { InferenceProgram } from "./inference_program.ts";
import { buildInference, loadModel, type Model } from "./model_file.ts";

/** Settings of a prediction or an evaluation; all optional. */
export interface PredictOptions {
  /**
   * Images at a time, at most; if left out, 64 on a CPU and 256 on a GPU, or fewer of a large network. Changes memory and
   * time only.
   */
  readonly batch?: number;
  /** Told how many images are done, of how many. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Stops it after the current batch. */
  readonly signal?: AbortSignal;
}

/** {@linkcode PredictOptions}, and who is told of every image. */
export interface EvaluateOptions extends PredictOptions {
  /** Told of each image, in order: the network's logits, only there for the call, its class, and its place in the set. */
  readonly onImage?: (logits: Float32Array, label: number, index: number) => void;
}

/** {@linkcode EvaluateOptions}, and the device. */
export interface InferenceOptions extends EvaluateOptions {
  /** Device to use; it is opened if left out. */
  readonly gpu?: Gpu;
}

/** Images to predict, of the size that the model takes. */
export interface PixelImages {
  /** Pixels, dense `[count, channels, height, width]`, 0 to 255. */
  readonly images: Uint8Array;
  /** Number of images. */
  readonly count: number;
}

/** What a model takes an image for. */
export interface Prediction {
  /** Name of the most probable class. */
  readonly className: string;
  /** Its probability. */
  readonly probability: number;
  /** The probability of every class, in the order of the model's class names. */
  readonly probabilities: Float64Array;
}

/** Most images at a time, and bytes that the largest image of a batch may have, where nothing else is asked for. */
interface BatchRule {
  readonly most: number;
  readonly bytes: number;
}

/** The caches of a CPU hold so much. A GPU must have work while the host does not look whether it is done, some 10 ms. */
const CPU: BatchRule = { most: 64, bytes: 5 << 20 }, GPU: BatchRule = { most: 256, bytes: 32 << 20 };
const LEAST_BATCH = 8, BF16_BYTES = 2;

/** Batches whose answers are not waited for while the device gets the next one. */
const AHEAD = 3;

/** The largest power of two of images at a time whose largest activation is small enough. */
function suitableBatch(model: Model, { most, bytes }: BatchRule): number {
  const tensors = buildInference(model, 1).graph.nodes.flatMap(({ outputs }) => outputs);
  const largest = Math.max(1, ...tensors.map(({ type }) => storageLength(type))) * BF16_BYTES;
  return Math.min(most, Math.max(LEAST_BATCH, 2 ** Math.floor(Math.log2(bytes / largest))));
}

/**
 * A model on a device, made once and used often: what a batch of some size needs is compiled the first time. Calls may
 * be made at the same time.
 *
 * @example What a model takes a file and raw pixels (of a canvas, say) for
 * ```ts
 * import { Predictor } from "./inference.ts";
 * async function classify(rgba: Uint8ClampedArray): Promise<void> {
 *   await using predictor = await Predictor.open("runs/flowers/train/best.safetensors");
 *   const [first, second] = await predictor.predict(["rose.jpg", { data: rgba, width: 640, height: 480 }]);
 *   console.log(first.className, second.probability);
 * }
 * ```
 */
export class Predictor implements Disposable, AsyncDisposable {
  readonly #gpu: Gpu;
  readonly #ownsGpu: boolean;
  readonly #programs = new Map<number, Promise<InferenceProgram>>();
  #suitable: number | undefined;
  /** Ends when all calls have. */
  #calls: Promise<unknown> = Promise.resolve();
  #closed = false;
  #freed = false;

  private constructor(
    /** The model. */
    readonly model: Model,
    gpu: Gpu,
    ownsGpu: boolean,
  ) {
    this.#gpu = gpu;
    this.#ownsGpu = ownsGpu;
  }

  /**
   * Reads a model and opens the device.
   * @param model a model, or the path of its file
   * @throws {FailureError} for a file that is no model, and without an adapter.
   * @throws the reason of `signal` when that was raised.
   */
  static async open(
    model: Model | string,
    { gpu, signal }: { readonly gpu?: Gpu; readonly signal?: AbortSignal } = {},
  ): Promise<Predictor> {
    signal?.throwIfAborted();
    const loaded = typeof model === "string" ? loadModel(model) : model;
    return new Predictor(loaded, gpu ?? await openGpu(), gpu === undefined);
  }

  /**
   * What the model takes images of any size for: files, bytes of files, or raw pixels. Of each the largest square in
   * the middle is resized to what the model takes.
   * @throws {FailureError} for an image that cannot be read, which `image 2`, say, names by its place.
   * @throws {UsageError} for a model that does not take squares of 1 or 3 channels.
   */
  predict(images: readonly ImageInput[], options: PredictOptions = {}): Promise<Prediction[]> {
    return this.#during(async () => {
      const size = this.#imageSize(), all = new Uint8Array(images.length * size);
      for (const [i, image] of images.entries()) {
        options.signal?.throwIfAborted();
        all.set(await this.prepare(image, `image ${i}`), i * size);
      }
      if (images.length === 0) return [];
      const rows = await this.#probabilities({ images: all, count: images.length }, options);
      return rows.map((probabilities) => {
        const probability = Math.max(...probabilities), best = probabilities.indexOf(probability);
        return { className: this.model.classNames[best], probability, probabilities };
      });
    });
  }

  /**
   * An image as the model takes it, for {@linkcode probabilities}: `[channels, height, width]`, 0 to 255.
   * @param name names it in errors, where it is not a file
   * @throws as {@linkcode predict} does.
   */
  async prepare(image: ImageInput, name = "the image"): Promise<Uint8Array> {
    const { inputChannels: channels, height, width } = this.model.network;
    if (height !== width || (channels !== 1 && channels !== 3)) {
      throw new UsageError(
        `Cannot bring images to the ${channels}x${height}x${width} of the model as they become grey or colour ` +
          "squares: measure it on a data set of that shape",
      );
    }
    return await prepareInput(image, { size: height, channels }, name);
  }

  #imageSize(): number {
    const { inputChannels, height, width } = this.model.network;
    return inputChannels * height * width;
  }

  /**
   * Probabilities of every class for images of the model's size, `count` rows in the order of the images.
   * @throws {UsageError} when the pixels are not `count` images of that size.
   */
  probabilities(images: PixelImages, options: PredictOptions = {}): Promise<Float64Array[]> {
    return this.#during(() => this.#probabilities(images, options));
  }

  async #probabilities({ images, count }: PixelImages, options: PredictOptions): Promise<Float64Array[]> {
    const { inputChannels: channels, height, width, classes } = this.model.network, size = this.#imageSize();
    if (!Number.isSafeInteger(count) || count < 1 || images.length !== count * size) {
      throw new UsageError(
        `Cannot predict ${count} images as they must be ${channels}x${height}x${width} (${size} bytes each): there ` +
          `are ${images.length} bytes`,
      );
    }
    const { classNames, mean, std } = this.model, labels = new Int32Array(count);
    const data: Dataset = {
      ...{ name: "images to predict", images, labels, count, channels, height, width },
      ...{ classes, classNames, mean, std, fingerprint: "" },
    };
    // Few sizes, so that little is compiled whatever the numbers of images are.
    const most = options.batch ?? this.#suitableBatch(), batch = Math.min(most, 2 ** Math.ceil(Math.log2(count)));
    const rows: Float64Array[] = [];
    await this.#forEachRow(data, batch, options, (row) => rows.push(logSoftmax(row).map(Math.exp)));
    return rows;
  }

  /**
   * Measures the model on a data set.
   * @throws {UsageError} when the images or classes are not those that the model knows.
   */
  evaluate(images: Dataset | LabelledImages, options: EvaluateOptions = {}): Promise<Evaluation> {
    return this.#during(async () => {
      const data = await datasetOf(images), tally = new Tally(this.model.network.classes);
      checkMeasurable(this.model, data);
      const batch = Math.min(options.batch ?? this.#suitableBatch(), data.count);
      await this.#forEachRow(data, batch, options, (row, label, index) => {
        tally.add(row, label);
        options.onImage?.(row, label, index);
      });
      return tally.result();
    });
  }

  /** Does what a caller asked for, unless the predictor is closed. */
  async #during<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed) throw new TypeError("Cannot use a predictor that has been closed: open another one");
    const done = work();
    this.#calls = Promise.allSettled([this.#calls, done]);
    return await done;
  }

  /** Visits the logits of every image of a data set that can be read, in order, with its label and its index. */
  async #forEachRow(
    data: Dataset,
    batch: number,
    { signal, onProgress }: PredictOptions,
    visit: (row: Float32Array, label: number, index: number) => void,
  ): Promise<void> {
    const { mean, std, network: { classes } } = this.model;
    signal?.throwIfAborted();
    // Images are normalised as in training, whatever the statistics of these are.
    const normalised = { ...data, mean, std };
    const batcher = new Batcher(normalised, { batch, seed: 0, stream: "inference", shuffle: false, last: "fill" });
    const images = new Float32Array(batcher.imageElements), program = await this.#program(batch);
    const ahead: { readonly step: number; readonly labels: Int32Array; readonly logits: Promise<Float32Array> }[] = [];
    /** Waits for the oldest batch: answers need not come in the order in which they were asked for. */
    const visitNext = async (): Promise<void> => {
      const { step, labels, logits } = ahead.shift()!, rows = await logits;
      labels.forEach((label, n) => {
        if (label >= 0) visit(rows.subarray(n * classes, (n + 1) * classes), label, step * batch + n);
      });
      onProgress?.(Math.min(data.count, (step + 1) * batch), data.count);
      signal?.throwIfAborted();
    };
    for (let step = 0; step < batcher.batchesPerEpoch; step++) {
      signal?.throwIfAborted();
      const labels = new Int32Array(batch);
      await batcher.ready(0, step);
      batcher.fill(0, step, images, labels);
      this.#checkOpen();
      const logits = program.logits(images, step);
      logits.catch(() => {}); // it is waited for, unless something else fails first
      ahead.push({ step, labels, logits });
      if (ahead.length > AHEAD) await visitNext();
    }
    while (ahead.length > 0) await visitNext();
  }

  /** Images at a time where nobody says. */
  #suitableBatch(): number {
    return this.#suitable ??= suitableBatch(this.model, this.#gpu.limits.software ? CPU : GPU);
  }

  #checkOpen(): void {
    if (this.#freed) throw new TypeError("Cannot go on as the predictor was closed meanwhile: wait for what it does");
  }

  /** The program for batches of a size; made once, whoever asks meanwhile. */
  #program(batch: number): Promise<InferenceProgram> {
    this.#checkOpen();
    const known = this.#programs.get(batch) ?? InferenceProgram.create(this.#gpu, this.model, batch);
    this.#programs.set(batch, known);
    known.catch(() => this.#programs.delete(batch));
    return known;
  }

  /** Frees the memory on the device, and the device where it was opened for this. What still runs fails. */
  [Symbol.dispose](): void {
    if (this.#freed) return;
    this.#closed = this.#freed = true;
    for (const program of this.#programs.values()) program.then((made) => made.destroy(), () => {});
    if (this.#ownsGpu) this.#gpu.device.destroy();
  }

  /** Waits for what still runs, then frees everything, as `using` does at once. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#calls;
    this[Symbol.dispose]();
  }

  /** {@linkcode close}, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/**
 * Measures a model on a data set, once; {@linkcode Predictor.evaluate} for more than once.
 * @throws {UsageError} when the images or classes are not those that the model knows.
 * @throws the reason of `options.signal` when that was raised.
 */
export async function evaluateModel(
  model: Model,
  images: Dataset | LabelledImages,
  options: InferenceOptions = {},
): Promise<Evaluation> {
  options.signal?.throwIfAborted();
  const data = await datasetOf(images);
  checkMeasurable(model, data); // before anything is opened
  await using predictor = await Predictor.open(model, options);
  return await predictor.evaluate(data, options);
}

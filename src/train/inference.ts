/**
 * A trained network at work: predictions for single images, and accuracy, loss and confusion on a data set. Batch norms
 * use the running statistics, images get no random changes. Not responsible for files.
 * @module
 */
import { UsageError } from "../base/errors.ts";
import { Batcher } from "../data/batches.ts";
import { checkDataset, type Dataset } from "../data/dataset.ts";
import { type Gpu, openGpu } from "../gpu/device.ts";
import { type Plan, Pool } from "../graph/plan.ts";
import { Runtime } from "../graph/runtime.ts";
import { noiseKey } from "../nn/noise_key.ts";
import { finishProgram } from "../nn/weight_step.ts";
import { buildInference, type Model } from "./model_file.ts";

/** How well a model does on a data set. */
export interface Evaluation {
  /** Images that were counted. */
  readonly count: number;
  /** Mean cross-entropy. */
  readonly loss: number;
  /** Share of images whose most probable class is theirs. */
  readonly accuracy: number;
  /** The same for the images of each class; null for a class without images. */
  readonly perClass: readonly (number | null)[];
  /** Row: class of the image; column: predicted class. */
  readonly confusion: readonly (readonly number[])[];
}

/** Resources of an evaluation; all optional. */
export interface InferenceOptions {
  /** Device to use; it is opened if left out. */
  readonly gpu?: Gpu;
  /** Images at a time; 64 if left out. */
  readonly batch?: number;
  /** Told how many images are done, of how many. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Stops after the current batch; the call then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** Images to predict, of the size that the model takes. */
export interface PixelImages {
  /** Pixels, dense `[count, channels, height, width]`, 0 to 255. */
  readonly images: Uint8Array;
  /** Number of images. */
  readonly count: number;
}

/** A model on a device. */
export class Predictor {
  readonly #runtime: Runtime;
  readonly #plan: Plan;

  private constructor(
    /** The model. */
    readonly model: Model,
    /** Images at a time. */
    readonly batch: number,
    runtime: Runtime,
    plan: Plan,
  ) {
    this.#runtime = runtime;
    this.#plan = plan;
  }

  /**
   * Allocates, compiles and fills everything.
   * @throws {FailureError} when the device has not enough memory.
   */
  static async create(gpu: Gpu, model: Model, batch: number): Promise<Predictor> {
    const { graph, logits, values } = buildInference(model, batch), pool = new Pool();
    const { plan } = finishProgram("predict", graph, [], { logits }, gpu.limits, pool);
    const predictor = new Predictor(model, batch, await Runtime.create(gpu, [plan], pool), plan);
    for (const [arena, data] of values) predictor.#runtime.write(arena, data);
    return predictor;
  }

  /**
   * Logits `[batch, classes]` of normalised images in the layout of `Batcher`.
   * @param step number of the batch, which decides on noise
   */
  async logits(images: Float32Array<ArrayBuffer>, step = 0): Promise<Float32Array> {
    this.#runtime.run("predict", { images, ...noiseKey(this.#plan, 0, step) });
    const stored = await this.#runtime.readResult("predict", "logits");
    return stored.subarray(0, this.batch * this.model.network.classes);
  }

  /** Frees the device memory. */
  destroy(): void {
    this.#runtime.destroy();
  }
}

/** Natural logarithms of the softmax of one row. */
function logSoftmax(row: Float32Array): Float64Array {
  const most = row.reduce((a, b) => Math.max(a, b), -Infinity);
  const sum = row.reduce((total, v) => total + Math.exp(v - most), 0);
  return Float64Array.from(row, (v) => v - most - Math.log(sum));
}

/** Visits the logits of every image of a data set, in order, with its label. */
async function forEachRow(
  model: Model,
  data: Dataset,
  options: InferenceOptions,
  visit: (row: Float32Array, label: number) => void,
): Promise<void> {
  const { classes } = model.network, { signal } = options;
  signal?.throwIfAborted();
  const gpu = options.gpu ?? await openGpu(), batch = Math.min(options.batch ?? 64, data.count);
  try {
    const predictor = await Predictor.create(gpu, model, batch);
    try {
      // Images are normalised as in training, whatever the statistics of these are.
      const normalised = { ...data, mean: model.mean, std: model.std };
      const batcher = new Batcher(normalised, { batch, seed: 0, stream: "inference", shuffle: false, last: "fill" });
      const images = new Float32Array(batcher.imageElements), labels = new Int32Array(batch);
      for (let step = 0; step < batcher.batchesPerEpoch; step++) {
        signal?.throwIfAborted();
        await batcher.ready(0, step);
        batcher.fill(0, step, images, labels);
        const logits = await predictor.logits(images, step);
        labels.forEach((label, n) => label >= 0 && visit(logits.subarray(n * classes, (n + 1) * classes), label));
        options.onProgress?.(Math.min(data.count, (step + 1) * batch), data.count);
      }
    } finally {
      predictor.destroy();
    }
  } finally {
    if (!options.gpu) gpu.device.destroy();
  }
}

/**
 * Whether a network can be measured on a data set.
 * @throws {UsageError} when the images or classes are not those that the network knows.
 */
export function checkMeasurable({ network, classNames }: Pick<Model, "network" | "classNames">, data: Dataset): void {
  const { inputChannels, height, width, classes } = network;
  if (data.channels !== inputChannels || data.height !== height || data.width !== width) {
    throw new UsageError(
      `Cannot use images of ${data.channels}x${data.height}x${data.width} ('${data.name}') as the model takes ` +
        `${inputChannels}x${height}x${width}: take the data that it was trained on, or resize the images`,
    );
  }
  const names = (list: readonly string[]) => list.slice(0, 5).join(", ") + (list.length > 5 ? ", ..." : "");
  const reordered = data.classNames.some((name, i) => name !== classNames[i] && classNames.includes(name));
  if (data.classes !== classes || reordered) {
    throw new UsageError(
      `Cannot evaluate on '${data.name}' as its classes must be the model's ${classes} (${names(classNames)}): ` +
        `it has ${data.classes} (${names(data.classNames)})`,
    );
  }
}

/**
 * Measures a model on a data set.
 * @throws {UsageError} when the images or classes are not those that the model knows.
 */
export async function evaluateModel(model: Model, data: Dataset, options: InferenceOptions = {}): Promise<Evaluation> {
  checkDataset(data);
  checkMeasurable(model, data);
  const { classes } = model.network;
  const confusion = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  let loss = 0, correct = 0, count = 0;
  await forEachRow(model, data, options, (row, label) => {
    const predicted = row.indexOf(row.reduce((a, b) => Math.max(a, b), -Infinity));
    loss -= logSoftmax(row)[label];
    if (predicted === label) correct++;
    if (predicted >= 0) confusion[label][predicted]++;
    count++;
  });
  const perClass = confusion.map((row, k) => {
    const total = row.reduce((a, b) => a + b, 0);
    return total === 0 ? null : row[k] / total;
  });
  return { count, loss: loss / count, accuracy: correct / count, perClass, confusion };
}

/**
 * Probabilities of every class for some images, `count` rows in the order of the images.
 * @throws {UsageError} when the pixels are not `count` images of the model's size.
 */
export async function predictImages(
  model: Model,
  { images, count }: PixelImages,
  options: InferenceOptions = {},
): Promise<Float64Array[]> {
  const { inputChannels: channels, height, width, classes } = model.network, size = channels * height * width;
  if (!Number.isSafeInteger(count) || count < 1 || images.length !== count * size) {
    throw new UsageError(
      `Cannot predict ${count} images as they must be ${channels}x${height}x${width} (${size} bytes each): there are ` +
        `${images.length} bytes`,
    );
  }
  const data: Dataset = {
    name: "images to predict",
    images,
    labels: new Int32Array(count),
    count,
    channels,
    height,
    width,
    classes,
    classNames: model.classNames,
    mean: model.mean,
    std: model.std,
    fingerprint: "",
  };
  const rows: Float64Array[] = [];
  await forEachRow(model, data, options, (row) => rows.push(logSoftmax(row).map(Math.exp)));
  return rows;
}

/**
 * Data sets in memory: where their files lie, whether images and labels fit together, and their statistics.
 * Not responsible for batches or augmentation.
 * @module
 */
import { FailureError } from "../base/errors.ts";
import { baseName, exists, joinPath, readText } from "../base/files.ts";
import { readIdxImages, readIdxLabels } from "./idx.ts";

/** A labelled set of images of one size. */
export interface Dataset {
  /** For messages and reports, for example `"mnist"`. */
  readonly name: string;
  /** Pixels, dense `[count, channels, height, width]`, 0 to 255. */
  readonly images: Uint8Array;
  /** Class of each image, 0 to classes - 1. */
  readonly labels: Int32Array;
  /** Number of images. */
  readonly count: number;
  /** Number of colour channels. */
  readonly channels: number;
  /** Rows of an image. */
  readonly height: number;
  /** Columns of an image. */
  readonly width: number;
  /** Number of classes, over the whole training set. */
  readonly classes: number;
  /** Name of each class, in the order of the labels. */
  readonly classNames: readonly string[];
  /** Mean of each channel over all training pixels, in 0..1 units. */
  readonly mean: readonly number[];
  /** Standard deviation of each channel over all training pixels, in 0..1 units. */
  readonly std: readonly number[];
  /** SHA-256 (hex) of the shape, pixels and labels; a resumed run compares it. */
  readonly fingerprint: string;
}

/** Which part of a data set. */
export type Split = "train" | "test";

/** What {@linkcode openData} takes besides the data set's name. */
export interface OpenDataOptions {
  /** Training or test images. */
  readonly split: Split;
  /**
   * Take this many images, spread evenly over the file so that files sorted by class work too; all if left out.
   * The statistics and classes stay those of the whole training set.
   */
  readonly limit?: number;
  /** The folder that `"mnist"` stands for; `.cache/mnist` if left out. */
  readonly mnistFolder?: string;
}

/** Where `deno task fetch-mnist` puts the files. */
export const MNIST_FOLDER = ".cache/mnist";

/** Class names of data sets that come without a list. */
const KNOWN_CLASSES: Record<string, readonly string[]> = {
  "fashion-mnist": [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
  ],
};

/** The file names that a part of a data set goes by. */
function candidates(split: Split, what: "images" | "labels"): string[] {
  const stems = split === "train" ? ["train"] : ["t10k", "test"];
  const axes = what === "images" ? ["idx3", "idx4"] : ["idx1"];
  return stems.flatMap((stem) =>
    axes.flatMap((axis) =>
      ["-", "."].flatMap((sign) => {
        const name = `${stem}-${what}${sign}${axis}-ubyte`;
        return [name, `${name}.gz`];
      })
    )
  );
}

/** Images and labels of one split as they are on disk. */
interface RawSplit {
  readonly path: string;
  readonly labelPath: string;
  readonly shape: readonly number[];
  readonly images: Uint8Array;
  readonly labels: Uint8Array;
}

function readSplit(folder: string, split: Split, hint: string): RawSplit {
  const find = (what: "images" | "labels"): string => {
    const names = candidates(split, what);
    const found = names.find((name) => exists(joinPath(folder, name)));
    if (found !== undefined) return joinPath(folder, found);
    throw new FailureError(
      `Cannot open the ${split} ${what} in '${folder}' as it must hold '${names[0]}' (or .gz): ${hint}`,
    );
  };
  const path = find("images");
  const labelPath = find("labels");
  const { shape, data: images } = readIdxImages(path);
  const { data: labels } = readIdxLabels(labelPath);
  if (labels.length !== shape[0]) {
    throw new FailureError(
      `Cannot use '${labelPath}' as it must hold one label for each of the ${
        shape[0]
      } images of '${path}': current count is ${labels.length}`,
    );
  }
  return { path, labelPath, shape, images, labels };
}

/** Mean and population standard deviation of each channel, exact integer sums, in 0..1 units. */
export function channelStats(
  images: Uint8Array,
  channels: number,
  pixels: number,
): { mean: number[]; std: number[] } {
  const histogram = new Float64Array(256 * channels);
  for (let at = 0; at < images.length;) {
    for (let c = 0; c < channels; c++) {
      for (const end = at + pixels; at < end; at++) {
        histogram[256 * c + images[at]]++;
      }
    }
  }
  const mean: number[] = [];
  const std: number[] = [];
  for (let c = 0; c < channels; c++) {
    let n = 0, sum = 0, squares = 0;
    for (let v = 0; v < 256; v++) {
      const k = histogram[256 * c + v];
      n += k;
      sum += k * v;
      squares += k * v * v;
    }
    const m = sum / n;
    mean.push(m / 255);
    std.push(Math.sqrt(Math.max(0, squares / n - m * m)) / 255);
  }
  return { mean, std };
}

async function fingerprintOf(
  shape: readonly number[],
  images: Uint8Array,
  labels: Int32Array,
): Promise<string> {
  const digest = async (data: Uint8Array): Promise<Uint8Array> =>
    new Uint8Array(
      await crypto.subtle.digest("SHA-256", data as Uint8Array<ArrayBuffer>),
    );
  const all = new Uint8Array(96);
  all.set(await digest(new TextEncoder().encode(shape.join("x"))), 0);
  all.set(await digest(images), 32);
  all.set(
    await digest(
      new Uint8Array(labels.buffer, labels.byteOffset, labels.byteLength),
    ),
    64,
  );
  return (await digest(all)).toHex();
}

function classNamesOf(
  folder: string,
  name: string,
  labels: Uint8Array,
  labelPath: string,
): readonly string[] {
  let highest = 0;
  for (const label of labels) if (label > highest) highest = label;
  const list = joinPath(folder, "classes.txt");
  let names: readonly string[] | undefined;
  let from = "";
  if (exists(list)) {
    names = readText(list, { maxBytes: 1 << 20 }).split(/\r?\n/)
      .map((line) => line.trim()).filter((line) => line !== "");
    from = `'${list}'`;
  } else if (name === "mnist") {
    names = Array.from({ length: 10 }, (_, i) => String(i));
    from = "MNIST";
  } else if (Object.hasOwn(KNOWN_CLASSES, name)) {
    names = KNOWN_CLASSES[name];
    if (highest >= names.length) names = undefined;
  }
  names ??= Array.from({ length: highest + 1 }, (_, i) => String(i));
  if (highest >= names.length) {
    throw new FailureError(
      `Cannot use '${labelPath}' as its labels must be below ${names.length}, the number of classes of ${from}: current highest is ${highest}`,
    );
  }
  if (names.length < 2) {
    throw new FailureError(
      `Cannot use '${labelPath}' as it must hold at least 2 classes: current number is ${names.length}`,
    );
  }
  return names;
}

/**
 * Opens a data set. `spec` is `"mnist"` (fetched by `deno task fetch-mnist`; for a folder of that name write
 * `./mnist`) or a folder of IDX files with MNIST's usual names, gzipped or not, and optionally `classes.txt` with
 * one class name a line. The training files are needed for the test split too: mean, standard deviation and
 * classes come from them. Throws FailureError where files are missing, damaged or do not fit together.
 */
export async function openData(
  spec: string,
  options: OpenDataOptions,
): Promise<Dataset> {
  const { split, limit } = options;
  const fetched = spec === "mnist";
  const folder = fetched ? options.mnistFolder ?? MNIST_FOLDER : spec;
  const hint = fetched ? "run 'deno task fetch-mnist'" : "check the path, or put MNIST-like IDX files there";
  if (spec === "" || !exists(folder)) {
    throw new FailureError(
      `Cannot open data set '${spec}' as the folder '${folder}' does not exist: ${hint}`,
    );
  }
  const name = fetched ? "mnist" : baseName(spec);
  const train = readSplit(folder, "train", hint);
  const [, channels, height, width] = train.shape;
  const pixels = height * width;
  const classNames = classNamesOf(folder, name, train.labels, train.labelPath);
  const { mean, std } = channelStats(train.images, channels, pixels);
  let raw = train;
  if (split === "test") {
    raw = readSplit(folder, "test", hint);
    if (raw.shape.slice(1).join() !== train.shape.slice(1).join()) {
      throw new FailureError(
        `Cannot use '${raw.path}' as its images must be [${
          train.shape.slice(1).join(", ")
        }] like those of '${train.path}': current shape is [${raw.shape.slice(1).join(", ")}]`,
      );
    }
    const bad = raw.labels.findIndex((label) => label >= classNames.length);
    if (bad >= 0) {
      throw new FailureError(
        `Cannot use '${raw.labelPath}' as its labels must be below ${classNames.length}, the number of training classes: current value of label ${bad} is ${
          raw.labels[bad]
        }`,
      );
    }
  }
  const available = raw.shape[0];
  const count = limit ?? available;
  if (!Number.isSafeInteger(count) || count < 1 || count > available) {
    throw new FailureError(
      `Cannot take ${count} images from '${raw.path}' as the number must be from 1 to ${available}: lower the limit`,
    );
  }
  let images = raw.images;
  const labels = new Int32Array(count);
  if (count === available) {
    labels.set(raw.labels);
  } else {
    const size = channels * pixels;
    images = new Uint8Array(count * size);
    for (let i = 0; i < count; i++) {
      const from = Math.floor(i * available / count);
      images.set(
        raw.images.subarray(from * size, (from + 1) * size),
        i * size,
      );
      labels[i] = raw.labels[from];
    }
  }
  return {
    name,
    images,
    labels,
    count,
    channels,
    height,
    width,
    classes: classNames.length,
    classNames,
    mean,
    std,
    fingerprint: await fingerprintOf(
      [count, channels, height, width, classNames.length],
      images,
      labels,
    ),
  };
}

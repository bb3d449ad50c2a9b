/**
 * Data sets in IDX files: MNIST and those that took its file names. Not responsible for the file format (`idx.ts`).
 * @module
 */
import { FailureError } from "../base/errors.ts";
import { baseName, exists, joinPath, readText } from "../base/files.ts";
import { MOST_PAD } from "./augment.ts";
import type { Dataset, OpenDataOptions } from "./dataset.ts";
import type { DataFormat, DataPlace } from "./format.ts";
import { readIdxImages, readIdxLabels } from "./idx.ts";
import { fromRecords, refuseVal } from "./records.ts";
import { channelStats } from "./statistics.ts";

/** Where `fetchMnist` and the command line put the files. */
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
function candidates(split: "train" | "test", what: "images" | "labels"): string[] {
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

function readSplit(folder: string, split: "train" | "test", remedies: DataPlace["remedies"]): RawSplit {
  const find = (what: "images" | "labels"): string => {
    const names = candidates(split, what);
    const found = names.find((name) => exists(joinPath(folder, name)));
    if (found !== undefined) return joinPath(folder, found);
    throw new FailureError(
      `Cannot open the ${split} ${what} in '${folder}' as it must hold '${names[0]}' (or .gz)`,
      { remedies },
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

async function open(place: DataPlace, options: OpenDataOptions): Promise<Dataset> {
  const { path: folder, remedies } = place, split = refuseVal(options.split, place);
  const name = place.name ?? baseName(folder);
  const train = readSplit(folder, "train", remedies);
  const [, channels, height, width] = train.shape;
  const pixels = height * width;
  const classNames = classNamesOf(folder, name, train.labels, train.labelPath);
  const { mean, std } = channelStats(train.images, channels, pixels);
  let raw = train;
  if (split === "test") {
    raw = readSplit(folder, "test", remedies);
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
  return await fromRecords(raw.path, options.limit, {
    name,
    format: IDX.name,
    images: raw.images,
    labels: raw.labels,
    channels,
    height,
    width,
    classNames,
    mean,
    std,
  });
}

/** Data sets whose images look the same when mirrored. */
const MIRRORED: readonly string[] = ["fashion-mnist"];

/** MNIST's own files. */
export const IDX: DataFormat = {
  name: "idx",
  noun: "IDX files",
  help: "a folder of IDX files (.gz or not) with MNIST's usual names, and optionally classes.txt",
  known: [{ name: "mnist", paths: [MNIST_FOLDER], remedies: [{ kind: "fetch", data: "mnist" }] }],
  remedies: ["check the path", "put MNIST-like IDX files there"],
  detect: (path) =>
    (["train", "test"] as const).some((split) =>
      (["images", "labels"] as const).some((what) => candidates(split, what).some((n) => exists(joinPath(path, n))))
    ),
  open,
  augment: ({ name, height }) => ({ pad: Math.min(MOST_PAD, Math.round(height / 8)), flip: MIRRORED.includes(name) }),
};

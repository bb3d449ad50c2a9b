/**
 * CIFAR-10 and CIFAR-100 in their binary version (https://www.cs.toronto.edu/~kriz/cifar.html), from a folder or
 * straight from the `.tar.gz` as it is published: records of one label byte (CIFAR-100: coarse, fine) and 3072 bytes,
 * the red, green and blue plane of 32 x 32 pixels. Not responsible for fetching (`fetch.ts`).
 * @module
 */
import { platform } from "../platform/platform.ts";
import { FailureError } from "../base/errors.ts";
import { baseName, exists, joinPath, readBytes } from "../base/files.ts";
import type { Dataset, OpenDataOptions } from "./dataset.ts";
import type { DataFormat, DataPlace } from "./format.ts";
import { fromRecords, refuseVal } from "./records.ts";
import { channelStats } from "./statistics.ts";
import { readTar } from "./tar.ts";

/** Where fetched data sets lie. */
export const CACHE_FOLDER = ".cache";

/** One of the two data sets. */
interface Variant {
  readonly name: string;
  readonly classes: number;
  /** Bytes before the pixels; the last one is the class. */
  readonly labelBytes: number;
  readonly train: readonly string[];
  readonly test: readonly string[];
  /** File with one class name a line. */
  readonly names: string;
}

const VARIANTS: readonly Variant[] = [
  {
    name: "cifar10",
    classes: 10,
    labelBytes: 1,
    train: [1, 2, 3, 4, 5].map((i) => `data_batch_${i}.bin`),
    test: ["test_batch.bin"],
    names: "batches.meta.txt",
  },
  {
    name: "cifar100",
    classes: 100,
    labelBytes: 2,
    train: ["train.bin"],
    test: ["test.bin"],
    names: "fine_label_names.txt",
  },
];

const SIDE = 32, PIXELS = SIDE * SIDE, CHANNELS = 3;
/** The most bytes of an archive, unpacked: the real ones have 184 million. */
const MAX_UNPACKED: number = 2 ** 29;
const ARCHIVE = /\.(tar\.gz|tgz|tar)$/i;

/** The content of a file of the data set by its name without folders; undefined where there is none. */
type Lookup = (name: string) => Uint8Array | undefined;

function lookupIn(path: string): Lookup {
  const files = new Map<string, Uint8Array>();
  if (!ARCHIVE.test(path)) {
    return (name) => {
      const file = joinPath(path, name);
      if (!files.has(name) && exists(file)) files.set(name, readBytes(file, { maxBytes: MAX_UNPACKED }));
      return files.get(name);
    };
  }
  let bytes: Uint8Array = readBytes(path, { maxBytes: MAX_UNPACKED });
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    try {
      bytes = platform().gunzip(bytes, { most: MAX_UNPACKED });
    } catch (error) {
      const why = (error as { code?: string }).code === "ERR_BUFFER_TOO_LARGE"
        ? `unpacked it must be at most ${MAX_UNPACKED} bytes long: CIFAR is shorter, and an archive of images is to be unpacked`
        : "its gzip data is cut off or damaged: fetch it again";
      throw new FailureError(`Cannot read '${path}' as ${why}`, { cause: error });
    }
  }
  for (const { name, data } of readTar(bytes, path)) files.set(baseName(name), data);
  return (name) => files.get(name);
}

/** Labels and pixels of some files together. */
function readRecords(
  lookup: Lookup,
  names: readonly string[],
  variant: Variant,
  { path, remedies }: DataPlace,
): { images: Uint8Array; labels: Uint8Array } {
  const record = variant.labelBytes + CHANNELS * PIXELS;
  const files = names.map((name) => {
    const data = lookup(name);
    if (data === undefined) throw new FailureError(`Cannot open '${path}' as it must hold '${name}'`, { remedies });
    if (data.length === 0 || data.length % record !== 0) {
      throw new FailureError(
        `Cannot read '${name}' of '${path}' as it must hold whole records of ${record} bytes: ` +
          `current size is ${data.length}, so fetch it again`,
      );
    }
    return { name, data };
  });
  const count = files.reduce((sum, { data }) => sum + data.length / record, 0);
  const images = new Uint8Array(count * CHANNELS * PIXELS), labels = new Uint8Array(count);
  let at = 0;
  for (const { name, data } of files) {
    for (let from = 0; from < data.length; from += record, at++) {
      const label = data[from + variant.labelBytes - 1];
      if (label >= variant.classes) {
        throw new FailureError(
          `Cannot read '${name}' of '${path}' as its labels must be below ${variant.classes}: ` +
            `current value of record ${from / record} is ${label}, so fetch it again`,
        );
      }
      labels[at] = label;
      images.set(data.subarray(from + variant.labelBytes, from + record), at * CHANNELS * PIXELS);
    }
  }
  return { images, labels };
}

/** The class names of the data set's own list; numbers where it has none. */
function classNames(lookup: Lookup, { names, classes }: Variant, path: string): string[] {
  const bytes = lookup(names);
  if (bytes === undefined) return Array.from({ length: classes }, (_, i) => String(i));
  const list = new TextDecoder().decode(bytes.subarray(0, 1 << 16)).split("\n").map((s) => s.trim()).filter((s) => s);
  if (list.length === classes) return list;
  throw new FailureError(
    `Cannot read '${names}' of '${path}' as it must hold ${classes} class names: current number is ${list.length}`,
  );
}

async function open(place: DataPlace, options: OpenDataOptions): Promise<Dataset> {
  const { path } = place, split = refuseVal(options.split, place), lookup = lookupIn(path);
  const variant = VARIANTS.find(({ train, test }) => [...train, ...test].some((name) => lookup(name) !== undefined));
  if (variant === undefined && ARCHIVE.test(path)) {
    throw new FailureError(
      `Cannot open data set '${path}' as it is an archive without the files of CIFAR ('${VARIANTS[0].train[0]}' or ` +
        `'${VARIANTS[1].train[0]}'): if it holds a folder of images, unpack it and name that`,
    );
  }
  if (variant === undefined) {
    throw new FailureError(
      `Cannot open '${path}' as it must hold '${VARIANTS[0].train[0]}' or '${VARIANTS[1].train[0]}'`,
      { remedies: place.remedies },
    );
  }
  const train = readRecords(lookup, variant.train, variant, place);
  const { images, labels } = split === "train" ? train : readRecords(lookup, variant.test, variant, place);
  return await fromRecords(path, options.limit, {
    name: variant.name,
    format: CIFAR.name,
    images,
    labels,
    channels: CHANNELS,
    height: SIDE,
    width: SIDE,
    classNames: classNames(lookup, variant, path),
    ...channelStats(train.images, CHANNELS, PIXELS),
  });
}

/** Both data sets. */
export const CIFAR: DataFormat = {
  name: "cifar",
  noun: "CIFAR",
  help: "the binary version of CIFAR-10 or CIFAR-100 (.tar.gz or its folder)",
  known: [
    {
      name: "cifar10",
      paths: [`${CACHE_FOLDER}/cifar-10-binary.tar.gz`, `${CACHE_FOLDER}/cifar-10-batches-bin`],
      remedies: [{ kind: "fetch", data: "cifar10" }],
    },
    {
      name: "cifar100",
      paths: [`${CACHE_FOLDER}/cifar-100-binary.tar.gz`, `${CACHE_FOLDER}/cifar-100-binary`],
      remedies: [{ kind: "fetch", data: "cifar100" }],
    },
  ],
  remedies: ["check the path", { kind: "fetch", data: "cifar10" }],
  detect: (path) =>
    ARCHIVE.test(path) ||
    VARIANTS.some(({ train, test }) => [...train, ...test].some((name) => exists(joinPath(path, name)))),
  open,
  augment: () => ({ pad: 4, flip: true, cutout: 16 }),
};

/**
 * A folder of own images as a data set: decoded once into memory where they fit, else when they are needed. Not
 * responsible for finding the files (`image_files.ts`), judging them (`image_checks.ts`) and decoding (`decode*.ts`).
 * @module
 */
import { FailureError, UsageError } from "../base/errors.ts";
import { baseName } from "../base/files.ts";
import type { Dataset, ImageStream, OpenDataOptions, SharedOut, SkippedFile, Split } from "./dataset.ts";
import { DecodePool, missingThreadPermission } from "./decode_threads.ts";
import { ImagesLostError, PATIENCE, patiently } from "./lost_images.ts";
import type { DataFormat, DataPlace } from "./format.ts";
import { findCopies, rangeSuspicions, shareOut, suspicions } from "./image_checks.ts";
import { checkClasses, type ImageFile, type ImageList, looksLikeImages, partsIn, scanImages } from "./image_files.ts";
import { FORMAT_NAMES } from "./image_format.ts";
import { skippedSentence } from "./left_out.ts";
import { checkLimit } from "./records.ts";
import { firstsOf } from "./split.ts";
import { channelStats, evenly, fingerprintOf, textFingerprint } from "./statistics.ts";

/** Training images that the statistics and the number of channels are taken from, at most. */
const SAMPLE = 2048;
/** Bytes of decoded images that are kept in memory unless told otherwise. */
const MEMORY_BUDGET: number = 2 ** 30;
/** How far the channels of a grey JPEG may be apart. */
const GREY_TOLERANCE = 3;
/** Decodings that are asked for at a time. */
const WINDOW = 256;

interface Facts {
  readonly channels: 1 | 3;
  readonly mean: readonly number[];
  readonly std: readonly number[];
  /** What looks wrong with them, in sentences. */
  readonly suspicions: readonly string[];
}

/** What a folder's training images say, by what it depends on: the test images are opened soon after. */
const known = new Map<string, Facts>();

/** Decodes images in order of `files`; those that fail are null and noted. */
class Decoder {
  readonly skipped: SkippedFile[] = [];
  readonly #done = new Map<ImageFile, Uint8Array | null>();
  readonly #stop = new AbortController();

  constructor(readonly pool: DecodePool, readonly patience: number, readonly signal: AbortSignal | undefined) {
    signal?.addEventListener("abort", this.#onAbort);
  }

  /** Stops at once. */
  readonly #onAbort = (): void => {
    this.#stop.abort();
    this.pool.close();
  };

  /** Nothing is decoded any more. */
  close(): void {
    this.signal?.removeEventListener("abort", this.#onAbort);
    this.pool.close();
  }

  /** Decodes; what is decoded is kept until {@linkcode forget}. */
  async all(
    files: readonly ImageFile[],
    size: number,
    channels: number,
    visit: (data: Uint8Array | null, i: number) => void,
    onProgress: OpenDataOptions["onProgress"],
    keep: boolean,
  ): Promise<void> {
    let next = 0, done = 0;
    const run = async (): Promise<void> => {
      while (next < files.length && !this.#stop.signal.aborted) {
        const i = next++, file = files[i];
        let data = this.#done.get(file);
        if (data === undefined) {
          const job = { path: file.path, bytes: file.bytes, size, channels };
          data = await patiently(() => this.pool.run(job), this.patience, this.#stop.signal)
            .catch((error) => this.#fail(file, error));
          if (keep || data === null) this.#done.set(file, data);
        }
        visit(data, i);
        onProgress?.(++done, files.length);
      }
    };
    await Promise.all(Array.from({ length: Math.min(WINDOW, files.length) }, run));
    this.signal?.throwIfAborted();
  }

  /** Forgets the pixels that were kept. */
  forget(): void {
    for (const [file, data] of this.#done) if (data !== null) this.#done.delete(file);
  }

  /** Why the first image could not be read. */
  why(): string {
    return this.skipped[0]?.why ?? "";
  }

  #fail(file: ImageFile, error: unknown): null {
    this.signal?.throwIfAborted();
    if (!(error instanceof FailureError) || error instanceof ImagesLostError) {
      this.#stop.abort();
      throw error;
    }
    this.skipped.push({ file: file.name, why: shortReason(error) });
    return null;
  }
}

/** "Cannot read 'x' as its header ...: ..." without the first part. */
function shortReason(error: Error): string {
  return error.message.replace(/^Cannot read '.*?' as /s, "");
}

/** Channels and statistics of the training images, from a sample. */
async function study(
  name: string,
  decoder: Decoder,
  train: readonly ImageFile[],
  size: number,
  wanted: 1 | 3 | undefined,
  keep: boolean,
): Promise<Facts> {
  const most = Math.min(SAMPLE, Math.floor(MEMORY_BUDGET / 2 / (3 * size * size))); // they are in memory twice
  const sample = [...evenly(Math.min(most, train.length), train.length)].map((i) => train[i]);
  const decoded: (Uint8Array | null)[] = [], plane = size * size, from = wanted ?? 3;
  await decoder.all(sample, size, from, (data, i) => decoded[i] = data, undefined, keep);
  const good = decoded.filter((data) => data !== null);
  if (good.length === 0) {
    throw new FailureError(`Cannot use '${train[0].path}' and its like as none of them can be read: ${decoder.why()}`);
  }
  const grey = wanted === undefined && good.every((data) => {
    for (let i = 0; i < plane; i++) {
      const r = data[i], g = data[plane + i], b = data[2 * plane + i];
      if (Math.max(r, g, b) - Math.min(r, g, b) > GREY_TOLERANCE) return false;
    }
    return true;
  });
  const channels = grey ? 1 : from, all = new Uint8Array(good.length * channels * plane);
  good.forEach((data, i) => {
    if (!grey) return all.set(data, i * channels * plane);
    for (let k = 0; k < plane; k++) {
      all[i * plane + k] = Math.round(0.299 * data[k] + 0.587 * data[plane + k] + 0.114 * data[2 * plane + k]);
    }
  });
  if (grey) decoder.forget(); // They were decoded in colour.
  const looked = decoded.flatMap((data, i) => data === null ? [] : [{ name: sample[i].name, data }]);
  return { channels, ...channelStats(all, channels, plane), suspicions: rangeSuspicions(name, looked) };
}

/** The images of a split, where `list` has it or by sharing the training images out. */
function choose(
  place: DataPlace,
  list: ImageList,
  split: Split,
  fraction: number,
  copies: readonly (readonly ImageFile[])[],
): { train: readonly ImageFile[]; chosen: readonly ImageFile[]; shared?: SharedOut } {
  const train = list.parts.get("train")!;
  if (!list.split) {
    if (split === "val") {
      throw new UsageError(`Cannot open the val images of '${place.path}' as it has no folder 'val' beside 'train'`);
    }
    const shared = shareOut(train, list.classNames.length, fraction, copies);
    if (shared.test.length === 0) {
      throw new FailureError(
        `Cannot keep images of '${place.path}' for testing as no class has two different ones: add images`,
      );
    }
    const { train: { length: training }, test: { length: testing } } = shared;
    return { train: shared.train, chosen: shared[split], shared: { train: training, test: testing } };
  }
  const chosen = list.parts.get(split) ?? (split === "test" ? list.parts.get("val") : undefined);
  if (chosen === undefined || chosen.length === 0) {
    throw new FailureError(
      `Cannot open the ${split} images of '${place.path}' as there are none: put some into its folder '${split}'`,
    );
  }
  return { train, chosen };
}

/** All images in memory; those that cannot be read leave no gap. */
async function load(
  decoder: Decoder,
  place: DataPlace,
  files: readonly ImageFile[],
  size: number,
  { channels, classes }: { readonly channels: number; readonly classes: number },
  onProgress: OpenDataOptions["onProgress"],
): Promise<Pick<Dataset, "images" | "labels" | "count" | "fingerprint"> & { readonly kept: readonly ImageFile[] }> {
  const bytes = channels * size * size, kept: ImageFile[] = [], good: number[] = [];
  let images = new Uint8Array(files.length * bytes);
  await decoder.all(
    files,
    size,
    channels,
    (data, i) => {
      if (data === null) return;
      images.set(data, i * bytes);
      good.push(i);
    },
    onProgress,
    false,
  );
  for (const i of good.sort((a, b) => a - b)) {
    images.copyWithin(bytes * kept.length, bytes * i, bytes * (i + 1));
    kept.push(files[i]);
  }
  const count = kept.length;
  if (count === 0) throw new FailureError(`Cannot use '${place.path}' as none of its images can be read`);
  if (count < files.length) images = images.slice(0, bytes * count);
  const labels = Int32Array.from(kept, (f) => f.label);
  const fingerprint = await fingerprintOf([count, channels, size, size, classes], images, labels);
  return { images, labels, count, fingerprint, kept };
}

/** Channels that images are taken in; undefined: 1 only if all that were looked at are grey. */
const CHANNELS_OF = { auto: undefined, grey: 1, rgb: 3 } as const;

/** @throws {UsageError} for a size or a share that cannot be */
function checkRanges(path: string, size: number, testFraction: number): void {
  if (!Number.isSafeInteger(size) || size < 8 || size > 1024) {
    throw new UsageError(`Cannot open '${path}' as imageSize must be from 8 to 1024: current value is ${size}`);
  }
  if (!(testFraction > 0 && testFraction < 1)) {
    throw new UsageError(
      `Cannot open '${path}' as testFraction must be between 0 and 1: current value is ${testFraction}`,
    );
  }
}

async function open(place: DataPlace, options: OpenDataOptions): Promise<Dataset> {
  const { split, limit, testFraction = 0.2, colours = "auto", memoryBudget = MEMORY_BUDGET, warn } = options;
  const size = options.imageSize ?? 64, wanted = CHANNELS_OF[colours], patience = options.patience ?? PATIENCE;
  checkRanges(place.path, size, testFraction);
  const name = place.name ?? baseName(place.path), list = scanImages(place.path), { classNames } = list;
  const copies = await findCopies([...list.parts.values()].flat());
  for (const sentence of suspicions(name, list, copies)) warn?.(sentence);
  const { train, chosen, shared } = choose(place, list, split, testFraction, copies ?? []);

  const flag = missingThreadPermission();
  if (flag !== undefined) {
    warn?.(`Images are decoded on one thread as Deno may not read its own modules: add ${flag} to use all cores`);
  }
  const pool = new DecodePool(), decoder = new Decoder(pool, patience, options.signal);
  try {
    const key = JSON.stringify([size, wanted, train.map((f) => [f.path, f.bytes])]);
    const digest = await textFingerprint(key), keep = split === "train" && train.length <= SAMPLE;
    let facts = known.get(digest);
    if (facts === undefined) known.set(digest, facts = await study(name, decoder, train, size, wanted, keep));
    for (const sentence of facts.suspicions) warn?.(sentence);
    checkLimit(place.path, limit ?? 1, chosen.length);
    const files = limit === undefined ? chosen : [...evenly(limit, chosen.length)].map((i) => chosen[i]);
    const { channels, mean, std } = facts, classes = classNames.length, format = IMAGE_FOLDER.name;
    const common = { name, format, channels, mean, std, height: size, width: size, classes, classNames };
    const streamed = files.length * channels * size * size > memoryBudget;
    const { kept, ...images } = streamed
      ? { ...await stream(files, common, pool, patience, warn), kept: files }
      : await load(decoder, place, files, size, common, options.onProgress);
    const first = new Map((copies ?? []).flatMap((group) => group.map((file) => [file, group[0]])));
    const firsts = firstsOf(kept, (file) => first.get(file) ?? file);
    if (pool.trouble !== undefined) warn?.(pool.trouble);
    const skipped = [...list.skipped, ...decoder.skipped];
    if (!streamed && split === "train" && limit === undefined) {
      checkClasses(place.path, classNames, Array.from(images.labels, (label) => ({ label })), skipped, list.others);
    }
    const total = list.skipped.length + [...list.parts.values()].reduce((sum, part) => sum + part.length, 0);
    const sentence = skippedSentence(name, skipped, total);
    if (sentence !== undefined) warn?.(sentence);
    const opened = { ...common, ...images, skipped, ...(shared && { shared }) };
    if (!firsts) return opened;
    // Splits depend on them: a run does not go on with others.
    return { ...opened, firsts, fingerprint: await textFingerprint(`${images.fingerprint} ${firsts.join()}`) };
  } finally {
    decoder.close();
  }
}

/** What is known of images that are decoded when they are needed. */
async function stream(
  files: readonly ImageFile[],
  { channels, height: size, classNames }: Pick<Dataset, "channels" | "height" | "classNames">,
  pool: DecodePool,
  patience: number,
  warn: OpenDataOptions["warn"],
): Promise<Pick<Dataset, "images" | "labels" | "count" | "fingerprint" | "stream">> {
  const lines = files.map((f) => `${f.name}\t${f.bytes}\t${f.label}`).join("\n");
  return {
    images: new Uint8Array(),
    labels: Int32Array.from(files, (f) => f.label),
    count: files.length,
    fingerprint: await textFingerprint(`streamed ${channels}x${size} ${classNames.join("/")}\n${lines}`),
    stream: streamOf(files, size, channels, pool, patience, warn),
  };
}

/** Decodes on demand; a damaged file is told of once. */
function streamOf(
  files: readonly ImageFile[],
  size: number,
  channels: number,
  pool: DecodePool,
  patience: number,
  warn: OpenDataOptions["warn"],
): ImageStream {
  const failed = new Set<number>();
  let stop = new AbortController(), waiting = false;
  const onWait = ({ message }: ImagesLostError): void => {
    if (!waiting) warn?.(`${message}; trying again for ${patience} seconds`);
    waiting = true;
  };
  return {
    async load(index, change) {
      if (failed.has(index)) return null;
      const { path, bytes } = files[index], { signal } = stop;
      try {
        const job = { path, bytes, size, channels, change };
        const data = await patiently(() => pool.run(job), patience, signal, onWait);
        waiting = false; // the next time is told of again
        return data;
      } catch (error) {
        if (!(error instanceof FailureError) || error instanceof ImagesLostError || signal.aborted) throw error;
        if (!failed.has(index)) warn?.(`Left '${files[index].name}' out of its batches as ${shortReason(error)}`);
        failed.add(index);
        return null;
      }
    },
    close() {
      stop.abort();
      stop = new AbortController();
      pool.close();
    },
  };
}

/** Own images. */
export const IMAGE_FOLDER: DataFormat = {
  name: "images",
  noun: "a folder of images",
  help: `a folder with one sub-folder of images (${FORMAT_NAMES}) per class, optionally train/, val/ and test/ above`,
  known: [],
  remedies: ["put the images of each class into a folder of its own"],
  detect: looksLikeImages,
  parts: partsIn,
  open,
  augment: ({ height }) => ({
    pad: 0,
    flip: true,
    resizedCrop: height >= 128 ? 0.08 : 0.35,
    jitter: height >= 128 ? 0.4 : 0.2,
  }),
};

/**
 * What the tests of whole searches share: tiny searches on synthetic images, and what must not depend on how they came
 * about.
 * @module
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  type Dataset,
  FailureError,
  type InferenceOptions,
  type Model,
  type PixelImages,
  Predictor,
  resolveSearchConfig,
  RunFolder,
  type SearchConfig,
  type SearchOptions,
  type SearchResult,
} from "../mod.ts";

/** Probabilities of every class for some images of the model's size, by a predictor of its own. */
export async function predictImages(
  model: Model,
  images: PixelImages,
  options: InferenceOptions = {},
): Promise<Float64Array[]> {
  await using predictor = await Predictor.open(model, options);
  return await predictor.probabilities(images, options);
}

/** How {@linkcode halves} may differ. */
export interface HalvesOptions {
  /** Where their noise begins. */
  readonly start?: number;
  /** Mean brightness of both halves, of 255. */
  readonly levels?: readonly [dark: number, bright: number];
  /** Deviation that is told of them. */
  readonly std?: number;
}

/** Images that are brighter in one half: above for class 0, below for class 1. */
export function halves(
  count: number,
  [channels, height, width]: readonly [number, number, number],
  { start = 0, levels: [dark, bright] = [60, 150], std = 0.19 }: HalvesOptions = {},
): Dataset {
  const labels = Int32Array.from({ length: count }, (_, i) => i % 2), size = channels * height * width;
  const images = Uint8Array.from({ length: count * size }, (_, p) => {
    const row = Math.floor(p / width) % height, lower = 2 * row >= height;
    const noise = Math.imul(p + start, 0x9e3779b1) >>> 26;
    return (lower === (labels[Math.floor(p / size)] === 1) ? bright : dark) + noise;
  });
  return {
    name: "halves",
    images,
    labels,
    count,
    channels,
    height,
    width,
    classes: 2,
    classNames: ["above", "below"],
    mean: Array(channels).fill(0.53),
    std: Array(channels).fill(std),
    fingerprint: `halves ${count} ${start}`,
  };
}

/** The images of most tests. */
export const DATA = halves(128, [1, 8, 8]);
/** Steps of an epoch, and epochs, of {@linkcode tiny}. */
export const STEPS = 6, EPOCHS = 3;

/** A search of seconds. */
export function tiny(values: SearchOptions = {}): SearchConfig {
  const base: SearchOptions = {
    space: "s3",
    cells: 3,
    initChannels: 2,
    batchSize: 8,
    epochs: EPOCHS,
    stepsPerEpoch: STEPS,
    pad: 1,
    weightLr: 0.1,
    alphaLr: 0.05,
    evalImages: 64,
    probeImages: 16,
    statisticsImages: 32,
    seed: 1,
  };
  return resolveSearchConfig({ ...base, ...values });
}

/** What a run folder holds of a finished search or training that must not depend on how it came about. */
export function stateOf(folder: RunFolder): Record<string, unknown> {
  const { step, tensors, state } = folder.readCheckpoint()!, hash = createHash("sha256");
  for (const [name, { data }] of [...tensors].sort(([a], [b]) => a < b ? -1 : 1)) {
    hash.update(name).update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  const metrics = folder.readMetrics().map(({ secondsPerStep: _, ...rest }) => rest);
  return { step, tensors: hash.digest("hex"), state, metrics };
}

/** {@linkcode stateOf} a finished search, and what it found. */
export function bitsOf(folder: RunFolder, { report }: SearchResult): unknown {
  return { ...stateOf(folder), report };
}

/** What a search or a training that can be stopped takes. */
export interface Stoppable {
  readonly folder: string;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: { readonly epoch: number; readonly step: number }) => void;
  readonly onStopped: (step: number) => void;
}

/** Runs something in a new run folder at `path` that stops itself at `step` (from 0) of `epoch`, and must say so. */
export async function interrupted(
  path: string,
  run: (options: Stoppable) => Promise<unknown>,
  epoch = 1,
  step = 1,
): Promise<void> {
  const stop = new AbortController(), reason = new Error("enough"), stopped: number[] = [];
  const onProgress: Stoppable["onProgress"] = (at) => at.epoch === epoch && at.step === step && stop.abort(reason);
  const options = { folder: path, signal: stop.signal, onProgress, onStopped: (at: number) => void stopped.push(at) };
  await assert.rejects(run(options), (error: unknown) => error === reason);
  assert.deepEqual(stopped, [RunFolder.view(path).readCheckpoint()!.step]);
}

/** Whether an error is of `type` and says one sentence that `pattern` matches. */
export function message(
  pattern: RegExp,
  type: new (...args: never[]) => Error = FailureError,
): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof type, String(error));
    assert.match(error.message, pattern);
    assert.doesNotMatch(error.message, /\n|undefined|NaN/);
    return true;
  };
}

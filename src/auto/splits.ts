/**
 * Splits of the images into those that are trained on and those that candidates are compared on. Where there are few,
 * several splits, so that a comparison does not hang on a handful of images.
 * @module
 */
import type { Dataset } from "../data/dataset.ts";
import { splitHalves } from "../data/split.ts";
import { subsetInMemory, subsetOf } from "../data/subset.ts";
import type { TrainData } from "../train/setup.ts";
import { type TrivialResult, trivialResults } from "./trivial.ts";

/** A split. */
export interface Fold {
  /** What is trained on. */
  readonly train: Dataset;
  /** What candidates are compared on, in memory. */
  readonly held: Dataset;
}

/** Most images that candidates are compared on. */
const MOST_HELD = 2000;
/** Share of the training images that is held out. */
const HELD_SHARE = 0.2;
/** Held-out images below which several splits are made, and how many. */
const FEW_HELD = 100, SPLITS = 3;

/** Splits into training and held-out images, several where there are few. */
export async function splitsOf({ train, val }: TrainData, seed: number): Promise<Fold[]> {
  if (val) {
    const all = Uint32Array.from({ length: val.count }, (_, i) => i);
    const some = val.count > MOST_HELD ? splitHalves(val, seed, { train: MOST_HELD, val: 1 }).train : all;
    return [{ train, held: { ...await subsetInMemory(val, some, val.name), mean: train.mean, std: train.std } }];
  }
  const count = Math.min(MOST_HELD, Math.max(1, Math.round(HELD_SHARE * train.count)));
  const splits = count < FEW_HELD ? SPLITS : 1, folds: Fold[] = [];
  for (let i = 0; i < splits; i++) {
    const halves = splitHalves(train, seed + i, { train: train.count - count, val: count });
    folds.push({
      train: await subsetOf(train, halves.train, train.name),
      held: await subsetInMemory(train, halves.val, `${train.name} (held out)`),
    });
  }
  return folds;
}

/** Trivial answers, added up over the splits; none for images that do not fit into memory. */
export function trivialOverSplits(folds: readonly Fold[], seed: number): TrivialResult[] {
  if (folds.some(({ train }) => train.stream)) return [];
  const all = folds.map(({ train, held }) => trivialResults(train, held, seed));
  const sum = (k: number, key: "correct" | "count" | "seconds"): number =>
    all.reduce((total, each) => total + each[k][key], 0);
  return all[0].map(({ name }, k) => ({
    name,
    ...{ correct: sum(k, "correct"), count: sum(k, "count"), seconds: sum(k, "seconds") },
  }));
}

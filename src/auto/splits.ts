/**
 * Splits of the images into those that are trained on and those that candidates are compared on. Where there are few,
 * several splits, so that a comparison does not hang on a handful of images.
 * @module
 */
import { UsageError } from "../base/errors.ts";
import { Random } from "../base/random.ts";
import type { Dataset } from "../data/dataset.ts";
import { firstsOf, splitHalves } from "../data/split.ts";
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
/** Fewest training images: two to train on, and one to compare by. */
const LEAST_IMAGES = 4;

/** The numbers below `count` in an order drawn at random. */
function shuffled(count: number, seed: number, stream: string): Uint32Array {
  return Uint32Array.from(new Random(seed, stream).permutation(count));
}

/**
 * Splits into training and held-out images, several where there are few; no image is held out twice.
 * @throws {UsageError} where there are too few images to hold any out, or too few different ones.
 */
export async function splitsOf({ train, val }: TrainData, seed: number): Promise<Fold[]> {
  if (train.count < LEAST_IMAGES) {
    throw new UsageError(
      `Cannot compare networks on '${train.name}' as there must be ${LEAST_IMAGES} training images or more: there ` +
        `${train.count === 1 ? "is" : "are"} ${train.count}, so add some`,
    );
  }
  if (val) {
    const some = shuffled(val.count, seed, "auto/held").subarray(0, MOST_HELD);
    return [{ train, held: { ...await subsetInMemory(val, some, val.name), mean: train.mean, std: train.std } }];
  }
  const count = Math.min(MOST_HELD, Math.max(1, Math.round(HELD_SHARE * train.count)));
  const splits = count < FEW_HELD ? SPLITS : 1, folds: Fold[] = [];
  let rest = Uint32Array.from({ length: train.count }, (_, i) => i);
  for (let i = 0; i < splits; i++) {
    const labels = Int32Array.from(rest, (at) => train.labels[at]), { name, classes, firsts: all } = train;
    const firsts = all && firstsOf(Array.from(rest), (at) => all[at]);
    const { train: kept, val: out } = splitHalves({ name, classes, labels, firsts }, seed + i, {
      train: rest.length - count,
      val: count,
    });
    const first = (at: number): number => all?.[at] ?? at;
    const held = out.map((at) => rest[at]), apart = new Set(Array.from(held, first)); // and copies of them
    const learnt = shuffled(train.count, seed + i, "auto/train").filter((at) => !apart.has(first(at)));
    if (learnt.length === 0) {
      throw new UsageError(
        `Cannot compare networks on '${name}' as its images are copies of those that are held out: add different ones`,
      );
    }
    folds.push({
      train: await subsetOf(train, learnt, train.name),
      held: await subsetInMemory(train, held, `${train.name} (held out)`),
    });
    rest = kept.map((at) => rest[at]);
  }
  return folds;
}

/** What there is time to compare on: the first of the splits, of each the first held-out images. */
export async function fewerOf(folds: readonly Fold[], splits: number, held: number): Promise<Fold[]> {
  return await Promise.all(
    folds.slice(0, splits).map(async (fold) => {
      if (fold.held.count <= held) return fold;
      const some = Uint32Array.from({ length: held }, (_, i) => i);
      return { ...fold, held: await subsetOf(fold.held, some, fold.held.name) };
    }),
  );
}

/**
 * Trivial answers, added up over the splits.
 * @param most images that they learn from, of each split
 * @param pause called between answers, each of which keeps the thread busy
 */
export async function trivialOverSplits(
  folds: readonly Fold[],
  seed: number,
  most: number,
  pause: () => Promise<void>,
): Promise<TrivialResult[]> {
  const all: TrivialResult[][] = [];
  for (const { train, held } of folds) {
    const some = shuffled(train.count, seed, "auto/trivial").subarray(0, most);
    all.push(await trivialResults(train, await subsetInMemory(train, some, train.name), held, seed, pause));
  }
  const sum = (k: number, key: "correct" | "count" | "seconds"): number =>
    all.reduce((total, each) => total + each[k][key], 0);
  return all[0].map(({ name }, k) => ({
    name,
    ...{ correct: sum(k, "correct"), count: sum(k, "count"), seconds: sum(k, "seconds") },
  }));
}

/**
 * The trivial answers that a network has to beat: the largest class, the nearest neighbours and a forest of trees on
 * small pixels. They run on the CPU in seconds. Not responsible for networks.
 * @module
 */
import { Random } from "../base/random.ts";
import type { Dataset } from "../data/dataset.ts";

/** What a trivial answer gets right. */
export interface TrivialResult {
  /** What answers. */
  readonly name: string;
  /** Right answers. */
  readonly correct: number;
  /** Of so many images. */
  readonly count: number;
  /** Time that it took, in seconds. */
  readonly seconds: number;
}

/** Rows and columns that images are reduced to. */
const SIDE = 16;
/** Fewest and most images that neighbours and trees learn from. */
const LEAST_IMAGES = 100, MOST_IMAGES = 4000;
/** Seconds, about, to compare a pixel of two images, and to grow a tree for each pixel of each image. */
const COMPARING = 1e-8, GROWING = 2e-8;
/** Neighbours that vote. */
const NEIGHBOURS = 5;
/** Trees of a forest. */
const TREES = 150;

/** Small pixels `[count, features]`, 0 to 255, and labels. */
interface Samples {
  readonly pixels: Uint8Array;
  readonly features: number;
  readonly labels: Int32Array;
  readonly classes: number;
}

/** How many images neighbours and trees can learn from in so many seconds, about, to answer those that are held out. */
export function learntWithin(
  seconds: number,
  { channels, height, width, count }: Pick<Dataset, "channels" | "height" | "width" | "count">,
): number {
  const features = channels * Math.min(SIDE, height) * Math.min(SIDE, width);
  const most = Math.floor(seconds / features / (count * COMPARING + TREES * GROWING));
  return Math.max(LEAST_IMAGES, Math.min(MOST_IMAGES, most));
}

/** Means over blocks of pixels, at most 16x16 of each channel. */
function samplesOf(data: Dataset): Samples {
  const { channels, height, width, images, labels, classes } = data;
  const rows = Math.min(SIDE, height), columns = Math.min(SIDE, width), { count } = data;
  const features = channels * rows * columns, pixels = new Uint8Array(count * features);
  const edge = (i: number, parts: number, size: number): number => Math.floor(i * size / parts);
  for (let at = 0, n = 0; n < count; n++) {
    for (let c = 0; c < channels; c++) {
      const plane = (n * channels + c) * height * width;
      for (let r = 0; r < rows; r++) {
        for (let q = 0; q < columns; q++, at++) {
          const bottom = edge(r + 1, rows, height), right = edge(q + 1, columns, width);
          let sum = 0, cells = 0;
          for (let y = edge(r, rows, height); y < bottom; y++) {
            for (let x = edge(q, columns, width); x < right; x++, cells++) sum += images[plane + y * width + x];
          }
          pixels[at] = Math.round(sum / cells);
        }
      }
    }
  }
  return { pixels, features, labels, classes };
}

/** The index of the largest number; the first of equals. */
function largest(numbers: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < numbers.length; i++) if (numbers[i] > numbers[best]) best = i;
  return best;
}

function largestClass({ labels, classes }: Pick<Dataset, "labels" | "classes">): number {
  const sizes = new Uint32Array(classes);
  labels.forEach((label) => sizes[label]++);
  return largest(sizes);
}

/** The class that most of the nearest images have (squared differences of pixels); the nearest one's of equals. */
function neighbours(known: Samples, asked: Samples): Int32Array {
  const { pixels, features, labels, classes } = known, count = labels.length, k = Math.min(NEIGHBOURS, count);
  return Int32Array.from(asked.labels, (_, n) => {
    const near: { at: number; distance: number }[] = [];
    for (let i = 0; i < count; i++) {
      let distance = 0;
      const worst = near.length < k ? Infinity : near[k - 1].distance;
      for (let f = 0, a = n * features, b = i * features; f < features && distance < worst; f++) {
        distance += (asked.pixels[a + f] - pixels[b + f]) ** 2;
      }
      if (distance >= worst) continue;
      near.splice(near.findLastIndex((one) => one.distance <= distance) + 1, 0, { at: i, distance });
      near.length = Math.min(near.length, k);
    }
    const votes = new Float64Array(classes);
    near.forEach(({ at }, rank) => votes[labels[at]] += 1 + (rank === 0 ? 0.5 : 0));
    return largest(votes);
  });
}

/** A node of a tree: a class, or what separates two branches. */
type Tree = number | { readonly feature: number; readonly below: number; readonly low: Tree; readonly high: Tree };

/** Sum of squared counts over the sum of counts: large where classes are pure. */
function purity(counts: Float64Array): number {
  let sum = 0, squares = 0;
  for (const n of counts) {
    sum += n;
    squares += n * n;
  }
  return sum === 0 ? 0 : squares / sum;
}

/**
 * An extremely randomised tree (Geurts, Ernst, Wehenkel 2006): of sqrt(features) features, each cut at random between
 * its extremes, the one that leaves the purest halves (Gini).
 * @param open features that may tell members apart; what is the same for all of them is the same for parts of them
 */
function growTree(samples: Samples, members: Uint32Array, open: Uint32Array, random: Random): Tree {
  const { pixels, features, labels, classes } = samples, counts = new Float64Array(classes);
  for (const i of members) counts[labels[i]]++;
  const first = labels[members[0]];
  if (counts[first] === members.length) return first;
  const left = open.slice(), low = new Float64Array(classes), high = new Float64Array(classes);
  let best: { feature: number; below: number } | undefined, most = 0, count = left.length, looked = 0;
  for (let tries = Math.ceil(Math.sqrt(features)); tries > 0 && looked < count;) {
    // Those that were looked at come first; one that tells nothing apart gives its place to the last.
    const at = looked + random.below(count - looked), feature = left[at];
    let least = 255, greatest = 0;
    for (const i of members) {
      const v = pixels[i * features + feature];
      if (v < least) least = v;
      if (v > greatest) greatest = v;
    }
    if (least === greatest) {
      left[at] = left[--count];
      continue;
    }
    left[at] = left[looked];
    left[looked++] = feature;
    tries--;
    const below = least + 1 + random.below(greatest - least);
    low.fill(0);
    for (const i of members) if (pixels[i * features + feature] < below) low[labels[i]]++;
    for (let c = 0; c < classes; c++) high[c] = counts[c] - low[c];
    const score = purity(low) + purity(high);
    if (score > most) [best, most] = [{ feature, below }, score];
  }
  if (!best) return largest(counts);
  const { feature, below } = best, goesLow = (i: number) => pixels[i * features + feature] < below;
  const stillOpen = left.subarray(0, count);
  return {
    ...best,
    low: growTree(samples, members.filter(goesLow), stillOpen, random),
    high: growTree(samples, members.filter((i) => !goesLow(i)), stillOpen, random),
  };
}

/** The class that most trees say. */
function forest(known: Samples, asked: Samples, seed: number): Int32Array {
  const all = Uint32Array.from(known.labels, (_, i) => i), { features, classes } = known;
  const open = Uint32Array.from({ length: features }, (_, f) => f);
  const trees = Array.from({ length: TREES }, (_, t) => growTree(known, all, open, new Random(seed, "auto/forest", t)));
  return Int32Array.from(asked.labels, (_, n) => {
    const votes = new Uint32Array(classes);
    for (let tree of trees) {
      while (typeof tree === "object") {
        tree = asked.pixels[n * features + tree.feature] < tree.below ? tree.low : tree.high;
      }
      votes[tree]++;
    }
    return largest(votes);
  });
}

/**
 * What trivial answers get right of `held`.
 * @param train all training images, whose labels are counted
 * @param some of them, in memory, for neighbours and trees
 * @param seed of the forest
 * @param pause called before each answer, which keeps the thread busy
 */
export async function trivialResults(
  train: Pick<Dataset, "labels" | "classes">,
  some: Dataset,
  held: Dataset,
  seed: number,
  pause: () => Promise<void> = () => Promise.resolve(),
): Promise<TrivialResult[]> {
  const answer = async (name: string, predict: () => ArrayLike<number>): Promise<TrivialResult> => {
    await pause();
    const began = performance.now(), said = predict(), { count, labels } = held;
    const correct = labels.reduce((sum, label, i) => sum + (said[i] === label ? 1 : 0), 0);
    return { name, correct, count, seconds: (performance.now() - began) / 1000 };
  };
  const known = samplesOf(some), asked = samplesOf(held);
  return [
    await answer("the largest class", () => new Int32Array(held.count).fill(largestClass(train))),
    await answer(`the ${NEIGHBOURS} nearest neighbours`, () => neighbours(known, asked)),
    await answer(`a forest of ${TREES} trees`, () => forest(known, asked, seed)),
  ];
}

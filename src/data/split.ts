/**
 * Sharing the images of a data set out between training and the rest, class by class.
 * @module
 */
import { UsageError } from "../base/errors.ts";
import { Random } from "../base/random.ts";
import type { Dataset } from "./dataset.ts";

/** Two disjoint sets of images. */
export interface Halves {
  /** For the weights. */
  readonly train: Uint32Array;
  /** For the architecture (search) or for validation. */
  readonly val: Uint32Array;
}

/**
 * Shares `total` out over classes in proportion to `sizes`, at most `room` each: whole parts first, then one
 * more to the largest remainders (ties: lower class).
 */
function quotas(total: number, sizes: readonly number[], room: readonly number[]): number[] {
  const sum = sizes.reduce((a, b) => a + b, 0);
  const ideal = sizes.map((n) => n * total / sum);
  const out = ideal.map((x, c) => Math.min(room[c], Math.floor(x + 1e-9)));
  let left = total - out.reduce((a, b) => a + b, 0);
  const order = sizes.map((_, c) => c)
    .sort((a, b) => (ideal[b] - out[b]) - (ideal[a] - out[a]) || a - b);
  while (left > 0) {
    for (const c of order) {
      if (left > 0 && out[c] < room[c]) {
        out[c]++;
        left--;
      }
    }
  }
  return out;
}

/** Of each in a list the place of the first that is the same; undefined where all differ. */
export function firstsOf<T>(list: readonly T[], what: (each: T) => unknown): Int32Array | undefined {
  const places = new Map<unknown, number>();
  const firsts = Int32Array.from(list, (each, i) => {
    const key = what(each), known = places.get(key);
    if (known === undefined) places.set(key, i);
    return known ?? i;
  });
  return places.size < list.length ? firsts : undefined;
}

/**
 * The first `most` of `order`, and the others; images of one content stay together, unless nothing else fits.
 * @param firsts of each image, the first one of the same content
 */
function partOf(order: readonly number[], most: number, firsts: Int32Array | undefined): [number[], number[]] {
  if (!firsts) return [order.slice(0, most), order.slice(most)];
  const taken: number[] = [], left: number[] = [], places = new Map(order.map((index, place) => [index, place]));
  // The place of one of them decides, or many copies would come early.
  const place = (same: readonly number[]): number => places.get(same.reduce((a, b) => Math.min(a, b)))!;
  const groups = [...Map.groupBy(order, (index) => firsts[index]).values()].toSorted((a, b) => place(a) - place(b));
  for (const same of groups) {
    const part = taken.length + same.length <= most ? taken : left;
    for (const index of same) part.push(index); // spread, too many of them would overflow the stack
  }
  return [[...taken, ...left.splice(0, most - taken.length)], left];
}

/**
 * Splits a data set in two disjoint, shuffled sets in which each class has its share, and copies of an image within a class
 * are in one of them. `split` is the fraction that goes to `train` (the rest goes to `val`), or the two counts. Depends on
 * labels, copies, seed and split only. Throws UsageError where one of the sets would be empty or the images do not suffice.
 */
export function splitHalves(
  data: Pick<Dataset, "name" | "labels" | "classes" | "firsts">,
  seed: number,
  split: number | { readonly train: number; readonly val: number },
): Halves {
  const { labels, classes, name, firsts } = data;
  const count = labels.length;
  if (typeof split === "number" && !(split > 0 && split < 1)) {
    throw new UsageError(
      `Cannot split '${name}' as the fraction for training must be between 0 and 1: current value is ${split}`,
    );
  }
  const train = typeof split === "number" ? Math.round(count * split) : split.train;
  const val = typeof split === "number" ? count - train : split.val;
  if (
    !Number.isSafeInteger(train) || !Number.isSafeInteger(val) || train < 1 ||
    val < 1 || train + val > count
  ) {
    throw new UsageError(
      `Cannot split '${name}' as the two parts must be at least 1 and at most ${count} images together: current sizes are ${train} and ${val}`,
    );
  }
  const members: number[][] = Array.from({ length: classes }, () => []);
  labels.forEach((label, i) => members[label].push(i));
  const sizes = members.map((list) => list.length);
  const trainQuota = quotas(train, sizes, sizes);
  const valQuota = quotas(val, sizes, sizes.map((n, c) => n - trainQuota[c]));
  const first: number[] = [], second: number[] = [];
  for (let c = 0; c < classes; c++) {
    const order = Array.from(new Random(seed, "split/class", 0, c).permutation(sizes[c]), (i) => members[c][i]);
    const [taken, left] = partOf(order, trainQuota[c], firsts);
    for (const index of taken) first.push(index);
    for (const index of partOf(left, valQuota[c], firsts)[0]) second.push(index);
  }
  const mix = (list: readonly number[], stream: string): Uint32Array =>
    new Random(seed, stream).permutation(list.length).map((i) => list[i]);
  return { train: mix(first, "split/train"), val: mix(second, "split/val") };
}

/**
 * How sure a share of right answers is, and whether two networks can be told apart on the same images. Not responsible
 * for what was measured.
 * @module
 */

/** 97.5 % of a standard normal variable lie below it: half an interval is so many standard errors. */
export const Z95 = 1.959964;

/** Ends of an interval. */
export type Interval = readonly [low: number, high: number];

/**
 * The 95 % interval of a share (Wilson 1927): honest for few images and for shares near 0 and 1.
 * @example
 * ```ts
 * import { shareInterval } from "./interval.ts";
 * const [low, high] = shareInterval(8, 10);
 * console.assert(Math.abs(low - 0.4902) < 1e-4 && Math.abs(high - 0.9433) < 1e-4);
 * ```
 */
export function shareInterval(correct: number, count: number): Interval {
  if (count === 0) return [0, 1];
  const share = correct / count, z = Z95 ** 2 / count, middle = (share + z / 2) / (1 + z);
  const half = Z95 * Math.sqrt(share * (1 - share) / count + z / (4 * count)) / (1 + z);
  return [Math.max(0, Math.min(share, middle - half)), Math.min(1, Math.max(share, middle + half))]; // rounding aside
}

/** By how much one network is right more often than another on the same images. */
export interface PairedDifference {
  /** Difference of the shares. */
  readonly difference: number;
  /** Its 95 % interval. */
  readonly interval: Interval;
}

/**
 * The difference of two shares on the same images, from those that only one of the two gets right: half a pair is added
 * to each kind, as an interval from no or one pair would be far too sure (Agresti and Min 2005).
 * @param a whether the first is right, image by image
 * @param b the same of the second
 */
export function pairedDifference(a: readonly boolean[], b: readonly boolean[]): PairedDifference {
  if (a.length !== b.length || a.length === 0) {
    throw new RangeError(`Cannot compare answers to ${a.length} images with those to ${b.length}`);
  }
  let onlyA = 0.5, onlyB = 0.5;
  a.forEach((right, i) => {
    if (right && !b[i]) onlyA++;
    if (!right && b[i]) onlyB++;
  });
  const n = a.length + 2, shift = (onlyA - onlyB) / n;
  const half = Z95 * Math.sqrt(onlyA + onlyB - (onlyA - onlyB) ** 2 / n) / n;
  return { difference: (onlyA - onlyB) / a.length, interval: [shift - half, shift + half] };
}

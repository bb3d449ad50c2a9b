/**
 * Agreement of two rankings.
 * @module
 */

/** Ranks from 1; equal values share the mean of theirs. */
function ranksOf(values: readonly number[]): number[] {
  return values.map((value) => {
    const below = values.filter((other) => other < value).length;
    return below + (values.filter((other) => other === value).length + 1) / 2;
  });
}

/**
 * Spearman's rank correlation: the correlation of the ranks of two lists of the same length, from -1 to 1. 0 where all
 * values of a list are equal, as it ranks nothing then.
 * @example One pair of neighbours changed places: 1 - 6 * (1 + 1) / (4 * (16 - 1))
 * ```ts
 * import { spearman } from "./ranks.ts";
 * console.assert(Math.abs(spearman([1, 2, 3, 4], [10, 30, 20, 40]) - 0.8) < 1e-12);
 * ```
 */
export function spearman(a: readonly number[], b: readonly number[]): number {
  const mean = (a.length + 1) / 2, ra = ranksOf(a).map((r) => r - mean), rb = ranksOf(b).map((r) => r - mean);
  const product = (x: readonly number[], y: readonly number[]) => x.reduce((sum, value, i) => sum + value * y[i], 0);
  const scale = Math.sqrt(product(ra, ra) * product(rb, rb));
  return scale > 0 ? product(ra, rb) / scale : 0;
}

/**
 * Launch geometry shared by the operations.
 * @module
 */
import { MOST_WORKGROUPS } from "../gpu/device.ts";

/**
 * Workgroups for `count` independent invocations in workgroups of `size`: folded into x and y, with the constant
 * `GRID_X` (invocations per row of the grid) that a kernel needs for `gid.y * GRID_X + gid.x`.
 */
export function grid(count: number, size: number): { workgroups: [number, number, number]; GRID_X: number } {
  const groups = Math.max(1, Math.ceil(count / size));
  const x = Math.min(groups, MOST_WORKGROUPS), y = Math.ceil(groups / x);
  return { workgroups: [x, y, 1], GRID_X: x * size };
}

/** Largest divisor of `n` that is at most `most`; multiples of 4 are preferred when there are any. */
export function largestDivisor(n: number, most: number): number {
  let best = 1;
  for (let d = Math.min(n, Math.floor(most)); d >= 1; d--) {
    if (n % d !== 0) continue;
    if (d % 4 === 0) return d;
    best = Math.max(best, d);
  }
  return best;
}

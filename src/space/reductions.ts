/**
 * Where the reduction cells of a network stand: as parts of its depth, so that a cell that was searched in a shallow
 * network can be stacked deeper.
 * @module
 */

/** A part of the depth, at least 0 and below 1: a number, or a text like `1/3`, which is exact. */
export type DepthPart = number | string;

/** Where DARTS has its reduction cells. */
export const THIRDS: readonly DepthPart[] = ["1/3", "2/3"];

/** Most reduction cells of a network, and how near they may be to each other. */
const MOST = 5, NEAREST = 1 / 64;

/** What {@linkcode isReduceAt} takes, in words. */
export const REDUCE_AT_TEXT =
  `a list of 1 to ${MOST} rising parts of the depth, from 0 to below 1, such as 0.5 or 1/3, at least 1/64 apart`;

/** Numerator and denominator. */
function fraction(part: unknown): [number, number] | undefined {
  if (typeof part === "number") return part >= 0 && part < 1 ? [part, 1] : undefined;
  const match = typeof part === "string" ? /^(\d{1,3})\/(\d{1,3})$/.exec(part) : null;
  const [over, under] = match?.slice(1).map(Number) ?? [1, 1];
  return over < under ? [over, under] : undefined;
}

/** Whether `value` is a list of places for reduction cells. */
export function isReduceAt(value: unknown): value is DepthPart[] {
  if (!Array.isArray(value) || value.length < 1 || value.length > MOST) return false;
  const places = value.map((part) => fraction(part));
  return places.every((place, i) => {
    const before = places[i - 1];
    return place !== undefined && (before === undefined || place[0] / place[1] - before[0] / before[1] >= NEAREST);
  });
}

/**
 * Indices of the cells that halve the image: floor(part * cells), so floor(L/3) and floor(2L/3) at thirds.
 * @example
 * ```ts
 * import { reductionCells } from "./reductions.ts";
 * console.assert(reductionCells(8).join() === "2,5" && reductionCells(8, [0.5]).join() === "4");
 * ```
 */
export function reductionCells(cells: number, reduceAt: readonly DepthPart[] = THIRDS): readonly number[] {
  return reduceAt.map((part) => {
    const [over, under] = fraction(part)!;
    return Math.floor(cells * over / under);
  });
}

/** Why a network of `cells` cells cannot reduce there, in words for an error; undefined when it can. */
export function reductionProblem(cells: number, reduceAt: readonly DepthPart[] = THIRDS): string | undefined {
  const places = reductionCells(cells, reduceAt), count = places.length;
  if (new Set(places).size === count && cells > count) return undefined;
  const kinds = `one normal, ${count === 2 ? "two" : count} ${count === 1 ? "reduction" : "reductions"}`;
  let least = count + 1;
  while (new Set(reductionCells(least, reduceAt)).size < count) least++;
  return `it must be at least ${least} (${kinds}): current value is ${cells}`;
}

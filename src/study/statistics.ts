/**
 * How sure a mean is, and whether two means can be told apart: intervals of 95 % from Student's t distribution. Not
 * responsible for what was measured.
 * @module
 */

/** A mean of independent values. */
export interface Estimate {
  /** Number of values. */
  readonly n: number;
  /** Their mean; null without any. */
  readonly mean: number | null;
  /** Standard error of the mean; null for fewer than two values. */
  readonly error: number | null;
  /**
   * Ends of the interval that holds the true mean in 95 % of such studies; null for fewer than two values, and for
   * values that are all the same, which say nothing about how far others would spread.
   */
  readonly interval: readonly [low: number, high: number] | null;
}

/** Degrees of freedom from which t is as good as normal. */
const MANY = 10_000;

/** Pieces that integrals are cut into. */
const PIECES = 2000;

/**
 * The t value that 95 % of Student's distribution lie within, on both sides of 0.
 *
 * With t = sqrt(df) tan(u) the share between -t and t is the integral of cos^(df-1) from 0 to u over that from 0 to
 * pi/2; both by Simpson's rule, u by bisection.
 * @param df degrees of freedom, at least 1; need not be whole
 * @example
 * ```ts
 * import { studentT95 } from "./statistics.ts";
 * console.assert(Math.abs(studentT95(4) - 2.776) < 1e-3);
 * ```
 */
export function studentT95(df: number): number {
  if (!(df >= 1)) throw new RangeError(`Cannot use ${df} degrees of freedom as there must be at least 1`);
  const power = Math.min(df, MANY) - 1;
  const integral = (end: number): number => {
    const h = end / PIECES;
    let sum = 1 + Math.cos(end) ** power;
    for (let i = 1; i < PIECES; i++) sum += (i % 2 === 1 ? 4 : 2) * Math.cos(i * h) ** power;
    return sum * h / 3;
  };
  const whole = integral(Math.PI / 2);
  let low = 0, high = Math.PI / 2;
  for (let i = 0; i < 50; i++) {
    const middle = (low + high) / 2;
    if (integral(middle) / whole < 0.95) low = middle;
    else high = middle;
  }
  return Math.sqrt(power + 1) * Math.tan(low);
}

const meanOf = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** Values that differ by less than this, or than this share of the largest, are equal but for rounding. */
const ROUNDING = 1e-12;

/** Sample variance over n: the square of the standard error; 0 where the values are equal but for rounding. */
function squaredError(values: readonly number[]): number {
  const least = Math.min(...values), most = Math.max(...values);
  if (most - least <= ROUNDING * Math.max(1, Math.abs(least), Math.abs(most))) return 0;
  const mean = meanOf(values), n = values.length;
  return values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (n - 1) / n;
}

function around(n: number, mean: number, error: number, df: number): Estimate {
  if (error === 0) return { n, mean, error, interval: null };
  const half = studentT95(df) * error;
  return { n, mean, error, interval: [mean - half, mean + half] };
}

/** The mean of values and how sure it is. */
export function estimate(values: readonly number[]): Estimate {
  const n = values.length;
  if (n === 0) return { n, mean: null, error: null, interval: null };
  if (n === 1) return { n, mean: values[0], error: null, interval: null };
  return around(n, meanOf(values), Math.sqrt(squaredError(values)), n - 1);
}

/**
 * The difference of the means of two independent samples, which may differ in size and spread (Welch 1947). Its `n` is
 * that of the smaller one.
 */
export function difference(a: readonly number[], b: readonly number[]): Estimate {
  const n = Math.min(a.length, b.length);
  if (n === 0) return { n, mean: null, error: null, interval: null };
  const mean = meanOf(a) - meanOf(b);
  if (n === 1) return { n, mean, error: null, interval: null };
  const ea = squaredError(a), eb = squaredError(b), sum = ea + eb;
  const df = sum ** 2 / (ea ** 2 / (a.length - 1) + eb ** 2 / (b.length - 1));
  return around(n, mean, Math.sqrt(sum), df);
}

/** What a difference says: its sign, or that its sign cannot be told, or that there are too few values to tell. */
export type Verdict = "higher" | "lower" | "not told apart" | "too few";

/** What the interval of a difference says. */
export function verdictOf({ interval }: Estimate): Verdict {
  if (interval === null) return "too few";
  return interval[0] > 0 ? "higher" : interval[1] < 0 ? "lower" : "not told apart";
}

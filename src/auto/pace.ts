/**
 * How the winner's training follows the clock: its learning rate comes down when the time is over, however fast the
 * machine turns out to be then. Pure but for the clock that it is given.
 * @module
 */
import type { Pace } from "../train/records.ts";

/** Epochs over whose mean time the next ones are planned, and share of one that is kept free at the end. */
const LATELY = 4, SPARE = 0.25;

/** Shares out what is left of a schedule, before each epoch, over the epochs that the time is enough for. */
export class ClockPace implements Pace {
  readonly shares: number[] = [];
  readonly #left: () => number;
  readonly #expected: number;
  /** What was left before each epoch of this process. */
  readonly #before: number[] = [];

  /**
   * Nothing is done yet.
   * @param left seconds until it has to end
   * @param expected seconds of an epoch, until some were timed: the first one of a process compiles
   */
  constructor(left: () => number, expected: number) {
    this.#left = left;
    this.#expected = expected;
  }

  next(_epoch: number, done: number): number {
    const before = this.#before, left = this.#left(), last = before.push(left) - 1, first = Math.max(1, last - LATELY);
    const seconds = last > first ? (before[first] - left) / (last - first) : this.#expected;
    const epochs = Math.floor(left / seconds - SPARE);
    return epochs > 1 ? done + (1 - done) / epochs : 1;
  }
}

/** The pace of another training. @param shares of its schedule, after each of its epochs */
export function samePace(shares: readonly number[]): Pace {
  return { shares: [], next: (epoch) => shares[epoch] ?? 1 };
}

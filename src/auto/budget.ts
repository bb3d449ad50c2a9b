/**
 * What there is to spend: seconds of the clock, or training steps where a run must be planned without one. Both are
 * asked in the same way, so that phases are planned once. Not responsible for what it is spent on.
 * @module
 */
import { UsageError } from "../base/errors.ts";

/** What there is to spend, in its own unit. */
export interface Budget {
  /** All of it. */
  readonly total: number;
  /** What is left. */
  left(): number;
  /** What a step costs that was measured to take `seconds`. */
  stepCost(seconds: number): number;
  /** What takes so many seconds besides steps costs. */
  overhead(seconds: number): number;
  /** About how many seconds of a software adapter an amount is, to choose what fits. */
  inSeconds(amount: number): number;
  /** Told of steps that were taken. */
  took(steps: number): void;
}

/** Steps that count as a second where sizes are chosen without a clock. */
const STEPS_A_SECOND = 15;

/**
 * Seconds by the clock.
 * @param total of all of it
 * @param spent seconds so far
 */
export function clockBudget(total: number, spent: () => number): Budget {
  return {
    total,
    left: () => total - spent(),
    stepCost: (seconds) => seconds,
    overhead: (seconds) => seconds,
    inSeconds: (amount) => amount,
    took: () => {},
  };
}

/** Training steps: nothing depends on the clock, so that the same call gives the same bits. */
export function stepBudget(total: number): Budget {
  let spent = 0;
  return {
    total,
    left: () => total - spent,
    stepCost: () => 1,
    overhead: () => 0,
    inSeconds: (amount) => amount / STEPS_A_SECOND,
    took: (steps) => spent += steps,
  };
}

/**
 * Reads a time such as `90s`, `30m`, `1h30m` or `2h`.
 * @returns seconds
 * @throws {UsageError} for what is no time.
 */
export function parseTime(text: string, key: string): number {
  const match = /^(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m(?:in)?)?(?:(\d+(?:\.\d+)?)s?)?$/.exec(
    text.replaceAll(" ", ""),
  );
  const [hours, minutes, seconds] = (match?.slice(1) ?? []).map((part) => Number(part ?? 0));
  const time = match && text.trim() !== "" ? hours * 3600 + minutes * 60 + seconds : NaN;
  if (time > 0 && time <= 30 * 24 * 3600) return time;
  throw new UsageError(
    `Cannot use ${key} as it must be a time such as 90s, 30m, 2h or 1h30m, of 30 days at most: current value is '${
      text.slice(0, 40)
    }'`,
    { option: key, value: text },
  );
}

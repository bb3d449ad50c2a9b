/**
 * Where a search or a training is, and the time left.
 * @module
 */
import { duration } from "./numbers.ts";

/** Where a run of steps is. */
export interface StepProgress {
  /** Epoch from 0. */
  readonly epoch: number;
  /** Steps done in this epoch. */
  readonly step: number;
  /** Steps of an epoch. */
  readonly stepsPerEpoch: number;
  /** Seconds per step, lately. */
  readonly secondsPerStep: number;
}

/** Estimates the time left from the steps of this process, evaluation after the epochs included. */
export class StepClock {
  #first: { readonly step: number; readonly at: number } | undefined;

  /** @param epochs epochs of the whole run */
  constructor(readonly epochs: number) {}

  /** The share of the steps that is done, and how long the others will take, in words. */
  left(
    { epoch, step, stepsPerEpoch, secondsPerStep }: StepProgress,
  ): { readonly share: number; readonly left: string } {
    const done = epoch * stepsPerEpoch + step, all = this.epochs * stepsPerEpoch, now = performance.now() / 1000;
    this.#first ??= { step: done, at: now };
    const since = done - this.#first.step; // steps of which evaluation after the epochs is known
    const pace = since > 0 ? (now - this.#first.at) / since : secondsPerStep;
    return { share: done / all, left: done >= all ? "all steps done" : `${duration(pace * (all - done))} left` };
  }

  /** Where the run is, on one line that ends with `measured`. */
  line(progress: StepProgress, measured: string): string {
    const { epoch, step, stepsPerEpoch, secondsPerStep } = progress, { share, left } = this.left(progress);
    return `epoch ${epoch + 1}/${this.epochs} ${bar(share)} ` +
      `step ${step}/${stepsPerEpoch}, ${left}, ${duration(secondsPerStep)}/step, ${measured}`;
  }
}

/** `[#####...............]`. @param share from 0 to 1 */
export function bar(share: number): string {
  const filled = Math.round(share * 20);
  return `[${"#".repeat(filled)}${".".repeat(20 - filled)}]`;
}

/**
 * The progress line of a search, with the time left.
 * @module
 */
import type { Progress } from "../search/search.ts";
import { duration } from "./terminal.ts";

/** Estimates the time left from the steps of this process, evaluation after the epochs included. */
export class SearchClock {
  #first: { readonly step: number; readonly at: number } | undefined;

  /** @param epochs epochs of the whole run */
  constructor(readonly epochs: number) {}

  /** Where the search is, on one line. */
  line(progress: Progress): string {
    const { epoch, step, stepsPerEpoch, trainLoss, valLoss, secondsPerStep } = progress;
    const done = epoch * stepsPerEpoch + step, all = this.epochs * stepsPerEpoch, now = performance.now() / 1000;
    this.#first ??= { step: done, at: now };
    const since = done - this.#first.step; // the first step, in which drivers compile, says nothing about the rest
    const left = since > 0 ? `${duration((now - this.#first.at) / since * (all - done))} left` : "estimating the time";
    const filled = Math.round(done / all * 20);
    return `epoch ${epoch + 1}/${this.epochs} [${"#".repeat(filled)}${".".repeat(20 - filled)}] ` +
      `step ${step}/${stepsPerEpoch}, ${left}, ${duration(secondsPerStep)}/step, ` +
      `train ${trainLoss.toFixed(3)}, val ${valLoss.toFixed(3)}`;
  }
}

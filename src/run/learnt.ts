/**
 * Whether a run has lost what it learnt although its numbers are finite: its loss is far above that of guessing.
 * @module
 */
import { type Text, text } from "../base/errors.ts";

/**
 * How many times the loss of guessing the mean training loss may be. Beyond that weights have become so large that the
 * network is sure of wrong classes.
 */
const WORST_LOSS = 5;

/** The mean cross-entropy of a network that knows nothing. */
const guessing = (classes: number): number => Math.log(classes);

const shown = (loss: number): string => loss < 1e4 ? loss.toFixed(2) : loss.toExponential(2);

/** Whether a mean training loss is that of a network which is worth less than guessing. */
export function isLost(trainLoss: number, classes: number): boolean {
  return trainLoss > WORST_LOSS * guessing(classes);
}

/** The beginning of a sentence about such a loss. */
export function lostText(trainLoss: number, classes: number): Text {
  return text`training loss is ${
    shown(trainLoss)
  }, more than ${WORST_LOSS} times that of guessing among ${classes} classes (${shown(guessing(classes))})`;
}

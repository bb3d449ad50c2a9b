/**
 * What changes from step to step: the learning rate and the share of dropped paths. Both move with every step, where
 * DARTS' code moves them with every epoch: over hundreds of epochs it makes no difference, over a few it does.
 * @module
 */
import type { TrainConfig } from "./config.ts";

/** How the learning rate falls. */
export const SCHEDULES = ["cosine", "linear", "exponential"] as const;

/**
 * The learning rate of step `step` (from 0; between two where the steps of a training follow a clock): a linear rise to `lr` in the warm-up, then from `lr` to `lrMin` by a
 * cosine or a straight line over the rest, or times `lrDecay` each epoch.
 */
export function learningRate(
  config: Pick<TrainConfig, "schedule" | "lr" | "lrMin" | "lrDecay" | "warmupEpochs" | "epochs">,
  step: number,
  stepsPerEpoch: number,
): number {
  const { schedule, lr, lrMin, lrDecay, warmupEpochs, epochs } = config, warmup = warmupEpochs * stepsPerEpoch;
  if (step < warmup) return lr * Math.min(1, (step + 1) / warmup);
  const share = (step - warmup) / Math.max(1, epochs * stepsPerEpoch - warmup);
  switch (schedule) {
    case "linear":
      return lr + (lrMin - lr) * share;
    case "exponential":
      return lr * lrDecay ** ((step - warmup) / stepsPerEpoch);
    default:
      return lrMin + (lr - lrMin) * (1 + Math.cos(Math.PI * share)) / 2;
  }
}

/** Share of the paths that step `step` (from 0) drops: it rises in proportion to the steps done. */
export function dropShare(
  { dropPath, epochs }: Pick<TrainConfig, "dropPath" | "epochs">,
  step: number,
  stepsPerEpoch: number,
): number {
  return dropPath * step / (epochs * stepsPerEpoch);
}

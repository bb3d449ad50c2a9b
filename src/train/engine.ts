/**
 * A training on the device: initial values and one step, besides what every engine does (`src/run/engine.ts`). Knows
 * nothing of files, epochs or schedules.
 * @module
 */
import { optionError, UsageError } from "../base/errors.ts";
import { Random } from "../base/random.ts";
import type { MixedLabels } from "../data/cutmix.ts";
import type { Gpu } from "../gpu/device.ts";
import { dense, storageLength } from "../graph/tensor_type.ts";
import { hyperValues } from "../nn/hyper.ts";
import { loadArenas } from "../nn/state.ts";
import { Engine, type HostBatch } from "../run/engine.ts";
import type { Model } from "./model_file.ts";
import type { TrainPlan } from "./programs.ts";

/** Names of the tallies of a training. */
export type TrainMetric = "train" | "auxiliary" | "eval";

/**
 * Factors of drop path `[paths, batch]` for one step, a pure function of the seed and the step: 0 with probability
 * `share`, else 1 / (1 - share).
 */
export function drawDropMask(
  out: Float32Array,
  paths: number,
  batch: number,
  seed: number,
  step: number,
  share: number,
): void {
  const random = new Random(seed, "train/drop-path", step), keep = 1 - share;
  for (let i = 0; i < paths * batch; i++) out[i] = share > 0 && random.uniform() < share ? 0 : 1 / keep;
}

/** A training on a device. */
export class TrainEngine extends Engine<TrainPlan, "train_step", TrainMetric> {
  /** Factors of the paths in the next step, `[paths, batch]`; all 1 at the start. */
  readonly dropMask: Float32Array<ArrayBuffer> = new Float32Array(
    storageLength(dense([this.plan.paths, this.plan.batch])),
  ).fill(1);

  /**
   * Allocates everything. Programs are compiled when they are first needed.
   * @param seed of the noise, in networks that have it
   * @throws {FailureError} when the device has not enough memory.
   */
  static async create(gpu: Gpu, plan: TrainPlan, seed = 0): Promise<TrainEngine> {
    return new TrainEngine(plan, await Engine.allocate(gpu, plan), seed);
  }

  /** Starts from scratch: a pure function of the seed. */
  initialise(seed: number): void {
    this.start(seed);
  }

  /**
   * Starts from a network that was trained before: its weights and running statistics, everything else as at first.
   * @throws {UsageError} where this training has an auxiliary classifier, which the network lacks, and for a mirrored one.
   * @throws {FailureError} where its tensors are not those of the network.
   */
  initialiseFrom(seed: number, { tensors, network }: Pick<Model, "tensors" | "network">): void {
    const { arenas: { weights, running }, auxiliaryWeight, trains } = this.plan;
    if (network.mirrored) {
      throw new UsageError(
        "Cannot train from a network that looks at mirror images, too: its classifier is halved, so take one from before",
      );
    }
    if (auxiliaryWeight > 0) {
      throw optionError({ key: "auxiliary-weight", must: "0 to start from a trained network", value: auxiliaryWeight });
    }
    this.start(seed);
    loadArenas(this.runtime, [weights, running], tensors, "the network to start from", trains);
  }

  /**
   * One step with the current {@linkcode dropMask}. Waits for what has to be compiled, not for the device.
   * @param batch images and labels, and the other classes where the plan has mixed images
   * @param step number of steps done before, which decides on noise
   */
  async step(batch: HostBatch & Partial<MixedLabels>, weightLr: number, step = 0): Promise<void> {
    const { paths, auxiliaryWeight } = this.plan, { images, labels, others, shares } = batch;
    await this.run("train_step", step, {
      images,
      labels,
      hyper: hyperValues({ weightLr }),
      ...(others && shares ? { others, shares } : {}),
      ...(paths > 0 ? { drop_mask: this.dropMask } : {}),
      ...(auxiliaryWeight > 0 ? { auxiliary_weight: Float32Array.of(auxiliaryWeight, 0, 0, 0) } : {}),
    });
  }
}

/**
 * The program of a model for batches of one size, on a device.
 * @module
 */
import { FailureError } from "../base/errors.ts";
import type { Gpu } from "../gpu/device.ts";
import { type Plan, Pool } from "../graph/plan.ts";
import { Runtime } from "../graph/runtime.ts";
import type { Precision } from "../graph/tensor_type.ts";
import { noiseKey } from "../nn/noise_key.ts";
import { finishProgram } from "../nn/weight_step.ts";
import { buildInference, type Model } from "./model_file.ts";

/** A model on a device, compiled for a size of batches. */
export class InferenceProgram {
  readonly #logits: number;
  readonly #runtime: Runtime;
  readonly #plan: Plan;

  private constructor(logits: number, runtime: Runtime, plan: Plan) {
    this.#logits = logits;
    this.#runtime = runtime;
    this.#plan = plan;
  }

  /**
   * Allocates, compiles and fills everything.
   * @throws {FailureError} when the device has not enough memory.
   */
  static async create(
    gpu: Gpu,
    model: Model,
    batch: number,
    precision: Precision = "bf16",
  ): Promise<InferenceProgram> {
    const { graph, logits, values } = buildInference(model, batch, "model", precision), pool = new Pool();
    const { plan } = finishProgram("predict", graph, [], { logits }, gpu.limits, pool);
    const runtime = await Runtime.create(gpu, [plan], pool);
    for (const [arena, data] of values) runtime.write(arena, data);
    return new InferenceProgram(batch * model.network.classes, runtime, plan);
  }

  /**
   * Logits `[batch, classes]` of normalised images in the layout of `Batcher`. Submits at once: the next images may be
   * given before these logits are there.
   * @param step number of the batch, which decides on noise
   * @throws {FailureError} where one is not finite: weights that have grown beyond all bounds mean nothing.
   */
  async logits(images: Float32Array<ArrayBuffer>, step = 0): Promise<Float32Array> {
    this.#runtime.run("predict", { images, ...noiseKey(this.#plan, 0, step) });
    const stored = await this.#runtime.readResult("predict", "logits");
    const logits = stored.subarray(0, this.#logits), bad = logits.find((logit) => !Number.isFinite(logit));
    if (bad === undefined) return logits;
    throw new FailureError(`Cannot use the model as its outputs must be finite numbers: current value is ${bad}`, {
      remedies: ["train it again with a smaller learning rate"],
    });
  }

  /** Frees the device memory. */
  destroy(): void {
    this.#runtime.destroy();
  }
}

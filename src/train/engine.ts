/**
 * The state of a training on the device: initial values, one step, evaluation, and its tensors to and from the host.
 * Knows nothing of files, epochs or schedules.
 * @module
 */
import { Random } from "../base/random.ts";
import type { TensorEntry } from "../base/safetensors.ts";
import type { Gpu } from "../gpu/device.ts";
import type { HostInputs } from "../graph/buffers.ts";
import { Runtime } from "../graph/runtime.ts";
import { dense, storageLength } from "../graph/tensor_type.ts";
import type { Arena } from "../graph/variables.ts";
import { noiseKey } from "../nn/noise_key.ts";
import {
  clearArena,
  type HostBatch,
  loadArenas,
  readTallies,
  resetTallies,
  saveArenas,
  type Tally,
} from "../nn/state.ts";
import type { TrainPlan } from "./programs.ts";

type Metric = "train" | "auxiliary" | "eval";

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
export class TrainEngine {
  readonly #runtime: Runtime;
  readonly #hyper = new Float32Array(8);
  readonly #auxiliary = new Float32Array(4);
  /** Factors of the paths in the next step, `[paths, batch]`; all 1 at the start. */
  readonly dropMask: Float32Array<ArrayBuffer>;
  readonly #seed: number;
  /** Batches evaluated since the tally was reset. */
  #evaluated = 0;

  private constructor(readonly plan: TrainPlan, runtime: Runtime, seed: number) {
    this.#runtime = runtime;
    this.#seed = seed;
    this.#auxiliary[0] = plan.auxiliaryWeight;
    this.dropMask = new Float32Array(storageLength(dense([plan.paths, plan.batch]))).fill(1);
  }

  /**
   * Allocates everything. Programs are compiled when they are first needed.
   * @param seed of the noise, in networks that have it
   * @throws {FailureError} when the device has not enough memory.
   */
  static async create(gpu: Gpu, plan: TrainPlan, seed = 0): Promise<TrainEngine> {
    const engine = new TrainEngine(plan, await Runtime.create(gpu, plan.plans, plan.pool, { prepared: [] }), seed);
    engine.#runtime.write(plan.arenas.factors, plan.variables.runningFactors());
    return engine;
  }

  /** The runtime, for tests and benchmarks. */
  get runtime(): Runtime {
    return this.#runtime;
  }

  /** Starts from scratch: a pure function of the seed. */
  initialise(seed: number): void {
    const { arenas, variables } = this.plan;
    for (const arena of [arenas.momentum, arenas.metrics]) clearArena(this.#runtime, arena);
    this.#runtime.write(arenas.weights, variables.initialWeights(seed));
    this.#runtime.write(arenas.running, variables.initialRunning());
  }

  /**
   * One step with the current {@linkcode dropMask}. Waits for what has to be compiled, not for the device.
   * @param step number of steps done before, which decides on noise
   */
  async step({ images, labels }: HostBatch, learningRate: number, step = 0): Promise<void> {
    this.#hyper[0] = learningRate;
    await this.#run("train_step", step, {
      images,
      labels,
      hyper: this.#hyper,
      ...(this.plan.paths > 0 ? { drop_mask: this.dropMask } : {}),
      ...(this.plan.auxiliaryWeight > 0 ? { auxiliary_weight: this.#auxiliary } : {}),
    });
  }

  /** Runs a program, which is compiled before its first run; `step` and the seed decide on its noise. */
  async #run(name: string, step: number, inputs: HostInputs): Promise<void> {
    await this.#runtime.prepare([name]);
    const plan = this.plan.plans.find((each) => each.name === name)!;
    this.#runtime.run(name, { ...inputs, ...noiseKey(plan, this.#seed, step) });
  }

  /** Adds a batch to the `eval` tally, with running statistics. */
  async evaluate({ images, labels }: HostBatch): Promise<void> {
    await this.#run("evaluate", this.#evaluated++, { images, labels });
  }

  /** Forgets the tallies. */
  resetTallies(...metrics: Metric[]): void {
    if (metrics.includes("eval")) this.#evaluated = 0;
    resetTallies(this.#runtime, this.plan.arenas.metrics, metrics);
  }

  /** Waits for the device and reads the tallies. */
  tallies(): Promise<Record<Metric, Tally>> {
    return readTallies(this.#runtime, this.plan.arenas.metrics);
  }

  /** Arenas that make up the state of a training; everything else is recomputed. */
  #stateArenas(): Arena[] {
    const { weights, momentum, running, metrics } = this.plan.arenas;
    return [weights, momentum, running, metrics];
  }

  /**
   * All tensors of a checkpoint, by `arena/variable`.
   * @throws {FailureError} when a value is not finite.
   */
  save(): Promise<[string, TensorEntry][]> {
    return saveArenas(this.#runtime, this.#stateArenas());
  }

  /**
   * Puts the tensors of a checkpoint back.
   * @throws {FailureError} when it belongs to another network.
   */
  load(tensors: ReadonlyMap<string, TensorEntry>, file: string): void {
    loadArenas(this.#runtime, this.#stateArenas(), tensors, file, "network");
  }

  /** Frees the device memory. */
  destroy(): void {
    this.#runtime.destroy();
  }
}

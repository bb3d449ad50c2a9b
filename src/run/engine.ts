/**
 * The state of a run on the device, whatever it trains: planned programs, their variables, the tallies of losses, and
 * the tensors of a checkpoint to and from the host. Knows nothing of files, epochs or schedules, nor of what the
 * programs compute.
 * @module
 */
import type { TensorEntry } from "../base/safetensors.ts";
import type { Gpu } from "../gpu/device.ts";
import type { HostInputs } from "../graph/buffers.ts";
import type { Plan, Pool } from "../graph/plan.ts";
import { Runtime } from "../graph/runtime.ts";
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
import type { NetworkVariables } from "../nn/variables.ts";

export type { HostBatch, Tally };

/** What outlives a step of any training, by purpose. */
export interface EngineArenas {
  /** Weights, an auxiliary classifier's among them. */
  readonly weights: Arena;
  /** Their gradients. */
  readonly gradients: Arena;
  /** Their momenta. */
  readonly momentum: Arena;
  /** Statistics of the batch norms in the last step. */
  readonly statistics: Arena;
  /** Running statistics. */
  readonly running: Arena;
  /** Factors that make batch variances unbiased. */
  readonly factors: Arena;
  /** Tallies (see `accumulate_tally`), `eval` among them. */
  readonly metrics: Arena;
}

/** What an engine must know of the programs that were planned for it. */
export interface EnginePlan {
  /** The programs, one called `evaluate` among them. */
  readonly plans: readonly Plan[];
  /** Buffers that the programs share. */
  readonly pool: Pool;
  /** GPU bytes, all programs and optimiser state included. */
  readonly bytes: number;
  /** Weights and statistics by name. */
  readonly variables: NetworkVariables;
  /** Everything that outlives a step, by purpose. */
  readonly arenas: EngineArenas;
  /** Arenas that make up the state of a run, in the order of its checkpoints; everything else is recomputed. */
  readonly state: readonly Arena[];
  /** What the programs train, for messages: "supernet" or "network". */
  readonly trains: string;
}

/** A run on a device; `Program` are the names of its programs, `Metric` those of its tallies. */
export class Engine<P extends EnginePlan, Program extends string, Metric extends string> {
  /** Batches evaluated since the tally was reset. */
  #evaluated = 0;

  /**
   * Use the `create` of a kind of engine.
   * @param seed of the noise, in networks that have it
   */
  protected constructor(readonly plan: P, readonly runtime: Runtime, readonly seed: number) {
    runtime.write(plan.arenas.factors, plan.variables.runningFactors());
  }

  /**
   * Allocates everything. Programs are compiled when they are first needed.
   * @throws {FailureError} when the device has not enough memory.
   */
  protected static allocate(gpu: Gpu, plan: EnginePlan): Promise<Runtime> {
    return Runtime.create(gpu, plan.plans, plan.pool, { prepared: [] });
  }

  /** Weights and running statistics as a pure function of the seed; all other state is 0. */
  protected start(seed: number): void {
    const { arenas, variables, state } = this.plan;
    for (const arena of state) if (arena !== arenas.weights) clearArena(this.runtime, arena);
    this.runtime.write(arenas.weights, variables.initialWeights(seed));
    this.runtime.write(arenas.running, variables.initialRunning());
  }

  /** Runs a program, which is compiled before its first run; `step` and the seed decide on its noise. */
  protected async run(name: Program | "evaluate", step: number, inputs: HostInputs): Promise<void> {
    await this.runtime.prepare([name]);
    const plan = this.plan.plans.find((each) => each.name === name)!;
    this.runtime.run(name, { ...inputs, ...noiseKey(plan, this.seed, step) });
  }

  /** Adds a batch to the `eval` tally, with running statistics. */
  async evaluate({ images, labels }: HostBatch): Promise<void> {
    await this.run("evaluate", this.#evaluated++, { images, labels });
  }

  /** Forgets the tallies. */
  resetTallies(...metrics: Metric[]): void {
    if (metrics.some((name) => name === "eval")) this.#evaluated = 0;
    resetTallies(this.runtime, this.plan.arenas.metrics, metrics);
  }

  /** Waits for the device and reads the tallies. */
  tallies(): Promise<Record<Metric, Tally>> {
    return readTallies(this.runtime, this.plan.arenas.metrics);
  }

  /**
   * All tensors of a checkpoint, by `arena/variable`.
   * @throws {FailureError} when a value is not finite.
   */
  save(): Promise<[string, TensorEntry][]> {
    return saveArenas(this.runtime, this.plan.state);
  }

  /**
   * Puts the tensors of a checkpoint back.
   * @throws {FailureError} when it belongs to another network.
   */
  load(tensors: ReadonlyMap<string, TensorEntry>, file: string): void {
    loadArenas(this.runtime, this.plan.state, tensors, file, this.plan.trains);
  }

  /** Frees the device memory; may be called twice. */
  destroy(): void {
    this.runtime.destroy();
  }
}

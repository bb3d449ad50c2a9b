/**
 * The state of a search on the device: initial values, one bilevel step, evaluation, statistics, and its tensors to
 * and from the host. Knows nothing of files, epochs or schedules.
 * @module
 */
import { Random } from "../base/random.ts";
import type { TensorEntry } from "../base/safetensors.ts";
import { type Architecture, mixtureWeights } from "../discretize/mixture.ts";
import {
  type Measurement,
  type Removal,
  type RemovalEvidence,
  removalsOf,
  withoutRemoved,
} from "../discretize/removals.ts";
import { addBatch, emptyStatistics, type NodeStatistics } from "../discretize/statistics.ts";
import type { Gpu } from "../gpu/device.ts";
import type { HostInputs } from "../graph/buffers.ts";
import { Runtime } from "../graph/runtime.ts";
import { elementCount, pack, unpack } from "../graph/tensor_type.ts";
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
import { type CellKind, perKind, skeletonOf, softmaxColumns } from "../space/space.ts";
import { betasName, hasBypass } from "../space/supernet.ts";
import { nodeName, type ProgramName, type SearchPlan } from "./programs.ts";

export type { HostBatch, Tally };

/** RMS of a node before (of the channels that went through operations) and after node normalisation (of all). */
export interface NodeNormRecord {
  /** Index of the cell in the network. */
  readonly cell: number;
  /** Kind of the cell. */
  readonly kind: CellKind;
  /** Intermediate node, from 0. */
  readonly node: number;
  /** Before normalisation. */
  readonly before: number;
  /** After normalisation. */
  readonly after: number;
}

/** Learning rates of one step, and the number of alpha steps done, this one included. */
export interface StepRates {
  readonly weightLr: number;
  readonly alphaLr: number;
  readonly alphaStep: number;
  readonly alphaBeta1: number;
  readonly alphaBeta2: number;
}

type Metric = "train" | "val" | "eval";

/** A search on a device. */
export class SearchEngine {
  readonly #runtime: Runtime;
  readonly #hyper = new Float32Array(8);
  readonly #seed: number;
  /** Batches evaluated since the tally was reset. */
  #evaluated = 0;

  private constructor(readonly plan: SearchPlan, runtime: Runtime, seed: number) {
    this.#runtime = runtime;
    this.#seed = seed;
  }

  /**
   * Allocates everything. Programs are compiled when they are first needed.
   * @param seed of the noise, in spaces that have it
   * @throws {FailureError} when the device has not enough memory.
   */
  static async create(gpu: Gpu, plan: SearchPlan, seed = 0): Promise<SearchEngine> {
    const engine = new SearchEngine(plan, await Runtime.create(gpu, plan.plans, plan.pool, { prepared: [] }), seed);
    engine.#runtime.write(plan.arenas.factors, plan.variables.runningFactors());
    return engine;
  }

  /** The runtime, for benchmarks. */
  get runtime(): Runtime {
    return this.#runtime;
  }

  /** Starts from scratch: a pure function of the seed. */
  initialise(seed: number, alphaInit: number): void {
    const { arenas, variables, config: { space } } = this.plan, alphas = new Float32Array(arenas.alphas.length);
    for (const v of arenas.alphas.variables) {
      const random = new Random(seed, `init/alphas.${v.name}`), [, width] = v.type.shape;
      const kind = skeletonOf(space).kinds.find((kind) => kind === v.name),
        columns = kind ? softmaxColumns(space, kind) : null;
      const values = new Float64Array(elementCount(v.type)).map((_, i) => {
        const value = alphaInit * random.normal();
        return !columns || columns[Math.floor(i / width)].includes(i % width) ? value : 0; // 0 stays 0
      });
      alphas.set(pack(v.type, values), v.offset);
    }
    for (const arena of [arenas.momentum, arenas.alphaM, arenas.alphaV, arenas.metrics]) {
      clearArena(this.#runtime, arena);
    }
    this.#runtime.write(arenas.weights, variables.initialWeights(seed));
    this.#runtime.write(arenas.running, variables.initialRunning());
    this.#runtime.write(arenas.alphas, alphas);
  }

  /**
   * One step of the search: the architecture on `val` (and `train`, for gradients of second order), then the weights on
   * `train`. Waits for what has to be compiled, not for the device.
   */
  async step(val: HostBatch, train: HostBatch, rates: StepRates): Promise<void> {
    const { weightLr, alphaLr, alphaStep, alphaBeta1, alphaBeta2 } = rates;
    this.#hyper.set([weightLr, alphaLr, 1 - alphaBeta1 ** alphaStep, 1 - alphaBeta2 ** alphaStep]);
    await this.#runtime.prepare(this.plan.alphaStep.map(([program]) => program)); // at once, on several threads
    for (const [program, split] of this.plan.alphaStep) {
      const { images, labels } = split === "val" ? val : train;
      await this.#run(program, alphaStep, { images, labels, hyper: this.#hyper });
    }
    await this.weightStep(train, weightLr, alphaStep);
  }

  /** The weights' part of {@linkcode step} alone, on `train`; `step` decides on its noise. */
  async weightStep(train: HostBatch, weightLr: number, step: number): Promise<void> {
    this.#hyper[0] = weightLr;
    await this.#run("weight_step", step, { images: train.images, labels: train.labels, hyper: this.#hyper });
  }

  /** Runs a program, which is compiled before its first run; `step` and the seed decide on its noise. */
  async #run(name: ProgramName, step: number, inputs: HostInputs): Promise<void> {
    await this.#runtime.prepare([name]);
    const plan = this.plan.plans.find((each) => each.name === name)!;
    this.#runtime.run(name, { ...inputs, ...noiseKey(plan, this.#seed, step) });
  }

  /**
   * Adds a batch to the `eval` tally, with running statistics.
   * @param weights of the mixed operations (from `mixtureWeights`, of each kind); those of the architecture if left out.
   */
  async evaluate(batch: HostBatch, weights?: Readonly<Record<CellKind, Float64Array>>): Promise<void> {
    if (weights) {
      for (const v of this.plan.arenas.mixture.variables) {
        this.#runtime.write(v, pack(v.type, weights[v.name as CellKind]) as Float32Array<ArrayBuffer>);
      }
    } else await this.#run("soften", 0, {});
    await this.#run("evaluate", this.#evaluated++, { images: batch.images, labels: batch.labels });
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

  /** Statistics of every node over batches, with frozen weights and batch statistics in the batch norms. */
  async statistics(
    batches: AsyncIterable<HostBatch>,
  ): Promise<{ statistics: NodeStatistics[]; norms: NodeNormRecord[] }> {
    const { nodes, arenas } = this.plan;
    const statistics = nodes.map((n) =>
      emptyStatistics(n.kind, n.cell, n.node, n.candidates.map(({ edge, from, op }) => ({ edge, from, op })))
    );
    const squares = new Float64Array(nodes.length);
    let count = 0;
    for await (const batch of batches) {
      await this.#run("statistics", count, { images: batch.images, labels: batch.labels });
      const grams = await this.#runtime.readArena(arenas.grams), norms = await this.#runtime.readArena(arenas.norms);
      nodes.forEach((node, i) => {
        const { type, offset } = arenas.grams.get(nodeName(node));
        const gram = unpack(type, grams.subarray(offset, offset + elementCount(type)));
        addBatch(statistics[i], gram, elementCount(node.sum.type));
        squares[i] += norms[arenas.norms.get(nodeName(node)).offset];
      });
      count++;
    }
    const records = nodes.map((n, i): NodeNormRecord => {
      const { gram, count: elements, candidates } = statistics[i], rows = candidates.length + 2, y = rows - 2;
      const before = Math.sqrt(gram[y * rows + y] / elements), after = Math.sqrt(squares[i] / count);
      return { cell: n.cell, kind: n.kind, node: n.node, before, after };
    });
    return { statistics, norms: records };
  }

  /**
   * How well the supernet does as it is and after each removal, with running statistics. Waits for the device after
   * each one.
   * @param batches the same ones each time
   * @param measured told how many measurements of how many are done
   */
  async removals(
    batches: () => AsyncIterable<HostBatch>,
    measured?: (done: number, all: number) => void,
  ): Promise<RemovalEvidence> {
    const { config } = this.plan, { space } = config, bypass = hasBypass(config), list = removalsOf(space);
    const architecture = await this.architecture();
    const weights = perKind(space, (kind) => mixtureWeights(space, kind, architecture, bypass), new Float64Array());
    let done = 0;
    const measure = async (mixture: typeof weights): Promise<Measurement> => {
      this.resetTallies("eval");
      for await (const batch of batches()) await this.evaluate(batch, mixture);
      const { eval: { loss, accuracy, count } } = await this.tallies();
      measured?.(++done, list.length + 1);
      return { loss, accuracy, count };
    };
    const whole = await measure(weights), removals: (Removal & Measurement)[] = [];
    for (const removal of list) {
      const { kind } = removal, left = withoutRemoved(space, weights[kind], removal);
      removals.push({ ...removal, ...await measure({ ...weights, [kind]: left }) });
    }
    return { whole, removals };
  }

  /** The architecture parameters as they are; none of a kind of cell that the space does not have. */
  async architecture(): Promise<Architecture> {
    const { arenas: { alphas }, config: { space, edgeWeights } } = this.plan,
      data = await this.#runtime.readArena(alphas);
    const read = (nameOf: (kind: CellKind) => string) =>
      perKind(space, (kind) => {
        const { type, offset } = alphas.get(nameOf(kind));
        return unpack(type, data.subarray(offset, offset + elementCount(type)));
      }, new Float64Array());
    return { alphas: read((kind) => kind), ...(edgeWeights ? { betas: read(betasName) } : {}) };
  }

  /** Arenas that make up the state of a search; everything else is recomputed. */
  #stateArenas(): Arena[] {
    const { weights, momentum, running, alphas, alphaM, alphaV, metrics } = this.plan.arenas;
    return [weights, momentum, running, alphas, alphaM, alphaV, metrics];
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
   * @throws {FailureError} when it belongs to another supernet.
   */
  load(tensors: ReadonlyMap<string, TensorEntry>, file: string): void {
    loadArenas(this.#runtime, this.#stateArenas(), tensors, file, "supernet");
  }

  /** Frees the device memory. */
  destroy(): void {
    this.#runtime.destroy();
  }
}

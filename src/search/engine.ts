/**
 * A search on the device: initial values, one bilevel step, evaluation and statistics, besides what every engine does
 * (`src/run/engine.ts`). Knows nothing of files, epochs or schedules.
 * @module
 */
import { Random } from "../base/random.ts";
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
import { elementCount, pack, unpack } from "../graph/tensor_type.ts";
import { hyperValues } from "../nn/hyper.ts";
import { Engine, type HostBatch, type Tally } from "../run/engine.ts";
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

/** Names of the tallies of a search. */
export type SearchMetric = "train" | "val" | "eval";

/** A search on a device. */
export class SearchEngine extends Engine<SearchPlan, ProgramName, SearchMetric> {
  /**
   * Allocates everything. Programs are compiled when they are first needed.
   * @param seed of the noise, in spaces that have it
   * @throws {FailureError} when the device has not enough memory.
   */
  static async create(gpu: Gpu, plan: SearchPlan, seed = 0): Promise<SearchEngine> {
    return new SearchEngine(plan, await Engine.allocate(gpu, plan), seed);
  }

  /** Starts from scratch: a pure function of the seed. */
  initialise(seed: number, alphaInit: number): void {
    this.start(seed);
    const { arenas, config: { space } } = this.plan, alphas = new Float32Array(arenas.alphas.length);
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
    this.runtime.write(arenas.alphas, alphas);
  }

  /**
   * One step of the search: the architecture on `val` (and `train`, for gradients of second order), then the weights on
   * `train`. Waits for what has to be compiled, not for the device.
   */
  async step(val: HostBatch, train: HostBatch, rates: StepRates): Promise<void> {
    const { weightLr, alphaLr, alphaStep, alphaBeta1, alphaBeta2 } = rates;
    const hyper = hyperValues({
      weightLr,
      alphaLr,
      alphaCorrection1: 1 - alphaBeta1 ** alphaStep,
      alphaCorrection2: 1 - alphaBeta2 ** alphaStep,
    });
    await this.runtime.prepare(this.plan.alphaStep.map(([program]) => program)); // at once, on several threads
    for (const [program, split] of this.plan.alphaStep) {
      const { images, labels } = split === "val" ? val : train;
      await this.run(program, alphaStep, { images, labels, hyper });
    }
    await this.weightStep(train, weightLr, alphaStep);
  }

  /** The weights' part of {@linkcode step} alone, on `train`; `step` decides on its noise. */
  async weightStep({ images, labels }: HostBatch, weightLr: number, step: number): Promise<void> {
    await this.run("weight_step", step, { images, labels, hyper: hyperValues({ weightLr }) });
  }

  /**
   * Adds a batch to the `eval` tally, with running statistics.
   * @param weights of the mixed operations (from `mixtureWeights`, of each kind); those of the architecture if left out.
   */
  override async evaluate(batch: HostBatch, weights?: Readonly<Record<CellKind, Float64Array>>): Promise<void> {
    if (weights) {
      for (const v of this.plan.arenas.mixture.variables) {
        this.runtime.write(v, pack(v.type, weights[v.name as CellKind]) as Float32Array<ArrayBuffer>);
      }
    } else await this.run("soften", 0, {});
    await super.evaluate(batch);
  }

  /**
   * Statistics of every node over batches, with frozen weights and batch statistics in the batch norms.
   * @param parts in how many parts they are kept besides
   */
  async statistics(
    batches: AsyncIterable<HostBatch>,
    parts = 0,
  ): Promise<{ statistics: NodeStatistics[]; norms: NodeNormRecord[] }> {
    const { nodes, arenas } = this.plan;
    const statistics = nodes.map((n) =>
      emptyStatistics(n.kind, n.cell, n.node, n.candidates.map(({ edge, from, op }) => ({ edge, from, op })), parts)
    );
    const squares = new Float64Array(nodes.length);
    let count = 0;
    for await (const batch of batches) {
      await this.run("statistics", count, { images: batch.images, labels: batch.labels });
      const [grams, norms] = await this.runtime.readArenas([arenas.grams, arenas.norms]);
      nodes.forEach((node, i) => {
        const { type, offset } = arenas.grams.get(nodeName(node));
        const gram = unpack(type, grams.subarray(offset, offset + elementCount(type)));
        addBatch(statistics[i], gram, elementCount(node.sum.type), count);
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
      data = await this.runtime.readArena(alphas);
    const read = (nameOf: (kind: CellKind) => string) =>
      perKind(space, (kind) => {
        const { type, offset } = alphas.get(nameOf(kind));
        return unpack(type, data.subarray(offset, offset + elementCount(type)));
      }, new Float64Array());
    return { alphas: read((kind) => kind), ...(edgeWeights ? { betas: read(betasName) } : {}) };
  }
}

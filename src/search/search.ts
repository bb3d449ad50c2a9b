/**
 * The search: alternating steps of architecture and weights on disjoint halves of the training images (DARTS, first or
 * second order), measured after each epoch, checkpointed, and discretised at the end. Everything that it draws at
 * random is a function of the seed and the step, so a run that resumes from a checkpoint has the same bits as one that
 * never stopped. Not responsible for drawings and reports.
 * @module
 */
import { FailureError, type Remedy, text, UsageError } from "../base/errors.ts";
import type { TensorEntry } from "../base/safetensors.ts";
import { Batcher, splitHalves } from "../data/batches.ts";
import { checkDataset, type Dataset } from "../data/dataset.ts";
import { type DiscretizationReport, discretize } from "../discretize/discretize.ts";
import { needsRemovals, rulesOf } from "../discretize/registry.ts";
import type { RemovalEvidence } from "../discretize/removals.ts";
import type { Rule } from "../discretize/rule.ts";
import type { NodeStatistics } from "../discretize/statistics.ts";
import type { Gpu } from "../gpu/device.ts";
import { DeviceLostError } from "../graph/buffers.ts";
import { tuned } from "../graph/tuning.ts";
import type { HostBatch } from "../nn/state.ts";
import type { Genotype } from "../space/genotype.ts";
import { resolveSpace } from "../space/definition.ts";
import type { SupernetConfig } from "../space/supernet.ts";
import { checkStopping, type SearchConfig } from "./config.ts";
import { SearchEngine } from "./engine.ts";
import { checkMemory, memoryBudget } from "../run/memory.ts";
import { planSearch, type SearchPlan } from "./programs.ts";
import { type EpochRecord, imbalanceOf, summariseWeights } from "./records.ts";
import type { RunFolder } from "../run/run_folder.ts";
import { cosine } from "./schedule.ts";
import { onDevice, runSteps } from "../run/step_loop.ts";
import { type StopReason, stopReason } from "./stopping.ts";

/** Where a search is. */
export interface Progress {
  /** Epoch from 0. */
  readonly epoch: number;
  /** Epochs of the whole search. */
  readonly epochs: number;
  /** Steps done in this epoch. */
  readonly step: number;
  /** Steps of an epoch. */
  readonly stepsPerEpoch: number;
  /** Mean losses of this epoch so far. */
  readonly trainLoss: number;
  /** Mean loss of the alpha steps of this epoch so far; null while the alphas are frozen. */
  readonly valLoss: number | null;
  /** Seconds per step, lately. */
  readonly secondsPerStep: number;
}

/** Callbacks and resources of a search; all optional. */
export interface SearchRunOptions {
  /** Device to use; it is opened if left out. */
  readonly gpu?: Gpu;
  /** Folder for metrics and checkpoints, open for writing. Without one nothing is written. */
  readonly folder?: RunFolder;
  /**
   * Rules that decide: names of built-in ones, or rules of one's own. If left out, all built-in ones that need no
   * measurements of their own. The rule that option `discretizer` names is among them in any case.
   */
  readonly methods?: readonly (string | Rule)[];
  /** Go on from the folder's checkpoint. */
  readonly resume?: boolean;
  /** Stops the search after the current step, with a checkpoint. */
  readonly signal?: AbortSignal;
  /** Told once it is known that the plan fits, before anything is allocated; again after a lost device. */
  readonly onStart?: (plan: SearchPlan, gpu: Gpu, stepsPerEpoch: number) => void;
  /** Told every so often, when the losses were looked at. */
  readonly onProgress?: (progress: Progress) => void;
  /** Told how far the measurements are, where a rule needs the supernet measured without each operation. */
  readonly onMeasured?: (done: number, all: number) => void;
  /** Told after each epoch. */
  readonly onEpoch?: (record: EpochRecord) => void;
  /** Told in one sentence what was repaired. */
  readonly warn?: (message: string) => void;
}

/** The outcome of a search. */
export interface SearchResult {
  /** Cell of the configured discretiser. */
  readonly genotype: Genotype;
  /** All discretisers, with every score. */
  readonly report: DiscretizationReport;
  /** Statistics of every node behind the report. */
  readonly statistics: readonly NodeStatistics[];
  /** Records of this process' epochs. */
  readonly epochs: readonly EpochRecord[];
  /** Why it ended. */
  readonly stopped: StopReason;
  /** What was run. */
  readonly plan: SearchPlan;
}

/** The search was stopped by its signal; its folder holds a checkpoint. */
export class SearchInterrupted extends FailureError {}

/** The supernet that a configuration describes for a data set. */
export function supernetConfig(
  config: SearchConfig,
  data: Pick<Dataset, "classes" | "channels" | "height" | "width">,
): SupernetConfig {
  return {
    space: resolveSpace(config.space),
    channels: config.initChannels,
    cells: config.cells,
    classes: data.classes,
    inputChannels: data.channels,
    height: data.height,
    width: data.width,
    batch: config.batchSize,
    nodeNorm: config.nodeNorm,
    edgeWeights: config.edgeWeights,
    partialChannels: config.partialChannels,
    precision: config.precision,
  };
}

/** What to do when numbers grow beyond all bounds. */
const SMALLER_STEPS: Remedy = { kind: "lower", options: ["weight-lr", "alpha-lr", "clip"], afresh: true };

/**
 * Searches a cell for `data`.
 * @example A search of two steps on noise (use real images and the default options)
 * ```ts
 * import { resolveSearchConfig, search } from "../../mod.ts";
 * const count = 64, labels = Int32Array.from({ length: count }, (_, i) => i % 2);
 * const images = Uint8Array.from({ length: count * 64 }, (_, i) => (i * 7919) % 251);
 * const data = {
 *   name: "noise", images, labels, count, channels: 1, height: 8, width: 8, classes: 2,
 *   classNames: ["even", "odd"], mean: [0.5], std: [0.3], fingerprint: "0",
 * };
 * const config = resolveSearchConfig([{
 *   source: "example",
 *   values: { "init-channels": 2, cells: 3, "batch-size": 8, epochs: 1, "steps-per-epoch": 2, space: "s3" },
 * }]);
 * const { genotype } = await search(config, data);
 * console.assert(genotype.normal.nodes.length === 4);
 * ```
 * @throws {UsageError} for what cannot be built or does not fit the data.
 * @throws {FailureError} for what cannot be done on this machine, and when the loss stops being finite.
 * @throws {SearchInterrupted} when `options.signal` was raised.
 */
export async function search(
  config: SearchConfig,
  data: Dataset,
  options: SearchRunOptions = {},
): Promise<SearchResult> {
  checkDataset(data);
  const run = new SearchRun(config, data, options);
  return await onDevice(options.gpu, options.warn, (gpu) => run.on(tuned(gpu, config.tuning, options.warn)));
}

interface Snapshot {
  readonly step: number;
  readonly tensors: ReadonlyMap<string, TensorEntry>;
}

class SearchRun {
  readonly #config: SearchConfig;
  readonly #data: Dataset;
  readonly #options: SearchRunOptions;
  readonly #rules: readonly Rule[];
  readonly #train: Batcher;
  readonly #val: Batcher;
  readonly #halves: { train: Uint32Array; val: Uint32Array };
  readonly #stepsPerEpoch: number;
  readonly #records: EpochRecord[] = [];
  /** Newest state on the host: what a new device starts from. */
  #snapshot: Snapshot | undefined;

  constructor(config: SearchConfig, data: Dataset, options: SearchRunOptions) {
    this.#config = config;
    this.#data = data;
    this.#options = options;
    this.#rules = rulesOf(options.methods, config.discretizer);
    checkStopping(config, this.#rules);
    const images = Math.min(config.images ?? data.count, data.count), half = Math.floor(images / 2);
    this.#halves = splitHalves(data, config.seed, { train: half, val: images - half });
    const shared = { batch: config.batchSize, seed: config.seed, shuffle: true, last: "drop" } as const;
    const augment = { pad: config.pad, flip: config.flip };
    this.#train = new Batcher(data, { ...shared, indices: this.#halves.train, stream: "batches/train", augment });
    this.#val = new Batcher(data, { ...shared, indices: this.#halves.val, stream: "batches/val", augment });
    const most = Math.min(this.#train.batchesPerEpoch, this.#val.batchesPerEpoch);
    this.#stepsPerEpoch = Math.min(config.stepsPerEpoch ?? most, most);
    if (options.resume && options.folder) this.#snapshot = this.#readSnapshot(options.folder);
  }

  #readSnapshot(folder: RunFolder): Snapshot | undefined {
    const checkpoint = folder.readCheckpoint();
    if (!checkpoint) return undefined;
    const state = checkpoint.state as { fingerprint?: unknown } | null;
    if (state?.fingerprint !== this.#data.fingerprint) {
      throw new UsageError(
        `Cannot resume '${folder.path}' with data set '${this.#data.name}': the images are not those that the run began with`,
      );
    }
    return { step: checkpoint.step, tensors: checkpoint.tensors };
  }

  #batch(): { images: Float32Array<ArrayBuffer>; labels: Int32Array<ArrayBuffer> } {
    return {
      images: new Float32Array(this.#train.imageElements),
      labels: new Int32Array(this.#config.batchSize),
    };
  }

  /** Runs to the end on one device, from the newest snapshot or from the start. */
  async on(gpu: Gpu): Promise<SearchResult> {
    const { batchSize, memoryLimit, seed, alphaInit } = this.#config, { folder } = this.#options;
    const net = supernetConfig(this.#config, this.#data);
    const plan = planSearch(net, this.#config, gpu.limits);
    checkMemory(
      plan.bytes,
      memoryBudget(gpu, memoryLimit),
      batchSize,
      (batch) => planSearch({ ...net, batch }, this.#config, gpu.limits).bytes,
    );
    this.#options.onStart?.(plan, gpu, this.#stepsPerEpoch);
    const engine = await SearchEngine.create(gpu, plan, seed);
    try {
      if (this.#snapshot) engine.load(this.#snapshot.tensors, folder?.path ?? "snapshot");
      else engine.initialise(seed, alphaInit);
      let step = this.#snapshot?.step ?? 0, stopped: StopReason | undefined;
      folder?.truncateMetrics(step === 0 ? -1 : step);
      this.#records.splice(0, this.#records.length, ...this.#records.filter((r) => r.step <= step));
      while (!(stopped = this.#stopReason(step))) step = await this.#epoch(engine, step);
      const { statistics } = await engine.statistics(this.#statisticsBatches(this.#config.statisticsImages));
      const report = await this.#discretize(engine, this.#rules, statistics, await this.#removals(engine, step));
      const chosen = report.methods.find((m) => m.method === this.#config.discretizer)!;
      return { genotype: chosen.genotype, report, statistics, epochs: this.#records, stopped, plan };
    } finally {
      engine.destroy();
    }
  }

  /** Runs from `step` to the end of its epoch. @returns the steps done then. */
  async #epoch(engine: SearchEngine, start: number): Promise<number> {
    const { epochs, weightLr, weightLrMin, alphaLr, alphaBeta1, alphaBeta2, alphaWarmupEpochs, checkpointSteps } =
      this.#config;
    const steps = this.#stepsPerEpoch, epoch = Math.floor(start / steps), train = this.#batch(), val = this.#batch();
    const lr = cosine(weightLr, weightLrMin, epoch, epochs), frozen = epoch < alphaWarmupEpochs;
    if (start % steps === 0) engine.resetTallies("train", "val");
    const secondsPerStep = await runSteps({
      start,
      end: (epoch + 1) * steps,
      checkpointSteps,
      signal: this.#options.signal,
      compileSeconds: () => engine.runtime.compileSeconds,
      submit: async (step) => {
        const at = step % steps, alphaStep = step + 1 - alphaWarmupEpochs * steps;
        await Promise.all([frozen || this.#val.ready(epoch, at), this.#train.ready(epoch, at)]);
        this.#train.fill(epoch, at, train.images, train.labels);
        if (frozen) return engine.weightStep(train, lr, alphaStep);
        this.#val.fill(epoch, at, val.images, val.labels);
        return engine.step(val, train, { weightLr: lr, alphaLr, alphaStep, alphaBeta1, alphaBeta2 });
      },
      look: async (step) => {
        const tallies = await engine.tallies();
        this.#checkLoss(tallies.train.firstBadStep, tallies.val.firstBadStep, epoch);
        return (secondsPerStep) =>
          this.#options.onProgress?.({
            epoch,
            epochs,
            step: (step - 1) % steps + 1,
            stepsPerEpoch: steps,
            trainLoss: tallies.train.loss,
            valLoss: frozen ? null : tallies.val.loss,
            secondsPerStep,
          });
      },
      checkpoint: (step) => this.#checkpoint(engine, step, epoch),
      interrupt: (step) => this.#interrupt(step),
    });
    const step = (epoch + 1) * steps;
    await this.#record(engine, step, epoch, lr, secondsPerStep);
    await this.#checkpoint(engine, step, epoch);
    if (this.#options.signal?.aborted && !this.#stopReason(step)) this.#interrupt(step);
    return step;
  }

  /** Why the search ends after `step` steps, by the epochs so far, those of earlier processes included. */
  #stopReason(step: number): StopReason | undefined {
    const { folder } = this.#options, steps = this.#stepsPerEpoch;
    if (step % steps !== 0) return undefined;
    const known = folder ? folder.readMetrics() as unknown as EpochRecord[] : this.#records;
    // The checkpoint knows the epoch even where somebody has removed the metrics.
    return stopReason(this.#config, known) ?? stopReason(this.#config, [{ epoch: step / steps, genotypes: {} }]);
  }

  #interrupt(step: number): never {
    throw new SearchInterrupted(`Stopped after step ${step}`);
  }

  #checkLoss(train: number, val: number, epoch: number): void {
    if (train === 0 && val === 0) return;
    const first = Math.min(train || Infinity, val || Infinity), what = val === first ? "validation" : "training";
    const step = epoch * this.#stepsPerEpoch + first;
    throw new FailureError(
      `The ${what} loss is no longer a finite number at step ${step} (epoch ${epoch + 1})` + this.#keptCheckpoint(),
      { remedies: [SMALLER_STEPS] },
    );
  }

  #keptCheckpoint(): string {
    if (!this.#options.folder) return "";
    return this.#snapshot
      ? `: the checkpoint of step ${this.#snapshot.step} is kept in '${this.#options.folder.path}'`
      : ": there is no checkpoint yet";
  }

  async #checkpoint(engine: SearchEngine, step: number, epoch: number): Promise<void> {
    let tensors: [string, TensorEntry][];
    try {
      tensors = await engine.save();
    } catch (error) {
      if (!(error instanceof FailureError) || error instanceof DeviceLostError) throw error;
      throw new FailureError(
        text`${error} after step ${step} (epoch ${epoch + 1})${this.#keptCheckpoint()}`,
        { remedies: [SMALLER_STEPS] },
      );
    }
    this.#options.folder?.writeCheckpoint(step, tensors, {
      fingerprint: this.#data.fingerprint,
      epoch,
      stepsPerEpoch: this.#stepsPerEpoch,
    });
    this.#snapshot = { step, tensors: new Map(tensors) };
  }

  #statisticsBatches(images: number): AsyncGenerator<HostBatch> {
    return wholeBatches(this.#data, this.#halves.val, images, this.#config.batchSize, this.#config.seed);
  }

  async #discretize(
    engine: SearchEngine,
    methods: readonly Rule[],
    statistics: readonly NodeStatistics[],
    removals?: RemovalEvidence,
  ): Promise<DiscretizationReport> {
    const { scope, shrinkage, seed } = this.#config, { space } = engine.plan.config;
    const options = { scope: scope as "node" | "edge", shrinkage };
    return discretize({ space, ...await engine.architecture(), statistics, removals, methods, options, seed });
  }

  /** What the rules need besides statistics; undefined where that is nothing. */
  async #removals(engine: SearchEngine, step: number): Promise<RemovalEvidence | undefined> {
    const { perturbationImages } = this.#config, { onMeasured, signal } = this.#options;
    if (!this.#rules.some(needsRemovals)) return undefined;
    return await engine.removals(() => this.#statisticsBatches(perturbationImages), (done, all) => {
      if (signal?.aborted) this.#interrupt(step);
      onMeasured?.(done, all);
    });
  }

  async #record(engine: SearchEngine, step: number, epoch: number, lr: number, secondsPerStep: number): Promise<void> {
    const { seed, batchSize, evalImages, probeImages } = this.#config, batch = this.#batch();
    const indices = this.#halves.val.subarray(0, Math.min(evalImages, this.#halves.val.length));
    const shared = { batch: batchSize, seed, shuffle: false, last: "fill" } as const;
    const evaluation = new Batcher(this.#data, { ...shared, indices, stream: "batches/eval" });
    engine.resetTallies("eval");
    for (let i = 0; i < evaluation.batchesPerEpoch; i++) {
      await evaluation.ready(0, i);
      evaluation.fill(0, i, batch.images, batch.labels);
      await engine.evaluate(batch);
    }
    const { train, val, eval: measured } = await engine.tallies();
    const { statistics, norms } = await engine.statistics(this.#statisticsBatches(probeImages));
    const rules = this.#rules.filter((rule) => !needsRemovals(rule));
    const report = await this.#discretize(engine, rules, statistics);
    const record: EpochRecord = {
      step,
      epoch: epoch + 1,
      trainLoss: train.loss,
      trainAccuracy: train.accuracy,
      valLoss: val.count > 0 ? val.loss : null,
      valAccuracy: val.count > 0 ? val.accuracy : null,
      evalLoss: measured.loss,
      evalAccuracy: measured.accuracy,
      weightLr: lr,
      ...summariseWeights(report),
      nodes: norms,
      imbalance: imbalanceOf(norms),
      skips: Object.fromEntries(report.methods.map((m) => [m.method, m.skips])),
      genotypes: Object.fromEntries(report.methods.map((m) => [m.method, m.text])),
      secondsPerStep,
    };
    this.#records.push(record);
    this.#options.folder?.appendMetric({ ...record });
    this.#options.onEpoch?.(record);
  }
}

/** Full batches of the first images of `indices`, in order, without augmentation; at least one batch. */
export async function* wholeBatches(
  data: Dataset,
  indices: Uint32Array,
  images: number,
  batch: number,
  seed: number,
): AsyncGenerator<HostBatch> {
  const count = Math.max(batch, Math.min(indices.length, images)), used = indices.subarray(0, count);
  const batcher = new Batcher(data, { batch, seed, shuffle: false, last: "drop", indices: used, stream: "statistics" });
  const host = {
    images: new Float32Array(batcher.imageElements),
    labels: new Int32Array(batch),
  };
  for (let i = 0; i < batcher.batchesPerEpoch; i++) {
    await batcher.ready(0, i);
    batcher.fill(0, i, host.images, host.labels);
    yield host;
  }
}

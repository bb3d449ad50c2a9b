/**
 * The search: alternating steps of architecture and weights on disjoint halves of the training images (DARTS, first or
 * second order), measured after each epoch and discretised at the end. Not responsible for what it has in common with
 * every run (`src/run`), nor for drawings and reports.
 * @module
 */
import { VERSION } from "../base/version.ts";
import { Batcher, splitHalves } from "../data/batches.ts";
import { type Dataset, defaultAugment } from "../data/dataset.ts";
import { datasetOf, type LabelledImages } from "../data/labelled_images.ts";
import { CERTAINTY_PARTS } from "../discretize/certainty.ts";
import { type DiscretizationReport, discretize } from "../discretize/discretize.ts";
import { decisionsOf } from "../discretize/decisions.ts";
import { needsRemovals, rulesOf, withBuiltIn } from "../discretize/registry.ts";
import type { RemovalEvidence } from "../discretize/removals.ts";
import type { Rule } from "../discretize/rule.ts";
import type { NodeStatistics } from "../discretize/statistics.ts";
import type { Gpu } from "../gpu/device.ts";
import type { PlanTarget } from "../graph/plan.ts";
import type { HostBatch, Tally } from "../run/engine.ts";
import type { Beginnings, Finished, Phase, RunOptions, RunProgress } from "../run/phase.ts";
import { runPhase } from "../run/run.ts";
import type { RunFolder } from "../run/run_folder.ts";
import { resolveSpace } from "../space/definition.ts";
import type { Genotype } from "../space/genotype.ts";
import type { SupernetConfig } from "../space/supernet.ts";
import { resolveSearchConfig, resolveSearchLayers, SEARCH_OPTIONS, type SearchConfig } from "./config.ts";
import { SearchEngine, type SearchMetric } from "./engine.ts";
import type { SearchOptions } from "./options.ts";
import { writeOutcome } from "./outcome_file.ts";
import { planSearch, type SearchPlan } from "./programs.ts";
import { EPOCH_SHAPE, type EpochRecord, imbalanceOf, summariseCorrelations, summariseWeights } from "./records.ts";
import { cosine } from "./schedule.ts";
import { type StopReason, stopReason } from "./stopping.ts";

/** Where a search is. */
export interface SearchProgress extends RunProgress {
  /** Mean loss of the weight steps of this epoch so far. */
  readonly trainLoss: number;
  /** Mean loss of the alpha steps of this epoch so far; null while the alphas are frozen. */
  readonly valLoss: number | null;
}

/** Resources and callbacks of a search; all optional. */
export interface SearchRunOptions extends RunOptions<SearchPlan, SearchProgress, EpochRecord> {
  /**
   * Rules that decide: names of built-in ones, or rules of one's own. If left out, all built-in ones that need no
   * measurements of their own. The rule that option `discretizer` names is among them in any case.
   */
  readonly methods?: readonly (string | Rule)[];
  /** Told how far the measurements are, where a rule needs the supernet measured without each operation. */
  readonly onMeasured?: (done: number, all: number) => void;
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

/** The supernet that a configuration describes for a data set. */
export function supernetConfig(
  config: SearchConfig,
  data: Pick<Dataset, "classes" | "channels" | "height" | "width">,
): SupernetConfig {
  const { classes, channels: inputChannels, height, width } = data;
  const { initChannels: channels, batchSize: batch } = config, space = resolveSpace(config.space);
  return { ...config, space, channels, batch, classes, inputChannels, height, width };
}

/**
 * Searches a cell for `data`.
 * @param options what is left out has its default; a resolved configuration is one too
 * @example A search of two steps on noise (use real images and the default options)
 * ```ts
 * import { search } from "../../mod.ts";
 * const count = 64, labels = Int32Array.from({ length: count }, (_, i) => i % 2);
 * const images = Uint8Array.from({ length: count * 64 }, (_, i) => (i * 7919) % 251);
 * const data = { images, labels, classNames: ["even", "odd"], channels: 1, height: 8, width: 8 };
 * const options = { space: "s3", initChannels: 2, cells: 3, batchSize: 8, epochs: 1, stepsPerEpoch: 2 } as const;
 * const { genotype } = await search(options, data);
 * console.assert(genotype.normal.nodes.length === 4);
 * ```
 * @throws {UsageError} for what cannot be built or does not fit the data.
 * @throws {FailureError} for what cannot be done on this machine, and when the loss stops being finite.
 * @throws the reason of `run.signal` when that was raised; the folder then holds a checkpoint, and the same call goes on.
 */
export async function search(
  options: SearchOptions,
  data: Dataset | LabelledImages,
  run: SearchRunOptions = {},
): Promise<SearchResult> {
  run.signal?.throwIfAborted();
  const config = resolveSearchConfig(options, withBuiltIn(rulesOf(run.methods)));
  return await runPhase(new SearchPhase(config, await datasetOf(data), run), run);
}

/** Options that have no effect on what a search computes. */
export function harmlessSearchOptions({ stopSkips, stopStableEpochs }: SearchConfig): readonly string[] {
  const watched = stopSkips !== null || stopStableEpochs !== null; // then its choice decides when the search ends
  return [
    "data",
    "checkpoint-steps",
    "memory-limit",
    "perturbation-images",
    ...(watched ? [] : ["discretizer", "keep"]),
  ];
}

/** The two disjoint halves of the images of a search: for its weights and for its architecture. */
export function searchHalves(config: SearchConfig, data: Dataset): { train: Uint32Array; val: Uint32Array } {
  const images = Math.min(config.images ?? data.count, data.count), half = Math.floor(images / 2);
  return splitHalves(data, config.seed, { train: half, val: images - half });
}

class SearchPhase implements Phase<SearchPlan, SearchMetric, SearchEngine, SearchProgress, EpochRecord, SearchResult> {
  readonly beginnings: Beginnings;
  readonly stepsPerEpoch: number;
  // Of equal steps the validation loss is the first one: the architecture's step comes before the weights'.
  readonly losses = [["val", "validation"], ["train", "training"]] as const;
  readonly remedies = ["weight-lr", "alpha-lr", "clip"];
  readonly epochShape = EPOCH_SHAPE;
  readonly watches: boolean;
  readonly #rules: readonly Rule[];
  readonly #onMeasured: SearchRunOptions["onMeasured"];
  readonly #halves: { readonly train: Uint32Array; readonly val: Uint32Array };
  readonly #train: Batcher;
  readonly #val: Batcher;
  readonly #hosts: { readonly train: HostBatch; readonly val: HostBatch };

  constructor(readonly config: SearchConfig, readonly data: Dataset, { methods, onMeasured }: SearchRunOptions) {
    this.#rules = rulesOf(methods, config.discretizer, resolveSpace(config.space));
    this.#onMeasured = onMeasured;
    this.beginnings = {
      kind: "search",
      options: SEARCH_OPTIONS.toRecord(config),
      read: (values, source) =>
        SEARCH_OPTIONS.toRecord(resolveSearchLayers([{ source, values }], withBuiltIn(this.#rules))),
      harmless: harmlessSearchOptions(config),
      data,
    };
    this.#halves = searchHalves(config, data);
    const shared = { batch: config.batchSize, seed: config.seed, shuffle: true, last: "drop" } as const;
    const flip = config.flip === "auto" ? defaultAugment(data, "search").flip : config.flip === "on";
    const augment = { pad: config.pad, flip };
    this.#train = new Batcher(data, { ...shared, indices: this.#halves.train, stream: "batches/train", augment });
    this.#val = new Batcher(data, { ...shared, indices: this.#halves.val, stream: "batches/val", augment });
    this.#hosts = { train: this.#train.host(), val: this.#val.host() };
    const most = Math.min(this.#train.batchesPerEpoch, this.#val.batchesPerEpoch);
    this.stepsPerEpoch = Math.min(config.stepsPerEpoch ?? most, most);
    this.watches = config.stopSkips !== null || config.stopStableEpochs !== null;
  }

  plan(limits: PlanTarget, batch: number): SearchPlan {
    return planSearch({ ...supernetConfig(this.config, this.data), batch }, this.config, limits);
  }

  create(gpu: Gpu, plan: SearchPlan): Promise<SearchEngine> {
    return SearchEngine.create(gpu, plan, this.config.seed);
  }

  initialise(engine: SearchEngine): void {
    engine.initialise(this.config.seed, this.config.alphaInit);
  }

  #weightLr(epoch: number): number {
    return cosine(this.config.weightLr, this.config.weightLrMin, epoch, this.config.epochs);
  }

  #frozen(epoch: number): boolean {
    return epoch < this.config.alphaWarmupEpochs;
  }

  async step(engine: SearchEngine, epoch: number, at: number): Promise<void> {
    const { alphaLr, alphaBeta1, alphaBeta2, alphaWarmupEpochs } = this.config, { train, val } = this.#hosts;
    const weightLr = this.#weightLr(epoch), frozen = this.#frozen(epoch);
    const alphaStep = (epoch - alphaWarmupEpochs) * this.stepsPerEpoch + at + 1;
    await Promise.all([frozen || this.#val.ready(epoch, at), this.#train.ready(epoch, at)]);
    this.#train.fill(epoch, at, train.images, train.labels);
    if (frozen) return await engine.weightStep(train, weightLr, alphaStep);
    this.#val.fill(epoch, at, val.images, val.labels);
    await engine.step(val, train, { weightLr, alphaLr, alphaStep, alphaBeta1, alphaBeta2 });
  }

  progress(at: RunProgress, { train, val }: Readonly<Record<SearchMetric, Tally>>): SearchProgress {
    return { ...at, trainLoss: train.loss, valLoss: this.#frozen(at.epoch) ? null : val.loss };
  }

  async measure(engine: SearchEngine, epoch: number, secondsPerStep: number): Promise<EpochRecord> {
    const { seed, batchSize: batch, evalImages, probeImages } = this.config, { val: half } = this.#halves;
    const indices = half.subarray(0, Math.min(evalImages, half.length)), stream = "batches/eval";
    engine.resetTallies("eval");
    const evaluation = new Batcher(this.data, { batch, seed, indices, stream, shuffle: false, last: "fill" });
    for await (const host of evaluation.batches()) await engine.evaluate(host);
    const { train, val, eval: measured } = await engine.tallies();
    const { statistics, norms } = await engine.statistics(this.#statisticsBatches(probeImages));
    const report = await this.#discretize(engine, this.#rules.filter((rule) => !needsRemovals(rule)), statistics);
    return {
      step: (epoch + 1) * this.stepsPerEpoch,
      epoch: epoch + 1,
      trainLoss: train.loss,
      trainAccuracy: train.accuracy,
      valLoss: val.count > 0 ? val.loss : null,
      valAccuracy: val.count > 0 ? val.accuracy : null,
      evalLoss: measured.loss,
      evalAccuracy: measured.accuracy,
      weightLr: this.#weightLr(epoch),
      ...summariseWeights(report),
      nodes: norms,
      imbalance: imbalanceOf(norms),
      skips: Object.fromEntries(report.methods.map((m) => [m.method, m.skips])),
      genotypes: Object.fromEntries(report.methods.map((m) => [m.method, m.text])),
      others: Object.fromEntries(decisionsOf(report).slice(report.methods.length).map((d) => [d.name, d.cells.text])),
      alike: summariseCorrelations(report),
      secondsPerStep,
    };
  }

  /** Why the search ends after `done` epochs; the number is known even where records are missing. */
  #stopReason(done: number, known: readonly EpochRecord[]): StopReason | undefined {
    return stopReason(this.config, known) ?? stopReason(this.config, [{ epoch: done, genotypes: {} }]);
  }

  ended(done: number, known: readonly EpochRecord[]): boolean {
    return this.#stopReason(done, known) !== undefined;
  }

  async finish(
    { engine, step, known, epochs, proceed }: Finished<SearchEngine, EpochRecord>,
    folder: RunFolder | undefined,
  ): Promise<SearchResult> {
    const { statisticsImages, discretizer, perturbationImages } = this.config, { plan } = engine;
    const batches = (images: number): AsyncGenerator<HostBatch> => this.#statisticsBatches(images, proceed);
    const { statistics } = await engine.statistics(batches(statisticsImages), CERTAINTY_PARTS);
    const removals = this.#rules.some(needsRemovals)
      ? await engine.removals(() => batches(perturbationImages), this.#onMeasured)
      : undefined;
    const report = await this.#discretize(engine, this.#rules, statistics, removals);
    const { genotype } = report.methods.find((m) => m.method === discretizer)!;
    const stopped = this.#stopReason(step / this.stepsPerEpoch, known)!;
    const context = { version: VERSION, step, images: statisticsImages, stopped };
    if (folder) writeOutcome(folder.path, report, discretizer, context);
    return { genotype, report, statistics, epochs, stopped, plan };
  }

  /** Batches of the architecture half. @param proceed asked before each one whether to go on */
  async *#statisticsBatches(images: number, proceed?: () => void): AsyncGenerator<HostBatch> {
    const { batchSize, seed } = this.config;
    for await (const batch of wholeBatches(this.data, this.#halves.val, images, batchSize, seed)) {
      proceed?.();
      yield batch;
    }
  }

  async #discretize(
    engine: SearchEngine,
    methods: readonly Rule[],
    statistics: readonly NodeStatistics[],
    removals?: RemovalEvidence,
  ): Promise<DiscretizationReport> {
    const { scope, shrinkage, keep, seed } = this.config, { space } = engine.plan.config;
    const options = { scope: scope as "node" | "edge", shrinkage };
    return discretize({ space, ...await engine.architecture(), statistics, removals, methods, options, keep, seed });
  }
}

/** Full batches of the first images of `indices`, in order, without augmentation; at least one batch. */
export function wholeBatches(
  data: Dataset,
  indices: Uint32Array,
  images: number,
  batch: number,
  seed: number,
): AsyncGenerator<HostBatch> {
  const count = Math.max(batch, Math.min(indices.length, images)), used = indices.subarray(0, count);
  const options = { batch, seed, shuffle: false, last: "drop", indices: used, stream: "statistics" } as const;
  return new Batcher(data, options).batches();
}

/**
 * Training of a derived network from scratch: SGD over shuffled, changed images, validated after each epoch,
 * checkpointed, and measured on the test images at the end. Everything that it draws at random is a function of the
 * seed and the step, so a run that resumes from a checkpoint has the same bits as one that never stopped. Not
 * responsible for commands and reports.
 *
 * In a run folder it keeps `checkpoint.safetensors` (to resume), `metrics.jsonl`, the models `last.safetensors` and
 * `best.safetensors` (by validation accuracy, if there are images for it), and at the end `evaluation.json`.
 * @module
 */
import { FailureError, type Remedy, text, UsageError } from "../base/errors.ts";
import type { TensorEntry } from "../base/safetensors.ts";
import type { Augment } from "../data/augment.ts";
import { Batcher, splitHalves } from "../data/batches.ts";
import { checkDataset, type Dataset, defaultAugment } from "../data/dataset.ts";
import type { Gpu } from "../gpu/device.ts";
import { DeviceLostError } from "../graph/buffers.ts";
import { tuned } from "../graph/tuning.ts";
import { checkMemory, memoryBudget } from "../run/memory.ts";
import type { RunFolder } from "../run/run_folder.ts";
import { onDevice, runSteps } from "../run/step_loop.ts";
import { scaleNetwork } from "../space/cost.ts";
import { type NetworkConfig, type NetworkForm, publishedSize } from "../space/derived.ts";
import type { Genotype } from "../space/genotype.ts";
import { budgetOf } from "../space/size_options.ts";
import type { TrainConfig } from "./config.ts";
import { drawDropMask, TrainEngine } from "./engine.ts";
import { checkMeasurable, evaluateModel } from "./inference.ts";
import { encodeModel, loadModel, type Model } from "./model_file.ts";
import { isAuxiliary, planTraining } from "./programs.ts";
import type { BestEpoch, TrainRecord, TrainResult, TrainRunOptions } from "./records.ts";
import { dropShare, learningRate } from "./schedule.ts";

/** The data of a training. */
export interface TrainData {
  /** Training images. */
  readonly train: Dataset;
  /** Images to choose the best epoch by; without them, a part of `train` is held out. */
  readonly val?: Dataset;
  /** Test images, looked at once at the end. */
  readonly test?: Dataset;
}

/** The training was stopped by its signal; its folder holds a checkpoint. */
export class TrainInterrupted extends FailureError {}

/** How many images choose the best epoch, and whether they are held out of the training images. */
export function validationOf(
  config: TrainConfig,
  { train, val }: { readonly train: Pick<Dataset, "count">; readonly val?: Pick<Dataset, "count"> },
): { readonly count: number; readonly held: boolean } {
  const { images, valImages } = config;
  if (val) return { count: Math.min(valImages ?? val.count, val.count), held: false };
  return { count: valImages ?? Math.floor(Math.min(images ?? train.count, train.count) / 10), held: true };
}

/** Model files in a run folder. */
export const LAST_MODEL = "last.safetensors", BEST_MODEL = "best.safetensors";

/**
 * The network that a configuration describes for a genotype and a data set.
 * @throws {UsageError} when no network fits the configured budget.
 */
export function networkConfig(
  config: TrainConfig,
  genotype: Genotype,
  data: Pick<Dataset, "classes" | "channels" | "height" | "width">,
): NetworkConfig {
  const { classes, channels: inputChannels, height, width } = data, form: NetworkForm = config.form;
  const base = { genotype, form, classes, inputChannels, height, width }, budget = budgetOf(config);
  if (budget) return scaleNetwork(base, budget, config.cells ?? undefined);
  const { channels, cells } = publishedSize(genotype, form);
  return { ...base, channels: config.initChannels ?? channels, cells: config.cells ?? cells };
}

/** The random changes that a configuration asks for: its own, and for the rest those that suit the data. */
export function trainAugment(config: TrainConfig, data: Dataset): Augment {
  const suited = defaultAugment(data, "train"), { pad, flip, cutout, resizedCrop, jitter } = config;
  return {
    pad: pad ?? suited.pad,
    flip: flip === "auto" ? suited.flip : flip === "on",
    cutout: cutout ?? suited.cutout,
    resizedCrop: resizedCrop ?? suited.resizedCrop,
    jitter: jitter ?? suited.jitter,
  };
}

/**
 * Trains a network of `genotype`.
 * @example A training of four steps on noise (use real images and more of everything)
 * ```ts
 * import { DARTS_V2 } from "../space/published.ts";
 * import { resolveTrainConfig } from "./config.ts";
 * import { train } from "./train.ts";
 * const count = 40, labels = Int32Array.from({ length: count }, (_, i) => i % 2);
 * const images = Uint8Array.from({ length: count * 64 }, (_, i) => (i * 7919) % 251);
 * const noise = {
 *   name: "noise", images, labels, count, channels: 1, height: 8, width: 8, classes: 2,
 *   classNames: ["even", "odd"], mean: [0.5], std: [0.3], fingerprint: "0",
 * };
 * const config = resolveTrainConfig([{
 *   source: "example",
 *   values: { "init-channels": 4, cells: 3, "batch-size": 8, epochs: 1, "auxiliary-weight": 0 },
 * }]);
 * const { model, epochs } = await train(config, DARTS_V2, { train: noise });
 * console.assert(epochs[0].step === 4 && model.network.cells === 3);
 * ```
 * @throws {UsageError} for what cannot be built or does not fit the data.
 * @throws {FailureError} for what cannot be done on this machine, and when the loss stops being finite.
 * @throws {TrainInterrupted} when `options.signal` was raised.
 */
export async function train(
  config: TrainConfig,
  genotype: Genotype,
  data: TrainData,
  options: TrainRunOptions = {},
): Promise<TrainResult> {
  for (const part of [data.train, data.val, data.test]) if (part) checkDataset(part);
  const run = new TrainRun(config, networkConfig(config, genotype, data.train), data, options);
  return await onDevice(options.gpu, options.warn, (gpu) => run.on(tuned(gpu, config.tuning, options.warn)));
}

/** What to do when numbers grow beyond all bounds. */
const SMALLER_STEPS: Remedy = { kind: "lower", options: ["lr", "clip"], afresh: true };

/** Newest state on the host: what a new device starts from. */
interface Snapshot {
  readonly step: number;
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  readonly best: BestEpoch | null;
  readonly bestModel: Model | null;
}

class TrainRun {
  readonly #batcher: Batcher;
  /** Images that choose the best epoch. */
  readonly #validation: Batcher | undefined;
  /** Fingerprint of those that are no part of the training images. */
  readonly #validationPrint: string | null;
  readonly #stepsPerEpoch: number;
  readonly #records: TrainRecord[] = [];
  #best: BestEpoch | null = null;
  #bestModel: Model | null = null;
  #snapshot: Snapshot | undefined;

  constructor(
    readonly config: TrainConfig,
    readonly network: NetworkConfig,
    readonly data: TrainData,
    readonly options: TrainRunOptions,
  ) {
    const { train, val } = data, { batchSize: batch, seed } = config, { count, held } = validationOf(config, data);
    if (val) checkMeasurable({ network, classNames: train.classNames }, val);
    const some = (set: Dataset, size: number): Uint32Array | undefined =>
      size === set.count ? undefined : splitHalves(set, seed, { train: size, val: set.count - size }).train;
    const total = Math.min(config.images ?? train.count, train.count);
    const halves = held && count > 0 ? splitHalves(train, seed, { train: total - count, val: count }) : undefined;
    const indices = halves ? halves.train : some(train, total);
    const augment = trainAugment(config, train), shared = { batch, seed };
    const stream = "batches/training";
    this.#batcher = new Batcher(train, { ...shared, indices, stream, augment, shuffle: true, last: "drop" });
    if (count > 0) {
      // Normalised as in training, whatever the statistics of a set of its own are.
      const set = val ? { ...val, mean: train.mean, std: train.std } : train, chosen = halves?.val ?? some(set, count);
      this.#validation = new Batcher(set, {
        ...shared,
        indices: chosen,
        stream: "batches/held",
        shuffle: false,
        last: "fill",
      });
    }
    this.#validationPrint = val && count > 0 ? val.fingerprint : null;
    const most = this.#batcher.batchesPerEpoch;
    this.#stepsPerEpoch = Math.min(config.stepsPerEpoch ?? most, most);
    if (options.resume && options.folder) this.#snapshot = this.#readSnapshot(options.folder);
  }

  #readSnapshot(folder: RunFolder): Snapshot | undefined {
    const checkpoint = folder.readCheckpoint();
    if (!checkpoint) return undefined;
    const state = checkpoint.state as
      | { fingerprint?: unknown; validation?: unknown; genotype?: unknown; best?: BestEpoch | null }
      | null;
    const refuse = (what: string): never => {
      throw new UsageError(`Cannot resume '${folder.path}' with ${what} that the run began with`);
    };
    const { train } = this.data;
    if (state?.fingerprint !== train.fingerprint) refuse(`data set '${train.name}': the images are not those`);
    if ((state?.validation ?? null) !== this.#validationPrint) refuse("validation images: they are not those");
    if (state?.genotype !== JSON.stringify(this.network.genotype)) refuse("this genotype: it is not the one");
    const bestModel = state?.best ? this.#readBest(folder.file(BEST_MODEL)) : null;
    const best = bestModel ? state?.best ?? null : null;
    return { step: checkpoint.step, tensors: checkpoint.tensors, best, bestModel };
  }

  #readBest(path: string): Model | null {
    try {
      return loadModel(path);
    } catch (error) {
      if (!(error instanceof FailureError)) throw error;
      this.options.warn?.(`${error.message}; the best epoch is chosen from those to come`);
      return null;
    }
  }

  /** Runs to the end on one device, from the newest snapshot or from the start. */
  async on(gpu: Gpu): Promise<TrainResult> {
    const { config, network, options } = this, { batchSize, epochs } = config, { folder } = options;
    const plan = planTraining(network, batchSize, config, gpu.limits), steps = this.#stepsPerEpoch;
    checkMemory(
      plan.bytes,
      memoryBudget(gpu, config.memoryLimit),
      batchSize,
      (batch) => planTraining(network, batch, config, gpu.limits).bytes,
      "train",
    );
    options.onStart?.(plan, gpu, steps);
    const engine = await TrainEngine.create(gpu, plan, config.seed);
    let last: Model;
    try {
      const snapshot = this.#snapshot, start = snapshot?.step ?? 0;
      if (snapshot) engine.load(snapshot.tensors, folder?.path ?? "snapshot");
      else engine.initialise(config.seed);
      this.#best = snapshot?.best ?? null;
      this.#bestModel = snapshot?.bestModel ?? null;
      folder?.truncateMetrics(start === 0 ? -1 : start);
      this.#records.splice(0, this.#records.length, ...this.#records.filter((r) => r.step <= start));
      for (let step = start; step < epochs * steps;) step = await this.#epoch(engine, step);
      last = this.#model(this.#snapshot!.tensors, epochs);
    } finally {
      engine.destroy();
    }
    const model = this.#bestModel ?? last, modelFile = this.#bestModel ? BEST_MODEL : LAST_MODEL;
    const { test } = this.data;
    const measured = test
      ? await evaluateModel(model, test, { gpu, batch: batchSize, onProgress: options.onTest })
      : null;
    const result = { model, modelFile, best: this.#best, test: measured, epochs: this.#records, plan };
    const { classNames } = model;
    folder?.writeJson("evaluation.json", { model: modelFile, best: this.#best, classNames, test: measured });
    return result;
  }

  /** Runs from `start` to the end of its epoch. @returns the steps done then. */
  async #epoch(engine: TrainEngine, start: number): Promise<number> {
    const { config, options } = this, { epochs, seed, batchSize } = config, steps = this.#stepsPerEpoch;
    const epoch = Math.floor(start / steps), end = (epoch + 1) * steps, { paths } = engine.plan;
    const host = this.#hostBatch();
    if (start % steps === 0) engine.resetTallies("train", "auxiliary");
    const secondsPerStep = await runSteps({
      start,
      end,
      checkpointSteps: config.checkpointSteps,
      signal: options.signal,
      compileSeconds: () => engine.runtime.compileSeconds,
      submit: async (step) => {
        await this.#batcher.ready(epoch, step % steps);
        this.#batcher.fill(epoch, step % steps, host.images, host.labels);
        if (paths > 0) drawDropMask(engine.dropMask, paths, batchSize, seed, step, dropShare(config, step, steps));
        return engine.step(host, learningRate(config, step, steps), step);
      },
      look: async (step) => {
        const { train, auxiliary } = await engine.tallies();
        this.#checkLoss(train.firstBadStep || auxiliary.firstBadStep, epoch);
        return (secondsPerStep) =>
          options.onProgress?.({
            epoch,
            epochs,
            step: (step - 1) % steps + 1,
            stepsPerEpoch: steps,
            trainLoss: train.loss,
            trainAccuracy: train.accuracy,
            secondsPerStep,
          });
      },
      checkpoint: (step) => this.#checkpoint(engine, step, epoch),
      interrupt: (step) => this.#interrupt(step),
    });
    const { record, improved } = await this.#measure(engine, end, secondsPerStep);
    this.#records.push(record);
    options.folder?.appendMetric({ ...record }); // before the checkpoint: a resumed run drops what came after it
    await this.#checkpoint(engine, end, epoch, improved);
    options.onEpoch?.(record);
    if (options.signal?.aborted && end < epochs * steps) this.#interrupt(end);
    return end;
  }

  #hostBatch(): { images: Float32Array<ArrayBuffer>; labels: Int32Array<ArrayBuffer> } {
    return { images: new Float32Array(this.#batcher.imageElements), labels: new Int32Array(this.config.batchSize) };
  }

  #interrupt(step: number): never {
    throw new TrainInterrupted(`Stopped after step ${step}`);
  }

  #checkLoss(bad: number, epoch: number): void {
    if (bad === 0) return;
    throw new FailureError(
      `The training loss is no longer a finite number at step ${epoch * this.#stepsPerEpoch + bad} ` +
        `(epoch ${epoch + 1})${this.#keptCheckpoint()}`,
      { remedies: [SMALLER_STEPS] },
    );
  }

  #keptCheckpoint(): string {
    const { folder } = this.options;
    if (!folder) return "";
    return this.#snapshot
      ? `the checkpoint of step ${this.#snapshot.step} is kept in '${folder.path}'; `
      : "there is no checkpoint yet; ";
  }

  /** The network of a checkpoint's tensors, without what only training needs. */
  #model(tensors: ReadonlyMap<string, TensorEntry>, epoch: number): Model {
    const { train: { classNames, mean, std, name } } = this.data, { seed, epochs } = this.config;
    const kept = [...tensors].filter(([path]) => {
      const [arena, variable] = path.split("/");
      return (arena === "weights" || arena === "running") && !isAuxiliary(variable);
    });
    const valAccuracy = this.#best?.epoch === epoch ? this.#best.accuracy : undefined;
    const notes = { data: name, epoch, epochs, seed, ...(valAccuracy === undefined ? {} : { valAccuracy }) };
    const version = this.options.version ?? "unknown";
    return { network: this.network, classNames, mean, std, version, notes, tensors: new Map(kept) };
  }

  /** Saves the state; after an epoch (`improved` is given) the models too. */
  async #checkpoint(engine: TrainEngine, step: number, epoch: number, improved?: boolean): Promise<void> {
    let list: [string, TensorEntry][];
    try {
      list = await engine.save();
    } catch (error) {
      if (!(error instanceof FailureError) || error instanceof DeviceLostError) throw error;
      throw new FailureError(
        text`${error} after step ${step} (epoch ${epoch + 1})${this.#keptCheckpoint()}`,
        { remedies: [SMALLER_STEPS] },
      );
    }
    const tensors = new Map(list), { folder } = this.options;
    if (improved !== undefined) {
      const model = this.#model(tensors, epoch + 1);
      if (improved) this.#bestModel = model;
      if (improved) folder?.writeFile(BEST_MODEL, encodeModel(model));
      folder?.writeFile(LAST_MODEL, encodeModel(model));
    }
    folder?.writeCheckpoint(step, list, {
      fingerprint: this.data.train.fingerprint,
      validation: this.#validationPrint,
      genotype: JSON.stringify(this.network.genotype),
      epoch,
      stepsPerEpoch: this.#stepsPerEpoch,
      best: this.#best,
    });
    this.#snapshot = { step, tensors, best: this.#best, bestModel: this.#bestModel };
  }

  /** Validates after an epoch, and finds out whether it is the best one. */
  async #measure(
    engine: TrainEngine,
    step: number,
    secondsPerStep: number,
  ): Promise<{ record: TrainRecord; improved: boolean }> {
    const { config } = this, steps = this.#stepsPerEpoch, epoch = step / steps, validation = this.#validation;
    if (validation) {
      const host = this.#hostBatch();
      engine.resetTallies("eval");
      for (let i = 0; i < validation.batchesPerEpoch; i++) {
        await validation.ready(0, i);
        validation.fill(0, i, host.images, host.labels);
        await engine.evaluate(host);
      }
    }
    const { train, auxiliary, eval: measured } = await engine.tallies(), best = this.#best;
    const improved = validation !== undefined && Number.isFinite(measured.loss) &&
      (!best || measured.accuracy > best.accuracy ||
        (measured.accuracy === best.accuracy && measured.loss < best.loss));
    if (improved) this.#best = { epoch, accuracy: measured.accuracy, loss: measured.loss };
    const record: TrainRecord = {
      step,
      epoch,
      trainLoss: train.loss,
      trainAccuracy: train.accuracy,
      auxiliaryLoss: config.auxiliaryWeight > 0 ? auxiliary.loss : null,
      valLoss: validation ? measured.loss : null,
      valAccuracy: validation ? measured.accuracy : null,
      best: improved,
      lr: learningRate(config, step - steps, steps),
      dropPath: dropShare(config, step - steps, steps),
      secondsPerStep,
    };
    return { record, improved };
  }
}

/**
 * Training of a derived network from scratch: SGD over shuffled, changed images, validated after each epoch, and
 * measured on the test images at the end. Not responsible for what it has in common with every run (`src/run`), nor
 * for commands and reports.
 *
 * In a run folder it keeps, besides what every run does, the models `last.safetensors` and `best.safetensors` (by
 * validation accuracy, if there are images for it), and at the end `evaluation.json`.
 * @module
 */
import { FailureError, UsageError } from "../base/errors.ts";
import { Random } from "../base/random.ts";
import type { TensorEntry } from "../base/safetensors.ts";
import { VERSION } from "../base/version.ts";
import { checkShape, listOf, mapping, nullable, optional } from "../base/shape.ts";
import { Batcher, splitHalves } from "../data/batches.ts";
import { CutMix, type MixedLabels } from "../data/cutmix.ts";
import type { Dataset } from "../data/dataset.ts";
import type { LabelledImages } from "../data/labelled_images.ts";
import { fingerprintOf } from "../data/statistics.ts";
import type { Gpu } from "../gpu/device.ts";
import type { PlanTarget } from "../graph/plan.ts";
import type { HostBatch, Tally } from "../run/engine.ts";
import type { Beginnings, Finished, Phase, RunProgress } from "../run/phase.ts";
import { runPhase } from "../run/run.ts";
import type { RunFolder } from "../run/run_folder.ts";
import type { NetworkConfig } from "../space/derived.ts";
import { checkGenotype, type Genotype } from "../space/genotype.ts";
import { resolveTrainConfig, resolveTrainLayers, TRAIN_OPTIONS, type TrainConfig } from "./config.ts";
import { drawDropMask, TrainEngine, type TrainMetric } from "./engine.ts";
import { checkMeasurable } from "./evaluation.ts";
import { evaluateModel } from "./inference.ts";
import { encodeModel, loadModel, type Model } from "./model_file.ts";
import type { TrainOptions } from "./options.ts";
import { isAuxiliary, planTraining, type TrainPlan } from "./programs.ts";
import {
  BEST_SHAPE,
  type BestEpoch,
  EPOCH_SHAPE,
  SHARE_SHAPE,
  type TrainProgress,
  type TrainRecord,
  type TrainResult,
  type TrainRunOptions,
} from "./records.ts";
import { dropShare, learningRate } from "./schedule.ts";
import { networkConfig, trainAugment, type TrainData, trainDataOf, validationOf } from "./setup.ts";

export { networkConfig, trainAugment, type TrainData, validationOf } from "./setup.ts";

/** Model files in a run folder. */
export const LAST_MODEL = "last.safetensors", BEST_MODEL = "best.safetensors";

/** Options that have no effect on what a training computes. */
export const HARMLESS_TRAIN_OPTIONS: readonly string[] = ["data", "checkpoint-steps", "memory-limit"];

/**
 * Trains a network of `genotype`.
 * @param options what is left out has its default; a resolved configuration is one too
 * @example A training of four steps on noise (use real images and more of everything)
 * ```ts
 * import { DARTS_V2 } from "../space/published.ts";
 * import { train } from "./train.ts";
 * const count = 40, labels = Int32Array.from({ length: count }, (_, i) => i % 2);
 * const images = Uint8Array.from({ length: count * 64 }, (_, i) => (i * 7919) % 251);
 * const noise = { images, labels, classNames: ["even", "odd"], channels: 1, height: 8, width: 8 };
 * const options = { initChannels: 4, cells: 3, batchSize: 8, epochs: 1, auxiliaryWeight: 0 };
 * const { model, epochs } = await train(options, DARTS_V2, { train: noise });
 * console.assert(epochs[0].step === 4 && model.network.cells === 3);
 * ```
 * @throws {UsageError} for what cannot be built or does not fit the data.
 * @throws {FailureError} for what cannot be done on this machine, and when the loss stops being finite.
 * @throws the reason of `run.signal` when that was raised; the folder then holds a checkpoint, and the same call goes on.
 */
export async function train(
  options: TrainOptions,
  genotype: Genotype,
  images: TrainData<Dataset | LabelledImages>,
  run: TrainRunOptions = {},
): Promise<TrainResult> {
  run.signal?.throwIfAborted();
  const config = resolveTrainConfig(options), data = await trainDataOf(images);
  const from = run.from ? await fingerprintOf([], encodeModel(run.from), new Int32Array()) : null;
  return await runPhase(new TrainPhase(config, networkConfig(config, genotype, data.train), data, run, from), run);
}

/** The images that a training looks at: those of its steps, and those that choose the best epoch. */
function trainBatchers(config: TrainConfig, { train, val }: TrainData): { steps: Batcher; validation?: Batcher } {
  const { batchSize: batch, seed } = config, { count, held } = validationOf(config, { train, val });
  const some = (set: Dataset, size: number): Uint32Array | undefined =>
    size === set.count
      ? undefined // nothing is held out, so copies need not stay together
      : splitHalves({ ...set, firsts: undefined }, seed, { train: size, val: set.count - size }).train;
  const total = Math.min(config.images ?? train.count, train.count);
  const halves = held && count > 0 ? splitHalves(train, seed, { train: total - count, val: count }) : undefined;
  const steps = new Batcher(train, {
    batch,
    seed,
    indices: halves ? halves.train : some(train, total),
    stream: "batches/training",
    augment: trainAugment(config, train),
    shuffle: true,
    last: "drop",
  });
  if (count === 0) return { steps };
  // Normalised as in training, whatever the statistics of a set of its own are.
  const set = val ? { ...val, mean: train.mean, std: train.std } : train, indices = halves?.val ?? some(set, count);
  const validation = new Batcher(set, { batch, seed, indices, stream: "batches/held", shuffle: false, last: "fill" });
  return { steps, validation };
}

/** What a checkpoint holds besides the tensors. */
interface State {
  readonly best: BestEpoch | null;
  /** Share of the schedule after each epoch; absent without a pace. */
  readonly shares: readonly number[] | undefined;
}

const STATE_SHAPE = mapping<State>({ best: nullable(BEST_SHAPE), shares: optional(listOf(SHARE_SHAPE)) });

class TrainPhase implements Phase<TrainPlan, TrainMetric, TrainEngine, TrainProgress, TrainRecord, TrainResult> {
  readonly beginnings: Beginnings;
  readonly stepsPerEpoch: number;
  readonly losses = [["train", "training"], ["auxiliary", "training"]] as const;
  readonly remedies = ["lr", "clip"];
  readonly epochShape = EPOCH_SHAPE;
  readonly watches = false;
  readonly #steps: Batcher;
  /** Images that choose the best epoch. */
  readonly #validation: Batcher | undefined;
  readonly #cutmix: CutMix | undefined;
  readonly #host: HostBatch & Partial<MixedLabels>;
  #best: BestEpoch | null = null;
  #bestModel: Model | null = null;

  constructor(
    readonly config: TrainConfig,
    readonly network: NetworkConfig,
    readonly data: TrainData,
    readonly options: TrainRunOptions,
    from: string | null,
  ) {
    const { train, val } = data, { genotype } = network, { name = "a genotype", search = null } = options;
    if (val) checkMeasurable({ network, classNames: train.classNames }, val);
    const { steps, validation } = trainBatchers(config, data);
    this.#steps = steps;
    this.#validation = validation;
    this.#cutmix = config.cutmix > 0 ? new CutMix(config.batchSize, train) : undefined;
    this.#host = { ...steps.host(), others: this.#cutmix?.others, shares: this.#cutmix?.shares };
    this.stepsPerEpoch = config.stepsPerEpoch ?? steps.batchesPerEpoch;
    const print = val && validation ? val.fingerprint : null;
    this.beginnings = {
      kind: "train",
      options: TRAIN_OPTIONS.toRecord(config),
      read: (values, source) => TRAIN_OPTIONS.toRecord(resolveTrainLayers([{ source, values }])),
      harmless: HARMLESS_TRAIN_OPTIONS,
      data: train,
      parts: {
        validation: { value: print, refusal: "validation images: they are not those" },
        genotype: { value: JSON.stringify(genotype), refusal: "this genotype: it is not the one" },
        from: { value: from, refusal: "these weights to start from: they are not those" },
      },
      notes: { genotype, name, search },
    };
  }

  plan(limits: PlanTarget, batch: number): TrainPlan {
    return planTraining(this.network, batch, this.config, limits);
  }

  create(gpu: Gpu, plan: TrainPlan): Promise<TrainEngine> {
    return TrainEngine.create(gpu, plan, this.config.seed);
  }

  initialise(engine: TrainEngine): void {
    const { config: { seed }, options: { from } } = this;
    if (from) engine.initialiseFrom(seed, from);
    else engine.initialise(seed);
  }

  async step(engine: TrainEngine, epoch: number, at: number): Promise<void> {
    const { config, stepsPerEpoch } = this, { seed } = config, { paths, batch: images } = engine.plan;
    const step = epoch * stepsPerEpoch + at, position = this.#position(epoch, at);
    const share = dropShare(config, position, stepsPerEpoch);
    const { batchesPerEpoch: pass } = this.#steps,
      [over, batch] = stepsPerEpoch > pass
        ? [Math.floor(step / pass), step % pass] // an epoch of several passes
        : [epoch, at];
    await this.#steps.ready(over, batch);
    this.#steps.fill(over, batch, this.#host.images, this.#host.labels);
    if (this.#cutmix) this.#mix(this.#cutmix, step);
    if (paths > 0) drawDropMask(engine.dropMask, paths, images, seed, step, share);
    await engine.step(this.#host, learningRate(config, position, stepsPerEpoch), step);
  }

  /** Mixes the images of a step, or not: a pure function of the seed and the step. */
  #mix(mixed: CutMix, step: number): void {
    const { seed, cutmix } = this.config, random = new Random(seed, "train/cutmix", step);
    if (random.uniform() < cutmix) mixed.mix(this.#host, random);
    else mixed.leave(this.#host);
  }

  /** Where step `at` of `epoch` stands in the schedule, in steps of it. */
  #position(epoch: number, at: number): number {
    const { config, stepsPerEpoch, options: { pace } } = this;
    if (!pace) return epoch * stepsPerEpoch + at;
    const { shares } = pace, done = shares[epoch - 1] ?? 0;
    shares[epoch] ??= Math.max(done, Math.min(1, pace.next(epoch, done)));
    return (done + (shares[epoch] - done) * at / stepsPerEpoch) * config.epochs * stepsPerEpoch;
  }

  progress(at: RunProgress, { train }: Readonly<Record<TrainMetric, Tally>>): TrainProgress {
    return { ...at, trainLoss: train.loss, trainAccuracy: train.accuracy };
  }

  async measure(engine: TrainEngine, epoch: number, secondsPerStep: number): Promise<TrainRecord> {
    const { config, stepsPerEpoch: steps } = this, validation = this.#validation, best = this.#best;
    if (validation) {
      engine.resetTallies("eval");
      for await (const host of validation.batches()) await engine.evaluate(host);
    }
    const { train, auxiliary, eval: { loss, accuracy } } = await engine.tallies();
    const improved = validation !== undefined && Number.isFinite(loss) &&
      (!best || accuracy > best.accuracy || (accuracy === best.accuracy && loss < best.loss));
    return {
      step: (epoch + 1) * steps,
      epoch: epoch + 1,
      trainLoss: train.loss,
      trainAccuracy: train.accuracy,
      auxiliaryLoss: config.auxiliaryWeight > 0 ? auxiliary.loss : null,
      valLoss: validation ? loss : null,
      valAccuracy: validation ? accuracy : null,
      best: improved,
      lr: learningRate(config, this.#position(epoch, 0), steps),
      dropPath: dropShare(config, this.#position(epoch, 0), steps),
      secondsPerStep,
    };
  }

  /** Writes the models; `measure` must have no say in what is the best one while a lost device may undo the epoch. */
  keep(record: TrainRecord, tensors: ReadonlyMap<string, TensorEntry>, folder: RunFolder | undefined): void {
    const { epoch, best, valAccuracy, valLoss } = record;
    if (best) this.#best = { epoch, accuracy: valAccuracy!, loss: valLoss! };
    const model = this.#model(tensors, epoch);
    if (best) this.#bestModel = model;
    if (best) folder?.writeFile(BEST_MODEL, encodeModel(model));
    folder?.writeFile(LAST_MODEL, encodeModel(model));
    this.options.onModel?.(model, epoch);
  }

  state(): Readonly<Record<string, unknown>> {
    return { best: this.#best, shares: this.options.pace?.shares };
  }

  resume(state: Readonly<Record<string, unknown>>, folder: RunFolder): void {
    const { best, shares } = checkShape(STATE_SHAPE, state, `the checkpoint of '${folder.path}'`);
    const { pace } = this.options;
    if ((shares === undefined) !== (pace === undefined)) {
      throw new UsageError(
        `Cannot resume '${folder.path}' as its learning rate ${shares ? "followed" : "did not follow"} a clock: go on ${
          shares ? "with the run that it is a part of" : "without a pace"
        }`,
      );
    }
    if (shares) pace!.shares.splice(0, Infinity, ...shares);
    if (!best) return;
    const file = folder.file(BEST_MODEL), { epoch } = best;
    try {
      const model = loadModel(file), { notes, network: { genotype } } = model;
      // A kill between an epoch's model and its checkpoint leaves the model of an epoch that is trained again.
      const own = Number(notes.epoch) >= epoch && notes.seed === this.config.seed &&
        JSON.stringify(genotype) === JSON.stringify(checkGenotype(this.network.genotype, "the genotype"));
      if (!own) throw new FailureError(`Cannot use '${file}' as it must be the model of epoch ${epoch} of this run`);
      this.#bestModel = model;
      this.#best = best;
    } catch (error) {
      if (!(error instanceof FailureError)) throw error;
      this.options.warn?.(`${error.message}; the best epoch is chosen from those to come`);
    }
  }

  ended(done: number): boolean {
    const { pace } = this.options;
    return pace ? pace.shares[done - 1] >= 1 : done >= this.config.epochs;
  }

  async finish(
    { gpu, engine, step, epochs, tensors }: Finished<TrainEngine, TrainRecord>,
    folder: RunFolder | undefined,
  ): Promise<TrainResult> {
    const { plan } = engine, { onTest: onProgress, signal } = this.options;
    engine.destroy(); // its memory is needed
    const model = this.#bestModel ?? this.#model(tensors, step / this.stepsPerEpoch), best = this.#best;
    const modelFile = this.#bestModel ? BEST_MODEL : LAST_MODEL, { classNames } = model, set = this.data.test;
    const test = set ? await evaluateModel(model, set, { gpu, onProgress, signal }) : null;
    folder?.writeJson("evaluation.json", { model: modelFile, best, classNames, test });
    return { model, modelFile, best, test, epochs, plan };
  }

  /** The network of a checkpoint's tensors, without what only training needs. */
  #model(tensors: ReadonlyMap<string, TensorEntry>, epoch: number): Model {
    const { train: { classNames, mean, std, name } } = this.data, { seed } = this.config;
    const epochs = this.ended(epoch) ? epoch : Math.max(this.config.epochs, epoch);
    const kept = [...tensors].filter(([path]) => {
      const [arena, variable] = path.split("/");
      return (arena === "weights" || arena === "running") && !isAuxiliary(variable);
    });
    const valAccuracy = this.#best?.epoch === epoch ? this.#best.accuracy : undefined;
    const notes = { data: name, epoch, epochs, seed, ...(valAccuracy === undefined ? {} : { valAccuracy }) };
    return { network: this.network, classNames, mean, std, version: VERSION, notes, tensors: new Map(kept) };
  }
}

/**
 * `auto`: the best small network for some images within a time. Plain residual networks, published cells and the cells
 * of a search on these very images are trained at equal effort and halved again and again by their answers to held-out
 * images; the winner is trained on, with all images, for as long as there is time, and measured once on the test images.
 * At every moment the folder holds the best network so far. Not responsible for drawing reports.
 *
 * Why like this: users of other tools meet limits that are overrun, an error where a model was ready, a winner that is
 * trained anew in too little time. Here weights are kept from rung to rung, every decision is in the ledger before it is
 * carried out, and nothing that went wrong in a trial ends the run while there is a network.
 * @module
 */
import { FailureError } from "../base/errors.ts";
import { exists, joinPath } from "../base/files.ts";
import { VERSION } from "../base/version.ts";
import type { Dataset } from "../data/dataset.ts";
import type { LabelledImages } from "../data/labelled_images.ts";
import { splitHalves } from "../data/split.ts";
import { subsetInMemory, subsetOf } from "../data/subset.ts";
import { exportOnnx } from "../export/onnx.ts";
import { type Gpu, openGpu } from "../gpu/device.ts";
import { RunFolder } from "../run/run_folder.ts";
import type { Beginnings } from "../run/phase.ts";
import { checkRecord, writeRecord } from "../run/run_record.ts";
import { search } from "../search/search.ts";
import { evaluateModel } from "../train/inference.ts";
import { encodeModel, loadModel, type Model } from "../train/model_file.ts";
import { type TrainData, trainDataOf } from "../train/setup.ts";
import { LAST_MODEL } from "../train/train.ts";
import { type Budget, clockBudget, stepBudget } from "./budget.ts";
import {
  type CandidateNetwork,
  knownCandidates,
  type Origin,
  searchedCandidates,
  type SizeQuestion,
} from "./candidates.ts";
import {
  amountOf,
  AUTO_OPTIONS,
  type AutoConfig,
  constraintsOf,
  HARMLESS_AUTO_OPTIONS,
  resolveAutoConfig,
  resolveAutoLayers,
} from "./config.ts";
import { pairedDifference, shareInterval } from "./interval.ts";
import { type Entry, Ledger } from "./ledger.ts";
import type { AutoOptions } from "./options.ts";
import type {
  AutoEvent,
  AutoOutcome,
  AutoResult,
  SearchVerdict,
  Standing,
  TrialResult,
  WrongImage,
} from "./records.ts";
import { type Schedule, schedule, survivors } from "./schedule.ts";
import { answersOf, batchFor, measureStep, runTrial, trialFolder, type TrialPlan, trialPlan } from "./trial.ts";
import { type TrivialResult, trivialResults } from "./trivial.ts";

/** The images of a run: candidates are compared on `val`, or on a part of `train` that is held out. */
export type AutoData<D = Dataset> = TrainData<D>;

/** Resources and callbacks; all optional. */
export interface AutoRunOptions {
  /** Device to use; one is opened if left out. */
  readonly gpu?: Gpu;
  /** Folder for everything; a run that is there already is gone on with. Without one nothing is written. */
  readonly folder?: string | RunFolder;
  /** Stops it; the call rejects with the signal's reason, and the same call goes on. */
  readonly signal?: AbortSignal;
  /** When the time began, by `performance.now()`; now if left out. 0 counts the start of the process. */
  readonly began?: number;
  /** Decisions of another run, to be taken again. */
  readonly repeat?: readonly Entry[];
  /** Told what happens. */
  readonly onEvent?: (event: AutoEvent) => void;
  /** Told where a phase stands, from 0 to 1. */
  readonly onProgress?: (what: string, share: number) => void;
  /** Told in one sentence what was repaired. */
  readonly warn?: (message: string) => void;
}

/** File names in the folder. */
export const AUTO_MODEL = "model.safetensors", AUTO_ONNX = "model.onnx", AUTO_RESULT = "result.json";

/** The time is over. */
class TimeOver extends Error {}

/**
 * Finds the best small network for some images.
 * @param options what is left out has its default; `time` is ten minutes then
 * @example Sixty training steps on noise (use real images and minutes)
 * ```ts
 * import { auto } from "./auto.ts";
 * const count = 60, labels = Int32Array.from({ length: count }, (_, i) => i % 2);
 * const images = Uint8Array.from({ length: count * 64 }, (_, i) => (i * 7919) % 251);
 * const noise = { images, labels, classNames: ["even", "odd"], channels: 1, height: 8, width: 8 };
 * const { leaderboard, winner } = await auto({ steps: 60, search: "off", params: "20k" }, { train: noise });
 * console.assert(leaderboard.some(({ candidate }) => candidate.name === winner));
 * ```
 * @throws {UsageError} for what cannot be built or does not fit the images.
 * @throws {FailureError} for what cannot be done on this machine.
 * @throws the reason of `run.signal` when that was raised.
 */
export async function auto(
  options: AutoOptions,
  images: AutoData<Dataset | LabelledImages>,
  run: AutoRunOptions = {},
): Promise<AutoResult> {
  const { signal, warn, began = performance.now() } = run;
  signal?.throwIfAborted();
  const config = resolveAutoConfig(options), data = await trainDataOf(images);
  const folder = typeof run.folder === "string" ? RunFolder.enter(run.folder, { warn }) : run.folder;
  const gpu = run.gpu ?? await openGpu();
  try {
    const beginnings = beginningsOf(config, data.train);
    if (folder?.begun) checkRecord(folder, beginnings);
    else if (folder) writeRecord(folder, beginnings, gpu.name);
    return await new Auto(config, data, { ...run, began }, folder, gpu).run();
  } finally {
    if (!run.gpu) gpu.device.destroy();
    if (typeof run.folder === "string") folder!.close();
  }
}

function beginningsOf(config: AutoConfig, data: Dataset): Beginnings {
  return {
    kind: "auto",
    options: AUTO_OPTIONS.toRecord(config),
    read: (values, source) => AUTO_OPTIONS.toRecord(resolveAutoLayers([{ source, values }])),
    harmless: HARMLESS_AUTO_OPTIONS,
    data,
  };
}

/** A split of the images. */
interface Fold {
  /** What is trained on. */
  readonly train: Dataset;
  /** What candidates are compared on, in memory. */
  readonly held: Dataset;
}

/** A candidate on its way. */
interface Runner {
  readonly candidate: CandidateNetwork;
  readonly secondsPerStep: number;
  /** Its network on each split. */
  models: readonly Model[];
  standing: Standing;
}

/** Most images that candidates are compared on. */
const MOST_HELD = 2000;
/** Share of the training images that is held out. */
const HELD_SHARE = 0.2;
/** Held-out images below which several splits are made, and how many. */
const FEW_HELD = 100, SPLITS = 3;
/** Seconds for the end, without the test images: export, report. */
const END_SECONDS = 4;
/** Seconds of a trial besides its steps. */
const TRIAL_SECONDS = 1.5;
/** Share of what is left that the winner's steps are planned to take. */
const FINAL_SHARE = 0.93;
/** Multiply-accumulates of training that a second pays for where nothing may be measured, by a CPU. */
const NOMINAL_RATE = 8e9;
/** How much slower than plain networks those of separable convolutions are, for each multiply-accumulate. */
const SLOWER: Readonly<Record<Origin, number>> = { plain: 1, published: 3, searched: 3 };
/** Share of the budget that sees the winner's steps, about. */
const WINNER_SHARE = 0.5;
/** Images that the network is most wrong about which are shown. */
const WRONG_SHOWN = 12;

class Auto {
  readonly #config: AutoConfig;
  readonly #data: AutoData;
  readonly #run: AutoRunOptions & { readonly began: number };
  readonly #folder: RunFolder | undefined;
  readonly #gpu: Gpu;
  readonly #budget: Budget;
  readonly #ledger: Ledger;
  readonly #notes: string[] = [];
  readonly #deadline = new AbortController();
  readonly #signal: AbortSignal;
  /** Candidates that are still in the race. */
  #runners: readonly Runner[] = [];
  /** Where every candidate got to. */
  readonly #reached = new Map<string, Standing>();
  #best: Runner | undefined;
  /** Seconds to measure an image. */
  #secondsPerImage = 0.004;

  constructor(
    config: AutoConfig,
    data: AutoData,
    run: AutoRunOptions & { readonly began: number },
    folder: RunFolder | undefined,
    gpu: Gpu,
  ) {
    this.#config = config;
    this.#data = data;
    this.#run = run;
    this.#folder = folder;
    this.#gpu = gpu;
    const seconds = (): number => (performance.now() - run.began) / 1000, amount = amountOf(config);
    this.#ledger = new Ledger(folder, (spent) => spent + seconds(), run.repeat);
    this.#budget = "steps" in amount
      ? stepBudget(amount.steps)
      : clockBudget(amount.seconds, this.#ledger.spent, seconds);
    this.#signal = AbortSignal.any([this.#deadline.signal, ...(run.signal ? [run.signal] : [])]);
  }

  get #clocked(): boolean {
    return this.#config.steps === null;
  }

  async run(): Promise<AutoResult> {
    const folds = await this.#split(), { seed } = this.#config;
    const timer = this.#clocked ? setTimeout(() => this.#deadline.abort(new TimeOver()), this.#milliseconds()) : 0;
    try {
      this.#tell("comparing with trivial answers", 0);
      const trivial = await this.#ledger.result("trivial", () => Promise.resolve(this.#trivial(folds, seed)));
      this.#run.onEvent?.({ event: "trivial", results: trivial });
      await this.#untilTimeIsOver(() => this.#compete(folds));
      const winner = this.#best;
      if (!winner) throw this.#nothing();
      const { model, kept } = await this.#train(winner, folds[0]);
      clearTimeout(timer);
      return await this.#finish(folds, trivial, winner, model, kept);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Milliseconds until the end has to begin. */
  #milliseconds(): number {
    return Math.max(0, 1000 * (this.#budget.left() - this.#reserve()));
  }

  #nothing(): FailureError {
    const why = this.#notes.length > 0 ? `: ${this.#notes[0]}` : "";
    return new FailureError(`Cannot find a network within ${this.#config.time}${why}`, {
      remedies: ["allow more time"],
    });
  }

  #tell(what: string, share: number): void {
    this.#run.onProgress?.(what, share);
  }

  /** What the end takes: test images, export, report. */
  #reserve(): number {
    const images = this.#data.test?.count ?? 0;
    return this.#budget.overhead(END_SECONDS + 1.3 * images * this.#secondsPerImage);
  }

  /** Splits into training and held-out images, several where there are few. */
  async #split(): Promise<Fold[]> {
    const { train, val } = this.#data,
      { seed } = this.#config,
      all = (set: Dataset) => Uint32Array.from({ length: set.count }, (_, i) => i);
    if (val) {
      const few = val.count > MOST_HELD ? splitHalves(val, seed, { train: MOST_HELD, val: 1 }).train : all(val);
      return [{ train, held: { ...await subsetInMemory(val, few, val.name), mean: train.mean, std: train.std } }];
    }
    const count = Math.min(MOST_HELD, Math.max(1, Math.round(HELD_SHARE * train.count)));
    const splits = count < FEW_HELD ? SPLITS : 1, folds: Fold[] = [];
    for (let i = 0; i < splits; i++) {
      const halves = splitHalves(train, seed + i, { train: train.count - count, val: count });
      folds.push({
        train: await subsetOf(train, halves.train, train.name),
        held: await subsetInMemory(train, halves.val, `${train.name} (held out)`),
      });
    }
    return folds;
  }

  /** Trivial answers, added up over the splits. */
  #trivial(folds: readonly Fold[], seed: number): TrivialResult[] {
    const all = folds.filter(({ train }) => !train.stream).map(({ train, held }) => trivialResults(train, held, seed));
    if (all.length < folds.length) {
      this.#notes.push("Trivial answers were left out, since the images do not fit into memory");
      return [];
    }
    return all[0].map(({ name }, k) => ({
      name,
      correct: all.reduce((sum, each) => sum + each[k].correct, 0),
      count: all.reduce((sum, each) => sum + each[k].count, 0),
      seconds: all.reduce((sum, each) => sum + each[k].seconds, 0),
    }));
  }

  /** Runs until it is done or the time is over; other failures only count while there is no network. */
  async #untilTimeIsOver(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (error instanceof TimeOver) return;
      if (!(error instanceof FailureError) || !this.#best) throw error;
      this.#notes.push(error.message);
    }
  }

  /** Known candidates, then searched ones, then rungs until one is left. */
  async #compete(folds: readonly Fold[]): Promise<void> {
    const { search: wanted } = this.#config, ledger = this.#ledger, budget = this.#budget;
    const plan = ledger.plan("schedule", () => schedule(budget.left() - this.#reserve(), budget, wanted, folds.length));
    const known = await this.#known(plan, folds[0]);
    this.#run.onEvent?.({ event: "plan", candidates: known, text: this.#planText(plan, known, folds) });
    const slice = plan.rung / (plan.known + plan.searched);
    await this.#rung(0, known, slice, folds);
    if (plan.searched > 0) await this.#rung(0, await this.#search(plan, folds[0]), slice, folds);
    for (let rung = 1; rung < plan.rungs; rung++) {
      const going = this.#ranked().slice(0, survivors(this.#runners.length));
      if (going.length < 2) break;
      this.#runners = going;
      await this.#rung(rung, going.map(({ candidate }) => candidate), plan.rung / going.length, folds);
    }
  }

  #planText({ rungs, searched }: Schedule, known: readonly CandidateNetwork[], folds: readonly Fold[]): string[] {
    const [{ train, held }] = folds, splits = folds.length > 1 ? `${folds.length} splits, each ` : "";
    const search = searched > 0 ? `, then a search on these images adds ${searched} at most` : ", without a search";
    return [
      `${splits}${train.count} images to train on, ${held.count} held out to compare by`,
      `${known.map(({ name }) => name).join(", ")}${search}`,
      `${rungs} ${rungs === 1 ? "rung" : "rungs"} of halving at equal effort; the winner trains on with all images`,
    ];
  }

  /** Plain and published candidates whose sizes suit the budget. */
  async #known({ known, search }: Schedule, { train }: Fold): Promise<readonly CandidateNetwork[]> {
    const budget = this.#budget, left = budget.inSeconds(budget.left() - this.#reserve() - search);
    const [probe] = knownCandidates(1, this.#question(train, 0, 0));
    const rate = await this.#ledger.result("rate", async () => {
      if (!this.#clocked) return NOMINAL_RATE;
      this.#tell("measuring how fast this adapter is", 0);
      return probe.macs * batchFor(train.count) / await measureStep(probe, train, this.#gpu, this.#signal);
    });
    return this.#ledger.plan("candidates", () => knownCandidates(known, this.#question(train, left, rate)));
  }

  /** @param rate multiply-accumulates of forward passes, trained with, a second */
  #question(data: Dataset, seconds: number, rate: number): SizeQuestion {
    const size = constraintsOf(this.#config);
    return { data, constraints: { size }, affordable: (origin) => WINNER_SHARE * seconds * rate / SLOWER[origin] };
  }

  /** Cells of a search on these images as candidates. */
  async #search(plan: Schedule, { train }: Fold): Promise<readonly CandidateNetwork[]> {
    const { seed } = this.#config, ledger = this.#ledger, budget = this.#budget, began = performance.now();
    const half = Math.floor(train.count / 2), batchSize = Math.max(2, Math.min(32, Math.floor(half / 2)));
    const base = {
      ...{ initChannels: 4, cells: 3, batchSize, weightLr: 0.05, alphaLr: 0.02, seed },
      ...{ pad: 2, flip: "auto" as const, checkpointSteps: 1_000_000 },
    };
    const quick = { statisticsImages: 64, probeImages: batchSize, evalImages: batchSize };
    try {
      const seconds = await ledger.result("speed/search", async () => {
        this.#tell("measuring how fast a search is", 0);
        const { epochs } = await search({ ...base, ...quick, epochs: 1, stepsPerEpoch: 4 }, train, {
          gpu: this.#gpu,
          signal: this.#signal,
        });
        return epochs[0].secondsPerStep;
      });
      const options = ledger.plan("search", () => {
        const steps = Math.max(4, Math.floor(0.8 * plan.search / budget.stepCost(seconds)));
        const most = Math.floor(half / batchSize), stepsPerEpoch = Math.max(1, Math.min(most, Math.ceil(steps / 4)));
        const images = { statisticsImages: 256, probeImages: 2 * batchSize, evalImages: 256 };
        return { ...base, ...images, stepsPerEpoch, epochs: Math.max(1, Math.round(steps / stepsPerEpoch)) };
      });
      const { cells, steps } = await ledger.result("search", async () => {
        const folder = this.#folder && joinPath(this.#folder.path, "search");
        const { report } = await search(options, train, {
          ...{ gpu: this.#gpu, folder, signal: this.#signal, warn: this.#run.warn },
          onProgress: ({ epoch, epochs, step, stepsPerEpoch }) =>
            this.#tell("searching cells", (epoch + step / stepsPerEpoch) / epochs),
        });
        const cells = report.methods.map(({ method, genotype }) => ({ rule: method, genotype }));
        return { cells, steps: options.epochs * options.stepsPerEpoch };
      });
      budget.took(steps);
      const rate = await ledger.result("rate", () => Promise.resolve(NOMINAL_RATE));
      const left = budget.inSeconds(budget.left() - this.#reserve());
      const found = ledger.plan(
        "searched",
        () => searchedCandidates(cells, plan.searched, this.#question(train, left, rate)),
      );
      this.#run.onEvent?.({ event: "search", steps, seconds: (performance.now() - began) / 1000, candidates: found });
      return found;
    } catch (error) {
      if (!(error instanceof FailureError)) throw error;
      this.#notes.push(`The search came to nothing: ${error.message}`);
      return [];
    }
  }

  /** Trains candidates at equal effort and measures them. */
  async #rung(
    rung: number,
    candidates: readonly CandidateNetwork[],
    slice: number,
    folds: readonly Fold[],
  ): Promise<void> {
    for (const candidate of candidates) {
      try {
        await this.#enter(rung, candidate, slice / folds.length, folds);
      } catch (error) {
        if (!(error instanceof FailureError)) throw error;
        this.#notes.push(`${candidate.name}: ${error.message}`);
        this.#runners = this.#runners.filter((runner) => runner.candidate.name !== candidate.name);
      }
    }
  }

  /** A candidate's trials in a rung, one on each split. */
  async #enter(rung: number, candidate: CandidateNetwork, slice: number, folds: readonly Fold[]): Promise<void> {
    const budget = this.#budget, known = this.#runners.find((runner) => runner.candidate.name === candidate.name);
    const secondsPerStep = known?.secondsPerStep ??
      await this.#ledger.result(`speed/${candidate.name}`, () => this.#speed(candidate, folds[0]));
    const models: Model[] = [], results: TrialResult[] = [];
    for (const [i, fold] of folds.entries()) {
      const id = `rung ${rung}/${candidate.name}/split ${i}`;
      const plan = this.#ledger.plan(id, () => {
        const steps = Math.max(
          4,
          Math.floor((slice - budget.overhead(TRIAL_SECONDS)) / budget.stepCost(secondsPerStep)),
        );
        return trialPlan(steps, fold.train.count, rung > 0);
      });
      const { model, result } = await this.#trial(id, candidate, plan, fold, known?.models[i]);
      models.push(model);
      results.push(result);
    }
    const runner = {
      candidate,
      secondsPerStep,
      models,
      standing: standingOf(candidate, rung, results, known?.standing),
    };
    this.#runners = [...this.#runners.filter((each) => each !== known), runner];
    this.#reached.set(candidate.name, runner.standing);
    const best = !this.#best || this.#best === known || isBetter(runner.standing, this.#best.standing);
    if (best) {
      this.#best = this.#ranked()[0];
      this.#folder?.writeFile(AUTO_MODEL, encodeModel(this.#best.models[0]));
    }
    this.#run.onEvent?.({ event: "trial", candidate, rung, standing: runner.standing, best });
  }

  async #speed(candidate: CandidateNetwork, { train }: Fold): Promise<number> {
    this.#tell(`compiling ${candidate.name}`, 0);
    return this.#clocked ? await measureStep(candidate, train, this.#gpu, this.#signal) : 1;
  }

  async #trial(
    id: string,
    candidate: CandidateNetwork,
    plan: TrialPlan,
    { train, held }: Fold,
    from: Model | undefined,
  ): Promise<{ model: Model; result: TrialResult }> {
    const folder = this.#folder && trialFolder(this.#folder.path, id), gpu = this.#gpu, signal = this.#signal;
    let model: Model | undefined;
    const result = await this.#ledger.result(id, async (): Promise<TrialResult> => {
      const began = performance.now();
      const trained = await runTrial({
        ...{ candidate, plan, data: train, gpu, folder, from, signal, seed: this.#config.seed, warn: this.#run.warn },
        onProgress: (share) => this.#tell(`training ${candidate.name}`, share),
      });
      model = trained.model;
      const measuring = performance.now(), { predicted, loss } = await answersOf(model, held, gpu, signal);
      this.#secondsPerImage = (performance.now() - measuring) / 1000 / held.count;
      const right = predicted.map((label, i) => label === held.labels[i] ? "1" : "0").join("");
      const { steps, secondsPerStep } = trained;
      return { steps, secondsPerStep, right, loss, seconds: (performance.now() - began) / 1000 };
    });
    this.#budget.took(result.steps);
    return { model: model ?? loadModel(joinPath(folder!, LAST_MODEL)), result };
  }

  /** Candidates, the best first. */
  #ranked(): Runner[] {
    return this.#runners.toSorted((a, b) => isBetter(a.standing, b.standing) ? -1 : 1);
  }

  /** Trains the winner on, with all images; what came before is kept where that made it worse. */
  async #train(winner: Runner, fold: Fold): Promise<{ model: Model; kept: boolean }> {
    const { candidate, secondsPerStep, models: [before], standing } = winner, budget = this.#budget, id = "final";
    const data = this.#data.train, gpu = this.#gpu;
    const plan = this.#ledger.plan(id, () => {
      const left = budget.left() - this.#reserve() - budget.overhead(TRIAL_SECONDS);
      const steps = Math.floor((this.#clocked ? FINAL_SHARE : 1) * left / budget.stepCost(secondsPerStep));
      return steps < 4 ? null : trialPlan(steps, data.count, true);
    });
    if (!plan) {
      this.#notes.push("There was no time to train the winner on");
      return { model: before, kept: false };
    }
    const folder = this.#folder && trialFolder(this.#folder.path, id);
    let model: Model | undefined;
    const done = await this.#ledger.result(id, async () => {
      try {
        model = (await runTrial({
          ...{ candidate, plan, data, gpu, folder, from: before, signal: this.#signal, seed: this.#config.seed },
          onProgress: (share) => this.#tell(`training the winner, ${candidate.name}`, share),
        })).model;
        return { whole: true, kept: true };
      } catch (error) {
        if (error !== this.#deadline.signal.reason && !(error instanceof FailureError)) throw error;
        this.#notes.push(
          error instanceof TimeOver
            ? "The winner's last steps were not taken: the time was over"
            : (error as Error).message,
        );
        return { whole: false, kept: folder !== undefined && exists(joinPath(folder, LAST_MODEL)) };
      }
    });
    if (!done.kept) return { model: before, kept: false };
    model ??= loadModel(joinPath(folder!, LAST_MODEL));
    const kept = await this.#ledger.result("final/kept", async () => {
      const { correct } = await answersOf(model!, fold.held, gpu, this.#run.signal);
      const { held } = fold, spread = Math.sqrt(standing.accuracy * (1 - standing.accuracy) / held.count);
      return correct / held.count >= standing.accuracy - 2 * spread;
    });
    this.#budget.took(plan.epochs * plan.stepsPerEpoch);
    if (!kept) this.#notes.push("Training on made the winner worse: the network from before is kept");
    this.#run.onEvent?.({ event: "final", candidate, steps: plan.epochs * plan.stepsPerEpoch, kept });
    return kept ? { model, kept } : { model: before, kept };
  }

  /** Measures the winner, once, and writes everything down. */
  async #finish(
    folds: readonly Fold[],
    trivial: readonly TrivialResult[],
    { candidate }: Runner,
    model: Model,
    trainedOn: boolean,
  ): Promise<AutoResult> {
    const { test } = this.#data, gpu = this.#gpu, signal = this.#run.signal;
    this.#folder?.writeFile(AUTO_MODEL, encodeModel(model));
    this.#folder?.writeFile(AUTO_ONNX, exportOnnx(model));
    const measured = test
      ? await this.#ledger.result(
        "test",
        () =>
          evaluateModel(model, test, {
            gpu,
            signal,
            onProgress: (done, all) => this.#tell("measuring on the test images", done / all),
          }),
      )
      : null;
    const wrong = test && !test.stream ? await this.#ledger.result("wrong", () => this.#wrong(model, test)) : [];
    const leaderboard = [...this.#reached.values()].toSorted((a, b) => isBetter(a, b) ? -1 : 1),
      steps = leaderboard.reduce((sum, each) => sum + each.steps, 0);
    const outcome: AutoOutcome = {
      leaderboard,
      trivial,
      held: folds.reduce((sum, { held }) => sum + held.count, 0),
      splits: folds.length,
      winner: candidate.name,
      trainedOn,
      search: verdictOf(leaderboard),
      test: measured &&
        { ...measured, interval: shareInterval(Math.round(measured.accuracy * measured.count), measured.count) },
      wrong,
      steps: steps + (trainedOn ? this.#finalSteps() : 0),
      seconds: this.#ledger.spent + (performance.now() - this.#run.began) / 1000,
      notes: this.#notes,
    };
    this.#folder?.writeJson(AUTO_RESULT, {
      format: "idarts-auto-result/1",
      version: VERSION,
      adapter: gpu.name,
      ...outcome,
    });
    this.#ledger.save();
    return { ...outcome, model };
  }

  #finalSteps(): number {
    const plan = this.#ledger.plan<TrialPlan | null>("final", () => null);
    return plan ? plan.epochs * plan.stepsPerEpoch : 0;
  }

  /** The images that a network is most wrong about. */
  async #wrong(model: Model, test: Dataset): Promise<WrongImage[]> {
    const { predicted, rightProbability } = await answersOf(model, test, this.#gpu, this.#run.signal);
    return predicted.flatMap((said, index) =>
      said === test.labels[index]
        ? []
        : [{ index, label: test.labels[index], predicted: said, rightProbability: rightProbability[index] }]
    ).toSorted((a, b) => a.rightProbability - b.rightProbability || a.index - b.index).slice(0, WRONG_SHOWN);
  }
}

/** Whether a candidate did better than another one: further, then more right answers, then a smaller loss. */
function isBetter(a: Standing, b: Standing): boolean {
  return (a.rungs - b.rungs || a.accuracy - b.accuracy || b.loss - a.loss) > 0;
}

function standingOf(
  candidate: CandidateNetwork,
  rung: number,
  results: readonly TrialResult[],
  before: Standing | undefined,
): Standing {
  const right = results.map((result) => result.right).join(""),
    sum = (key: "steps" | "seconds" | "loss") => results.reduce((total, result) => total + result[key], 0);
  const correct = right.replaceAll("0", "").length;
  return {
    ...{ candidate, rungs: rung + 1, right },
    steps: (before?.steps ?? 0) + sum("steps"),
    seconds: (before?.seconds ?? 0) + sum("seconds"),
    accuracy: correct / right.length,
    interval: shareInterval(correct, right.length),
    loss: sum("loss") / results.length,
  };
}

/** The best searched candidate beside the best of the others, on the same images. */
function verdictOf(leaderboard: readonly Standing[]): SearchVerdict | null {
  const searched = leaderboard.find(({ candidate }) => candidate.origin === "searched");
  const other = leaderboard.find(({ candidate }) => candidate.origin !== "searched");
  if (!searched || !other) return null;
  const answers = ({ right }: Standing): boolean[] => [...right].map((digit) => digit === "1");
  return {
    searched: searched.candidate.name,
    other: other.candidate.name,
    ...pairedDifference(answers(searched), answers(other)),
  };
}

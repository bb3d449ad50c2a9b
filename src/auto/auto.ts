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
import { FailureError, type IdartsError } from "../base/errors.ts";
import { exists } from "../base/files.ts";
import { Random } from "../base/random.ts";
import { checkLearnable, type Dataset } from "../data/dataset.ts";
import type { LabelledImages } from "../data/labelled_images.ts";
import { textFingerprint } from "../data/statistics.ts";
import { subsetOf } from "../data/subset.ts";
import { exportOnnx } from "../export/onnx.ts";
import { openGpu } from "../gpu/device.ts";
import type { Claims } from "../run/claims.ts";
import type { Beginnings } from "../run/phase.ts";
import { RunFolder } from "../run/run_folder.ts";
import { checkRecord, readChecked, type RunRecord, writeRecord } from "../run/run_record.ts";
import { checkMeasurable } from "../train/evaluation.ts";
import { encodeModel, type Model } from "../train/model_file.ts";
import { type TrainData, trainDataOf } from "../train/setup.ts";
import { knownCandidates, POOLING } from "./candidates.ts";
import {
  AUTO_OPTIONS,
  type AutoConfig,
  HARMLESS_AUTO_OPTIONS,
  limitsOf,
  resolveAutoConfig,
  resolveAutoLayers,
} from "./config.ts";
import { AUTO_MODEL, AUTO_ONNX, type AutoRunOptions, Context } from "./context.ts";
import { help } from "./help.ts";
import { shareInterval } from "./interval.ts";
import { END, type Entry, readDecisions } from "./ledger.ts";
import type { AutoOptions } from "./options.ts";
import { Race, type Runner } from "./race.ts";
import type { AutoOutcome, AutoResult, TestOutcome } from "./records.ts";
import { endedResult, writeAutoResult } from "./result_file.ts";
import { type Fold, splitsOf, trivialOverSplits } from "./splits.ts";
import { ranked, trivialVerdict, verdictOf } from "./standing.ts";
import { answersOf } from "./trial.ts";
import { isTrial, joinTrials } from "./trials.ts";
import { learntWithin, type TrivialResult } from "./trivial.ts";
import { ensembleRecord, type TrainedWinner, trainWinner } from "./winner.ts";

export { AUTO_MODEL, AUTO_ONNX, type AutoRunOptions } from "./context.ts";
export { AUTO_RESULT } from "./result_file.ts";

/** The images of a run: candidates are compared on `val`, or on a part of `train` that is held out. */
export type AutoData<D = Dataset> = TrainData<D>;

/** Images that the network is most wrong about which are shown. */
const WRONG_SHOWN = 12;
/** Share of the time that trivial answers may take, and the most seconds. */
const TRIVIAL_SHARE = 0.04, TRIVIAL_SECONDS = 20;

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
  const { signal, warn } = run, named = typeof run.folder === "string" ? run.folder : undefined;
  signal?.throwIfAborted();
  const config = resolveAutoConfig(options), data = await trainDataOf(images);
  checkPossible(config, data);
  const repeat = typeof run.repeat === "string" ? readDecisions(RunFolder.view(run.repeat)) : run.repeat;
  const beginnings = await beginningsOf(config, data.train, repeat);
  let { gpu, began = performance.now() } = run;
  let folder = named === undefined ? run.folder as RunFolder | undefined : RunFolder.enterIfFree(named, { warn });
  const contextOf = async (folder: RunFolder | undefined): Promise<Context> => {
    const adapter = folder?.begun ? checkRecord(folder, beginnings) : undefined;
    gpu ??= await openGpu();
    if (adapter !== undefined && adapter !== gpu.name) {
      warn?.(`The run began on adapter '${adapter}' and goes on on '${gpu.name}': times and bits may differ`);
    }
    return new Context(config, data, { ...run, began, repeat }, folder, gpu, beginnings);
  };
  try {
    if (named !== undefined && !folder) {
      using context = await contextOf(undefined);
      const helped = await help(context, named, beginnings, await splitsOf(data, config.seed));
      if (!(helped instanceof RunFolder)) return helped;
      folder = helped;
      began = performance.now(); // what came before, who led the run has counted
    }
    return await lead(folder, () => contextOf(folder), beginnings);
  } finally {
    if (!run.gpu) gpu?.device.destroy();
    if (named !== undefined) folder?.close();
  }
}

/** Runs it in this process, which may be helped by others. */
async function lead(
  folder: RunFolder | undefined,
  open: () => Promise<Context>,
  beginnings: Beginnings,
): Promise<AutoResult> {
  const begins = folder !== undefined && !folder.begun;
  try {
    using context = await open();
    const { data, config: { seed }, ledger, userSignal, seconds } = context, folds = await splitsOf(data, seed);
    userSignal?.throwIfAborted();
    if (begins) writeRecord(folder, beginnings, (await context.device()).name);
    if (ledger.goesOn) {
      const trials = ledger.entries.filter((entry) => isTrial(entry) && entry.result !== undefined).length;
      context.event({ event: "resumed", trials, seconds });
      const outcome = ledger.knows(END) ? endedResult(folder!) : undefined;
      if (outcome) return outcome;
    }
    using claims = folder && await joinTrials(folder.path, context);
    if (ledger.leader) claims?.bury(ledger.leader);
    ledger.leader = claims?.owner;
    return await new Auto(context, claims).run(folds);
  } catch (error) {
    if (begins) discard(folder);
    throw error;
  }
}

/**
 * Refuses before anything is opened or written what cannot be done.
 * @throws {UsageError} where no network fits the images and what it may cost.
 * @throws {FailureError} where all images are the same.
 */
function checkPossible(config: AutoConfig, { train, val, test }: TrainData): void {
  checkLearnable(train);
  const { size } = limitsOf(config), { classNames, classes: count } = train;
  const [{ genotype, channels, cells }] = knownCandidates(1, {
    data: train,
    constraints: { size },
    affordable: () => 0,
  });
  const { channels: inputChannels, height, width } = train, form = "cifar" as const;
  const network = {
    genotype,
    form,
    channels,
    cells,
    classes: count,
    inputChannels,
    height,
    width,
    pooling: POOLING,
  } as const;
  for (const set of [val, test]) if (set) checkMeasurable({ network, classNames }, set);
}

/** Takes back what a run wrote that came to nothing before its first trial. */
function discard(folder: RunFolder): void {
  const remove = (name: string, recursive = false): boolean => {
    try {
      Deno.removeSync(folder.file(name), { recursive }); // fails unless it is empty
    } catch { /* there is something to go on from, or nothing at all */ }
    return !exists(folder.file(name));
  };
  const parts = ["trials", "work", "search", "workers"].map((name) => remove(name));
  if (parts.every((gone) => gone) && !exists(folder.file(AUTO_MODEL)) && remove("claims", true)) {
    folder.discardIfEmpty();
  }
}

/** What the `config.json` of a run of `auto` says. @throws {FailureError} where it is damaged. */
export function readAuto(folder: RunFolder): RunRecord & { readonly config: AutoConfig } {
  return readChecked(folder, "auto", ({ options: values }, file) => ({
    config: resolveAutoLayers([{ source: `'${file}'`, values }]),
  }));
}

async function beginningsOf(
  config: AutoConfig,
  data: Dataset,
  repeat: readonly Entry[] | undefined,
): Promise<Beginnings> {
  const plans = repeat?.map(({ id, plan }) => ({ id, plan }));
  const repeats = plans ? await textFingerprint(JSON.stringify(plans)) : null;
  return {
    kind: "auto",
    options: AUTO_OPTIONS.toRecord(config),
    read: (values, source) => AUTO_OPTIONS.toRecord(resolveAutoLayers([{ source, values }])),
    harmless: HARMLESS_AUTO_OPTIONS,
    data,
    parts: { repeats: { value: repeats, refusal: "these decisions to repeat: they are not those" } },
    notes: { repeats },
  };
}

class Auto {
  readonly #context: Context;
  readonly #race: Race;

  /** @param claims of this process, where trials may be shared */
  constructor(context: Context, claims: Claims | undefined) {
    this.#context = context;
    this.#race = new Race(context, claims);
  }

  async run(all: readonly Fold[]): Promise<AutoResult> {
    const stopClock = this.#context.startClock();
    try {
      let folds = all.slice(0, 1), trivial: readonly TrivialResult[] = [];
      await this.#untilTimeIsOver(async () => {
        folds = await this.#race.comparison(all);
        const plan = await this.#race.plan(folds);
        trivial = await this.#trivial(folds);
        await this.#race.run(plan);
      });
      const winner = this.#race.best;
      if (!winner) {
        this.#context.folder?.removeFile(AUTO_MODEL); // that of a candidate that is out
        throw this.#nothing();
      }
      this.#context.secondsPerImage = winner.secondsPerImage;
      const trained = await trainWinner(this.#context, winner, folds[0]);
      const better = trivialVerdict(winner.standing, trivial, trained.steps * winner.models.length);
      if (better) this.#context.ledger.note(better);
      stopClock();
      return await this.#finish(folds[0], trivial, winner, trained);
    } finally {
      stopClock();
    }
  }

  async #trivial(folds: readonly Fold[]): Promise<readonly TrivialResult[]> {
    const { ledger, budget, config: { seed }, userSignal } = this.#context, told = ledger.knows("trivial");
    const results = await ledger.result("trivial", () => {
      const [{ held }] = folds;
      const seconds = Math.min(TRIVIAL_SECONDS, TRIVIAL_SHARE * budget.inSeconds(budget.total));
      return trivialOverSplits(folds, seed, learntWithin(seconds / folds.length, held), async () => {
        this.#context.tell("comparing with trivial answers");
        await new Promise((resolve) => setTimeout(resolve, 0)); // lets signals in
        userSignal?.throwIfAborted();
      });
    });
    if (!told) this.#context.event({ event: "trivial", results });
    return results;
  }

  #nothing(): FailureError {
    const { notes } = this.#context.ledger, why = notes.find((note) => note.includes(" is out: ")) ?? notes[0];
    return new FailureError(`Cannot find a network within ${this.#context.budgetText}${why ? `: ${why}` : ""}`, {
      remedies: ["allow more"],
    });
  }

  /** Runs until it is done or the time is over; other failures only count while there is no network. */
  async #untilTimeIsOver(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (this.#context.isTimeOver(error)) return;
      if (this.#context.isFatal(error) || !this.#race.best) throw error;
      this.#context.ledger.note((error as IdartsError).message);
    }
  }

  /** Measures the winner, once, and writes everything down. */
  async #finish(
    fold: Fold,
    trivial: readonly TrivialResult[],
    { candidate, models, standing }: Runner,
    { model, trainedOn }: TrainedWinner,
  ): Promise<AutoResult> {
    const { ledger, folder } = this.#context;
    folder?.writeFile(AUTO_MODEL, encodeModel(model));
    folder?.writeFile(AUTO_ONNX, exportOnnx(model));
    const measured = await this.#test(model), leaderboard = ranked([...this.#race.reached.values()]);
    const ensemble = await ensembleRecord(this.#context, model, fold);
    await ledger.result(END, () => Promise.resolve({ seconds: this.#context.seconds }));
    const outcome: AutoOutcome = {
      ...{ leaderboard, trivial, splits: models.length, winner: candidate.name, trainedOn },
      ...(ensemble && { ensemble }),
      held: standing.right.length,
      search: verdictOf(leaderboard),
      test: measured && {
        ...measured.evaluation,
        interval: shareInterval(
          Math.round(measured.evaluation.accuracy * measured.evaluation.count),
          measured.evaluation.count,
        ),
      },
      wrong: measured?.wrong ?? [],
      steps: ledger.entries.reduce((sum, { result }) => sum + ((result as { steps?: number } | null)?.steps ?? 0), 0),
      seconds: (ledger.entries.find(({ id }) => id === END)!.result as { seconds: number }).seconds,
      notes: ledger.notes,
    };
    if (folder) writeAutoResult(folder, (await this.#context.device()).name, outcome);
    return { ...outcome, model };
  }

  /** The winner on the test images, or on as many as there is time for; null without any. */
  async #test(model: Model): Promise<TestOutcome | null> {
    const { data: { test }, ledger, config: { seed }, userSignal: signal } = this.#context;
    if (!test) return null;
    const count = ledger.plan("test", () => this.#context.testImages());
    const some = count < test.count
      ? Uint32Array.from(new Random(seed, "auto/test").permutation(test.count)).subarray(0, count)
      : undefined;
    if (some) ledger.note(`${count} of the ${test.count} test images were measured: there was no time for all`);
    return await ledger.result("test", async () => {
      const set = some ? await subsetOf(test, some, test.name) : test;
      const { evaluation, predicted, rightProbability } = await answersOf(model, set, await this.#context.device(), {
        signal,
        onProgress: (share) => this.#context.tell("measuring on the test images", share),
      });
      const wrong = predicted.flatMap((said, at) => {
        const index = some ? some[at] : at, label = set.labels[at];
        return said === label || said < 0
          ? []
          : [{ index, label, predicted: said, rightProbability: rightProbability[at] }];
      }).toSorted((a, b) => a.rightProbability - b.rightProbability || a.index - b.index).slice(0, WRONG_SHOWN);
      return { evaluation, wrong };
    });
  }
}

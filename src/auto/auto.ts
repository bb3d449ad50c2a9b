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
import { exportOnnx } from "../export/onnx.ts";
import { openGpu } from "../gpu/device.ts";
import type { Beginnings } from "../run/phase.ts";
import { RunFolder } from "../run/run_folder.ts";
import { checkRecord, writeRecord } from "../run/run_record.ts";
import { evaluateModel } from "../train/inference.ts";
import { encodeModel, loadModel, type Model } from "../train/model_file.ts";
import { type TrainData, trainDataOf } from "../train/setup.ts";
import { LAST_MODEL } from "../train/train.ts";
import {
  AUTO_OPTIONS,
  type AutoConfig,
  HARMLESS_AUTO_OPTIONS,
  resolveAutoConfig,
  resolveAutoLayers,
} from "./config.ts";
import { AUTO_MODEL, AUTO_ONNX, AUTO_RESULT, type AutoRunOptions, Context } from "./context.ts";
import { shareInterval } from "./interval.ts";
import type { AutoOptions } from "./options.ts";
import { Race, type Runner, TRIAL_SECONDS } from "./race.ts";
import type { AutoOutcome, AutoResult, WrongImage } from "./records.ts";
import { type Fold, splitsOf, trivialOverSplits } from "./splits.ts";
import { isBetter, verdictOf } from "./standing.ts";
import { answersOf, runTrial, trialFolder, type TrialPlan, trialPlan } from "./trial.ts";
import type { TrivialResult } from "./trivial.ts";

export { AUTO_MODEL, AUTO_ONNX, AUTO_RESULT, type AutoRunOptions } from "./context.ts";

/** The images of a run: candidates are compared on `val`, or on a part of `train` that is held out. */
export type AutoData<D = Dataset> = TrainData<D>;

/** Share of what is left that the winner's steps are planned to take. */
const FINAL_SHARE = 0.93;
/** Images that the network is most wrong about which are shown. */
const WRONG_SHOWN = 12;

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
    return await new Auto(new Context(config, data, { ...run, began }, folder, gpu)).run();
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

class Auto {
  readonly #context: Context;
  readonly #race: Race;

  constructor(context: Context) {
    this.#context = context;
    this.#race = new Race(context);
  }

  async run(): Promise<AutoResult> {
    const { config: { seed }, data, ledger } = this.#context;
    const folds = await splitsOf(data, seed), stopClock = this.#context.startClock();
    try {
      this.#context.tell("comparing with trivial answers");
      const trivial = await ledger.result("trivial", () => Promise.resolve(trivialOverSplits(folds, seed)));
      this.#context.event({ event: "trivial", results: trivial });
      await this.#untilTimeIsOver(() => this.#race.run(folds));
      const winner = this.#race.best;
      if (!winner) throw this.#nothing();
      const { model, kept } = await this.#train(winner, folds[0]);
      stopClock();
      return await this.#finish(folds, trivial, winner, model, kept);
    } finally {
      stopClock();
    }
  }

  #nothing(): FailureError {
    const why = this.#context.notes.length > 0 ? `: ${this.#context.notes[0]}` : "";
    return new FailureError(`Cannot find a network within ${this.#context.config.time}${why}`, {
      remedies: ["allow more time"],
    });
  }

  /** Runs until it is done or the time is over; other failures only count while there is no network. */
  async #untilTimeIsOver(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (this.#context.isTimeOver(error)) return;
      if (!(error instanceof FailureError) || !this.#race.best) throw error;
      this.#context.notes.push(error.message);
    }
  }

  /** Trains the winner on, with all images; what came before is kept where that made it worse. */
  async #train(winner: Runner, fold: Fold): Promise<{ model: Model; kept: boolean }> {
    const { candidate, secondsPerStep, models: [before], standing } = winner,
      budget = this.#context.budget,
      id = "final";
    const data = this.#context.data.train, gpu = this.#context.gpu;
    const plan = this.#context.ledger.plan(id, () => {
      const left = budget.left() - this.#context.reserve() - budget.overhead(TRIAL_SECONDS);
      const steps = Math.floor((this.#context.clocked ? FINAL_SHARE : 1) * left / budget.stepCost(secondsPerStep));
      return steps < 4 ? null : trialPlan(steps, data.count, true);
    });
    if (!plan) {
      this.#context.notes.push("There was no time to train the winner on");
      return { model: before, kept: false };
    }
    const folder = this.#context.folder && trialFolder(this.#context.folder.path, id);
    let model: Model | undefined;
    const done = await this.#context.ledger.result(id, async () => {
      try {
        model = (await runTrial({
          ...{
            candidate,
            plan,
            data,
            gpu,
            folder,
            from: before,
            signal: this.#context.signal,
            seed: this.#context.config.seed,
          },
          onProgress: (share) => this.#context.tell(`training the winner, ${candidate.name}`, share),
        })).model;
        return { whole: true, kept: true };
      } catch (error) {
        if (!this.#context.isTimeOver(error) && !(error instanceof FailureError)) throw error;
        this.#context.notes.push(
          this.#context.isTimeOver(error)
            ? "The winner's last steps were not taken: the time was over"
            : (error as Error).message,
        );
        return { whole: false, kept: folder !== undefined && exists(joinPath(folder, LAST_MODEL)) };
      }
    });
    if (!done.kept) return { model: before, kept: false };
    model ??= loadModel(joinPath(folder!, LAST_MODEL));
    const kept = await this.#context.ledger.result("final/kept", async () => {
      const { correct } = await answersOf(model!, fold.held, gpu, this.#context.userSignal);
      const { held } = fold, spread = Math.sqrt(standing.accuracy * (1 - standing.accuracy) / held.count);
      return correct / held.count >= standing.accuracy - 2 * spread;
    });
    this.#context.budget.took(plan.epochs * plan.stepsPerEpoch);
    if (!kept) this.#context.notes.push("Training on made the winner worse: the network from before is kept");
    this.#context.event({ event: "final", candidate, steps: plan.epochs * plan.stepsPerEpoch, kept });
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
    const { test } = this.#context.data, gpu = this.#context.gpu, signal = this.#context.userSignal;
    this.#context.folder?.writeFile(AUTO_MODEL, encodeModel(model));
    this.#context.folder?.writeFile(AUTO_ONNX, exportOnnx(model));
    const measured = test
      ? await this.#context.ledger.result(
        "test",
        () =>
          evaluateModel(model, test, {
            gpu,
            signal,
            onProgress: (done, all) => this.#context.tell("measuring on the test images", done / all),
          }),
      )
      : null;
    const wrong = test && !test.stream
      ? await this.#context.ledger.result("wrong", () => this.#wrong(model, test))
      : [];
    const leaderboard = [...this.#race.reached.values()].toSorted((a, b) => isBetter(a, b) ? -1 : 1),
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
      seconds: this.#context.seconds,
      notes: this.#context.notes,
    };
    this.#context.folder?.writeJson(AUTO_RESULT, {
      format: "idarts-auto-result/1",
      version: VERSION,
      adapter: gpu.name,
      ...outcome,
    });
    this.#context.ledger.save();
    return { ...outcome, model };
  }

  #finalSteps(): number {
    const plan = this.#context.ledger.plan<TrialPlan | null>("final", () => null);
    return plan ? plan.epochs * plan.stepsPerEpoch : 0;
  }

  /** The images that a network is most wrong about. */
  async #wrong(model: Model, test: Dataset): Promise<WrongImage[]> {
    const { predicted, rightProbability } = await answersOf(model, test, this.#context.gpu, this.#context.userSignal);
    return predicted.flatMap((said, index) =>
      said === test.labels[index]
        ? []
        : [{ index, label: test.labels[index], predicted: said, rightProbability: rightProbability[index] }]
    ).toSorted((a, b) => a.rightProbability - b.rightProbability || a.index - b.index).slice(0, WRONG_SHOWN);
  }
}

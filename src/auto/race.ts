/**
 * The race of an `auto` run: which networks take part, the search that adds its cells, and the rungs after which the
 * better half goes on. Not responsible for what becomes of the winner.
 * @module
 */
import { FailureError } from "../base/errors.ts";
import { joinPath } from "../base/files.ts";
import type { Dataset } from "../data/dataset.ts";
import { search } from "../search/search.ts";
import { encodeModel, loadModel, type Model } from "../train/model_file.ts";
import { LAST_MODEL } from "../train/train.ts";
import {
  type CandidateNetwork,
  knownCandidates,
  type Origin,
  searchedCandidates,
  type SizeQuestion,
} from "./candidates.ts";
import { constraintsOf } from "./config.ts";
import { AUTO_MODEL, type Context } from "./context.ts";
import type { Standing, TrialResult } from "./records.ts";
import { type Schedule, schedule, survivors } from "./schedule.ts";
import type { Fold } from "./splits.ts";
import { isBetter, standingOf } from "./standing.ts";
import { answersOf, batchFor, measureStep, runTrial, trialFolder, type TrialPlan, trialPlan } from "./trial.ts";

/** Multiply-accumulates of forward passes, trained with, that a second pays for where nothing may be measured. */
const NOMINAL_RATE = 8e9;
/** How much slower than plain networks those of separable convolutions are, for each multiply-accumulate. */
const SLOWER: Readonly<Record<Origin, number>> = { plain: 1, published: 3, searched: 3 };
/** Share of the budget that sees the winner's steps, about. */
const WINNER_SHARE = 0.5;
/** Seconds of a trial besides its steps. */
export const TRIAL_SECONDS = 1.5;

/** A candidate on its way. */
export interface Runner {
  readonly candidate: CandidateNetwork;
  readonly secondsPerStep: number;
  /** Its network on each split. */
  readonly models: readonly Model[];
  readonly standing: Standing;
}

/** A race. */
export class Race {
  readonly #context: Context;
  /** Candidates that are still in it. */
  #runners: readonly Runner[] = [];
  /** Where every candidate got to. */
  readonly reached: Map<string, Standing> = new Map();
  /** The best one so far. */
  best: Runner | undefined;

  /** Nobody has started yet. */
  constructor(context: Context) {
    this.#context = context;
  }

  /** Known candidates, then searched ones, then rungs until one is left. */
  async run(folds: readonly Fold[]): Promise<void> {
    const { search: wanted } = this.#context.config, ledger = this.#context.ledger, budget = this.#context.budget;
    const plan = ledger.plan(
      "schedule",
      () => schedule(budget.left() - this.#context.reserve(), budget, wanted, folds.length),
    );
    const known = await this.#known(plan, folds[0]);
    this.#context.event({ event: "plan", candidates: known, text: this.#planText(plan, known, folds) });
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
    const budget = this.#context.budget, left = budget.inSeconds(budget.left() - this.#context.reserve() - search);
    const [probe] = knownCandidates(1, this.#question(train, 0, 0));
    const rate = await this.#context.ledger.result("rate", async () => {
      if (!this.#context.clocked) return NOMINAL_RATE;
      this.#context.tell("measuring how fast this adapter is", 0);
      return probe.macs * batchFor(train.count) /
        await measureStep(probe, train, this.#context.gpu, this.#context.signal);
    });
    return this.#context.ledger.plan("candidates", () => knownCandidates(known, this.#question(train, left, rate)));
  }

  /** @param rate multiply-accumulates of forward passes, trained with, a second */
  #question(data: Dataset, seconds: number, rate: number): SizeQuestion {
    const size = constraintsOf(this.#context.config);
    return { data, constraints: { size }, affordable: (origin) => WINNER_SHARE * seconds * rate / SLOWER[origin] };
  }

  /** Cells of a search on these images as candidates. */
  async #search(plan: Schedule, { train }: Fold): Promise<readonly CandidateNetwork[]> {
    const { seed } = this.#context.config,
      ledger = this.#context.ledger,
      budget = this.#context.budget,
      began = performance.now();
    const half = Math.floor(train.count / 2), batchSize = Math.max(2, Math.min(32, Math.floor(half / 2)));
    const base = {
      ...{ initChannels: 4, cells: 3, batchSize, weightLr: 0.05, alphaLr: 0.02, seed },
      ...{ pad: 2, flip: "auto" as const, checkpointSteps: 1_000_000 },
    };
    const quick = { statisticsImages: 64, probeImages: batchSize, evalImages: batchSize };
    try {
      const seconds = await ledger.result("speed/search", async () => {
        this.#context.tell("measuring how fast a search is", 0);
        const { epochs } = await search({ ...base, ...quick, epochs: 1, stepsPerEpoch: 4 }, train, {
          gpu: this.#context.gpu,
          signal: this.#context.signal,
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
        const folder = this.#context.folder && joinPath(this.#context.folder.path, "search");
        const { report } = await search(options, train, {
          ...{ gpu: this.#context.gpu, folder, signal: this.#context.signal, warn: this.#context.warn },
          onProgress: ({ epoch, epochs, step, stepsPerEpoch }) =>
            this.#context.tell("searching cells", (epoch + step / stepsPerEpoch) / epochs),
        });
        const cells = report.methods.map(({ method, genotype }) => ({ rule: method, genotype }));
        return { cells, steps: options.epochs * options.stepsPerEpoch };
      });
      budget.took(steps);
      const rate = await ledger.result("rate", () => Promise.resolve(NOMINAL_RATE));
      const left = budget.inSeconds(budget.left() - this.#context.reserve());
      const found = ledger.plan(
        "searched",
        () => searchedCandidates(cells, plan.searched, this.#question(train, left, rate)),
      );
      this.#context.event({ event: "search", steps, seconds: (performance.now() - began) / 1000, candidates: found });
      return found;
    } catch (error) {
      if (!(error instanceof FailureError)) throw error;
      this.#context.notes.push(`The search came to nothing: ${error.message}`);
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
        this.#context.notes.push(`${candidate.name}: ${error.message}`);
        this.#runners = this.#runners.filter((runner) => runner.candidate.name !== candidate.name);
      }
    }
  }

  /** A candidate's trials in a rung, one on each split. */
  async #enter(rung: number, candidate: CandidateNetwork, slice: number, folds: readonly Fold[]): Promise<void> {
    const budget = this.#context.budget,
      known = this.#runners.find((runner) => runner.candidate.name === candidate.name);
    const secondsPerStep = known?.secondsPerStep ??
      await this.#context.ledger.result(`speed/${candidate.name}`, () => this.#speed(candidate, folds[0]));
    const models: Model[] = [], results: TrialResult[] = [];
    for (const [i, fold] of folds.entries()) {
      const id = `rung ${rung}/${candidate.name}/split ${i}`;
      const plan = this.#context.ledger.plan(id, () => {
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
    this.reached.set(candidate.name, runner.standing);
    const best = !this.best || this.best === known || isBetter(runner.standing, this.best.standing);
    if (best) {
      this.best = this.#ranked()[0];
      this.#context.folder?.writeFile(AUTO_MODEL, encodeModel(this.best.models[0]));
    }
    this.#context.event({ event: "trial", candidate, rung, standing: runner.standing, best });
  }

  async #speed(candidate: CandidateNetwork, { train }: Fold): Promise<number> {
    this.#context.tell(`compiling ${candidate.name}`, 0);
    return this.#context.clocked ? await measureStep(candidate, train, this.#context.gpu, this.#context.signal) : 1;
  }

  async #trial(
    id: string,
    candidate: CandidateNetwork,
    plan: TrialPlan,
    { train, held }: Fold,
    from: Model | undefined,
  ): Promise<{ model: Model; result: TrialResult }> {
    const folder = this.#context.folder && trialFolder(this.#context.folder.path, id),
      gpu = this.#context.gpu,
      signal = this.#context.signal;
    let model: Model | undefined;
    const result = await this.#context.ledger.result(id, async (): Promise<TrialResult> => {
      const began = performance.now();
      const trained = await runTrial({
        ...{
          candidate,
          plan,
          data: train,
          gpu,
          folder,
          from,
          signal,
          seed: this.#context.config.seed,
          warn: this.#context.warn,
        },
        onProgress: (share) => this.#context.tell(`training ${candidate.name}`, share),
      });
      model = trained.model;
      const measuring = performance.now(), { predicted, loss } = await answersOf(model, held, gpu, signal);
      this.#context.secondsPerImage = (performance.now() - measuring) / 1000 / held.count;
      const right = predicted.map((label, i) => label === held.labels[i] ? "1" : "0").join("");
      const { steps, secondsPerStep } = trained;
      return { steps, secondsPerStep, right, loss, seconds: (performance.now() - began) / 1000 };
    });
    this.#context.budget.took(result.steps);
    return { model: model ?? loadModel(joinPath(folder!, LAST_MODEL)), result };
  }

  /** Candidates, the best first. */
  #ranked(): Runner[] {
    return this.#runners.toSorted((a, b) => isBetter(a.standing, b.standing) ? -1 : 1);
  }
}

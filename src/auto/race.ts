/**
 * The race of an `auto` run: which networks take part, the search that adds its cells, and the rungs after which the
 * better half goes on. Not responsible for what becomes of the winner.
 * @module
 */
import { FailureError, type IdartsError } from "../base/errors.ts";
import { joinPath } from "../base/files.ts";
import type { Dataset } from "../data/dataset.ts";
import type { Claims } from "../run/claims.ts";
import { encodeModel, loadModel, type Model } from "../train/model_file.ts";
import { LAST_MODEL } from "../train/train.ts";
import { exportOnnx } from "../export/onnx.ts";
import {
  type CandidateNetwork,
  knownCandidates,
  searchedCandidates,
  type SizeQuestion,
  slownessOf,
  withChance,
} from "./candidates.ts";
import { type Limits, limitsOf } from "./config.ts";
import { type FoundCells, searchCells } from "./search_cells.ts";
import { AUTO_MODEL, type Context } from "./context.ts";
import { TimeOver } from "./ledger.ts";
import type { Failed, Standing, TrialResult } from "./records.ts";
import { rungsFor, type Schedule, schedule, survivors } from "./schedule.ts";
import { fewerOf, type Fold } from "./splits.ts";
import { ranked, standingOf } from "./standing.ts";
import { batchFor, hasModel, measureLatency, measureStep, trialFolder, type TrialPlan, trialPlan } from "./trial.ts";
import { type DoneTrial, isTrial, type PlannedTrial, trialId, Trials } from "./trials.ts";

/** Multiply-accumulates of forward passes, trained with, that a second pays for where nothing may be measured. */
const NOMINAL_RATE = 8e9;
/** Share of the budget that sees the winner's steps, about. */
const WINNER_SHARE = 0.5;
/** Seconds of a trial besides its steps. */
export const TRIAL_SECONDS = 1.5;
/** Steps that a trial takes at the least: fewer teach nothing. */
export const LEAST_STEPS = 4;
/** Share of the time that the smallest network may take to answer all held-out images once, and fewest of them. */
const HELD_SHARE = 0.01, LEAST_HELD = 32;
/** How much longer than planned a search may take before it is given up. */
const SEARCH_PATIENCE = 1.5;

/** A candidate on its way. */
export interface Runner {
  readonly candidate: CandidateNetwork;
  readonly secondsPerStep: number;
  readonly secondsPerImage: number;
  /** Its network on each split. */
  readonly models: readonly Model[];
  readonly standing: Standing;
}

/** How a race is to go. */
export interface RacePlan {
  readonly schedule: Schedule;
  readonly known: readonly CandidateNetwork[];
  readonly folds: readonly Fold[];
}

/** A rung on its way. */
interface Heat {
  readonly rung: number;
  /** What a trial may take. */
  readonly slice: number;
  readonly folds: readonly Fold[];
}

/** A race. */
export class Race {
  readonly #context: Context;
  readonly #limits: Limits;
  readonly #trials: Trials;
  /** Trials that were decided on in this process, by their ids. */
  readonly #plans = new Map<string, PlannedTrial>();
  /** Candidates that are still in it. */
  #runners: readonly Runner[] = [];
  /** Where every candidate got to. */
  readonly reached: Map<string, Standing> = new Map();
  /** The best one so far. */
  best: Runner | undefined;

  /** Nobody has started yet. @param claims of this process, where trials may be shared */
  constructor(context: Context, claims: Claims | undefined) {
    this.#context = context;
    this.#trials = new Trials(context, claims);
    this.#limits = limitsOf(context.config);
  }

  /** The splits that there is time to compare on, from how fast the smallest network is here. */
  async comparison(folds: readonly Fold[]): Promise<Fold[]> {
    const { ledger, clocked, budget } = this.#context, [{ train, held }] = folds;
    const [probe] = knownCandidates(1, this.#question(train, 0, 0)), batch = batchFor(train.count);
    const rate = await ledger.measured("rate", async () => {
      if (!clocked) return NOMINAL_RATE;
      this.#context.tell("measuring how fast this adapter is");
      return probe.macs * batch / await measureStep(probe, train, await this.#context.device(), this.#context.signal);
    });
    const step = probe.macs * batch / rate, image = step / batch / 3; // a prediction is a third of a step
    const wanted = ledger.plan("comparison", () => {
      if (!clocked) return { splits: folds.length, held: held.count };
      const usable = budget.left() - this.#context.reserve(), two = 2 * (TRIAL_SECONDS + 6 * step);
      const splits = two * folds.length <= usable / 3 ? folds.length : 1;
      return { splits, held: Math.min(held.count, Math.max(LEAST_HELD, Math.floor(HELD_SHARE * usable / image))) };
    });
    this.#context.held = wanted.held;
    if (clocked) this.#context.secondsPerImage = image;
    return await fewerOf(folds, wanted.splits, wanted.held);
  }

  /** Shares the budget out and chooses known candidates. */
  async plan(folds: readonly Fold[]): Promise<RacePlan> {
    const { config: { search: wanted }, ledger, budget } = this.#context;
    const plan = ledger.plan(
      "schedule",
      () => schedule(Math.max(0, budget.left() - this.#context.reserve()), budget, wanted, folds.length),
    );
    const told = ledger.entries.some(({ id }) => id === "candidates"), known = await this.#known(plan, folds);
    if (!told) this.#context.event({ event: "plan", candidates: known, text: this.#planText(plan, known, folds) });
    return { schedule: plan, known, folds };
  }

  /** Known candidates, then searched ones, then rungs until one is left. */
  async run({ schedule: plan, known, folds }: RacePlan): Promise<void> {
    const slice = plan.rung / (plan.known + plan.searched);
    let found: Promise<readonly CandidateNetwork[]> | undefined;
    const search = () => found ??= this.#search(plan, folds[0]);
    await this.#rung(0, known, slice, folds, plan.searched > 0 ? search : undefined);
    if (!this.best) await this.#rung(0, this.#smallest(known, folds[0]), slice, folds);
    if (plan.searched > 0) await this.#rung(0, await search(), slice, folds);
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
    const going = known.length + searched, least = Math.min(rungs, rungsFor(going));
    const halving = going < 2
      ? "a short training to have one early; then it is trained"
      : `${least} ${least === 1 ? "rung" : "rungs"} of halving at equal effort; the winner trains on`;
    return [
      `${splits}${train.count} images to train on, ${held.count} held out to compare by`,
      `${known.map(({ name }) => name).join(", ")}${search}`,
      `${halving} with all training images`,
    ];
  }

  /** Plain and published candidates whose sizes suit the budget. */
  async #known(
    { known, searched, search, rung }: Schedule,
    folds: readonly Fold[],
  ): Promise<readonly CandidateNetwork[]> {
    const { budget, ledger, clocked } = this.#context, [{ train }] = folds, rate = await this.#rate();
    return ledger.plan("candidates", () => {
      const left = budget.inSeconds(Math.max(0, budget.left() - this.#context.reserve() - search));
      const all = knownCandidates(known, this.#question(train, left, rate));
      if (!clocked) return all;
      const slice = budget.inSeconds(rung) / (known + searched) / folds.length - TRIAL_SECONDS;
      const tried = withChance(all, { data: train, affordable: slice * rate });
      for (const { name } of all.filter((one) => !tried.includes(one))) {
        ledger.note(`${name} was not tried: in its share of the time it would have learnt next to nothing`);
      }
      return tried;
    });
  }

  /** What is left to try where nothing else could be trained or was quick enough: the smallest of all. */
  #smallest(tried: readonly CandidateNetwork[], { train }: Fold): readonly CandidateNetwork[] {
    const smallest = knownCandidates(1, this.#question(train, 0, 0));
    return smallest.filter(({ name }) => tried.every((each) => each.name !== name));
  }

  /** Multiply-accumulates of forward passes, trained with, a second; it was measured before. */
  #rate(): Promise<number> {
    return this.#context.ledger.measured("rate", () => Promise.resolve(NOMINAL_RATE));
  }

  #question(data: Dataset, seconds: number, rate: number): SizeQuestion {
    const { size } = this.#limits;
    return {
      data,
      constraints: { size },
      affordable: (kind) => WINNER_SHARE * seconds * rate / slownessOf(kind),
    };
  }

  /** Cells of a search on these images as candidates. */
  async #search(plan: Schedule, { train }: Fold): Promise<readonly CandidateNetwork[]> {
    const { ledger, budget } = this.#context, began = performance.now(), told = ledger.knows("search");
    const outcome = await ledger.result("search", async (): Promise<FoundCells | Failed> => {
      const before = ledger.repeated("search") as FoundCells | Failed | undefined;
      if (before && "failed" in before) return before;
      try {
        using limit = this.#context.within(
          SEARCH_PATIENCE * plan.search,
          new FailureError("it took much longer than planned"),
        );
        return await searchCells(this.#context, plan.search, train, limit.signal);
      } catch (error) {
        return this.#failed(error);
      }
    });
    if ("failed" in outcome) {
      ledger.note(`The search came to nothing: ${outcome.failed}`);
      return [];
    }
    const { cells, steps } = outcome, rate = await this.#rate();
    budget.took(steps);
    const found = ledger.plan("searched", () => {
      const left = budget.inSeconds(Math.max(0, budget.left() - this.#context.reserve()));
      return searchedCandidates(cells, plan.searched, this.#question(train, left, rate));
    });
    const seconds = (performance.now() - began) / 1000;
    if (!told) this.#context.event({ event: "search", steps, seconds, candidates: found });
    return found;
  }

  /** Why something came to nothing that the rest can do without. @throws what ends the run */
  #failed(error: unknown): Failed {
    if (this.#context.isFatal(error)) throw error;
    return { failed: (error as IdartsError).message };
  }

  /**
   * Trains candidates at equal effort and measures them.
   * @param search what can be done, once there is a network, while other processes are at all that is left
   */
  async #rung(
    rung: number,
    candidates: readonly CandidateNetwork[],
    slice: number,
    folds: readonly Fold[],
    search?: () => Promise<unknown>,
  ): Promise<void> {
    const heat: Heat = { rung, slice: slice / folds.length, folds };
    const allPlanned = (): boolean => this.#plans.has(trialId(rung, candidates.at(-1)!, folds.length - 1));
    for (const [i, candidate] of candidates.entries()) {
      await this.#lookAhead(candidates.slice(i), heat);
      if (search && this.best && allPlanned() && this.#trials.others > 0) {
        await search().catch((error) => { // what others have done meanwhile counts
          if (!this.#context.isTimeOver(error)) throw error;
        });
      }
      const failed = await this.#enter(candidate, heat);
      if (failed) await this.#leaves(candidate, failed, heat);
    }
  }

  /**
   * Decides on trials before their turn, so that other processes find some: on those of as many candidates as there are
   * processes, or of all where the clock has no say, so that the same is decided whatever their number.
   */
  async #lookAhead(candidates: readonly CandidateNetwork[], heat: Heat): Promise<void> {
    const { clocked } = this.#context, count = clocked ? 1 + this.#trials.others : Infinity;
    if (count < 2) return;
    try {
      for (const candidate of candidates.slice(0, count)) {
        const speed = await this.#speed(candidate, heat.folds[0]);
        if (typeof speed !== "number") continue;
        for (const i of heat.folds.keys()) if (!this.#planned(candidate, i, speed, heat)) return;
      }
    } catch (error) {
      if (!this.#context.isTimeOver(error)) throw error; // else it is when their turn comes, too
    }
  }

  /** Decides on a trial. @returns undefined where there is no time left for it */
  #planned(
    candidate: CandidateNetwork,
    i: number,
    speed: number,
    { rung, slice, folds }: Heat,
  ): PlannedTrial | undefined {
    const { ledger, budget } = this.#context, id = trialId(rung, candidate, i), known = this.#plans.get(id);
    if (known) return known;
    const fold = folds[i], pending = ledger.entries.some((entry) => isTrial(entry) && entry.result === undefined);
    const needed = i === 0 && !this.best && !pending;
    const plan = ledger.plan(id, () => this.#trialPlan(speed, slice, fold, rung > 0, needed));
    if (!plan) return undefined;
    budget.took(plan.epochs * plan.stepsPerEpoch);
    const from = this.#runnerOf(candidate)?.models[i], planned = { id, candidate, plan, fold, from: () => from };
    this.#plans.set(id, planned);
    if (!ledger.knows(id)) this.#trials.expect(planned);
    return planned;
  }

  /** A candidate is out, and with it what was decided on and not done yet. */
  async #leaves(candidate: CandidateNetwork, failed: string, { rung, folds }: Heat): Promise<void> {
    const { ledger } = this.#context;
    ledger.note(`${candidate.name} is out: ${failed}`);
    this.#runners = this.#runners.filter((runner) => runner.candidate.name !== candidate.name);
    if (!this.best) this.#context.hasNetwork = false;
    for (const id of [...folds.keys()].map((i) => trialId(rung, candidate, i))) {
      this.#trials.forget(id);
      if (this.#plans.has(id)) await ledger.result(id, () => Promise.resolve<Failed>({ failed }));
    }
  }

  #runnerOf({ name }: CandidateNetwork): Runner | undefined {
    return this.#runners.find(({ candidate }) => candidate.name === name);
  }

  /** A candidate's trials in a rung, one on each split. @returns why it is out, if it is */
  async #enter(candidate: CandidateNetwork, heat: Heat): Promise<string | undefined> {
    const { ledger } = this.#context, { rung, folds } = heat, known = this.#runnerOf(candidate);
    const speed = await this.#speed(candidate, folds[0]);
    if (typeof speed !== "number") return speed.failed;
    const models: Model[] = [], results: TrialResult[] = [];
    let fresh = false, latency = known?.standing.latency;
    for (const [i, fold] of folds.entries()) {
      fresh ||= !ledger.knows(trialId(rung, candidate, i));
      try {
        const trial = this.#planned(candidate, i, speed, heat);
        if (!trial) throw new TimeOver();
        const { model, result } = await this.#trial(trial);
        if (!model) return result.failed;
        models.push(model);
        results.push(result);
      } catch (error) {
        if (!this.#context.isTimeOver(error) || this.best || models.length === 0) throw error;
        break; // a network from one split is better than none
      }
      if (i === 0 && rung === 0) {
        latency = await this.#latency(candidate, models[0], fold);
        const excess = this.#excess(models[0], latency);
        if (excess) return excess;
      }
    }
    const standing = { ...standingOf(candidate, rung, results, known?.standing), latency };
    const secondsPerStep = Math.max(...results.map((result) => result.secondsPerStep)) || speed,
      secondsPerImage = Math.max(...results.map((result) => result.secondsPerImage)) || this.#context.secondsPerImage;
    this.#stands({ candidate, secondsPerStep, secondsPerImage, models, standing }, known, fresh);
    return undefined;
  }

  /** Takes down where a candidate stands now, and keeps the best network. */
  #stands(runner: Runner, known: Runner | undefined, fresh: boolean): void {
    const { candidate, standing } = runner, { folder } = this.#context;
    this.#runners = [...this.#runners.filter((each) => each !== known), runner];
    this.reached.set(candidate.name, standing);
    const first = this.#ranked()[0];
    if (first !== this.best) {
      this.best = first;
      folder?.writeFile(AUTO_MODEL, encodeModel(this.best.models[0])); // an earlier process may not have come to it
      this.#context.hasNetwork = true;
    }
    if (fresh) {
      this.#context.event({ event: "trial", candidate, rung: standing.rungs - 1, standing, best: first === runner });
    }
  }

  /** What a trial does; null where there is no time left for it. @param needed whether it is the first of all */
  #trialPlan(speed: number, slice: number, { train }: Fold, again: boolean, needed: boolean): TrialPlan | null {
    const { budget, clocked } = this.#context, overhead = budget.overhead(TRIAL_SECONDS);
    const most = Math.floor((budget.left() - this.#context.reserve() - overhead) / budget.stepCost(speed));
    const wanted = Math.floor((slice - overhead) / budget.stepCost(speed));
    const steps = Math.min(most, Math.max(LEAST_STEPS, wanted));
    if (steps < LEAST_STEPS && !needed) return null;
    return trialPlan(Math.max(1, steps), train.count, again, clocked ? speed : undefined);
  }

  /** Seconds in which a network answers one image here; undefined where that cannot be told. */
  async #latency(candidate: CandidateNetwork, model: Model, { held }: Fold): Promise<number | undefined> {
    const { ledger, signal, userSignal } = this.#context, id = `latency/${candidate.name}`;
    const decides = this.#limits.latency !== undefined;
    if (!decides && signal.aborted) return undefined;
    const measure = async (): Promise<number | Failed> => {
      try {
        return await measureLatency(model, held, await this.#context.device(), userSignal);
      } catch (error) {
        if (decides) throw error;
        return this.#failed(error);
      }
    };
    const known = decides ? await ledger.measured(id, measure) : await ledger.result(id, measure);
    return typeof known === "number" ? known : undefined;
  }

  /** What a network exceeds of what it may cost, as measured; nothing where it does not. */
  #excess(model: Model, seconds: number | undefined): string | undefined {
    const { latency = Infinity, bytes } = this.#limits, file = bytes === undefined ? 0 : exportOnnx(model).length;
    if (bytes !== undefined && file > bytes) return `its ONNX file has ${file} bytes, and ${bytes} are allowed`;
    if (seconds === undefined || seconds <= latency) return undefined;
    const ms = (value: number): string => `${(1000 * value).toPrecision(3)} ms`;
    return `an image takes it ${ms(seconds)}, and ${ms(latency)} are allowed`;
  }

  /** Seconds that a step takes a candidate here. */
  #speed(candidate: CandidateNetwork, { train }: Fold): Promise<number | Failed> {
    const known = this.#runnerOf(candidate)?.secondsPerStep, { ledger, signal } = this.#context;
    if (known !== undefined) return Promise.resolve(known);
    return ledger.measured(`speed/${candidate.name}`, async () => {
      if (!this.#context.clocked) return 1;
      this.#context.tell(`compiling ${candidate.name}`);
      try {
        return await measureStep(candidate, train, await this.#context.device(), signal);
      } catch (error) {
        return this.#failed(error);
      }
    });
  }

  /** What came of a trial, written down. */
  async #trial(trial: PlannedTrial): Promise<DoneTrial | { model?: undefined; result: Failed }> {
    const { ledger, folder: run } = this.#context, folder = run && trialFolder(run.path, trial.id);
    let model: Model | undefined;
    const result = await ledger.result(trial.id, async (): Promise<TrialResult | Failed> => {
      const before = ledger.repeated(trial.id) as TrialResult | Failed | undefined;
      if (before && "failed" in before) return before;
      try {
        const done = await this.#trials.outcome(trial, !this.best);
        model = done.model;
        return done.result;
      } catch (error) {
        return this.#failed(error);
      }
    }, (known) => "failed" in known || hasModel(folder));
    if ("failed" in result) return { result };
    this.#context.secondsPerImage = Math.max(this.#context.secondsPerImage, result.secondsPerImage);
    return { model: model ?? loadModel(joinPath(folder!, LAST_MODEL)), result };
  }

  /** Candidates that are still in it, the best first. */
  #ranked(): Runner[] {
    const entered = [...this.reached.values()].flatMap((standing) =>
      this.#runners.filter((runner) => runner.standing === standing)
    );
    return ranked(entered.map(({ standing }) => standing)).map((standing) =>
      entered.find((runner) => runner.standing === standing)!
    );
  }
}

/**
 * The training of an `auto` run's winner with all images: of one network or, where each would see every image very often,
 * of several that are trained apart and answer together. Either may answer to mirror images, too. Not responsible for who
 * wins.
 * @module
 */
import type { IdartsError } from "../base/errors.ts";
import { joinPath } from "../base/files.ts";
import { Random } from "../base/random.ts";
import { type Dataset, defaultAugment } from "../data/dataset.ts";
import { exportOnnx } from "../export/onnx.ts";
import { costOf } from "../space/cost.ts";
import { ensembleOf, mirroredOf } from "../train/ensemble.ts";
import { loadModel, type Model } from "../train/model_file.ts";
import type { Pace } from "../train/records.ts";
import { LAST_MODEL } from "../train/train.ts";
import { type AutoConfig, limitsOf } from "./config.ts";
import type { Context } from "./context.ts";
import { ClockPace, samePace } from "./pace.ts";
import { LEAST_STEPS, type Runner, TRIAL_SECONDS } from "./race.ts";
import type { Ensemble, Failed, FinalOutcome, FinalPlan, FinalTraining, Standing } from "./records.ts";
import type { Fold } from "./splits.ts";
import { answersOf, batchFor, hasModel, measureLatency, runTrial, trialFolder, trialPlan } from "./trial.ts";

/** Share of a schedule from which on nothing is said where the time is over: the learning rate is low then. */
const ENOUGH_SHARE = 0.9;
/**
 * Where the winner has at least so many times the steps that it had in the halving, its training begins anew: to go on from
 * weights that were trained shortly is worse in the end than not to have them (Ash and Adams 2020, arXiv 1910.08475, and
 * docs/results.md).
 */
const ANEW_FROM = 2;
/** How often each member of an ensemble sees every image at the least: from there on another one brings more than steps. */
const MEMBER_PASSES = 120;

/** What came out. */
export interface TrainedWinner {
  /** The network. */
  readonly model: Model;
  /** Whether it was trained with all images; false where the network from before is kept. */
  readonly trainedOn: boolean;
  /** Steps that it was trained for with all images; of several networks, of each, about. */
  readonly steps: number;
}

/** How many networks so many steps are best spent on. @param most that there may be */
export function membersFor(steps: number, images: number, most: number): number {
  return Math.max(1, Math.min(most, Math.floor(steps * batchFor(images) / images / MEMBER_PASSES)));
}

/** What {@linkcode mostMembers} asks of a candidate. */
export interface MostOf extends Pick<Runner, "candidate" | "models"> {
  readonly standing: Pick<Standing, "latency">;
}

/** Members that the user and what the network may cost allow, one at the least. */
export function mostMembers(
  config: AutoConfig,
  { candidate, standing: { latency = 0 }, models: [model] }: MostOf,
): number {
  const { size: { parameters = Infinity, macs = Infinity } = {}, bytes = Infinity, latency: longest = Infinity } =
    limitsOf(config);
  const shares = [parameters / candidate.parameters, macs / candidate.macs, latency > 0 ? longest / latency : Infinity];
  let most = Math.max(1, Math.floor(Math.min(config.members, ...shares)));
  if (bytes < Infinity) {
    while (most > 1 && exportOnnx(ensembleOf(Array<Model>(most).fill(model))).length > bytes) most--;
  }
  return most;
}

/** Whether the answers of so many networks to mirror images may count. */
export function mayMirror(
  config: AutoConfig,
  data: Pick<Dataset, "name" | "height" | "width" | "channels" | "format">,
  { candidate: { macs }, standing: { latency = 0 } }: Pick<MostOf, "candidate" | "standing">,
  members: number,
): boolean {
  const { size: { macs: most = Infinity } = {}, latency: longest = Infinity } = limitsOf(config);
  const answers = 2 * members, within = answers * macs <= most && answers * latency <= longest;
  return config.mirror === "auto" && defaultAugment(data).flip && within;
}

/** Trains the winner on, or anew, with all images; what came before is kept where that made it worse. */
export async function trainWinner(context: Context, winner: Runner, fold: Fold): Promise<TrainedWinner> {
  const { candidate, secondsPerStep, models: [before], standing } = winner, { ledger, budget, clocked } = context;
  const { train: data } = context.data;
  const may = (members: number): boolean => mayMirror(context.config, data, winner, members);
  const plan = ledger.plan("final", (): FinalPlan | null => {
    context.views = may(1) ? 2 : 1;
    const left = budget.left() - context.reserve() - budget.overhead(TRIAL_SECONDS);
    const steps = Math.floor(left / budget.stepCost(secondsPerStep));
    if (steps < LEAST_STEPS) return null;
    const members = membersFor(steps, data.count, mostMembers(context.config, winner)),
      each = Math.floor(steps / members);
    const anew = members > 1 || each >= ANEW_FROM * standing.steps / winner.models.length;
    const trial = trialPlan(each, data.count, !anew, clocked ? secondsPerStep : undefined);
    const mirrored = may(members);
    return { ...trial, ...(members > 1 && { members }), ...(mirrored && { mirrored }) };
  });
  const end = (model: Model, steps = 0): TrainedWinner => {
    ({ members: context.members = 1 } = model.network);
    context.views = model.network.mirrored ? 2 : 1;
    return { model, trainedOn: steps > 0, steps };
  };
  if (!plan) {
    ledger.note("There was no time to train the winner on");
    return end(before);
  }
  const training = new Training(context, winner, plan, fold), { members = 1, mirrored = false } = plan;
  context.members = members;
  context.views = mirrored ? 2 : 1;
  while (training.models.length < members && await training.next());
  const { models, steps, told } = training;
  if (models.length === 0) return end(before);
  if (!told) context.event({ event: "final", candidate, members: models.length, steps, kept: training.kept.at(-1)! });
  const count = await quickEnough(context, models, fold), kept = training.kept[count - 1];
  if (!kept) ledger.note("Training on made the winner worse: the network from before is kept");
  if (!kept) return end(before);
  const model = ensembleOf(models.slice(0, count));
  return end(mirrored ? await mirroredWithin(context, model, fold) : model, steps / models.length);
}

/** The network that looks at mirror images, too; as it is where that is larger or slower than it may be. */
async function mirroredWithin(context: Context, model: Model, fold: Fold): Promise<Model> {
  const mirrored = mirroredOf(model), problem = await mirrorProblem(context, mirrored, fold);
  if (problem) context.ledger.note(`Mirror images do not count: ${problem}`);
  return problem ? model : mirrored;
}

async function mirrorProblem(context: Context, mirrored: Model, fold: Fold): Promise<string | undefined> {
  const { latency: longest, bytes = Infinity } = limitsOf(context.config);
  if (bytes < Infinity && exportOnnx(mirrored).length > bytes) return "the network would be larger than it may be";
  if (longest === undefined) return undefined;
  const seconds = await answerLatency(context, mirrored, fold);
  if (seconds === undefined) return "what they take could not be timed";
  return seconds > longest ? "the network would be slower than it may be" : undefined;
}

/** How many of the networks answer together within what an image may take: what one takes was within it. */
async function quickEnough(context: Context, models: readonly Model[], fold: Fold): Promise<number> {
  const { latency: longest } = limitsOf(context.config);
  let count = models.length;
  for (; longest !== undefined && count > 1; count--) {
    const seconds = await answerLatency(context, ensembleOf(models.slice(0, count)), fold);
    if (seconds !== undefined && seconds <= longest) break;
    const what = seconds === undefined ? "could not be timed" : "take longer than an image may";
    context.ledger.note(`${count} networks together ${what}: ${count - 1} ${count > 2 ? "answer" : "answers"}`);
  }
  return count;
}

/** Seconds in which several answers to one image are there; undefined where that cannot be told. */
async function answerLatency(context: Context, model: Model, { held }: Fold): Promise<number | undefined> {
  const { ledger, userSignal, config } = context, { members = 1, mirrored } = model.network;
  const id = `latency/${members} ${members > 1 ? "networks" : "network"}${mirrored ? ", mirrored" : ""}`;
  const measure = async (): Promise<number | Failed> => {
    try {
      return await measureLatency(model, held, await context.device(), userSignal);
    } catch (error) {
      if (context.isFatal(error)) throw error;
      return { failed: (error as IdartsError).message };
    }
  };
  const decides = limitsOf(config).latency !== undefined;
  const known = (): Promise<number | Failed> => ledger.result(id, measure);
  const latency = decides
    ? await ledger.measured(id, measure).catch((error) => {
      if (!context.isTimeOver(error)) throw error;
      return known(); // the run that is repeated had no such limit, or was of an earlier version
    })
    : await known();
  return typeof latency === "number" ? latency : undefined;
}

/** What a network is and costs whose answer is the mean of several; undefined for others. */
export async function ensembleRecord(context: Context, model: Model, fold: Fold): Promise<Ensemble | undefined> {
  const { members = 1, mirrored = false } = model.network;
  if (members === 1 && !mirrored) return undefined;
  const { parameters, macs } = costOf(model.network), latency = await answerLatency(context, model, fold);
  return { members, ...(mirrored && { mirrored }), parameters, macs, ...(latency !== undefined && { latency }) };
}

/** The networks that are trained, one after the other. */
class Training {
  readonly #context: Context;
  readonly #winner: Runner;
  readonly #plan: FinalPlan;
  readonly #fold: Fold;
  /** Those that were trained. */
  readonly models: Model[] = [];
  /** Their steps. */
  steps = 0;
  /** Whether the first one, the first two ... together are as good on the held-out images as the network from before. */
  readonly kept: boolean[] = [];
  /** Whether an earlier process came to the end of it, and told. */
  told = true;

  constructor(context: Context, winner: Runner, plan: FinalPlan, fold: Fold) {
    this.#context = context;
    this.#winner = winner;
    this.#plan = plan;
    this.#fold = fold;
  }

  /** Trains one more. @returns whether it came to something */
  async next(): Promise<boolean> {
    const { ledger, budget, folder: run } = this.#context, { models } = this, member = models.length;
    const id = member === 0 ? "final" : `final ${member + 1}`, folder = run && trialFolder(run.path, id);
    let model: Model | undefined;
    this.told &&= ledger.knows(id);
    const done = await ledger.result(id, async (): Promise<FinalOutcome> => {
      const again = ledger.repeated(id) as FinalOutcome | undefined;
      if (again && "failed" in again) return again;
      try {
        const trained = await this.#train(folder, again);
        model = trained.model;
        return { ...trained.done, kept: await this.#isAsGood(ensembleOf([...models, model])) };
      } catch (error) {
        if (this.#context.isTimeOver(error)) return { failed: "the time was over before its first epoch" };
        if (this.#context.isFatal(error)) throw error;
        return { failed: (error as IdartsError).message };
      }
    }, (known) => "failed" in known || hasModel(folder));
    if ("failed" in done) {
      ledger.note(`${this.#name(member)} was not trained${member === 0 ? " on" : ""}: ${done.failed}`);
      return false;
    }
    const { epochs, steps, kept, shares } = done;
    budget.took(steps);
    if ((shares?.[epochs - 1] ?? epochs / this.#plan.epochs) < ENOUGH_SHARE) {
      ledger.note(`${this.#name(member)}'s training was cut short after ${steps} steps: the time was over`);
      if (member > 0) return false; // its learning rate was high: the others are better without it
    }
    models.push(model ?? loadModel(joinPath(folder!, LAST_MODEL)));
    this.steps += steps;
    this.kept.push(kept);
    return true;
  }

  #name(member: number): string {
    return member === 0 ? "The winner" : `Network ${member + 1} of the ensemble`;
  }

  async #train(
    folder: string | undefined,
    again: FinalTraining | undefined,
  ): Promise<{ model: Model; done: Omit<FinalTraining, "kept"> }> {
    const context = this.#context, { candidate, models: [from] } = this.#winner, plan = this.#plan;
    const { signal, warn, config: { seed }, data: { train: data } } = context, { members = 1 } = plan;
    const member = this.models.length, pace = this.#pace(again), gpu = await context.device();
    const which = members > 1 ? ` (${member + 1} of ${members})` : "";
    const { model, epochs, steps } = await runTrial({
      ...{ candidate, plan, data, gpu, folder, from, signal, warn, pace, stopAfter: again?.epochs },
      seed: member === 0 ? seed : new Random(seed, "auto/members", member).word(),
      onProgress: (share) => context.tell(`training the winner, ${candidate.name}${which}`, (member + share) / members),
    });
    return { model, done: { epochs, steps, shares: again?.shares ?? pace?.shares.slice(0, epochs) } };
  }

  /** How a training goes through its schedule: by the clock, each in an equal part, or as in the run that is repeated. */
  #pace(again: FinalTraining | undefined): Pace | undefined {
    const { budget, clocked } = this.#context, { members = 1, stepsPerEpoch } = this.#plan;
    if (again) return again.shares && samePace(again.shares);
    if (!clocked) return undefined;
    const left = (): number => budget.left() - this.#context.reserve(), others = members - this.models.length - 1;
    const kept = left() * others / (others + 1);
    return new ClockPace(() => left() - kept, this.#winner.secondsPerStep * stepsPerEpoch);
  }

  async #isAsGood(model: Model): Promise<boolean> {
    const { held } = this.#fold, { accuracy } = this.#winner.standing, { userSignal: signal } = this.#context;
    const { correct } = await answersOf(model, held, await this.#context.device(), { signal });
    return correct / held.count >= accuracy - 2 * Math.sqrt(accuracy * (1 - accuracy) / held.count);
  }
}

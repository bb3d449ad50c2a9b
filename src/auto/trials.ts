/**
 * Trials as the processes of a run share them: each is claimed through the run's folder, carried out in a folder of its
 * own, and left there with its network and `trial.json`, which the process that leads takes into the ledger. Without a
 * folder all are this process's. Not responsible for which trials there are, nor for what follows from them.
 * @module
 */
import { exists, fileError, joinPath, readJson, writeAtomic } from "../base/files.ts";
import { checkShape } from "../base/shape.ts";
import { Claims, SharedFolder } from "../run/claims.ts";
import { encodeModel, loadModel, type Model } from "../train/model_file.ts";
import { LAST_MODEL } from "../train/train.ts";
import type { CandidateNetwork } from "./candidates.ts";
import { AUTO_MODEL, type Context } from "./context.ts";
import { type Entry, TimeOver } from "./ledger.ts";
import type { Failed, TrialResult } from "./records.ts";
import { TRIAL_SHAPE } from "./shapes.ts";
import type { Fold } from "./splits.ts";
import { answersOf, hasModel, runTrial, type TrialPlan, trialTask } from "./trial.ts";

/** Name of the file with what came of a trial, in its folder. */
const TRIAL_FILE = "trial.json";

/** Value of its field `format`. */
const FORMAT = "idarts-trial/1";

/** Seconds between two signs of life: after six that are missing, others take over. */
const HEARTBEAT_SECONDS = 2;

/** What the file says. */
export interface TrialFile extends TrialResult {
  readonly format: typeof FORMAT;
  /** The worker that carried it out. */
  readonly owner: string;
}

/** The id of a trial in the ledger. */
export function trialId(rung: number, { name }: Pick<CandidateNetwork, "name">, split: number): string {
  return `rung ${rung}/${name}/split ${split}`;
}

/** The parts of such an id; undefined for another one. */
export function trialParts(id: string): { rung: number; name: string; split: number } | undefined {
  const [, rung, name, split] = /^rung (\d+)\/(.+)\/split (\d+)$/.exec(id) ?? [];
  return name === undefined ? undefined : { rung: Number(rung), name, split: Number(split) };
}

/** Whether an entry of the ledger is a trial that was decided on. */
export function isTrial({ id, plan }: Entry): boolean {
  return plan !== null && trialParts(id) !== undefined;
}

/** A trial that was decided on. */
export interface PlannedTrial {
  /** Its id in the ledger. */
  readonly id: string;
  readonly candidate: CandidateNetwork;
  readonly plan: TrialPlan;
  readonly fold: Fold;
  /** The network that it goes on from. */
  from(): Model | undefined;
}

/** What came of a trial. */
export interface DoneTrial {
  readonly model: Model;
  readonly result: TrialResult;
}

/** Makes this process one of those that share the trials of a run. @param path folder of the run */
export async function joinTrials(path: string, { host, warn }: Context): Promise<Claims> {
  const folder = new SharedFolder(path, "trials");
  folder.make();
  return await Claims.join(folder, { every: HEARTBEAT_SECONDS, host, onFailure: ({ message }) => warn?.(message) });
}

/** The trials of a run. */
export class Trials {
  readonly #context: Context;
  readonly #claims: Claims | undefined;
  /** Decided on, and not asked for yet. */
  readonly #ahead = new Map<string, PlannedTrial>();

  /** @param claims of this process; without them nothing is shared */
  constructor(context: Context, claims: Claims | undefined) {
    this.#context = context;
    this.#claims = claims;
  }

  /** How many other processes are at work. */
  get others(): number {
    return this.#claims?.others() ?? 0;
  }

  /** Told of a trial that will be asked for: it may be carried out while another process is at the one that is due. */
  expect(trial: PlannedTrial): void {
    this.#ahead.set(trial.id, trial);
  }

  /** Told that it will not be. */
  forget(id: string): void {
    this.#ahead.delete(id);
  }

  /** What came of a trial, which is carried out where no other process does that. @param first whether no network is there yet */
  async outcome(trial: PlannedTrial, first: boolean): Promise<DoneTrial> {
    this.#ahead.delete(trial.id);
    if (!this.#claims) return await this.#carryOut(trial, first);
    this.#claims.tidy();
    for (;;) {
      const done = this.#found(trial.id) ?? await this.claimed(trial, first);
      if (done) return done;
      if (!await this.#another()) await this.#context.pause();
    }
  }

  /** What lies in the folder of a trial that was carried out; where a part of it is missing, it is done again. */
  #found(id: string): DoneTrial | undefined {
    const { folder, owner } = this.#claims!, task = trialTask(id), path = folder.run(task);
    if (!folder.done(task)) return undefined;
    const file = joinPath(path, TRIAL_FILE);
    if (!exists(file) || !hasModel(path)) {
      try {
        Deno.removeSync(path, { recursive: true });
      } catch (error) {
        throw fileError(error, "write", path);
      }
      return undefined;
    }
    const { format: _, owner: by, ...result } = checkShape(TRIAL_SHAPE, readJson(file), `'${file}'`);
    // How fast another process is, on another machine perhaps, says nothing about this one.
    return {
      model: loadModel(joinPath(path, LAST_MODEL)),
      result: by === owner ? result : { ...result, secondsPerStep: 0, secondsPerImage: 0 },
    };
  }

  /** Carries a trial out. @returns undefined where that is another process's */
  async claimed(trial: PlannedTrial, first = false, stop?: AbortSignal): Promise<DoneTrial | undefined> {
    const { owner, every } = this.#claims!, claim = this.#claims!.take(trialTask(trial.id));
    if (!claim) return undefined;
    using watch = claim.watch(every);
    try {
      const done = await this.#carryOut(trial, first, claim.path, [watch.signal, ...(stop ? [stop] : [])]);
      const file: TrialFile = { format: FORMAT, owner, ...done.result };
      writeAtomic(joinPath(claim.path, TRIAL_FILE), JSON.stringify(file, null, 2) + "\n");
      return claim.finish() ? done : undefined;
    } catch (error) {
      if (claim.lost()) return undefined; // its folder is gone: whatever follows is no news
      throw error;
    } finally {
      if (!claim.folder.done(claim.task)) claim.giveUp("released", "it was not finished");
    }
  }

  /** Carries out one of the trials that are expected. @returns whether there was one to be had */
  async #another(): Promise<boolean> {
    for (const trial of this.#ahead.values()) {
      try {
        if (!this.#claims!.folder.done(trialTask(trial.id)) && await this.claimed(trial)) return true;
      } catch (error) { // of others it is told when they are asked for
        if (this.#context.isFatal(error) && !this.#context.isTimeOver(error)) throw error;
        this.#ahead.delete(trial.id);
      }
    }
    return false;
  }

  /** @throws {TimeOver} where there was no time to carry it out whole, but for the first. */
  async #carryOut(
    { id, candidate, plan, fold: { train, held }, from }: PlannedTrial,
    first: boolean,
    folder?: string,
    stops: readonly AbortSignal[] = [],
  ): Promise<DoneTrial> {
    const context = this.#context, { ledger, config: { seed }, signal, userSignal, warn } = context;
    const before = ledger.repeated(id) as TrialResult | Failed | undefined, began = performance.now();
    const stopAfter = before && "epochs" in before ? before.epochs : undefined, gpu = await context.device();
    const within = (...signals: (AbortSignal | undefined)[]): AbortSignal =>
      AbortSignal.any([...signals, ...stops].filter((each) => each !== undefined));
    const trained = await runTrial({
      ...{ candidate, plan, data: train, gpu, folder, from: from(), seed, warn, stopAfter, signal: within(signal) },
      onModel: (model) => {
        if (!first) return;
        context.hasNetwork = true;
        if (trialParts(id)!.split === 0) context.folder?.writeFile(AUTO_MODEL, encodeModel(model)); // until one stands
      },
      onProgress: (share) => context.tell(`training ${candidate.name}`, share),
    });
    if (trained.epochs < (stopAfter ?? plan.epochs) && !first) throw new TimeOver();
    const { model, epochs, steps, secondsPerStep } = trained;
    const { predicted, evaluation: { loss }, secondsPerImage } = await answersOf(model, held, await context.device(), {
      signal: within(first ? userSignal : signal), // the first network is measured in any case
    });
    const right = predicted.map((label, i) => label === held.labels[i] ? "1" : "0").join("");
    const seconds = (performance.now() - began) / 1000;
    return { model, result: { epochs, steps, secondsPerStep, secondsPerImage, right, loss, seconds } };
  }
}

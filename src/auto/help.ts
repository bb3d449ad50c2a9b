/**
 * Helping with a run of `auto` that another process leads: trials that were decided on are claimed, carried out, and left
 * for that process to take into its ledger. Whoever helps is the next to lead where nobody does any more. Not responsible
 * for what is decided.
 * @module
 */
import type { IdartsError } from "../base/errors.ts";
import { exists, joinPath, lacksSpace } from "../base/files.ts";
import type { Beginnings } from "../run/phase.ts";
import { CONFIG_FILE, RunFolder } from "../run/run_folder.ts";
import { checkRecord } from "../run/run_record.ts";
import { loadModel } from "../train/model_file.ts";
import { LAST_MODEL } from "../train/train.ts";
import type { CandidateNetwork } from "./candidates.ts";
import { type Context, PAUSE_SECONDS } from "./context.ts";
import { type Entry, LEDGER_FILE, readLedger } from "./ledger.ts";
import type { AutoResult } from "./records.ts";
import { endedResult } from "./result_file.ts";
import { fewerOf, type Fold } from "./splits.ts";
import { trialFolder, type TrialPlan } from "./trial.ts";
import { isTrial, joinTrials, type PlannedTrial, trialId, trialParts, Trials } from "./trials.ts";

/**
 * Helps until the run has ended, or nobody leads it any more.
 * @param context of this process, without a folder
 * @param path folder of the run
 * @param all splits of the images
 * @returns what came out, or the folder, to lead the run from now on
 * @throws {UsageError} where the run is another one.
 */
export async function help(
  context: Context,
  path: string,
  beginnings: Beginnings,
  all: readonly Fold[],
): Promise<AutoResult | RunFolder> {
  const helper = new Helper(context, path, all), { warn } = context;
  while (!exists(joinPath(path, CONFIG_FILE))) {
    const folder = RunFolder.enterIfFree(path, { warn });
    if (folder) return folder;
    await context.pause();
  }
  checkRecord(RunFolder.view(path), beginnings);
  context.event({ event: "helps" });
  return await helper.work();
}

class Helper {
  readonly #context: Context;
  readonly #path: string;
  readonly #all: readonly Fold[];
  /** The run, once nobody else leads it. */
  #lead: RunFolder | undefined;
  #folds: readonly Fold[] | undefined;
  /** Trials that cannot be carried out here. */
  readonly #refused = new Set<string>();

  constructor(context: Context, path: string, all: readonly Fold[]) {
    this.#context = context;
    this.#path = path;
    this.#all = all;
  }

  async work(): Promise<AutoResult | RunFolder> {
    using claims = await joinTrials(this.#path, this.#context);
    const trials = new Trials(this.#context, claims);
    for (;;) {
      const view = RunFolder.view(this.#path), ended = endedResult(view);
      if (ended) return ended;
      if (this.#leads()) return this.#lead!;
      if (!await this.#anyOf(await this.#open(), trials)) await this.#context.pause();
    }
  }

  /** Whether nobody else leads the run any more: then this process does. */
  #leads(): boolean {
    this.#lead ??= RunFolder.enterIfFree(this.#path, { warn: this.#context.warn });
    return this.#lead !== undefined;
  }

  #entries(): readonly Entry[] {
    const view = RunFolder.view(this.#path), entries = exists(view.file(LEDGER_FILE)) ? readLedger(view).entries : [];
    return entries.some(({ id }) => id === "final") ? [] : entries; // what is open then will not be asked for
  }

  /** Trials that were decided on and of which it is not known what came. */
  async #open(): Promise<PlannedTrial[]> {
    const entries = this.#entries(), wanted = entries.find(({ id }) => id === "comparison");
    if (!wanted) return [];
    const { splits, held } = wanted.plan as { splits: number; held: number };
    const folds = this.#folds ??= await fewerOf(this.#all, splits, held);
    const candidates = entries.filter(({ id }) => id === "candidates" || id === "searched")
      .flatMap(({ plan }) => plan as readonly CandidateNetwork[]);
    return entries.filter((entry) => isTrial(entry) && entry.result === undefined && !this.#refused.has(entry.id))
      .flatMap(({ id, plan }) => {
        const { rung, name, split } = trialParts(id)!, candidate = candidates.find((each) => each.name === name);
        if (!candidate) return [];
        const before = joinPath(trialFolder(this.#path, trialId(rung - 1, candidate, split)), LAST_MODEL);
        const from = () => rung > 0 && exists(before) ? loadModel(before) : undefined;
        return [{ id, candidate, plan: plan as TrialPlan, fold: folds[split], from }];
      });
  }

  /** Carries out the first that can be had. @returns whether there was one */
  async #anyOf(open: readonly PlannedTrial[], trials: Trials): Promise<boolean> {
    for (const trial of open) {
      const stop = new AbortController(), { signal } = stop;
      const timer = setInterval(() => this.#isOver(trial) && stop.abort(), 1000 * PAUSE_SECONDS);
      try {
        const done = await trials.claimed(trial, false, signal);
        if (!done) continue;
        this.#context.event({ event: "helped", candidate: trial.candidate, ...trialParts(trial.id)!, ...done.result });
        return true;
      } catch (error) {
        if (signal.aborted && error === signal.reason) return true;
        this.#refuse(trial, error);
      } finally {
        clearInterval(timer);
      }
    }
    return false;
  }

  /** Whether a trial under way is of no use any more, or there is something more important to do. */
  #isOver({ id }: PlannedTrial): boolean {
    try {
      const entry = this.#entries().find((each) => each.id === id);
      return entry === undefined || entry.result !== undefined || this.#leads();
    } catch {
      return false; // it is tried again, and told, when this trial has ended
    }
  }

  /** Leaves a trial to others, one of which may have more memory. @throws what keeps this process from helping at all */
  #refuse({ id }: PlannedTrial, error: unknown): void {
    if (this.#context.isTimeOver(error)) return void this.#refused.add(id); // as in the run that is repeated
    if (this.#context.isFatal(error) || lacksSpace(error)) throw error;
    this.#refused.add(id);
    this.#context.warn?.(`Leaving ${id} to others: ${(error as IdartsError).message}`);
  }
}

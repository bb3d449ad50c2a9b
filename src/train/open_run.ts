/**
 * A run as its folder has it, for programs that go on from it: a search with its cell and its scores, a training with its
 * model. Not responsible for going on with a run: `search` and `train` do that, given its folder.
 * @module
 */
import { FailureError } from "../base/errors.ts";
import { exists } from "../base/files.ts";
import { METRICS_FILE, readRecords } from "../run/metrics_file.ts";
import { RunFolder, type RunFolderOptions } from "../run/run_folder.ts";
import { runKind } from "../run/run_record.ts";
import { type Outcome, OUTCOME_FILE, readOutcome } from "../search/outcome_file.ts";
import { EPOCH_SHAPE as SEARCH_EPOCH_SHAPE, type EpochRecord } from "../search/records.ts";
import { readSearch, type SearchRecord } from "../search/run_record.ts";
import type { Genotype } from "../space/genotype.ts";
import { EVALUATION_FILE, type EvaluationRecord, readEvaluation } from "./evaluation_file.ts";
import { loadModel, type Model } from "./model_file.ts";
import { EPOCH_SHAPE, type TrainRecord } from "./records.ts";
import { readTraining, type TrainingRecord } from "./run_record.ts";
import { BEST_MODEL, LAST_MODEL } from "./train.ts";

/** A search, finished or not. */
export interface OpenedSearch extends SearchRecord {
  /** That it is one. */
  readonly kind: "search";
  /** Its folder, to read from: `readCheckpoint()` gives what `rediscretize` takes. */
  readonly folder: RunFolder;
  /** Its epochs so far. */
  readonly epochs: readonly EpochRecord[];
  /** What was decided and why; absent until it has finished. */
  readonly outcome?: Outcome;
  /** The cell of its rule; absent until it has finished. */
  readonly genotype?: Genotype;
}

/** A training, finished or not. */
export interface OpenedTraining extends TrainingRecord {
  /** That it is one. */
  readonly kind: "train";
  /** Its folder, to read from. */
  readonly folder: RunFolder;
  /** Its epochs so far. */
  readonly epochs: readonly TrainRecord[];
  /** How well its model does; absent until it has finished. */
  readonly evaluation?: EvaluationRecord;
  /**
   * Reads its model: the one that was measured, else the best so far, else the last.
   * @throws {FailureError} before the first epoch has ended, and for a damaged file.
   */
  model(): Model;
}

/** A run; `kind` tells which. */
export type OpenedRun = OpenedSearch | OpenedTraining;

/** The file of a training's model, which need not be there yet: the one that was measured, else the best, else the last. */
export function modelFile(folder: RunFolder): string {
  const named = exists(folder.file(EVALUATION_FILE)) ? readEvaluation(folder).model : undefined;
  const names = [named, BEST_MODEL].filter((name) => name !== undefined).map((name) => folder.file(name));
  return names.find(exists) ?? folder.file(LAST_MODEL);
}

/**
 * Opens the folder of a run, also of one that is still running.
 * @example What a search found and how well its network does
 * ```ts
 * import { openRun } from "../../mod.ts";
 * function tell(path: string): void {
 *   const run = openRun(path);
 *   if (run.kind === "search") console.log(run.config.space, run.genotype, run.outcome?.methods.map((m) => m.skips));
 *   else console.log(run.name, run.evaluation?.test?.accuracy, run.model().classNames);
 * }
 * console.assert(typeof tell === "function");
 * ```
 * @throws {UsageError} where there is no run, or one of `auto`.
 * @throws {FailureError} where a file is damaged or of another program.
 */
export function openRun(path: string, options: RunFolderOptions = {}): OpenedRun {
  const folder = RunFolder.view(path, options), has = (name: string): boolean => exists(folder.file(name));
  if (runKind(folder) !== "train") {
    const record = readSearch(folder), outcome = has(OUTCOME_FILE) ? readOutcome(path) : undefined;
    const epochs = has(METRICS_FILE) ? readRecords(folder, SEARCH_EPOCH_SHAPE) : [];
    const genotype = outcome?.methods.find(({ method }) => method === outcome.chosen)?.genotype;
    return { kind: "search", folder, ...record, epochs, ...(outcome ? { outcome, genotype } : {}) };
  }
  const evaluation = has(EVALUATION_FILE) ? readEvaluation(folder) : undefined;
  return {
    kind: "train",
    folder,
    ...readTraining(folder),
    epochs: has(METRICS_FILE) ? readRecords(folder, EPOCH_SHAPE) : [],
    ...(evaluation ? { evaluation } : {}),
    model() {
      const file = modelFile(folder);
      if (exists(file)) return loadModel(file);
      throw new FailureError(`Cannot find a model in '${path}' as its training must have done an epoch`, {
        remedies: [{ kind: "resume" }],
      });
    },
  };
}

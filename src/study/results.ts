/**
 * What a study has found so far, read from its finished runs: the same whoever did them, where and in which order.
 * Times are left out, so that a study that was interrupted has the same results as one that was not.
 * @module
 */
import { formatGenotypeText } from "../space/genotype.ts";
import type { StudyFolder } from "./study_folder.ts";
import { type DecidedCell, type EpochFigures, freeOperations, readRun, type SearchRun } from "./run_result.ts";
import type { Study } from "./study_file.ts";
import { cellRun, distinctTasks, type Group, type SearchTask, searchTask, type Task, type Use } from "./tasks.ts";
import { foundCell, knownTasks } from "./worker.ts";

/** A finished search, as a setting reads it off. */
export interface SearchResult extends Pick<SearchRun, "name" | "correlations"> {
  /** Index of its setting. */
  readonly setting: number;
  readonly seed: number;
  readonly epochs: readonly EpochFigures[];
  /** What came of each decision of the study. */
  readonly rules: readonly DecidedCell[];
}

/** A finished training, once for each group that it is evidence for. */
export interface TrainingResult extends Group {
  /** Its run. */
  readonly name: string;
  /** What is repeated: a search, a random cell. */
  readonly unit: string;
  readonly seed: number;
  /** The cell as Python text. */
  readonly cell: string;
  readonly skips: number;
  readonly parameterFree: number;
  /** Images that the accuracy is that of: `test`, or `held out` where there are no test images. */
  readonly split: string;
  readonly accuracy: number;
}

/** How many runs stand how. */
export interface Count {
  readonly done: number;
  readonly failed: number;
  readonly claimed: number;
  readonly open: number;
}

/** A run that failed. */
export interface Failure {
  readonly name: string;
  readonly message: string;
}

/** Everything. */
export interface Results {
  readonly searches: readonly SearchResult[];
  readonly trainings: readonly TrainingResult[];
  readonly progress: Readonly<Record<Task["kind"], Count>>;
  /** Trainings that are not known yet as their cells are not; an upper bound, as equal cells share theirs. */
  readonly unknown: number;
  readonly failures: readonly Failure[];
  /** Adapters that runs were made on. */
  readonly adapters: readonly string[];
}

/**
 * Reads what there is.
 * @throws {FailureError} for a finished run whose files are damaged.
 */
export function collect(study: Study, folder: StudyFolder): Results {
  const known = knownTasks(study, folder), failures: Failure[] = [], adapters = new Set<string>();
  const counts = { search: emptyCount(), discretize: emptyCount(), train: emptyCount() };
  for (const task of distinctTasks(known.tasks)) {
    const { kind, name } = task, state = folder.state(name);
    counts[kind][state.state]++;
    if (state.state === "failed") failures.push({ name, message: state.message });
    if (state.state === "done") adapters.add(readRun(folder, kind, name).adapter);
  }
  const searches = study.settings.flatMap(({ configs }, setting) =>
    configs.map(searchTask).filter(({ name }) => folder.done(name))
      .map((search) => readSearch(study, folder, search, setting))
  );
  const waiting = new Set<string>();
  for (const { configs, decisions, after } of study.settings) {
    for (const search of configs.map(searchTask)) {
      for (const rule of decisions) {
        const run = after === undefined ? cellRun(search, rule) : search.name;
        if (!folder.done(run)) waiting.add(`${run} ${rule} ${after}`);
        else if (study.trainConfigs && foundCell(folder, search, rule, after) === undefined) {
          const when = after === undefined ? "" : ` after epoch ${after}`;
          failures.push({ name: run, message: `it holds no cell by rule '${rule}'${when}` });
        }
      }
    }
  }
  const trainings = known.uses.filter(({ task }) => folder.done(task.name)).map((use) => readTraining(folder, use));
  const perCell = study.trainConfigs?.(study.settings[0].configs[0], 0).length ?? 0;
  return {
    searches,
    trainings,
    progress: counts,
    unknown: waiting.size * perCell,
    failures,
    adapters: [...adapters].sort(),
  };
}

function emptyCount(): { -readonly [K in keyof Count]: number } {
  return { done: 0, failed: 0, claimed: 0, open: 0 };
}

function readSearch(study: Study, folder: StudyFolder, search: SearchTask, setting: number): SearchResult {
  const { name, config: { seed } } = search, { decisions, after } = study.settings[setting];
  const { epochs: points, correlations } = readRun(folder, "search", name);
  const rules = decisions.map((rule) => foundCell(folder, search, rule, after)).filter((cell) => cell !== undefined);
  const epochs = points.map(({ cells: _, ...epoch }) => epoch);
  return { name, setting, seed, epochs, rules, correlations };
}

function readTraining(folder: StudyFolder, { setting, rule, unit, task }: Use): TrainingResult {
  const { split, accuracy } = readRun(folder, "train", task.name), { seed } = task.config;
  const cell = formatGenotypeText(task.genotype);
  return { name: task.name, setting, rule, unit, seed, cell, ...freeOperations(task.genotype), split, accuracy };
}

/**
 * What is known of every finished run, a line for each: a small file that a study goes on from elsewhere. Of the epochs in
 * between only those have their cells that the study reads off.
 */
export function runLines(study: Study, folder: StudyFolder): string {
  const read = new Set(study.settings.map(({ after }) => after));
  const done = distinctTasks(knownTasks(study, folder).tasks).filter(({ name }) => folder.done(name));
  return done.map(({ kind, name }) => {
    const run = readRun(folder, kind, name);
    if (run.kind !== "search") return JSON.stringify(run) + "\n";
    const epochs = run.epochs.map((each) => read.has(each.epoch) ? each : { ...each, cells: {} });
    return JSON.stringify({ ...run, epochs }) + "\n";
  }).join("");
}

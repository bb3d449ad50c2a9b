/**
 * What a study has found so far, read from its finished runs: the same whoever did them, where and in which order.
 * Times are left out, so that a study that was interrupted has the same results as one that was not.
 * @module
 */
import { FailureError, text } from "../base/errors.ts";
import { joinPath, readJson } from "../base/files.ts";
import { aText, checkShape, mapping } from "../base/shape.ts";
import type { EdgeCorrelation } from "../discretize/discretize.ts";
import { decisionName, decisionsOf } from "../discretize/decisions.ts";
import { certaintySummaries } from "../report/certainty.ts";
import { readRecords } from "../run/metrics_file.ts";
import { CONFIG_FILE, RunFolder } from "../run/run_folder.ts";
import { type Outcome, readOutcome } from "../search/outcome_file.ts";
import { EPOCH_SHAPE, type EpochRecord, meanEntropy } from "../search/records.ts";
import { formatGenotypeText, type Genotype } from "../space/genotype.ts";
import {
  CELL_KINDS,
  type CellKind,
  type Keep,
  PARAMETER_FREE,
  SKIP_PRIMITIVE,
  ZERO_PRIMITIVE,
} from "../space/space.ts";
import { EVALUATION_FILE, readEvaluation } from "../train/evaluation_file.ts";
import type { StudyFolder } from "./claims.ts";
import type { Study } from "./study_file.ts";
import { cellRun, type Group, type SearchTask, searchTask, type Task, type Use } from "./tasks.ts";
import { foundCell, knownTasks } from "./worker.ts";

/** One epoch of a search. */
export interface EpochPoint {
  readonly epoch: number;
  /** Accuracy of the supernet. */
  readonly evalAccuracy: number;
  /** Entropy of the mixture, mean over kinds. */
  readonly entropy: number;
  /** Mean weight of `none`, mean over kinds; null in spaces without it. */
  readonly none: number | null;
  /** Largest over smallest norm of a cell's nodes. */
  readonly imbalance: { readonly before: number; readonly after: number };
  /** Norm of each node, mean over cells, by kind. */
  readonly norms: Readonly<Record<CellKind, readonly { readonly before: number; readonly after: number }[]>>;
  /** Skip-connections of what would be picked, by decision. */
  readonly skips: Readonly<Record<string, number>>;
}

/** A finished search. */
export interface SearchResult {
  /** Its run. */
  readonly name: string;
  /** Index of its setting. */
  readonly setting: number;
  readonly seed: number;
  readonly epochs: readonly EpochPoint[];
  /** What came of each decision of the study. */
  readonly rules: readonly {
    readonly rule: string;
    readonly cell: string;
    readonly skips: number;
    readonly parameterFree: number;
    /** Rank correlation of scores between the halves of the images, mean over nodes; null where that is not known. */
    readonly ranks: number | null;
    /** Share of samples of the images in which a node keeps the same operations, mean over nodes; null likewise. */
    readonly same: number | null;
  }[];
  /** How alike the candidates of each edge are, by kind. */
  readonly correlations: Readonly<Record<CellKind, readonly EdgeCorrelation[]>>;
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
  for (const task of uniqueTasks(known.tasks)) {
    const { kind, name } = task, state = folder.state(name);
    counts[kind][state.state]++;
    if (state.state === "failed") failures.push({ name, message: state.message });
    if (state.state === "done") adapters.add(adapterOf(folder, task));
  }
  const searches = study.settings.flatMap(({ configs }, setting) =>
    configs.map(searchTask).filter(({ name }) => folder.done(name))
      .map((search) => readSearch(study, folder, search, setting))
  );
  let waiting = 0;
  const searched = study.settings.flatMap(({ configs, decisions }) =>
    configs.map((config) => ({ ...searchTask(config), decisions }))
  );
  for (const search of uniqueTasks(searched)) {
    for (const rule of search.decisions) {
      const name = cellRun(search, rule);
      if (!folder.done(name)) waiting++;
      else if (study.trainConfigs && foundCell(folder, search, rule) === undefined) {
        failures.push({ name, message: `it holds no cell by rule '${rule}'` });
      }
    }
  }
  const trainings = known.uses.filter(({ task }) => folder.done(task.name)).map((use) => readTraining(folder, use));
  const perCell = study.trainConfigs?.(study.settings[0].configs[0], 0).length ?? 0;
  return {
    searches,
    trainings,
    progress: counts,
    unknown: waiting * perCell,
    failures,
    adapters: [...adapters].sort(),
  };
}

function emptyCount(): { -readonly [K in keyof Count]: number } {
  return { done: 0, failed: 0, claimed: 0, open: 0 };
}

function uniqueTasks<T extends Task>(tasks: readonly T[]): T[] {
  return [...new Map(tasks.map((task) => [task.name, task])).values()];
}

/** Reads something of the finished run in `path`. @throws {FailureError} with what to do where it is damaged. */
function readWhole<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof FailureError)) throw error;
    throw new FailureError(text`Cannot use the run in '${path}' (${error})`, {
      cause: error,
      remedies: ["remove its folder and run the study again"],
    });
  }
}

function adapterOf(folder: StudyFolder, { kind, name }: Task): string {
  const path = folder.run(name), file = joinPath(path, CONFIG_FILE);
  const adapter = readWhole(
    path,
    () =>
      kind === "discretize"
        ? readOutcome(path).adapter
        : checkShape(mapping<{ adapter: string }>({ adapter: aText }), readJson(file), `'${file}'`).adapter,
  );
  return adapter ?? "unknown";
}

/** What a search or a discretisation decided. */
function outcome(path: string): Outcome {
  return readWhole(path, () => readOutcome(path));
}

function readSearch(study: Study, folder: StudyFolder, search: SearchTask, setting: number): SearchResult {
  const { name, config: { seed } } = search, path = folder.run(name), report = outcome(path);
  const run = RunFolder.view(path, { warn: () => {} });
  const epochs = readWhole(path, () => readRecords(run, EPOCH_SHAPE)).map((each) => pointOf(each, report.keep));
  const done = study.settings[setting].decisions.filter((rule) => folder.done(cellRun(search, rule)));
  const rules = done.flatMap((rule) => {
    const at = folder.run(cellRun(search, rule)), decided = at === path ? report : outcome(at);
    const certain = certaintySummaries(decided);
    return decisionsOf(decided).filter(({ name }) => name === rule).map(({ cells, rule: method, keep }) => {
      const { text: cell, skips, parameterFree } = cells, otherWay = keep !== (decided.keep ?? "edges");
      const known = certain.find((each) => each.method === method && each.otherWay === otherWay);
      return { rule, cell, skips, parameterFree, ranks: known?.agreement ?? null, same: known?.same ?? null };
    });
  });
  const correlations = Object.fromEntries(
    CELL_KINDS.map((kind) => [kind, report.nodes?.[kind].flatMap((node) => node.correlations) ?? []]),
  ) as unknown as SearchResult["correlations"];
  return { name, setting, seed, epochs, rules, correlations };
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

function pointOf(record: EpochRecord, keep: Keep = "edges"): EpochPoint {
  const { epoch, evalAccuracy, meanWeights, imbalance, nodes } = record;
  const skips = Object.entries(record.skips).map(([rule, n]) => [decisionName({ rule, keep }), n]);
  const none = CELL_KINDS.map((kind) => meanWeights[kind][ZERO_PRIMITIVE]).filter((weight) => weight !== undefined);
  const normsOf = (kind: CellKind): { before: number; after: number }[] => {
    const byNode = Map.groupBy(nodes.filter((node) => node.kind === kind), ({ node }) => node);
    return [...byNode].sort(([a], [b]) => a - b).map(([, cells]) => ({
      before: mean(cells.map(({ before }) => before)),
      after: mean(cells.map(({ after }) => after)),
    }));
  };
  return {
    epoch,
    evalAccuracy,
    entropy: meanEntropy(record),
    none: none.length === 0 ? null : mean(none),
    imbalance,
    norms: { normal: normsOf("normal"), reduce: normsOf("reduce") },
    skips: Object.fromEntries(skips),
  };
}

/** Operations without weights, and the skip-connections among them. */
function freeOperations(genotype: Genotype): { skips: number; parameterFree: number } {
  const ops = CELL_KINDS.flatMap((kind) => genotype[kind].nodes.flat().map(({ op }) => op));
  return {
    skips: ops.filter((op) => op === SKIP_PRIMITIVE).length,
    parameterFree: ops.filter((op) => PARAMETER_FREE.includes(op)).length,
  };
}

function readTraining(folder: StudyFolder, { setting, rule, unit, task }: Use): TrainingResult {
  const path = folder.run(task.name), run = RunFolder.view(path, { warn: () => {} });
  const { split, accuracy } = readWhole(path, () => {
    const { test, best } = readEvaluation(run), accuracy = (test ?? best)?.accuracy;
    if (typeof accuracy === "number") return { split: test ? "test" : "held out", accuracy };
    throw new FailureError(
      `Cannot use '${run.file(EVALUATION_FILE)}' as it must hold an accuracy: the file is damaged`,
    );
  });
  const cell = formatGenotypeText(task.genotype), { seed } = task.config;
  return { name: task.name, setting, rule, unit, seed, cell, ...freeOperations(task.genotype), split, accuracy };
}

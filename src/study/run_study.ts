/**
 * A study from a program: everything that is not done yet is searched, decided and trained, by the library alone. Not
 * responsible for what is to be done next (`worker.ts`), nor for what the command line says meanwhile.
 * @module
 */
import { FailureError, UsageError } from "../base/errors.ts";
import { exists, joinPath, readText, writeAtomic } from "../base/files.ts";
import { VERSION } from "../base/version.ts";
import type { DataConfig } from "../data/config.ts";
import { type Dataset, openData, partsOf, type Split } from "../data/dataset.ts";
import { rulesOf } from "../discretize/registry.ts";
import { runReport } from "../report/run_report.ts";
import { RunFolder } from "../run/run_folder.ts";
import { writeOutcome } from "../search/outcome_file.ts";
import { rediscretize } from "../search/rediscretize.ts";
import { readSearch } from "../search/run_record.ts";
import { search } from "../search/search.ts";
import type { TrainConfig } from "../train/config.ts";
import { train, type TrainData } from "../train/train.ts";
import { STUDY_FILE, StudyFolder } from "./claims.ts";
import { writeStudyReport } from "./report.ts";
import { parseStudy } from "./study_file.ts";
import { type Assignment, work, type WorkEvent } from "./worker.ts";

/** What happens in {@linkcode runStudy}. */
export interface StudyEvent {
  /**
   * `begin`: a run is taken up; `done`; `failed`: by itself, for good; `not-begun`, `put-off`: it could not be begun or gone
   * on with here and now; `stopped`: by the signal; `taken-over`: by another worker; `wait`: others are at what is left.
   */
  readonly event: "begin" | "done" | "failed" | "not-begun" | "put-off" | "stopped" | "taken-over" | "wait";
  /** Name of the run's folder below `runs/`; absent while waiting. */
  readonly run?: string;
  /** What the run does; absent while waiting. */
  readonly kind?: "search" | "discretize" | "train";
  /** What went wrong, in one sentence. */
  readonly message?: string;
}

/** How {@linkcode runStudy} works; all optional. */
export interface StudyRunOptions {
  /** Stops the run at hand after its current step; the call then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Try again what failed. */
  readonly retry?: boolean;
  /** Stay as long as others are at work, to take over from those that die; true if left out. */
  readonly wait?: boolean;
  /** Told what happens. */
  readonly onEvent?: (event: StudyEvent) => void;
  /** Told in one sentence what is to be heeded. */
  readonly warn?: (message: string) => void;
}

/** What a study has found so far. */
export interface StudyOutcome {
  /** How far it is, for people. */
  readonly progress: string;
  /** Paths of what was written: a page, the tables as text, every run as a line, and all results. */
  readonly files: Readonly<Record<"html" | "markdown" | "csv" | "json", string>>;
  /** Names of runs that could not be begun here, and why. */
  readonly notBegun: ReadonlyMap<string, string>;
}

/**
 * Runs a study, or goes on with it: any number of processes on any machines that share its folder may do so at the same
 * time. What a run failed of is told to `onEvent`, and the others are done all the same.
 * @example A search with two seeds
 * ```ts
 * import { runStudy } from "../../mod.ts";
 * async function compare(folder: string): Promise<string> {
 *   const { files, progress } = await runStudy("search: { seed: [0, 1], space: s3, epochs: 10 }", folder);
 *   return `${progress}: ${files.html}`;
 * }
 * console.assert(typeof compare === "function");
 * ```
 * @param text the study, as YAML (docs/studies.md)
 * @param path its folder, which must be new or hold this study
 * @returns where what has been found so far was written
 * @throws {UsageError} for what is no study, and a folder with something else in it.
 * @throws the reason of `signal` when that was raised; the same call goes on.
 */
export async function runStudy(text: string, path: string, options: StudyRunOptions = {}): Promise<StudyOutcome> {
  options.signal?.throwIfAborted();
  const study = parseStudy("the study", text), folder = new StudyFolder(path), copy = folder.file(STUDY_FILE);
  if (exists(path) && !exists(copy)) {
    const [entry] = Deno.readDirSync(path);
    if (entry) {
      throw new UsageError(
        `Cannot use '${path}' as the folder of a study as it must be new or hold '${STUDY_FILE}': it holds '${entry.name}'`,
      );
    }
  }
  folder.make();
  if (!exists(copy) || readText(copy) !== text) writeAtomic(copy, text);
  const { onEvent, ...rest } = options;
  const notBegun = await work(study, folder, {
    ...rest,
    onEvent: (event) => onEvent?.(eventOf(event)),
    perform: (assignment) => perform(assignment, options.warn),
    complete: async ({ kind }, run, to) => {
      if (kind !== "discretize") writeAtomic(joinPath(run, "report.html"), await runReport(run, { path: to }));
    },
  });
  options.signal?.throwIfAborted();
  const { progress, files } = await writeStudyReport(study, folder, VERSION);
  return { progress, files, notBegun };
}

function eventOf(event: WorkEvent): StudyEvent {
  const task = "task" in event ? { run: event.task.name, kind: event.task.kind } : {};
  return { event: event.event, ...task, ...("message" in event ? { message: event.message } : {}) };
}

type Warn = StudyRunOptions["warn"];

/** Does one run. @returns false where it was stopped */
async function perform({ task, path, input, signal, started }: Assignment, warn: Warn): Promise<boolean> {
  const run = { folder: path, signal, onStart: started, warn };
  try {
    switch (task.kind) {
      case "search":
        await search(task.config, await openPart(task.config, "train", warn), run);
        return true;
      case "train":
        await train(task.config, task.genotype, await trainData(task.config, warn), { ...run, name: input });
        return true;
      case "discretize":
        await discretizeRun(task, path, input!, signal, started, warn);
        return true;
    }
  } catch (error) {
    if (signal.aborted && error === signal.reason) return false;
    throw error;
  }
}

async function openPart(config: DataConfig, split: Split, warn: Warn): Promise<Dataset> {
  return await openData(config.data, { ...config, split, warn });
}

/** The images of a training: validation and test images where the data have some. */
async function trainData(config: TrainConfig, warn: Warn): Promise<TrainData> {
  const test = await openPart(config, "test", warn).catch((error) => {
    if (!(error instanceof FailureError)) throw error;
    warn?.(`${error.message}; going on without test images`);
    return undefined;
  });
  const own = config.valImages !== 0 && partsOf(config.data).includes("val");
  const val = own ? await openPart(config, "val", warn) : undefined;
  return { train: await openPart(config, "train", warn), ...(val ? { val } : {}), ...(test ? { test } : {}) };
}

/** Decides by a rule that measures the supernet of a finished search. */
async function discretizeRun(
  { rule, config }: Extract<Assignment["task"], { kind: "discretize" }>,
  path: string,
  input: string,
  signal: AbortSignal,
  started: () => void,
  warn: Warn,
): Promise<void> {
  const searched = RunFolder.view(input), run = readSearch(searched), checkpoint = searched.readCheckpoint();
  if (!checkpoint) throw new FailureError(`Cannot discretise '${input}' as it must hold a checkpoint`);
  const { perturbationImages } = config, images = run.config.statisticsImages, { classes } = run.data;
  const data = await openPart(run.config, "train", warn), methods = rulesOf(undefined, rule);
  const measured = { methods, perturbationImages, classes, signal, warn, onMeasured: started, source: input };
  const report = await rediscretize(run.config, data, checkpoint, measured);
  writeOutcome(path, report, rule, { version: VERSION, run: input, step: checkpoint.step, data: data.name, images });
}

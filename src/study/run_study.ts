/**
 * A study from a program: everything that is not done yet is searched, decided and trained, by the library alone. Not
 * responsible for what is to be done next (`worker.ts`), nor for what the command line says meanwhile.
 * @module
 */
import { joinPath, writeAtomic } from "../base/files.ts";
import { VERSION } from "../base/version.ts";
import { runReport } from "../report/run_report.ts";
import { StudyFolder } from "./study_folder.ts";
import { writeStudyReport } from "./report.ts";
import { parseStudy } from "./study_file.ts";
import { performTask } from "./perform.ts";
import { work, type WorkEvent } from "./worker.ts";

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
  /** Path of what another folder's report wrote as `runs.jsonl`: its runs are done. */
  readonly known?: string;
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
  /** Paths of what was written: a page, the tables as text, every run as a line, all results, and what is
   * known of each run, to go on from. */
  readonly files: Readonly<Record<"html" | "markdown" | "csv" | "json" | "runs", string>>;
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
 * @throws {FailureError} where its sign of life could not be written, so that others take it for dead.
 * @throws the reason of `signal` when that was raised; the same call goes on.
 */
export async function runStudy(text: string, path: string, options: StudyRunOptions = {}): Promise<StudyOutcome> {
  options.signal?.throwIfAborted();
  const study = parseStudy("the study", text), folder = new StudyFolder(path);
  folder.begin(text, options.known);
  const { onEvent, ...rest } = options;
  const { notBegun, unseen } = await work(study, folder, {
    ...rest,
    onEvent: (event) => onEvent?.(eventOf(event)),
    perform: (assignment) => performTask(assignment, { warn: options.warn }),
    complete: async ({ kind }, run, to) => {
      if (kind !== "discretize") writeAtomic(joinPath(run, "report.html"), await runReport(run, { path: to }));
    },
  });
  options.signal?.throwIfAborted();
  const { progress, files } = await writeStudyReport(study, folder, VERSION);
  if (unseen) throw unseen;
  return { progress, files, notBegun };
}

function eventOf(event: WorkEvent): StudyEvent {
  const task = "task" in event ? { run: event.task.name, kind: event.task.kind } : {};
  return { event: event.event, ...task, ...("message" in event ? { message: event.message } : {}) };
}

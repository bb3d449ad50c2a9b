/**
 * One worker's way through a study: claim a task, do it, go on with what it makes possible, until nothing is left.
 * Not responsible for how a search or a training is run.
 * @module
 */
import { IdartsError } from "../base/errors.ts";
import { exists, joinPath, lacksSpace, systemCode, writeAtomic } from "../base/files.ts";
import { formatGenotypeJson, type Genotype, genotypeOf, parseGenotype } from "../space/genotype.ts";
import { type Claim, type ClaimOptions, Claims, type SharedFolder } from "../run/claims.ts";
import type { StudyFolder } from "./study_folder.ts";
import { type DecidedCell, decidedCell } from "./run_result.ts";
import { spaceOfSetting, type Study } from "./study_file.ts";
import {
  cellName,
  cellRun,
  cellUses,
  discretizeTask,
  distinctTasks,
  measuringRules,
  randomUses,
  type SearchTask,
  searchTask,
  searchTasks,
  type Task,
  type Use,
} from "./tasks.ts";

/** A part of a study: shard `index` of `count`, from 0. It says where a worker begins; all help each other out. */
export interface Shard {
  readonly index: number;
  /** Undefined: not known. */
  readonly count?: number;
}

/** A claimed task and where to do it. */
export interface Assignment {
  readonly task: Task;
  /** The run folder. */
  readonly path: string;
  /** Whether a run is there to go on with. */
  readonly resume: boolean;
  /** What a training or a discretisation works on: the file of the cell, the run folder of the search. */
  readonly input?: string;
  /** Stops the run after the current step. */
  readonly signal: AbortSignal;
  /** To be told once the run has really begun: a failure before that is not the run's fault. */
  readonly started: () => void;
}

/** What happens in {@linkcode work}. */
export type WorkEvent =
  /** How many tasks are known, and how many of them are done. */
  | { readonly event: "begin"; readonly task: Task; readonly known: number; readonly done: number }
  | { readonly event: "done" | "taken-over" | "stopped"; readonly task: Task }
  /** A run that failed by itself; one that could not be begun; one that the system kept from going on. */
  | { readonly event: "failed" | "not-begun" | "put-off"; readonly task: Task; readonly message: string }
  /** Nothing to do but to wait for others, who are at so many tasks. */
  | { readonly event: "wait"; readonly claimed: number };

/** Settings of {@linkcode work}. */
export interface WorkOptions extends ClaimOptions {
  /** Does one task; false where it was stopped by the signal. */
  readonly perform: (assignment: Assignment) => Promise<boolean>;
  /** Adds what belongs to a finished run in `path`, before it is moved to its place `to`: that is done, or not, as a whole. */
  readonly complete?: (task: Task, path: string, to: string) => Promise<void>;
  /** Where to begin. */
  readonly part?: Shard;
  /** Stop after the current step. */
  readonly signal?: AbortSignal;
  /** Stay as long as others are at work, to take over from those that die; true if left out. */
  readonly wait?: boolean;
  /** Try again what failed. */
  readonly retry?: boolean;
  /** How a failure is worded; its message if left out. */
  readonly describe?: (error: IdartsError) => string;
  /** Told what happens. */
  readonly onEvent?: (event: WorkEvent) => void;
}

/** Every task that is known now, in order, and what trainings are evidence for. */
export interface Known {
  readonly searches: readonly SearchTask[];
  readonly uses: readonly Use[];
  readonly tasks: readonly Task[];
}

/** The cell of decision `rule` in a search, at its end or `after` an epoch; undefined where there is none, or none yet. */
export function foundCell(
  folder: StudyFolder,
  search: SearchTask,
  rule: string,
  after?: number,
): DecidedCell | undefined {
  return decidedCell(folder, { search: search.name, run: cellRun(search, rule), rule, after });
}

/** A cell that is kept as a text, which has no place for where its space puts reductions. */
function inSpace(study: Study, setting: number, cell: string, name: string): Genotype {
  const { normal, reduce } = parseGenotype(cell, name);
  return genotypeOf(spaceOfSetting(study, setting), { normal: normal.nodes, reduce: reduce.nodes });
}

/** Searches, what is measured after those that have finished, trainings of the cells found, and of random cells. */
export function knownTasks(study: Study, folder: StudyFolder): Known {
  const searches = searchTasks(study), finished = new Set(searches.map((s) => s.name).filter((n) => folder.done(n)));
  const rules = measuringRules(study);
  const measured = searches.filter(({ name }) => finished.has(name))
    .flatMap((search) => rules.map((rule) => discretizeTask(search, rule)));
  const found = study.trainConfigs === undefined
    ? []
    : study.settings.flatMap(({ configs, decisions, after }, setting) =>
      configs.map(searchTask).filter(({ name }) => finished.has(name)).flatMap((search) =>
        decisions.flatMap((rule) => {
          const found = foundCell(folder, search, rule, after);
          return found
            ? cellUses(study, setting, search, rule, inSpace(study, setting, found.cell, `a cell of ${search.name}`))
            : [];
        })
      )
    );
  const uses = [...found, ...(study.trainConfigs ? randomUses(study) : [])];
  // Seed by seed, so that all groups have a first training early.
  const trainings = uses.map(({ task }) => task).toSorted((a, b) => a.config.seed - b.config.seed);
  return { searches, uses, tasks: [...searches, ...measured, ...distinctTasks(trainings)] };
}

/** The tasks in the order in which a shard looks at them: its own ones first. */
function shardOrder<T>(tasks: readonly T[], { index, count = Infinity }: Shard): T[] {
  const own = (_: T, at: number): boolean => at % count === index;
  return [...tasks.filter(own), ...tasks.filter((task, at) => !own(task, at))];
}

/** What is left where a worker leaves. */
export interface Left {
  /** Tasks that it could not begin or go on with, and why. */
  readonly notBegun: ReadonlyMap<string, string>;
  /** Why it left though there may be more to do: its sign of life could not be written. */
  readonly unseen?: Error;
}

/** Works at a study until all of it is done, or nothing is left that this process can do. */
export async function work(study: Study, folder: StudyFolder, options: WorkOptions): Promise<Left> {
  const { signal = new AbortController().signal, wait = true, part = { index: 0 }, onEvent = () => {} } = options;
  const broken = new AbortController(), notBegun = new Map<string, string>(), retried = new Set<string>();
  let unseen: Error | undefined;
  using claims = await Claims.join(folder, {
    ...options,
    onFailure: (error) => {
      options.onFailure?.(error);
      unseen = error;
      broken.abort();
    },
  });
  const stop = AbortSignal.any([signal, broken.signal]);
  for (let waited = false; !stop.aborted;) {
    claims.tidy();
    const { tasks } = knownTasks(study, folder);
    const open = shardOrder(tasks, part).filter(({ name }) => !folder.done(name));
    let claim: Claim | undefined, claimed = 0;
    for (const task of open) {
      if (notBegun.has(task.name)) continue;
      claim = claims.take(task.name, options.retry && !retried.has(task.name));
      if (!claim) {
        if (folder.state(task.name).state !== "failed") claimed++;
        continue;
      }
      retried.add(task.name);
      waited = false;
      onEvent({ event: "begin", task, known: tasks.length, done: tasks.length - open.length });
      await perform(task, claim, claims.every, stop, options, notBegun, () => broken.abort());
      break;
    }
    if (claim) continue;
    if (claimed === 0 || !wait) break;
    if (!waited) onEvent({ event: "wait", claimed });
    waited = true;
    await pause(claims.every, stop);
  }
  return { notBegun, unseen: signal.aborted ? undefined : unseen };
}

/** Does one claimed task to its end, whatever that is. @param leave called where nothing else can be done either */
async function perform(
  task: Task,
  claim: Claim,
  every: number,
  stop: AbortSignal,
  options: WorkOptions,
  notBegun: Map<string, string>,
  leave: () => void,
): Promise<void> {
  const { onEvent = () => {}, describe = ({ message }) => message } = options;
  using watch = claim.watch(every);
  let started = false, over = "it ended unexpectedly";
  try {
    const done = await options.perform({
      task,
      path: claim.path,
      resume: exists(joinPath(claim.path, "config.json")),
      input: inputOf(task, claim.folder),
      signal: AbortSignal.any([stop, watch.signal]),
      started: () => started = true,
    });
    if (done) await options.complete?.(task, claim.path, claim.folder.run(task.name));
    if (done && claim.finish()) return onEvent({ event: "done", task });
    over = "stopped";
    onEvent({ event: claim.lost() ? "taken-over" : "stopped", task });
  } catch (error) {
    if (claim.lost()) return onEvent({ event: "taken-over", task }); // its folder is gone: whatever follows is no news
    if (!(error instanceof IdartsError)) throw error;
    over = describe(error);
    if (started && systemCode(error) === undefined) {
      claim.giveUp("failed", over);
      return onEvent({ event: "failed", task, message: over });
    }
    notBegun.set(task.name, over);
    onEvent({ event: started ? "put-off" : "not-begun", task, message: over });
    if (lacksSpace(error)) leave();
  } finally {
    if (!claim.folder.done(task.name)) claim.giveUp("released", over);
  }
}

/** What a task works on; the file of a cell is written where it is not there, under a name that says what it is. */
function inputOf(task: Task, folder: SharedFolder): string | undefined {
  if (task.kind === "search") return undefined;
  if (task.kind === "discretize") return folder.run(task.search);
  const text = formatGenotypeJson(task.genotype), file = folder.file(`cells/${cellName(task.genotype)}.json`);
  if (!exists(file)) writeAtomic(file, text);
  return file;
}

/** Waits, or until told to stop. */
async function pause(seconds: number, stop: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, seconds * 1000);
  stop.addEventListener("abort", () => resolve(), { once: true });
  await promise;
  clearTimeout(timer);
}

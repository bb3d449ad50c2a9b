/**
 * `idarts study run`, `study report` and `study status`: a grid of searches and trainings that any number of processes
 * work at through one folder, and what came out.
 * @module
 */
import { type Command, Option as Flag } from "commander";
import { UsageError } from "../base/errors.ts";
import { baseName, exists, readText } from "../base/files.ts";
import { MAX_YAML_BYTES } from "../base/options.ts";
import { MNIST_FOLDER } from "../data/dataset.ts";
import { RunFolder } from "../run/run_folder.ts";
import { expectStudy, STUDY_FILE, StudyFolder } from "../study/study_folder.ts";
import { DEFAULT_EVERY, LONGEST_EVERY } from "../run/heartbeat.ts";
import { type Observers, performTask } from "../study/perform.ts";
import { writeStudyReport } from "../study/report.ts";
import { parseStudy, type Study } from "../study/study_file.ts";
import { describeTasks } from "../study/tasks.ts";
import { type Assignment, knownTasks, type Left, type Shard, work, type WorkEvent } from "../study/worker.ts";
import { telling } from "./data_sets.ts";
import { OUTPUT_GROUP, type Parsed } from "./flags.ts";
import { writeReport } from "./report_files.ts";
import { VERSION } from "../base/version.ts";
import { searchObservers } from "./search.ts";
import { StepClock } from "../report/step_clock.ts";
import { listenForStop } from "./stop.ts";
import { hostName } from "./program.ts";
import { commandLine, duration, pairs, table, Terminal } from "./terminal.ts";
import { trainObservers } from "./train.ts";
import { errorText } from "./wording.ts";

const GROUP = "Sharing the work:";

/** Declares the verb `study` with its three parts. */
export function studyCommands(
  program: Command,
  adorn: (command: Command) => void,
): { run: Command; report: Command; status: Command } {
  const study = program.command("study")
    .summary("run a grid of searches and trainings, on many machines, and compare")
    .description("Runs and reports studies: grids of searches whose cells are trained and compared with random ones.");
  adorn(study);
  return { run: runCommand(study), report: reportCommand(study), status: statusCommand(study) };
}

const EXIT = "Exit codes: 0 done, 1 it could not be done, 2 wrong use, 130 stopped by Ctrl-C (143 by SIGTERM).";

function runCommand(study: Command): Command {
  const command = study.command("run <study>")
    .summary("run a study, or go on with it")
    .description(
      "Runs every search and training of a study that is not done yet. <study> is a YAML file, or the folder of a study " +
        "that was begun. The same command goes on after Ctrl-C, a kill or a power cut; given at the same time on several " +
        "machines that share the folder, it shares the work, and what a dead one leaves is taken over. The file has a " +
        "section 'search' (any key of a search, each with a value or a list of values), optionally 'train' (keys of a " +
        "training; a list for the seed) and 'random' (cells drawn at random to compare with).",
    );
  const add = (flags: string, help: string, group = GROUP): Command =>
    command.addOption(new Flag(flags, help).helpGroup(group));
  add("--out <folder>", "folder of the study (default: runs/<name of the file>)", OUTPUT_GROUP);
  add("--json", "one JSON line for each event", OUTPUT_GROUP);
  add(
    "--known <file>",
    "what another folder's report wrote as runs.jsonl: its runs are done, and the study goes on from them",
  );
  add("--retry", "try again what failed", OUTPUT_GROUP);
  add(
    "--shard <i/n>",
    "begin with this n-th part, i from 0 to n-1, then help the others (default: from the environment of a Slurm job " +
      "array or an indexed Kubernetes job, where that may be read)",
  );
  add("--no-wait", "end when all that is left is others' work, rather than wait and take over what they leave");
  add(
    "--heartbeat <seconds>",
    `seconds between two signs of life; after six that are missing, others take over (default: ${DEFAULT_EVERY})`,
  );
  command.addHelpText(
    "after",
    `
Examples:
  ${commandLine(["study", "run", "norms.yaml"], { read: [MNIST_FOLDER, "norms.yaml", "runs"], write: ["runs"] })}
  Two of four processes that share the folder:
    ${
      commandLine(["study", "run", "norms.yaml", "--shard", "0/4"], {
        read: [MNIST_FOLDER, "norms.yaml", "runs"],
        write: ["runs"],
      })
    }
    ${commandLine(["study", "run", "runs/norms", "--shard", "1/4"], { read: [MNIST_FOLDER, "runs"], write: ["runs"] })}
Job files for Slurm and Kubernetes are in deploy/. With --allow-sys=hostname a process that was killed on this machine
is recognised at once, not only after six heartbeats.

${EXIT}`,
  );
  return command;
}

function reportCommand(study: Command): Command {
  const command = study.command("report <folder>")
    .summary("write what a study has found so far")
    .description(
      "Writes report.html, report.md, results.csv, results.json and runs.jsonl into the folder of a study, finished or not: means " +
        "with standard errors and confidence intervals, comparisons, curves. runs.jsonl is what is known of each finished run, a " +
        "small file (20 to 60 KB for a search): 'study run --known' goes on from it on another machine.",
    );
  command.addOption(new Flag("--json", "the paths as one JSON line").helpGroup(OUTPUT_GROUP));
  command.addHelpText(
    "after",
    `
Example:
  ${commandLine(["study", "report", "runs/norms"], { read: ["runs"], write: ["runs"] })}

Exit codes: 0 done, 1 it could not be done, 2 wrong use.`,
  );
  return command;
}

function statusCommand(study: Command): Command {
  const command = study.command("status <folder>")
    .summary("say how far a study is, and who is at what")
    .description("Lists the runs of a study: done, under way (by whom), failed (why) and open. Only reads.");
  command.addOption(new Flag("--json", "all of it as one JSON line").helpGroup(OUTPUT_GROUP));
  command.addHelpText(
    "after",
    `
Example:
  ${commandLine(["study", "status", "runs/norms"], { read: ["runs"], write: [] })}

Exit codes: 0 done, 1 it could not be done, 2 wrong use.`,
  );
  return command;
}

/** The study that a user named, and its folder: made, with a copy of the file. */
function openStudy(named: string, parsed: Parsed): { study: Study; folder: StudyFolder } {
  const [out, known] = [parsed.out, parsed.known] as (string | undefined)[];
  const isFolder = exists(named) && Deno.statSync(named).isDirectory;
  if (isFolder && out !== undefined && out !== named) {
    throw new UsageError(`Cannot use --out together with a study's folder: '${named}' is it, so leave --out away`);
  }
  if (out === "") throw new UsageError("Cannot use --out as it must name a folder: it is empty");
  const file = isFolder ? expectStudy(named).file(STUDY_FILE) : named;
  const text = readText(file, { maxBytes: MAX_YAML_BYTES }), study = parseStudy(file, text);
  const name = baseName(named).replace(/\.[^.]*$/, "") || "study";
  const folder = new StudyFolder(isFolder ? named : out ?? `runs/${name}`);
  folder.begin(text, known);
  return { study, folder };
}

/** The study in a folder. */
function storedStudy(path: string): { study: Study; folder: StudyFolder } {
  const folder = expectStudy(path), file = folder.file(STUDY_FILE);
  return { study: parseStudy(file, readText(file, { maxBytes: MAX_YAML_BYTES })), folder };
}

/** `"1/4"` as the second of four. */
function parseShard(text: string): Shard {
  const [, index, count] = /^(\d{1,6})\/(\d{1,6})$/.exec(text)?.map(Number) ?? [];
  if (index < count) return { index, count };
  throw new UsageError(
    `Cannot use --shard as it must be i/n with i from 0 to n-1: current value is '${text.slice(0, 60)}'`,
  );
}

/** A variable of the environment, where it may be read without asking. */
function variable(name: string): number | undefined {
  if (Deno.permissions.querySync({ name: "env", variable: name }).state !== "granted") return undefined;
  const value = Deno.env.get(name);
  return value !== undefined && /^\d{1,9}$/.test(value) ? Number(value) : undefined;
}

/** Which part of the study this process begins with, by its flags or the job that it is a part of. */
function shardOf(parsed: Parsed): Shard {
  if (typeof parsed.shard === "string") return parseShard(parsed.shard);
  const task = variable("SLURM_ARRAY_TASK_ID"), tasks = variable("SLURM_ARRAY_TASK_COUNT");
  if (task !== undefined && tasks !== undefined && tasks > 0) return { index: task % tasks, count: tasks };
  const completion = variable("JOB_COMPLETION_INDEX");
  return completion === undefined ? { index: 0 } : { index: completion };
}

function heartbeatOf(parsed: Parsed): number {
  if (parsed.heartbeat === undefined) return DEFAULT_EVERY;
  const seconds = Number(parsed.heartbeat);
  if (seconds >= 0.1 && seconds <= LONGEST_EVERY) return seconds;
  throw new UsageError(
    `Cannot use --heartbeat as it must be a number of seconds from 0.1 to ${LONGEST_EVERY}: current value is '${parsed.heartbeat}'`,
  );
}

/** What is said of a run that is a part of a study: progress, and what is to be heeded. */
function observersOf({ task }: Assignment, terminal: Terminal): Observers {
  const clock = new StepClock(task.kind === "discretize" ? 1 : task.config.epochs);
  return {
    warn: (message) => terminal.warn(message),
    data: telling(terminal),
    search: searchObservers(clock, terminal),
    train: trainObservers(clock, terminal),
    describe: errorText,
  };
}

/** Runs `study run`. @returns the exit code */
export async function runStudy(parsed: Parsed, [named]: readonly string[]): Promise<number> {
  const part = shardOf(parsed), every = heartbeatOf(parsed), terminal = new Terminal(parsed.json === true);
  const { study, folder } = openStudy(named, parsed), host = hostName();
  using stop = listenForStop(() => terminal.note("stopping after the current step; Ctrl-C again quits at once"));
  const shard = part.count === undefined ? undefined : `${part.index}/${part.count}`;
  const { tasks } = knownTasks(study, folder), open = tasks.filter(({ name }) => !folder.done(name)).length;
  terminal.event({ event: "study", version: VERSION, folder: folder.path, known: tasks.length, open, shard });
  terminal.line(`idarts ${VERSION}: study in ${folder.path}`);
  terminal.line(`  ${tasks.length} runs known, ${open} to be done${shard ? `; shard ${shard}` : ""}`);
  const left = await work(study, folder, {
    part,
    every,
    shard,
    host,
    signal: stop.signal,
    wait: parsed.wait !== false,
    retry: parsed.retry === true,
    perform: async (assignment) => {
      try {
        return await performTask(assignment, observersOf(assignment, terminal));
      } finally {
        terminal.close();
      }
    },
    describe: errorText,
    complete: async ({ kind }, path, to) => {
      if (kind !== "discretize") await writeReport(RunFolder.view(path), undefined, to);
    },
    onFailure: (error) =>
      terminal.warn(`${error.message}; leaving the study after the current step, as nobody sees it`),
    onEvent: (event) => tell(event, describeTasks(study, knownTasks(study, folder)), terminal),
  });
  terminal.close();
  if (stop.signal.aborted) {
    terminal.line("Stopped; the same command goes on with it");
    return stop.exitCode();
  }
  return await conclude(study, folder, left, terminal);
}

const TROUBLE = {
  "failed": "failed",
  "not-begun": "could not be begun",
  "put-off": "is left as it is, to be gone on with",
} as const;

function tell(event: WorkEvent, names: ReadonlyMap<string, string>, terminal: Terminal): void {
  if (event.event === "wait") {
    terminal.event({ ...event });
    terminal.line(`waiting for others, who are at ${event.claimed} of the runs`);
    return;
  }
  const { task: { name, kind }, ...rest } = event;
  terminal.event({ ...rest, run: name, kind });
  if (event.event === "begin") {
    terminal.line(`[${event.done} of ${event.known} done] ${name}: ${names.get(name) ?? kind}`);
  } else if (event.event === "failed" || event.event === "not-begun" || event.event === "put-off") {
    terminal.warn(`${name} ${TROUBLE[event.event]}: ${event.message}`);
  } else if (event.event === "taken-over") {
    terminal.note(`${name} was taken over by another worker, which took this one for dead`);
  }
}

/** What can be said when there is nothing left to do here. @returns the exit code */
async function conclude(
  study: Study,
  folder: StudyFolder,
  { notBegun, unseen }: Left,
  terminal: Terminal,
): Promise<number> {
  const { results, progress, files } = await writeStudyReport(study, folder, VERSION);
  terminal.event({ event: "result", folder: folder.path, ...results.progress, notBegun: [...notBegun.keys()], files });
  [progress, ...pairs(Object.entries(files))].forEach((line) => terminal.line(line));
  if (results.failures.length === 0 && notBegun.size === 0 && !unseen) return 0;
  if (results.failures.length > 0) {
    terminal.warn("Some runs failed: look at their messages, and try again with --retry");
  }
  return 1;
}

/** Runs `study report`. @returns the exit code */
export async function runStudyReport(parsed: Parsed, [path]: readonly string[]): Promise<number> {
  const terminal = new Terminal(parsed.json === true), { study, folder } = storedStudy(path);
  const { tables, progress, files } = await writeStudyReport(study, folder, VERSION);
  terminal.event({ event: "report", files });
  [
    progress,
    ...tables.filter(({ rows, title }) => rows.length > 0 && !title.startsWith("Correlation"))
      .flatMap(({ title, columns, rows }) => ["", title, ...table(columns, rows)]),
    "",
    ...pairs(Object.entries(files)),
  ].forEach((line) => terminal.line(line));
  return 0;
}

/** How long ago a file was written, by this machine's clock: for people only. */
function lastSign(file: string): string {
  try {
    const { mtime } = Deno.statSync(file);
    return duration(mtime ? Math.max(0, Date.now() - mtime.getTime()) / 1000 : NaN);
  } catch {
    return duration(NaN); // it has left meanwhile
  }
}

/** Runs `study status`. @returns the exit code */
export function runStudyStatus(parsed: Parsed, [path]: readonly string[]): Promise<number> {
  const terminal = new Terminal(parsed.json === true), { study, folder } = storedStudy(path);
  const known = knownTasks(study, folder), names = describeTasks(study, known);
  const runs = known.tasks.map(({ name }) => ({ name, what: names.get(name) ?? "", ...folder.state(name) }));
  terminal.event({ event: "status", folder: path, runs });
  const rows = runs.map(({ name, what, ...state }) => [
    name,
    state.state === "claimed" && state.owner === ""
      ? "claimed, by whom is not told"
      : state.state === "claimed"
      ? `under way (worker ${state.owner}${state.worker?.shard ? `, shard ${state.worker.shard}` : ""}, ` +
        `last sign of life ${lastSign(folder.worker(state.owner))} ago)`
      : state.state === "failed"
      ? `failed: ${state.message}`
      : state.state,
    what,
  ]);
  table(["run", "state", "what"], rows).forEach((line) => terminal.line(line));
  const count = (state: string): number => runs.filter((run) => run.state === state).length;
  terminal.line(
    `${count("done")} done, ${count("claimed")} under way, ${count("failed")} failed, ${count("open")} open` +
      (study.trainConfigs && count("done") < runs.length ? "; trainings become known when their cell is found" : ""),
  );
  return Promise.resolve(0);
}

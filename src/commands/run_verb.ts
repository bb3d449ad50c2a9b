/**
 * What `search` and `train` share as verbs: a run folder, new or gone on with, Ctrl-C, and what is said of a stop. Not
 * responsible for what they run.
 * @module
 */
import { type Command, Option as Flag } from "commander";
import { UsageError } from "../base/errors.ts";
import type { RunOptions } from "../run/phase.ts";
import { RunFolder } from "../run/run_folder.ts";
import { dataPlaces } from "./data_sets.ts";
import { OUTPUT_GROUP, type Parsed } from "./flags.ts";
import { listenForStop, tellStopped } from "./stop.ts";
import { commandLine, Terminal } from "./terminal.ts";

/** What to run, and where. */
export interface Job {
  /** Its configuration. */
  readonly config: { readonly data: string };
  /** Its folder. */
  readonly folder: RunFolder;
  /** Whether the folder holds a part of it already. */
  readonly resume: boolean;
}

/** What a job runs in. */
export interface Running {
  /** Where it speaks. */
  readonly terminal: Terminal;
  /** What `search` and `train` are given alike. */
  readonly options: Pick<RunOptions<never, never, never>, "folder" | "signal" | "onStopped" | "warn">;
}

/** Adds `--out`, `--resume` and `--json`. @param out which folder it is by default */
export function addRunFlags(command: Command, out: string): void {
  const add = (flags: string, help: string): Command =>
    command.addOption(new Flag(flags, help).helpGroup(OUTPUT_GROUP));
  add("--out <folder>", `run folder to make (default: ${out})`);
  add("--resume <run>", "go on with the run in this folder, to the same bits as if it had never stopped");
  add("--json", "one JSON line for each event: start, epoch, result");
}

/** How such a verb ends, for its help. */
export const RUN_EXIT_HELP = `Ctrl-C stops after the current step, with a checkpoint; a second one stops at once.
Exit codes: 0 done, 1 it could not be done, 2 wrong use, 130 stopped by Ctrl-C (143 by SIGTERM).`;

/** Folders that a run reads and writes. */
export function runPlaces({ data }: Job["config"], path: string): { read: string[]; write: string[] } {
  return { read: [...dataPlaces(data), path], write: [path] };
}

/** The folder of a new run: that of `--out`, or `fallback`. */
export function newRunFolder(parsed: Parsed, fallback: () => string, warn: (message: string) => void): RunFolder {
  const path = (parsed.out as string | undefined) ?? fallback();
  if (path === "") throw new UsageError("Cannot use --out as it must name a folder: it is empty");
  return RunFolder.create(path, { warn });
}

/** Opens the run in `path` to go on with it. @param read what to run; the folder is left where it throws */
export function resumedJob<J extends Job>(
  parsed: Parsed,
  path: string,
  warn: (message: string) => void,
  read: (folder: RunFolder) => J,
): J {
  if (parsed.out !== undefined) {
    throw new UsageError(`Cannot use --out together with --resume: the run stays in '${path}', so leave --out away`);
  }
  const folder = RunFolder.open(path, { warn });
  try {
    return read(folder);
  } catch (error) {
    folder.close();
    throw error;
  }
}

/**
 * Runs a job until it is done or stopped.
 * @param open the folder, and what to run
 * @param perform runs it, writes the report and says what came out
 * @returns the exit code
 */
export async function runVerb<J extends Job>(
  verb: string,
  parsed: Parsed,
  open: (warn: (message: string) => void) => J,
  perform: (job: J, running: Running) => Promise<void>,
): Promise<number> {
  const terminal = new Terminal(parsed.json === true);
  const warn = (message: string): void => terminal.warn(message);
  using stop = listenForStop(() => terminal.note("stopping after the current step; Ctrl-C again quits at once"));
  const job = open(warn), { signal } = stop;
  using folder = job.folder;
  let done = false, stoppedAt: number | undefined;
  const onStopped = (step: number): void => void (stoppedAt = step);
  try {
    await perform(job, { terminal, options: { folder, signal, onStopped, warn } });
    done = true;
    return 0;
  } catch (error) {
    if (!signal.aborted || error !== signal.reason) throw error;
    const again = commandLine([verb, "--resume", folder.path], runPlaces(job.config, folder.path));
    tellStopped(terminal, folder.path, stoppedAt, again);
    return stop.exitCode();
  } finally {
    terminal.close();
    if (!done && !job.resume) folder.discardIfEmpty();
  }
}

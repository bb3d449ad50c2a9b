/**
 * The folder of one run: configuration, metrics and checkpoints, laid out so that a run killed at any moment can be
 * resumed. One process at a time may write to it. Not responsible for what a run computes.
 *
 * - `config.json`: what makes the run; a folder without it holds no run
 * - `metrics.jsonl`: one JSON object with a `step` a line
 * - `checkpoint.safetensors`: tensors, and the remaining state as JSON in the metadata; one rename replaces both
 * - `checkpoint.prev.safetensors`: the one before
 * - `lock`: locked while a process writes to the folder (the system drops the lock when the process dies)
 * @module
 */
import { type OpenFile, platform } from "../platform/platform.ts";
import { FailureError, UsageError } from "../base/errors.ts";
import {
  exists,
  fileError,
  isMissing,
  joinPath,
  makeFolder,
  readBytes,
  readJson,
  TEMPORARY_NAME,
  writeAtomic,
  writeFully,
} from "../base/files.ts";
import { warnOnConsole } from "../base/printable.ts";
import type { TensorEntry } from "../base/safetensors.ts";
import { type Checkpoint, decodeCheckpoint, encodeCheckpoint } from "./checkpoint_file.ts";
import { type MetricRecord, METRICS_FILE, parseMetric } from "./metrics_file.ts";

/** Settings of a {@linkcode RunFolder}. */
export interface RunFolderOptions {
  /** Told in one sentence of what was repaired; a damaged newest checkpoint for example. Goes to the console if left out. */
  readonly warn?: (message: string) => void;
}

/** Name of the file that says what makes a run. */
export const CONFIG_FILE = "config.json";
const LOCK = "lock";
const NEWEST = "checkpoint.safetensors";
const PREVIOUS = "checkpoint.prev.safetensors";
const DAMAGED = "checkpoint.damaged.safetensors";

/** What lies at `path`, links not followed: nothing, a file of the run alone, one with further names, or a link. */
function kindOf(path: string): "nothing" | "own" | "shared" | "link" | "folder" {
  try {
    const { isFile, isDirectory, nlink } = platform().files.lstat(path);
    return isFile ? (nlink ?? 1) === 1 ? "own" : "shared" : isDirectory ? "folder" : "link";
  } catch (error) {
    if (isMissing(error)) return "nothing";
    throw fileError(error, "write", path);
  }
}

/** Another process is at the run. */
export class FolderInUseError extends FailureError {}

/** A run's folder, open for writing by this process alone, or for looking at it. */
export class RunFolder implements Disposable {
  /** The folder. */
  readonly path: string;
  readonly #warn: (message: string) => void;
  #lock: OpenFile | undefined;
  #metrics: OpenFile | undefined;
  #torn = false; // the last append failed and may have left a part of a line
  /** Whether this process made the folder, and the files that it put there: it removes nothing else. */
  #made = false;
  readonly #written = new Set<string>();

  private constructor(path: string, lock: OpenFile | undefined, options: RunFolderOptions) {
    this.path = path;
    this.#lock = lock;
    this.#warn = options.warn ?? warnOnConsole;
  }

  /**
   * Makes the folder of a new run (and the folders above it) and locks it. Throws UsageError where it exists and
   * is not empty, FailureError where another process is at it or it cannot be written.
   */
  static create(path: string, options: RunFolderOptions = {}): RunFolder {
    const check = (): void => {
      // A lock or a temporary file is all that a run leaves which was killed before it wrote its configuration.
      const other = RunFolder.#list(path).find((name) => name !== LOCK && !TEMPORARY_NAME.test(name));
      if (other === undefined) return;
      throw new UsageError(
        `Cannot start a run in '${path}' as the folder must be empty: it holds '${other}'`,
        { remedies: [{ kind: "resume" }, { kind: "other-folder" }] },
      );
    };
    const made = !exists(path);
    try {
      if (!made && !platform().files.stat(path).isDirectory) {
        throw new UsageError(
          `Cannot start a run in '${path}' as it must be a folder: it is a file`,
          { remedies: [{ kind: "other-folder" }] },
        );
      }
      makeFolder(path);
    } catch (error) {
      if (error instanceof UsageError) throw error;
      throw fileError(error, "write", path);
    }
    check(); // before the lock file is made: nothing may appear in a folder that is not ours
    const locked = exists(joinPath(path, LOCK));
    const folder = new RunFolder(path, RunFolder.#acquire(path), options);
    folder.#made = made;
    if (!locked) folder.#written.add(LOCK);
    try {
      check(); // again: another process may have used the folder up to now
      folder.#sweep();
      return folder;
    } catch (error) {
      folder.close();
      throw error;
    }
  }

  /**
   * Opens the folder of an earlier run to go on with it and locks it. Throws UsageError where there is no run,
   * FailureError where another process is at it.
   */
  static open(path: string, options: RunFolderOptions = {}): RunFolder {
    RunFolder.#expectRun(path);
    const folder = new RunFolder(path, RunFolder.#acquire(path), options);
    folder.#sweep();
    return folder;
  }

  /** {@linkcode open} where the folder holds a run, else {@linkcode create}. */
  static enter(path: string, options: RunFolderOptions = {}): RunFolder {
    const begun = (): boolean => exists(joinPath(path, CONFIG_FILE));
    if (begun()) return RunFolder.open(path, options);
    try {
      return RunFolder.create(path, options);
    } catch (error) {
      if (error instanceof UsageError && begun()) return RunFolder.open(path, options); // by another process just now
      throw error;
    }
  }

  /** {@linkcode enter}; undefined where another process is at the run. */
  static enterIfFree(path: string, options: RunFolderOptions = {}): RunFolder | undefined {
    try {
      return RunFolder.enter(path, options);
    } catch (error) {
      if (error instanceof FolderInUseError) return undefined;
      throw error;
    }
  }

  /** Opens the folder of a run, running or not, to read from it; writing throws. Throws UsageError where there is none. */
  static view(path: string, options: RunFolderOptions = {}): RunFolder {
    RunFolder.#expectRun(path);
    return new RunFolder(path, undefined, options);
  }

  static #expectRun(path: string): void {
    if (exists(joinPath(path, CONFIG_FILE))) return;
    throw new UsageError(
      `Cannot open the run in '${path}' as it must hold '${CONFIG_FILE}': check the path or start a run there`,
    );
  }

  static #list(path: string): string[] {
    try {
      return [...platform().files.list(path)].map((entry) => entry.name).sort();
    } catch (error) {
      throw fileError(error, "read", path);
    }
  }

  static #acquire(path: string): OpenFile {
    const lock = joinPath(path, LOCK), kind = kindOf(lock);
    const refuse = (must: string, is: string): never => {
      throw new FailureError(`Cannot use '${lock}' as the lock of a run must be ${must}: it is ${is}`, {
        remedies: ["move it away", { kind: "other-folder" }],
      });
    };
    if (kind === "link" || kind === "folder") refuse("a file", `a ${kind}`);
    let file: OpenFile | undefined;
    try {
      file = platform().files.open(lock, { read: true, write: true, create: true });
      const locked = file.tryLockSync(true), owner = new Uint8Array(32);
      const text = new TextDecoder().decode(owner.subarray(0, file.readSync(owner) ?? 0)).trim();
      if (!/^\d*$/.test(text)) refuse("a file with the number of a process", "a file of somebody else");
      if (locked) {
        if (kind === "shared") return file; // a copy of the folder by hard links, say: what is written changes both
        file.truncateSync();
        file.seekSync(0, 0);
        writeFully(file, new TextEncoder().encode(`${platform().process}\n`));
        return file;
      }
      throw new FolderInUseError(
        `Cannot use '${path}' as another process${text === "" ? "" : ` (${text})`} is running in it`,
        { remedies: ["wait for it", "stop it", { kind: "other-folder" }] },
      );
    } catch (error) {
      file?.close();
      throw fileError(error, "write", lock);
    }
  }

  /** Removes the temporary files of killed processes. */
  #sweep(): void {
    for (const name of RunFolder.#list(this.path)) {
      try {
        if (!TEMPORARY_NAME.test(name) || !platform().files.lstat(joinPath(this.path, name)).isFile) continue;
        platform().files.remove(joinPath(this.path, name));
      } catch (error) {
        throw fileError(error, "write", joinPath(this.path, name));
      }
    }
  }

  #expectLock(): void {
    if (this.#lock !== undefined) return;
    throw new TypeError(
      `Cannot write to '${this.path}' as the run folder must be opened by create or open: it is closed or a view`,
    );
  }

  /** Whether a run has begun here. */
  get begun(): boolean {
    return exists(this.file(CONFIG_FILE));
  }

  /** The path of file `name` in the folder. */
  file(name: string): string {
    return joinPath(this.path, name);
  }

  /** Writes a file of the run atomically: `config.json`, `genotype.json` and so on. Throws FailureError. */
  writeFile(name: string, data: Uint8Array | string): void {
    this.#expectLock();
    this.#written.add(name);
    writeAtomic(this.file(name), data);
  }

  /** Removes a file of the run, where it is there. Throws FailureError. */
  removeFile(name: string): void {
    this.#expectLock();
    try {
      if (exists(this.file(name))) platform().files.remove(this.file(name));
    } catch (error) {
      throw fileError(error, "write", this.file(name));
    }
  }

  /** {@linkcode writeFile} of a value as indented JSON. */
  writeJson(name: string, value: unknown): void {
    this.writeFile(name, JSON.stringify(value, null, 2) + "\n");
  }

  /** The value in a JSON file of the run. Throws FailureError where it is missing or damaged. */
  readJson(name: string): unknown {
    return readJson(this.file(name));
  }

  /** Appends a line to the metrics and hands it to the system: it survives a kill of this process. Throws FailureError. */
  appendMetric(record: MetricRecord): void {
    this.#expectLock();
    const path = this.file(METRICS_FILE);
    const line = new TextEncoder().encode((this.#torn ? "\n" : "") + JSON.stringify(record) + "\n");
    try {
      // Links become a copy of what they point to: nothing is written through them.
      if (this.#metrics === undefined && ["link", "shared"].includes(kindOf(path))) writeAtomic(path, readBytes(path));
      this.#metrics ??= platform().files.open(path, { append: true, create: true });
      this.#torn = true;
      writeFully(this.#metrics, line);
      this.#torn = false;
    } catch (error) {
      throw fileError(error, "write", path);
    }
  }

  /** All whole lines of the metrics, oldest first; damaged lines are left out. Throws FailureError. */
  readMetrics(): MetricRecord[] {
    const path = this.file(METRICS_FILE);
    if (!exists(path)) return [];
    return new TextDecoder().decode(readBytes(path)).split("\n")
      .map(parseMetric).filter((record) => record !== undefined);
  }

  /**
   * Makes the metrics those of a run that stopped right after step `afterStep` (-1: before the first): drops later
   * records and a torn last line, so that a resumed run writes each step once. Returns how many lines it dropped.
   */
  truncateMetrics(afterStep: number): number {
    this.#expectLock();
    const path = this.file(METRICS_FILE);
    if (!exists(path)) return 0;
    this.#metrics?.close();
    this.#metrics = undefined;
    this.#torn = false;
    const lines = new TextDecoder().decode(readBytes(path)).split("\n");
    const torn = lines.pop() !== ""; // a whole file ends with a line feed
    const records = lines.map(parseMetric);
    const damaged = records.filter((record, i) => record === undefined && lines[i] !== "")
      .length;
    if (damaged > 0) {
      this.#warn(`Dropped ${damaged} damaged lines of '${path}'`);
    }
    const kept = lines.filter((_, i) => (records[i]?.step ?? Infinity) <= afterStep);
    const dropped = lines.length - kept.length + (torn ? 1 : 0);
    if (dropped > 0) {
      writeAtomic(path, kept.map((line) => line + "\n").join(""));
    }
    return dropped;
  }

  /**
   * Saves the state after `step` steps; the checkpoint before it is kept as a spare. Metrics up to here are synced
   * to the disk first. Throws FailureError; then the older checkpoints are as before.
   */
  writeCheckpoint(step: number, tensors: Iterable<readonly [string, TensorEntry]>, state: unknown): void {
    this.#expectLock();
    const bytes = encodeCheckpoint(step, tensors, state);
    try {
      this.#metrics?.syncDataSync();
    } catch (error) {
      throw fileError(error, "write", this.file(METRICS_FILE));
    }
    writeAtomic(this.file(NEWEST), bytes, { backup: this.file(PREVIOUS) });
  }

  /**
   * The newest checkpoint, or undefined where none was written yet. Where it is damaged or missing, warns and
   * returns the one before (and, in a folder opened for writing, sets the damaged one aside). Throws FailureError
   * where none can be read.
   */
  readCheckpoint(): Checkpoint | undefined {
    const newest = this.file(NEWEST);
    const previous = this.file(PREVIOUS);
    const problems: string[] = [];
    for (const path of [newest, previous]) {
      if (!exists(path)) continue;
      const bytes = readBytes(path); // a failure here is not the file's: no fallback
      let checkpoint: Checkpoint;
      try {
        checkpoint = decodeCheckpoint(bytes, path);
      } catch (error) {
        if (!(error instanceof FailureError)) throw error;
        problems.push(error.message);
        continue;
      }
      if (path === previous) {
        if (problems.length > 0) this.#setAside(newest);
        this.#warn(
          `${problems[0] ?? `Cannot find '${newest}'`}; going on from step ${checkpoint.step} of '${previous}'`,
        );
      }
      return checkpoint;
    }
    if (problems.length === 0) return undefined;
    throw new FailureError(
      `${problems[0]}, and there is no older checkpoint to go on from`,
      { remedies: [{ kind: "other-folder" }] },
    );
  }

  /** Moves a damaged checkpoint away; else the next one written would replace the good spare by it. */
  #setAside(path: string): void {
    if (this.#lock === undefined) return;
    try {
      platform().files.rename(path, this.file(DAMAGED));
    } catch (error) {
      throw fileError(error, "write", path);
    }
  }

  /**
   * Takes back what this process put there, where a new run came to nothing before its first record or checkpoint:
   * the files that it wrote, and the folder if it made that and nothing else is in it.
   */
  discardIfEmpty(): void {
    if (this.#lock === undefined) return;
    try {
      const valuable = [METRICS_FILE, NEWEST].some((name) => exists(this.file(name)));
      if (valuable || (this.begun && !this.#written.has(CONFIG_FILE))) return; // or a run of an earlier process
      for (const name of this.#written) if (exists(this.file(name))) platform().files.remove(this.file(name));
      if (this.#made) platform().files.remove(this.path); // fails unless it is empty
    } catch { /* what is left are small files; the failure that led here matters more */ }
  }

  /** Gives the folder free for other processes. May be called twice. */
  close(): void {
    this.#metrics?.close();
    this.#metrics = undefined;
    this.#lock?.close();
    this.#lock = undefined;
  }

  /** {@linkcode close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }
}

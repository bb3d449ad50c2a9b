/**
 * The sign of life of a worker: a file that a thread of its own rewrites every few seconds, so that a long step of the
 * worker does not look like its death. Others watch whether it changes, by their own clock: clocks of different
 * machines are never compared. Not responsible for what follows from a death.
 * @module
 */
import { FailureError } from "../base/errors.ts";
import { fileError } from "../base/files.ts";

/** What a worker says of itself. */
export interface WorkerInfo {
  /** Seconds between two signs of life. */
  readonly every: number;
  /** Its process. */
  readonly pid: number;
  /** Its shard, for people. */
  readonly shard: string | null;
  /** Its machine, where the worker may know it. */
  readonly host: string | null;
}

/** What the thread says after each beat: nothing, or what the system said. */
type Beat = { readonly code: string | null; readonly message: string } | null;

/**
 * The thread's work; it is handed over as text, so it uses nothing from around it. A beat that fails is told and tried
 * again, and a file that somebody removed, taking this worker for dead, is made anew.
 */
function beat(): void {
  const { postMessage } = self as unknown as { postMessage(beat: Beat): void };
  self.addEventListener("message", (event) => {
    const { path, info, every } = (event as MessageEvent).data;
    let file: Deno.FsFile | undefined, beats = 0;
    const gone = (): boolean => {
      try {
        return Deno.statSync(path).ino !== file?.statSync().ino;
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) return true;
        throw error;
      }
    };
    const write = (): void => {
      if (file && gone()) {
        file.close();
        file = undefined;
      }
      if (!file) {
        file = Deno.openSync(path, { read: true, write: true, create: true });
        file.lockSync(true); // the system gives it free when the process dies
      }
      const bytes = new TextEncoder().encode(JSON.stringify({ ...info, beats: beats++ }) + "\n");
      file.seekSync(0, Deno.SeekMode.Start); // in place: on network drives others see it as soon as they open the file
      for (let done = 0; done < bytes.length;) done += file.writeSync(bytes.subarray(done));
      file.syncDataSync();
    };
    const tryWrite = (): void => {
      try {
        write();
        postMessage(null);
      } catch (error) {
        const { message, code } = error as { message?: string; code?: unknown };
        postMessage({ message: String(message), code: typeof code === "string" ? code : null });
      }
    };
    tryWrite();
    setInterval(tryWrite, every * 1000);
  });
}

/** The thread, as a script. */
export function beatScript(): string {
  return `(${beat})()`;
}

/** A running sign of life. */
export class Heartbeat implements Disposable {
  readonly #thread: Worker;
  readonly #path: string;

  private constructor(thread: Worker, path: string) {
    this.#thread = thread;
    this.#path = path;
  }

  /**
   * Starts to beat; the file is there when this returns.
   * @param path the file, of this worker alone
   * @param onFailure told, once, when half of the beats that a worker may miss have failed one after the other: others
   *   will take the worker for dead
   * @param script what the thread runs
   * @throws {FailureError} when the file cannot be written.
   */
  static async start(
    path: string,
    info: WorkerInfo,
    onFailure: (error: Error) => void,
    script: string = beatScript(),
  ): Promise<Heartbeat> {
    try {
      Deno.writeTextFileSync(path, "", { createNew: true });
    } catch (error) {
      throw fileError(error, "write", path);
    }
    const url = `data:application/javascript,${encodeURIComponent(script)}`;
    const heart = new Heartbeat(new Worker(url, { type: "module", name: "heartbeat" }), path);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let failed = 0;
    heart.#thread.onmessage = ({ data }: MessageEvent<Beat>) => {
      failed = data === null ? 0 : failed + 1;
      if (data === null) return resolve();
      const error = fileError(Object.assign(new Error(data.message), { code: data.code ?? undefined }), "write", path);
      reject(error); // which is nothing after the first beat
      if (failed === MISSED / 2) onFailure(error);
    };
    heart.#thread.onerror = (event) => {
      event.preventDefault();
      const error = new FailureError(`Cannot write '${path}' as the system says: ${event.message.split("\n")[0]}`);
      reject(error);
      onFailure(error);
    };
    heart.#thread.postMessage({ path, info, every: info.every });
    try {
      await promise;
    } catch (error) {
      heart[Symbol.dispose]();
      throw error;
    }
    return heart;
  }

  /** Says goodbye: without its file a worker counts as gone at once. */
  [Symbol.dispose](): void {
    this.#thread.terminate();
    try {
      Deno.removeSync(this.#path);
    } catch { /* then it takes others a little longer to notice */ }
  }
}

/** Most bytes of a worker's file. */
const MOST_BYTES = 16384;

/**
 * Text of a small file that anybody may have written.
 * @returns `""` for what is no such file, undefined where there is nothing
 * @throws {FailureError} where it cannot be told
 */
export function readSmall(path: string): string | undefined {
  try {
    const { isFile, size } = Deno.statSync(path);
    return isFile && size <= MOST_BYTES ? Deno.readTextFileSync(path) : "";
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw fileError(error, "read", path);
  }
}

/** What a worker's file says; undefined for one that is gone, just being written, or no such file. */
export function readWorker(path: string): WorkerInfo | undefined {
  return readInfo(readSmall(path) ?? "");
}

/** Beats that a worker may miss before it counts as dead. */
export const MISSED = 6;

/** Watches the signs of life of other workers. */
export class Watch {
  readonly #seen = new Map<string, { readonly text: string; readonly since: number }>();

  /**
   * @param host this machine, if it is known: then a dead process of the same machine is recognised at once
   * @param now seconds of a clock that never jumps
   */
  constructor(readonly host: string | null, readonly now: () => number = () => performance.now() / 1000) {}

  /** Whether the worker with this file has gone or has shown no sign of life for too long. */
  gone(path: string): boolean {
    const text = readSmall(path);
    if (text === undefined) return true;
    const info = readInfo(text);
    if (info && this.host !== null && info.host === this.host && unlocked(path)) return true;
    const before = this.#seen.get(path), now = this.now();
    if (before?.text !== text) {
      this.#seen.set(path, { text, since: now });
      return false;
    }
    return now - before.since > MISSED * (info?.every ?? DEFAULT_EVERY);
  }
}

/** Seconds between two signs of life, unless told otherwise. */
export const DEFAULT_EVERY = 10;

/** Most seconds between two signs of life. */
export const LONGEST_EVERY = 3600;

function readInfo(text: string): WorkerInfo | undefined {
  try {
    const { every, pid, shard, host } = JSON.parse(text) as Record<string, unknown>;
    const texts = [shard, host].every((value) => value === null || typeof value === "string");
    const good = typeof every === "number" && every > 0 && every <= LONGEST_EVERY && Number.isSafeInteger(pid) && texts;
    return good ? { every, pid, shard, host } as WorkerInfo : undefined;
  } catch {
    return undefined;
  }
}

/** Whether no process of this machine holds the file. */
function unlocked(path: string): boolean {
  try {
    using file = Deno.openSync(path, { read: true, write: true });
    return file.tryLockSync(true);
  } catch {
    return false;
  }
}

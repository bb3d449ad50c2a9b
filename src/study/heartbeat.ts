/**
 * The sign of life of a worker: a file that a thread of its own rewrites every few seconds, so that a long step of the
 * worker does not look like its death. Others watch whether it changes, by their own clock: clocks of different
 * machines are never compared. Not responsible for what follows from a death.
 * @module
 */
import { FailureError } from "../base/errors.ts";
import { fileError, readText } from "../base/files.ts";

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

/** The thread's work; it is handed over as text, so it uses nothing from around it. */
function beat(): void {
  self.addEventListener("message", (event) => {
    const { path, info, every } = (event as MessageEvent).data;
    const file = Deno.openSync(path, { read: true, write: true, create: true });
    file.lockSync(true); // the system gives it free when the process dies
    let beats = 0;
    const write = (): void => {
      const bytes = new TextEncoder().encode(JSON.stringify({ ...info, beats: beats++ }) + "\n");
      file.seekSync(0, Deno.SeekMode.Start); // in place: on network drives others see it as soon as they open the file
      file.writeSync(bytes);
      file.syncDataSync();
    };
    write();
    setInterval(write, every * 1000);
    (self as unknown as { postMessage(message: string): void }).postMessage("alive");
  });
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
   * @param onFailure told when the file can no longer be written: others will take the worker for dead
   * @throws {FailureError} when the file cannot be written.
   */
  static async start(path: string, info: WorkerInfo, onFailure: (why: string) => void): Promise<Heartbeat> {
    try {
      Deno.writeTextFileSync(path, "", { createNew: true });
    } catch (error) {
      throw fileError(error, "write", path);
    }
    const url = `data:application/javascript,${encodeURIComponent(`(${beat})()`)}`;
    const thread = new Worker(url, { type: "module", name: "heartbeat" });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    thread.onmessage = () => resolve();
    thread.onerror = (event) => {
      event.preventDefault();
      reject(new FailureError(`Cannot write '${path}' as the system says: ${event.message.split("\n")[0]}`));
      onFailure(event.message);
    };
    thread.postMessage({ path, info, every: info.every });
    try {
      await promise;
    } catch (error) {
      thread.terminate();
      throw error;
    }
    return new Heartbeat(thread, path);
  }

  /** Says goodbye: without its file a worker counts as gone at once. */
  [Symbol.dispose](): void {
    this.#thread.terminate();
    try {
      Deno.removeSync(this.#path);
    } catch { /* then it takes others a little longer to notice */ }
  }
}

/** What a worker's file says; undefined for one that is gone or just being written. */
export function readWorker(path: string): WorkerInfo | undefined {
  try {
    return JSON.parse(readText(path)) as WorkerInfo;
  } catch {
    return undefined;
  }
}

/** Beats that a worker may miss before it counts as dead. */
const MISSED = 6;

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
    let text: string;
    try {
      text = Deno.readTextFileSync(path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return true;
      throw fileError(error, "read", path);
    }
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

function readInfo(text: string): WorkerInfo | undefined {
  try {
    const info = JSON.parse(text) as WorkerInfo | null;
    return typeof info?.every === "number" && info.every > 0 ? info : undefined;
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

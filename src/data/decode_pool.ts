/**
 * Decoding threads: jobs go in, samples come out, in any order. Threads start with the first job and stop when there
 * was none for a while. Deno lets a program that lies on the disk start a thread only if it may read its own modules;
 * where it may not, jobs run on the main thread, one at a time. Threads ask before they decode what takes much memory:
 * all pools of a program share one budget. Not responsible for what is decoded when.
 * @module
 */
import { FailureError } from "../base/errors.ts";
import { allowFlag } from "../base/files.ts";
import { shellQuote } from "../base/shell.ts";
import { fileURLToPath } from "node:url";
import type { Answer, Request } from "./decode_worker.ts";
import { type ImageJob, loadImage } from "./load.ts";
import { ImagesLostError } from "./lost_images.ts";
import { MemoryBudget } from "./memory_budget.ts";
import { LARGE_MEMORY } from "./pixels.ts";

/** Milliseconds without a job after which threads stop. */
const IDLE_MS = 3000;
/** Jobs that a thread has at a time: while it posts one result the next one is there. */
const JOBS_PER_THREAD = 2;
const MAX_THREADS = 16;
/** The memory for images that need more than a thread's share, of all pools. */
const BUDGET = new MemoryBudget(LARGE_MEMORY);

interface Pending {
  readonly job: ImageJob;
  readonly resolve: (data: Uint8Array<ArrayBuffer>) => void;
  readonly reject: (error: unknown) => void;
}

interface Thread {
  readonly worker: Worker;
  readonly jobs: Map<number, Pending>;
  /** Gives back the memory that it asked for; there while it holds some. */
  release?: () => void;
  stopped: boolean;
}

/** Ends a thread, whatever it does. */
function stop(thread: Thread): void {
  thread.stopped = true;
  thread.worker.onmessage = null;
  thread.worker.terminate();
  thread.release?.();
}

/** Lets a thread have the memory that it asks for when there is some. */
async function grant(thread: Thread, bytes: number): Promise<void> {
  const release = await BUDGET.take(bytes);
  if (thread.stopped) return release();
  thread.release = release;
  thread.worker.postMessage({ granted: true } satisfies Request);
}

/** The flag that lets decoding threads start, or undefined where nothing is missing. */
export function missingThreadPermission(): string | undefined {
  const source = new URL("../", import.meta.url);
  if (source.protocol !== "file:") return undefined;
  const path = fileURLToPath(source);
  const { state } = Deno.permissions.querySync({ name: "read", path });
  return state === "granted" ? undefined : shellQuote(allowFlag("read", path));
}

/** A set of decoding threads. */
export class DecodePool {
  /** Threads at most; 0: jobs run on the main thread. */
  readonly size: number;
  /** Bytes that a thread may keep. */
  readonly #share: number;
  readonly #queue: Pending[] = [];
  #head = 0;
  #threads: Thread[] = [];
  #inline: boolean;
  #running = false;
  #next = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `size` threads at most; as many as the machine has cores if left out. */
  constructor(size: number = Math.max(1, Math.min(MAX_THREADS, navigator.hardwareConcurrency))) {
    this.size = size;
    this.#share = LARGE_MEMORY / Math.max(1, size);
    this.#inline = size === 0 || missingThreadPermission() !== undefined;
  }

  /** Whether jobs run on threads of their own. */
  get threaded(): boolean {
    return !this.#inline;
  }

  /** Loads an image; rejects with ImagesLostError where its file is gone, FailureError where it is damaged. Jobs begin in the order of the calls. */
  run(job: ImageJob): Promise<Uint8Array<ArrayBuffer>> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ job, resolve, reject });
      this.#dispatch();
    });
  }

  /** Stops the threads; what is still waiting is rejected. The pool can be used again. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const waiting = [...this.#threads.flatMap((t) => [...t.jobs.values()]), ...this.#queue.slice(this.#head)];
    for (const thread of this.#threads) stop(thread);
    this.#threads = [];
    this.#queue.length = this.#head = 0;
    for (const { job, reject } of waiting) {
      reject(new FailureError(`Cannot read '${job.path}' as the data set was closed: open it again`));
    }
  }

  #take(): Pending | undefined {
    if (this.#head === this.#queue.length) return undefined;
    const pending = this.#queue[this.#head++];
    if (this.#head === this.#queue.length) this.#queue.length = this.#head = 0;
    else if (this.#head >= 4096) this.#queue.splice(0, this.#head), this.#head = 0;
    return pending;
  }

  #dispatch(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#inline) {
      if (!this.#running) this.#runInline();
      return;
    }
    while (this.#head < this.#queue.length) {
      const waiting = this.#queue.length - this.#head;
      let thread = this.#threads.reduce<Thread | undefined>(
        (best, t) => best === undefined || t.jobs.size < best.jobs.size ? t : best,
        undefined,
      );
      if ((thread === undefined || thread.jobs.size > 0) && this.#threads.length < this.size && waiting > 0) {
        thread = this.#start();
      }
      if (thread === undefined || thread.jobs.size >= JOBS_PER_THREAD) break;
      const pending = this.#take()!, id = this.#next++;
      thread.jobs.set(id, pending);
      thread.worker.postMessage({ id, job: pending.job, share: this.#share } satisfies Request);
    }
    if (this.#queue.length === 0 && this.#threads.length > 0 && this.#threads.every((t) => t.jobs.size === 0)) {
      this.#timer = setTimeout(() => this.close(), IDLE_MS);
    }
  }

  #start(): Thread {
    const worker = new Worker(import.meta.resolve("./decode_worker.ts"), { type: "module" });
    const thread: Thread = { worker, jobs: new Map(), stopped: false };
    worker.onmessage = ({ data: answer }: MessageEvent<Answer>) => {
      if ("asks" in answer) return void grant(thread, answer.asks);
      if ("returns" in answer) return thread.release?.();
      const { id, data, error, lost, retires } = answer;
      const pending = thread.jobs.get(id);
      thread.jobs.delete(id);
      if (data !== undefined) pending?.resolve(data);
      else pending?.reject(lost ? new ImagesLostError(error!) : new FailureError(error!));
      if (retires) {
        stop(thread);
        this.#threads = this.#threads.filter((each) => each !== thread);
        this.#requeue(thread);
      }
      this.#dispatch();
    };
    // A thread that cannot start, or that ran out of memory: its jobs are done here.
    worker.onerror = (event) => {
      event.preventDefault();
      this.#inline = true;
      for (const thread of this.#threads) stop(thread);
      this.#requeue(...this.#threads);
      this.#threads = [];
      this.#dispatch();
    };
    this.#threads.push(thread);
    return thread;
  }

  /** Puts the jobs of threads that were stopped before those that wait. */
  #requeue(...threads: readonly Thread[]): void {
    this.#queue.splice(0, this.#head, ...threads.flatMap(({ jobs }) => [...jobs.values()]));
    this.#head = 0;
  }

  async #runInline(): Promise<void> {
    this.#running = true;
    for (let pending = this.#take(); pending !== undefined; pending = this.#take()) {
      try {
        pending.resolve(await loadImage(pending.job));
      } catch (error) {
        pending.reject(error);
      }
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    this.#running = false;
  }
}

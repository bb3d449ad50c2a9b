/**
 * The decoding threads of this process, which all data sets share: jobs go in, samples come out, in any order. Threads
 * start with the first job and stop when there was none for a while. Deno lets a program that lies on the disk start a
 * thread only if it may read its own modules; where it may not, or where threads fail, jobs run on the main thread, one at
 * a time. Threads ask before they decode what takes much memory. Not responsible for what is decoded when.
 * @module
 */
import { FailureError } from "../base/errors.ts";
import { allowFlag } from "../base/files.ts";
import { shellQuote } from "../base/shell.ts";
import { platform } from "../platform/platform.ts";
import { type DecodeMemory, MEMORY } from "./decode_memory.ts";
import type { Answer, Request } from "./decode_worker.ts";
import { type ImageJob, loadImage } from "./load.ts";
import { ImagesLostError } from "./lost_images.ts";
import type { GiveBack } from "./memory_budget.ts";

/** Milliseconds without a job after which threads stop. */
const IDLE_MS = 3000;
/** Jobs that a thread has at a time: while it posts one result the next one is there. */
const JOBS_PER_THREAD = 2;

interface Pending {
  /** Whose job it is. */
  readonly owner: object;
  readonly job: ImageJob;
  readonly resolve: (data: Uint8Array<ArrayBuffer>) => void;
  readonly reject: (error: unknown) => void;
}

interface Thread {
  readonly worker: Worker;
  readonly jobs: Map<number, Pending>;
  /** Gives back its share. */
  readonly leave: () => void;
  /** Gives back the memory that it asked for. */
  release?: GiveBack;
  stopped: boolean;
}

/** Ends a thread, whatever it does. */
function stop(thread: Thread): void {
  thread.stopped = true;
  thread.worker.onmessage = null;
  thread.worker.terminate();
  thread.release?.();
  thread.leave();
}

/** The flag that lets decoding threads start, or undefined where no flag is missing. */
export function missingThreadPermission(): string | undefined {
  const path = platform().threadsOf(import.meta.url);
  return typeof path === "string" ? shellQuote(allowFlag("read", path)) : undefined;
}

/** Threads that decode within some memory. */
export class DecodeThreads {
  readonly #memory: DecodeMemory;
  readonly #queue: Pending[] = [];
  #head = 0;
  #threads: Thread[] = [];
  /** Whether jobs run on the main thread; found out with the first one. */
  #inline: boolean | undefined;
  #running = false;
  #next = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #trouble: string | undefined;

  /** As many threads at most as `memory` has shares; with none, jobs run on the main thread. */
  constructor(memory: DecodeMemory) {
    this.#memory = memory;
  }

  /** Whether jobs run on threads of their own. */
  get threaded(): boolean {
    this.#inline ??= this.#memory.threads === 0 || platform().threadsOf(import.meta.url) !== true;
    return !this.#inline;
  }

  /** Why threads could not go on; undefined while they can, and where there are none. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /**
   * Loads an image; jobs begin in the order of the calls. Rejects with ImagesLostError where its file is gone,
   * FailureError where it is damaged.
   * @param owner whose job it is
   */
  run(owner: object, job: ImageJob): Promise<Uint8Array<ArrayBuffer>> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ owner, job, resolve, reject });
      this.#dispatch();
    });
  }

  /** Rejects the jobs of an owner, and stops the threads that have no others. They start again with the next job. */
  drop(owner: object): void {
    const waiting = this.#queue.splice(0).slice(this.#head), dropped: Pending[] = [];
    this.#head = 0;
    for (const pending of waiting) (pending.owner === owner ? dropped : this.#queue).push(pending);
    for (const thread of [...this.#threads]) {
      const own = [...thread.jobs].filter(([, pending]) => pending.owner === owner);
      for (const [id, pending] of own) thread.jobs.delete(id), dropped.push(pending);
      if (thread.jobs.size === 0 && (own.length > 0 || this.#queue.length === 0)) this.#end(thread);
    }
    for (const { job, reject } of dropped) {
      reject(new FailureError(`Cannot read '${job.path}' as the data set was closed: open it again`));
    }
    this.#dispatch();
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
    if (!this.threaded) {
      if (!this.#running) this.#runInline();
      return;
    }
    const { threads, share, most } = this.#memory;
    while (this.#head < this.#queue.length) {
      let thread = this.#threads.reduce<Thread | undefined>(
        (best, t) => best === undefined || t.jobs.size < best.jobs.size ? t : best,
        undefined,
      );
      if ((thread === undefined || thread.jobs.size > 0) && this.#threads.length < threads) thread = this.#start();
      if (thread === undefined || thread.jobs.size >= JOBS_PER_THREAD) break;
      const pending = this.#take()!, id = this.#next++;
      thread.jobs.set(id, pending);
      thread.worker.postMessage({ id, job: pending.job, share, most } satisfies Request);
    }
    if (this.#queue.length === 0 && this.#threads.length > 0 && this.#threads.every((t) => t.jobs.size === 0)) {
      this.#timer = setTimeout(() => this.#endAll(), IDLE_MS);
    }
  }

  #start(): Thread {
    const leave = this.#memory.takeShare();
    const worker = new Worker(import.meta.resolve("./decode_worker.ts"), { type: "module" });
    const thread: Thread = { worker, jobs: new Map(), leave, stopped: false };
    worker.onmessage = ({ data: answer }: MessageEvent<Answer>) => {
      if ("asks" in answer) return void this.#grant(thread, answer.asks);
      if ("keeps" in answer) return thread.release?.(answer.keeps);
      const { id, data, error, lost, retires } = answer;
      const pending = thread.jobs.get(id); // none: its data set was closed
      thread.jobs.delete(id);
      if (data !== undefined) pending?.resolve(data);
      else pending?.reject(lost ? new ImagesLostError(error!) : new FailureError(error!));
      if (retires) {
        this.#end(thread);
        this.#requeue(thread);
      }
      this.#dispatch();
    };
    // A thread that cannot start, or that ran out of memory: its jobs are done here.
    worker.onerror = (event) => {
      event.preventDefault();
      this.#inline = true;
      this.#trouble = event.message;
      this.#requeue(...this.#endAll());
      this.#dispatch();
    };
    this.#threads.push(thread);
    return thread;
  }

  /** Lets a thread have the memory that it asks for when there is some. */
  async #grant(thread: Thread, bytes: number): Promise<void> {
    const release = await this.#memory.takeLarge(bytes);
    if (thread.stopped) return release();
    thread.release = release;
    thread.worker.postMessage({ granted: true } satisfies Request);
  }

  #end(thread: Thread): void {
    stop(thread);
    this.#threads = this.#threads.filter((each) => each !== thread);
  }

  #endAll(): Thread[] {
    const all = this.#threads;
    for (const thread of all) this.#end(thread);
    return all;
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

/** The threads of this process. */
const THREADS = new DecodeThreads(MEMORY);

/** The jobs of one data set: they share the threads with those of others. */
export class DecodePool {
  readonly #threads: DecodeThreads;

  /** On the threads of this process if none are given. */
  constructor(threads: DecodeThreads = THREADS) {
    this.#threads = threads;
  }

  /** A sentence about threads that failed; undefined while there are some, and where there are none to be. */
  get trouble(): string | undefined {
    const { trouble } = this.#threads;
    return trouble === undefined ? undefined : `Images are decoded on one thread as the others failed (${trouble})`;
  }

  /** Loads an image, as {@linkcode DecodeThreads.run} says. */
  run(job: ImageJob): Promise<Uint8Array<ArrayBuffer>> {
    return this.#threads.run(this, job);
  }

  /** Rejects what is still waiting, and stops threads that do nothing else. The pool can be used again. */
  close(): void {
    this.#threads.drop(this);
  }
}

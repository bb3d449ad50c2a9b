/**
 * The memory that decoding takes in this process: the one place that hands it out, to the threads of all data sets and to
 * the main thread. Half is shared out: each of them keeps its share while it lives. Half is for images that need more
 * than a share, which ask for it and wait, in order. Not responsible for what an image needs (`codec.ts`).
 * @module
 */
import { trimCodec } from "./codec.ts";
import { type GiveBack, MemoryBudget } from "./memory_budget.ts";

/** All of it: 2 GiB. */
const DECODE_MEMORY: number = 2 ** 31;

/** The most that one image may need. */
export const LARGE_MEMORY: number = DECODE_MEMORY / 2;

const MAX_THREADS = 16;

/** The memory of a thread that decodes. */
export interface ThreadMemory {
  /** Bytes that it always has. */
  readonly share: number;
  /** Bytes that it may have at most. */
  readonly most: number;
  /** Waits until it may take so many bytes instead. */
  readonly reserve: (bytes: number) => Promise<GiveBack>;
}

/** Memory for decoding. */
export class DecodeMemory {
  /** Threads at most, the main thread not counted. */
  readonly threads: number;
  /** Bytes that each thread keeps, and the main thread. */
  readonly share: number;
  /** Bytes that one of them may have at most. */
  readonly most: number;
  readonly #large: MemoryBudget;
  #shares = 1; // the main thread's

  /** `total` bytes for so many threads; as many as the machine has cores if left out. */
  constructor(total: number, threads: number = Math.max(1, Math.min(MAX_THREADS, navigator.hardwareConcurrency))) {
    this.threads = threads;
    this.share = Math.floor(total / 2 / (threads + 1));
    this.most = total / 2;
    this.#large = new MemoryBudget(this.most);
  }

  /** Bytes that are given out. */
  get held(): number {
    return this.#shares * this.share + this.#large.total - this.#large.free;
  }

  /**
   * Gives a thread its share.
   * @returns what gives it back
   * @throws {RangeError} where there are as many threads already as there may be.
   */
  takeShare(): () => void {
    if (this.#shares > this.threads) {
      throw new RangeError(`Cannot start thread ${this.#shares} of ${this.threads} as its memory is given out`);
    }
    this.#shares++;
    let held = true;
    return () => {
      if (held) this.#shares--;
      held = false;
    };
  }

  /** Waits for memory beyond a share. */
  takeLarge(bytes: number): Promise<GiveBack> {
    return this.#large.take(bytes);
  }
}

/** The memory of this process. A decoding thread has its part of it from the main thread, which it asks. */
export const MEMORY: DecodeMemory = new DecodeMemory(DECODE_MEMORY);

/** The memory of the main thread, which drops the decoder when that has become larger than its share. */
export const MAIN_MEMORY: ThreadMemory = {
  share: MEMORY.share,
  most: MEMORY.most,
  async reserve(bytes) {
    const giveBack = await MEMORY.takeLarge(bytes);
    return (rest = 0) => {
      if (rest === 0) trimCodec(MEMORY.share);
      giveBack(rest);
    };
  },
};

/** Runs `use`, which takes so many bytes, when they are there; it may give back some before its end. */
export async function withMemory<T>(
  { share, reserve }: ThreadMemory,
  bytes: number,
  use: (giveBack: GiveBack) => Promise<T>,
): Promise<T> {
  const giveBack = bytes > share ? await reserve(bytes) : () => {};
  try {
    return await use(giveBack);
  } finally {
    giveBack();
  }
}

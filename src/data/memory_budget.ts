/**
 * Shares an amount of memory between those that ask for parts of it, in the order in which they ask. Whoever holds a
 * part must not ask for more before giving it back. Not responsible for how much anybody needs.
 * @module
 */

/** Gives back what was taken, or all but `rest` bytes of it. */
export type GiveBack = (rest?: number) => void;

/** An amount of memory that is shared. */
export class MemoryBudget {
  /** All of it, in bytes. */
  readonly total: number;
  #free: number;
  readonly #waiting: { readonly bytes: number; readonly grant: () => void }[] = [];

  /** A budget of so many bytes. */
  constructor(total: number) {
    this.total = total;
    this.#free = total;
  }

  /** Bytes that nobody holds. */
  get free(): number {
    return this.#free;
  }

  /**
   * Waits until `bytes` are free and takes them.
   * @returns what gives them back; calling it again does nothing
   * @throws {RangeError} for more than there will ever be.
   */
  async take(bytes: number): Promise<GiveBack> {
    if (bytes > this.total) {
      throw new RangeError(`Cannot take ${bytes} bytes of ${this.total} as there will never be so many`);
    }
    await new Promise<void>((grant) => {
      this.#waiting.push({ bytes, grant });
      this.#serve();
    });
    let held = bytes;
    return (rest = 0) => {
      if (rest >= held) return;
      this.#free += held - rest;
      held = rest;
      this.#serve();
    };
  }

  #serve(): void {
    while (this.#waiting.length > 0 && this.#waiting[0].bytes <= this.#free) {
      const { bytes, grant } = this.#waiting.shift()!;
      this.#free -= bytes;
      grant();
    }
  }
}

/**
 * The batches of a streamed data set that are being decoded or wait for their turn: a bounded window.
 * Not responsible for which images make a batch.
 * @module
 */
import type { Change } from "./changes.ts";
import type { ImageStream } from "./dataset.ts";

/** One image of a batch. */
export interface Pick {
  /** Index in the data set. */
  readonly index: number;
  /** Its random changes. */
  readonly change?: Change;
}

/** Images of a batch in its order; null for one that cannot be read. */
export type Loaded = readonly (Uint8Array | null)[];

interface Slot {
  readonly done: Promise<void>;
  images: Loaded | undefined;
}

/** Batches that are on their way, by epoch and step. */
export class Prefetcher {
  readonly #stream: ImageStream;
  readonly #slots = new Map<string, Slot>();

  /** Batches of `stream`. */
  constructor(stream: ImageStream) {
    this.#stream = stream;
  }

  /** Asks for the batches of `keys` that are not here yet, in this order, and forgets all others. */
  window(keys: readonly string[], picks: (key: string) => readonly Pick[]): void {
    for (const key of this.#slots.keys()) if (!keys.includes(key)) this.#slots.delete(key);
    for (const key of keys) {
      if (this.#slots.has(key)) continue;
      const all = Promise.all(picks(key).map(({ index, change }) => this.#stream.load(index, change)));
      const slot: Slot = { done: all.then((images) => void (slot.images = images)), images: undefined };
      slot.done.catch(() => {}); // Whoever waits for it is told; it may be that nobody does.
      this.#slots.set(key, slot);
    }
  }

  /** Waits for a batch that was asked for. */
  ready(key: string): Promise<void> | undefined {
    return this.#slots.get(key)?.done;
  }

  /** The images of a batch, if they are here. */
  get(key: string): Loaded | undefined {
    return this.#slots.get(key)?.images;
  }
}

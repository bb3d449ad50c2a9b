/**
 * A decoding thread: takes jobs as messages and answers each, in turn, with its samples or with the sentence that says
 * why not. Before an image that takes more memory than its share it asks for that, and then wants to be replaced: what
 * a decoder has taken it gives back only with its thread.
 * @module
 */
import "../platform/deno.ts";
import { codecMemory } from "./codec.ts";
import { type ImageJob, loadImage } from "./load.ts";
import { ImagesLostError } from "./lost_images.ts";
import type { GiveBack } from "./memory_budget.ts";

/** What a thread is told. */
export type Request = {
  /** Comes back with the answer. */
  readonly id: number;
  /** What to load. */
  readonly job: ImageJob;
  /** Bytes that the thread may keep. */
  readonly share: number;
  /** Bytes that it may ask for at most. */
  readonly most: number;
} | {
  /** The memory that was asked for may be taken. */
  readonly granted: true;
};

/** What a thread says. */
export type Answer = {
  /** Of the request. */
  readonly id: number;
  /** The samples, unless there is an error. */
  readonly data?: Uint8Array<ArrayBuffer>;
  /** Why there are none. */
  readonly error?: string;
  /** Whether the file is gone. */
  readonly lost?: boolean;
  /** It holds more than its share: it is to be replaced. */
  readonly retires: boolean;
} | {
  /** Bytes that the thread asks for; it waits until it may have them. */
  readonly asks: number;
} | {
  /** Bytes that it still needs of those that it asked for: it gives back the others. */
  readonly keeps: number;
};

const thread = globalThis as unknown as {
  onmessage: (event: MessageEvent<Request>) => void;
  postMessage: (answer: Answer, transfer: Transferable[]) => void;
};

let granted: (() => void) | undefined;
let last: Promise<void> = Promise.resolve();

async function reserve(bytes: number, share: number): Promise<GiveBack> {
  const answer = new Promise<void>((resolve) => granted = resolve);
  thread.postMessage({ asks: bytes }, []);
  await answer;
  return (keeps = 0) => {
    // A thread that is replaced gives it back then.
    if (keeps > 0 || codecMemory() <= share) thread.postMessage({ keeps }, []);
  };
}

async function work({ id, job, share, most }: Extract<Request, { readonly job: ImageJob }>): Promise<void> {
  try {
    const data = await loadImage(job, { share, most, reserve: (bytes) => reserve(bytes, share) });
    thread.postMessage({ id, data, retires: codecMemory() > share }, [data.buffer]);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error), lost = error instanceof ImagesLostError;
    thread.postMessage({ id, error: why, lost, retires: codecMemory() > share }, []);
  }
}

thread.onmessage = ({ data }) => {
  if ("granted" in data) granted?.();
  else last = last.then(() => work(data)); // One at a time, for the memory that they take.
};

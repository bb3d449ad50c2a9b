/**
 * A decoding thread: takes jobs as messages and answers each, in turn, with its samples or with the sentence that says
 * why not. Before an image that takes much memory it asks for that.
 * @module
 */
import { type ImageJob, loadImage, type Reserve } from "./load.ts";
import { ImagesLostError } from "./lost_images.ts";

/** What a thread is told. */
export type Request = {
  /** Comes back with the answer. */
  readonly id: number;
  /** What to load. */
  readonly job: ImageJob;
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
} | {
  /** Bytes that the thread asks for; it waits until it may have them. */
  readonly asks: number;
} | {
  /** It gives back what it asked for. */
  readonly returns: true;
};

const thread = globalThis as unknown as {
  onmessage: (event: MessageEvent<Request>) => void;
  postMessage: (answer: Answer, transfer: Transferable[]) => void;
};

let granted: (() => void) | undefined;
let last: Promise<void> = Promise.resolve();

const reserve: Reserve = async (bytes) => {
  const answer = new Promise<void>((resolve) => granted = resolve);
  thread.postMessage({ asks: bytes }, []);
  await answer;
  return () => thread.postMessage({ returns: true }, []);
};

async function work(id: number, job: ImageJob): Promise<void> {
  try {
    const data = await loadImage(job, reserve);
    thread.postMessage({ id, data }, [data.buffer]);
  } catch (error) {
    const lost = error instanceof ImagesLostError;
    thread.postMessage({ id, error: error instanceof Error ? error.message : String(error), lost }, []);
  }
}

thread.onmessage = ({ data }) => {
  if ("granted" in data) granted?.();
  else last = last.then(() => work(data.id, data.job)); // One at a time, for the memory that they take.
};

/**
 * A decoding thread: takes jobs as messages and answers each with its samples or with the sentence that says why not.
 * @module
 */
import { type ImageJob, loadImage } from "./load.ts";

/** What a thread is asked. */
export interface Request {
  /** Comes back with the answer. */
  readonly id: number;
  /** What to load. */
  readonly job: ImageJob;
}

/** What a thread answers. */
export interface Answer {
  /** Of the request. */
  readonly id: number;
  /** The samples, unless there is an error. */
  readonly data?: Uint8Array<ArrayBuffer>;
  /** Why there are none. */
  readonly error?: string;
}

const thread = globalThis as unknown as {
  onmessage: (event: MessageEvent<Request>) => void;
  postMessage: (answer: Answer, transfer: Transferable[]) => void;
};

thread.onmessage = ({ data: { id, job } }) => {
  try {
    const data = loadImage(job);
    thread.postMessage({ id, data }, [data.buffer]);
  } catch (error) {
    thread.postMessage({ id, error: error instanceof Error ? error.message : String(error) }, []);
  }
};

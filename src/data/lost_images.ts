/**
 * Files that were there when a data set was opened and cannot be read now: they are waited for, and if they stay gone
 * whoever needs them is told. A disk or a network that does not answer must not look like damaged images, which are left
 * out. Not responsible for reading.
 * @module
 */
import { FailureError } from "../base/errors.ts";

/** A file of a data set that is gone: deleted, changed, or on a disk or a network that does not answer. */
export class ImagesLostError extends FailureError {
  /** Name shown in stack traces. */
  override readonly name = "ImagesLostError";
}

/** Milliseconds before the second attempt; each further one is waited for twice as long. */
const FIRST_WAIT = 100;

/** Seconds that a file is waited for unless told otherwise. */
export const PATIENCE = 10;

/**
 * Loads an image, again and again while its file is gone, and once again where it seems damaged.
 * @param seconds to wait for at most
 * @param signal ends the waiting
 * @param onWait told why it waits, when it begins to
 * @throws what the last attempt threw
 */
export async function patiently<T>(
  load: () => Promise<T>,
  seconds: number,
  signal: AbortSignal,
  onWait?: (error: ImagesLostError) => void,
): Promise<T> {
  for (let wait = FIRST_WAIT, left = 1000 * seconds, again = false;; wait *= 2, again = true) {
    try {
      return await load();
    } catch (error) {
      const lost = error instanceof ImagesLostError;
      if (signal.aborted || left <= 0 || (again && !lost)) throw error;
      if (lost && !again) onWait?.(error);
    }
    await pause(Math.min(wait, left), signal);
    left -= wait;
  }
}

/** Waits, until the signal is raised at most. */
function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal.addEventListener("abort", end);
  });
}

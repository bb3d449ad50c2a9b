/**
 * One image file from the disk to the square that a network sees: the work of a decoding thread.
 * Not responsible for threads.
 * @module
 */
import { fileError, readBytes } from "../base/files.ts";
import { openCodec, trimCodec } from "./codec.ts";
import { planImage, type Preparation, renderImage } from "./decode.ts";
import { MAX_IMAGE_BYTES, THREAD_MEMORY } from "./pixels.ts";

/** What to load. */
export interface ImageJob extends Preparation {
  /** The file. */
  readonly path: string;
}

/** Waits until so many bytes may be taken; what it resolves to gives them back. */
export type Reserve = (bytes: number) => Promise<() => void>;

/** How many times its size a file takes while its header is looked at. */
const HEADER_SHARE = 3;

function sizeOf(path: string): number {
  try {
    return Deno.statSync(path).size;
  } catch (error) {
    throw fileError(error, "read", path);
  }
}

/**
 * Loads `[channels, size, size]` samples, 0 to 255.
 * @param reserve asked before an image takes more memory than every thread has; nothing is waited for if left out
 * @throws {FailureError} for a file that cannot be read.
 */
export async function loadImage(job: ImageJob, reserve?: Reserve): Promise<Uint8Array<ArrayBuffer>> {
  const { path } = job, read = (): Uint8Array => readBytes(path, { maxBytes: MAX_IMAGE_BYTES });
  const within = async <T>(bytes: number, use: () => T): Promise<T> => {
    const release = bytes > THREAD_MEMORY ? await reserve?.(bytes) : undefined;
    await openCodec();
    try {
      return use();
    } finally {
      trimCodec();
      release?.();
    }
  };
  const large = HEADER_SHARE * Math.min(sizeOf(path), MAX_IMAGE_BYTES);
  if (large <= THREAD_MEMORY) {
    const bytes = read();
    await openCodec();
    const plan = planImage(bytes, path, job);
    return await within(plan.memory, () => renderImage(bytes, path, plan, job));
  }
  // A large file is not held while its turn is waited for.
  const plan = await within(large, () => planImage(read(), path, job));
  return await within(plan.memory, () => renderImage(read(), path, plan, job));
}

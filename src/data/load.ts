/**
 * One image file from the disk to the square that a network sees: the work of a decoding thread.
 * Not responsible for threads.
 * @module
 */
import { text } from "../base/errors.ts";
import { fileError, readBytes } from "../base/files.ts";
import { platform } from "../platform/platform.ts";
import { withCodec } from "./codec.ts";
import { type DecodePlan, planImage, type Preparation, renderImage } from "./decode.ts";
import { MAIN_MEMORY, type ThreadMemory, withMemory } from "./decode_memory.ts";
import { ImagesLostError } from "./lost_images.ts";
import { MAX_IMAGE_BYTES } from "./pixels.ts";

/** What to load. */
export interface ImageJob extends Preparation {
  /** The file. */
  readonly path: string;
  /** Its size when the data set was opened; not compared if left out. */
  readonly bytes?: number;
}

/** How many times its size a file takes while its header is looked at. */
const HEADER_SHARE = 3;

/** What a read gives; a file that is gone, or not the one that was there, is no damaged image. */
function present<T>({ path, bytes }: ImageJob, read: () => T, sizeOf: (read: T) => number): T {
  let got: T;
  try {
    got = read();
  } catch (error) {
    throw new ImagesLostError(text`${fileError(error, "read", path)}`, { cause: error });
  }
  if (bytes === undefined || sizeOf(got) === bytes) return got;
  throw new ImagesLostError(
    `Cannot read '${path}' as it must have the ${bytes} bytes that it had when the data set was opened: it has ` +
      `${sizeOf(got)}`,
  );
}

/**
 * Loads `[channels, size, size]` samples, 0 to 255.
 * @param memory of this thread, asked before an image takes more than its share; the main thread's if left out
 * @throws {ImagesLostError} for a file that is gone; {FailureError} for one that is no image that can be decoded.
 */
export async function loadImage(
  job: ImageJob,
  memory: ThreadMemory = MAIN_MEMORY,
): Promise<Uint8Array<ArrayBuffer>> {
  const { path } = job;
  const read = (): Uint8Array =>
    present(job, () => readBytes(path, { maxBytes: MAX_IMAGE_BYTES }), (got) => got.length);
  const large = HEADER_SHARE *
    Math.min(present(job, () => platform().files.stat(path).size, (size) => size), MAX_IMAGE_BYTES);
  const render = (bytes: Uint8Array, plan: DecodePlan) => withCodec(() => renderImage(bytes, path, plan, job));
  if (large <= memory.share) {
    const bytes = read(), plan = await withCodec(() => planImage(bytes, path, job));
    return await withMemory(memory, plan.memory, () => render(bytes, plan));
  }
  // What a large file needs is known when it has been read: until then it has all that there is.
  return await withMemory(memory, memory.most, async (giveBack) => {
    const bytes = read(), plan = await withCodec(() => planImage(bytes, path, job));
    giveBack(Math.max(large, plan.memory));
    return await render(bytes, plan);
  });
}

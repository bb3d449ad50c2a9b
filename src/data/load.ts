/**
 * One image file from the disk to the square that a network sees: the work of a decoding thread.
 * Not responsible for threads.
 * @module
 */
import { text } from "../base/errors.ts";
import { fileError, readBytes } from "../base/files.ts";
import { openCodec, trimCodec } from "./codec.ts";
import { planImage, type Preparation, renderImage } from "./decode.ts";
import { ImagesLostError } from "./lost_images.ts";
import { MAX_IMAGE_BYTES } from "./pixels.ts";

/** What to load. */
export interface ImageJob extends Preparation {
  /** The file. */
  readonly path: string;
  /** Its size when the data set was opened; not compared if left out. */
  readonly bytes?: number;
}

/** The memory of a decoding thread. */
export interface ThreadMemory {
  /** Bytes that it always has. */
  readonly share: number;
  /** Waits until it may take so many bytes instead; what it resolves to gives them back. */
  readonly reserve: (bytes: number) => Promise<() => void>;
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
 * @param memory asked before an image takes more than the thread's share; nothing is waited for if left out
 * @throws {ImagesLostError} for a file that is gone; {FailureError} for one that is no image that can be decoded.
 */
export async function loadImage(job: ImageJob, memory?: ThreadMemory): Promise<Uint8Array<ArrayBuffer>> {
  const { path } = job;
  const read = (): Uint8Array =>
    present(job, () => readBytes(path, { maxBytes: MAX_IMAGE_BYTES }), (got) => got.length);
  const within = async <T>(bytes: number, use: () => T): Promise<T> => {
    const release = memory !== undefined && bytes > memory.share ? await memory.reserve(bytes) : undefined;
    await openCodec();
    try {
      return use();
    } finally {
      if (memory === undefined) trimCodec();
      release?.();
    }
  };
  const large = HEADER_SHARE * Math.min(present(job, () => Deno.statSync(path).size, (size) => size), MAX_IMAGE_BYTES);
  if (large <= (memory?.share ?? Infinity)) {
    const bytes = read();
    await openCodec();
    const plan = planImage(bytes, path, job);
    return await within(plan.memory, () => renderImage(bytes, path, plan, job));
  }
  // A large file is not held while its turn is waited for.
  const plan = await within(large, () => planImage(read(), path, job));
  return await within(plan.memory, () => renderImage(read(), path, plan, job));
}

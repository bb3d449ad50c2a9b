/**
 * Parts of a data set as data sets of their own. Statistics and classes stay those of the whole. Not responsible for
 * which images belong to a part (`split.ts`).
 * @module
 */
import { UsageError } from "../base/errors.ts";
import type { Dataset, ImageStream } from "./dataset.ts";
import { firstsOf } from "./split.ts";
import { textFingerprint } from "./statistics.ts";

/** Images of a streamed data set that are asked for at once. */
const AT_ONCE = 32;

/** The images `indices` of a data set, in that order; a streamed data set stays streamed. */
export async function subsetOf(data: Dataset, indices: Uint32Array, name: string): Promise<Dataset> {
  const { stream } = data, images = stream ? data.images : gather(data, indices);
  return { ...await part(data, indices, name), images, ...(stream ? { stream: streamOf(stream, indices) } : {}) };
}

/**
 * Like {@linkcode subsetOf}, with all images in memory. Those of a streamed data set that cannot be read are left out, as
 * they are where all are in memory.
 * @throws {UsageError} where none of them can be read.
 */
export async function subsetInMemory(data: Dataset, indices: Uint32Array, name: string): Promise<Dataset> {
  const { stream, channels, height, width } = data;
  if (!stream) return await subsetOf(data, indices, name);
  const size = channels * height * width, images = new Uint8Array(indices.length * size), read: number[] = [];
  for (let begin = 0; begin < indices.length; begin += AT_ONCE) {
    const some = Array.from(indices.subarray(begin, begin + AT_ONCE));
    (await Promise.all(some.map((index) => stream.load(index)))).forEach((pixels, k) => {
      if (pixels) images.set(pixels, (read.push(some[k]) - 1) * size);
    });
  }
  if (read.length === 0) throw new UsageError(`Cannot read any of ${indices.length} images of '${data.name}'`);
  const { stream: _, ...kept } = data;
  return { ...await part(kept, Uint32Array.from(read), name), images: images.subarray(0, read.length * size) };
}

/** What a part has besides images. */
async function part(data: Dataset, indices: Uint32Array, name: string): Promise<Dataset> {
  const labels = Int32Array.from(indices, (i) => data.labels[i]), { firsts } = data;
  const fingerprint = await textFingerprint(`${data.fingerprint} ${indices.join()}`);
  const again = firsts && firstsOf(Array.from(indices), (index) => firsts[index]);
  return { ...data, name, labels, count: indices.length, fingerprint, ...(firsts && { firsts: again }) };
}

function gather({ images, channels, height, width }: Dataset, indices: Uint32Array): Uint8Array {
  const size = channels * height * width, out = new Uint8Array(indices.length * size);
  indices.forEach((index, at) => out.set(images.subarray(index * size, (index + 1) * size), at * size));
  return out;
}

function streamOf(stream: ImageStream, indices: Uint32Array): ImageStream {
  return { load: (index, change) => stream.load(indices[index], change), close: () => stream.close() };
}

/**
 * What is said about a data set as a whole: mean and standard deviation of its channels, and a fingerprint.
 * @module
 */

/** Mean and population standard deviation of each channel, exact integer sums, in 0..1 units. */
export function channelStats(images: Uint8Array, channels: number, pixels: number): { mean: number[]; std: number[] } {
  const histogram = new Float64Array(256 * channels);
  for (let at = 0; at < images.length;) {
    for (let c = 0; c < channels; c++) {
      for (const end = at + pixels; at < end; at++) {
        histogram[256 * c + images[at]]++;
      }
    }
  }
  const mean: number[] = [];
  const std: number[] = [];
  for (let c = 0; c < channels; c++) {
    let n = 0, sum = 0, squares = 0;
    for (let v = 0; v < 256; v++) {
      const k = histogram[256 * c + v];
      n += k;
      sum += k * v;
      squares += k * v * v;
    }
    const m = sum / n;
    mean.push(m / 255);
    std.push(Math.sqrt(Math.max(0, squares / n - m * m)) / 255);
  }
  return { mean, std };
}

/** SHA-256 (hex) of the shape, pixels and labels. */
export async function fingerprintOf(shape: readonly number[], images: Uint8Array, labels: Int32Array): Promise<string> {
  const digest = async (data: Uint8Array): Promise<Uint8Array> =>
    new Uint8Array(await crypto.subtle.digest("SHA-256", data as Uint8Array<ArrayBuffer>));
  const all = new Uint8Array(96);
  all.set(await digest(new TextEncoder().encode(shape.join("x"))), 0);
  all.set(await digest(images), 32);
  all.set(await digest(new Uint8Array(labels.buffer, labels.byteOffset, labels.byteLength)), 64);
  return (await digest(all)).toHex();
}

/** SHA-256 (hex) of a text. */
export async function textFingerprint(text: string): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))).toHex();
}

/** `count` of `available` indices, spread evenly, so that lists sorted by class give all classes. */
export function evenly(count: number, available: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, i) => Math.floor(i * available / count));
}

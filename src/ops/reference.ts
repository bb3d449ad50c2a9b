/**
 * Pieces shared by the f64 references.
 * @module
 */

/** Mean and biased variance of every channel, `[2, C]`, of a channel-major image. */
export function channelStatistics(x: Float64Array, channels: number): Float64Array {
  const out = new Float64Array(2 * channels), size = x.length / channels;
  for (let c = 0; c < channels; c++) {
    const part = x.subarray(c * size, (c + 1) * size),
      mean = part.reduce((a, b) => a + b, 0) / size;
    out[c] = mean;
    out[channels + c] = part.reduce((a, b) => a + (b - mean) ** 2, 0) / size;
  }
  return out;
}

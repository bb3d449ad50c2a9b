/**
 * Takes a rectangle of an image to another size, with a triangle filter as wide as a source or a destination pixel,
 * whichever is larger (what Pillow calls bilinear with antialiasing). Not responsible for which rectangle.
 * @module
 */

/** A rectangle in pixels of the source; corners need not be whole. */
export interface Rect {
  /** Left edge. */
  readonly x: number;
  /** Upper edge. */
  readonly y: number;
  /** Columns. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
}

/** For each of `out` pixels along an axis: the first source pixel, and the weights of it and the next ones. */
interface Axis {
  readonly first: Int32Array;
  readonly taps: number;
  readonly weights: Float32Array;
}

/** Weights of `out` pixels over the source pixels of [start, start + length), inside of [0, limit). */
function axis(start: number, length: number, limit: number, out: number): Axis {
  const scale = length / out, support = Math.max(1, scale);
  const taps = Math.min(limit, Math.ceil(2 * support) + 1);
  const first = new Int32Array(out), weights = new Float32Array(out * taps);
  for (let i = 0; i < out; i++) {
    const centre = start + (i + 0.5) * scale;
    const low = Math.min(Math.max(0, Math.ceil(centre - support - 0.5)), limit - taps);
    first[i] = low;
    let sum = 0;
    for (let k = 0; k < taps; k++) {
      const w = Math.max(0, 1 - Math.abs(low + k + 0.5 - centre) / support);
      weights[i * taps + k] = w;
      sum += w;
    }
    if (sum === 0) { // The centre lies outside of the source: its edge.
      weights[i * taps + (centre < low ? 0 : taps - 1)] = 1;
      sum = 1;
    }
    for (let k = 0; k < taps; k++) weights[i * taps + k] /= sum;
  }
  return { first, taps, weights };
}

/** How the samples of one channel lie in memory. */
export interface Plane {
  /** The samples of the image. */
  readonly data: Uint8Array;
  /** Index of this channel's first sample. */
  readonly at: number;
  /** Distance from a sample to the next one in its row. */
  readonly step: number;
  /** Columns. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
}

/** Takes rectangles of images of one size to `width` x `height`: weights are made once for all channels. */
export class Resampler {
  readonly #x: Axis;
  readonly #y: Axis;
  readonly #lines: Float32Array;
  readonly #width: number;
  readonly #height: number;

  /** Prepares for `rect` of sources that are `sourceWidth` x `sourceHeight`. */
  constructor(sourceWidth: number, sourceHeight: number, rect: Rect, width: number, height: number) {
    this.#x = axis(rect.x, rect.width, sourceWidth, width);
    this.#y = axis(rect.y, rect.height, sourceHeight, height);
    const { first, taps } = this.#y;
    this.#lines = new Float32Array((first[height - 1] + taps - first[0]) * width);
    this.#width = width;
    this.#height = height;
  }

  /** Writes one channel, densely, from `out[outAt]`. */
  plane(source: Plane, out: Uint8Array, outAt: number): void {
    const { data, at, step, width: sourceWidth } = source, width = this.#width, lines = this.#lines;
    const { first: fx, taps: tx, weights: wx } = this.#x, { first: fy, taps: ty, weights: wy } = this.#y;
    const top = fy[0], rows = lines.length / width;
    for (let row = 0; row < rows; row++) {
      const base = at + (top + row) * sourceWidth * step;
      for (let x = 0; x < width; x++) {
        let sum = 0;
        for (let k = 0, from = base + fx[x] * step, w = x * tx; k < tx; k++, from += step, w++) {
          sum += data[from] * wx[w];
        }
        lines[row * width + x] = sum;
      }
    }
    for (let y = 0; y < this.#height; y++) {
      const from = (fy[y] - top) * width;
      for (let x = 0; x < width; x++) {
        let sum = 0;
        for (let k = 0, line = from + x, w = y * ty; k < ty; k++, line += width, w++) sum += lines[line] * wy[w];
        out[outAt + y * width + x] = Math.min(255, Math.round(sum));
      }
    }
  }
}

/**
 * Takes a rectangle of an image to another size, with a triangle filter as wide as a source or a destination pixel,
 * whichever is larger (what Pillow calls bilinear with antialiasing). Not responsible for which rectangle.
 * @module
 */
import type { Picture } from "./pixels.ts";

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

/** Samples of the source that are looked at together. */
const STRIP = 2 ** 18;

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

/** The first source pixel that an axis looks at, and how many there are from it to the last. */
function span({ first, taps }: Axis): { readonly from: number; readonly count: number } {
  return { from: first[0], count: first[first.length - 1] + taps - first[0] };
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
  readonly #width: number;
  readonly #height: number;
  /** Rows of one channel at the new width. */
  #lines: Float32Array;

  /** Prepares for `rect` of sources that are `sourceWidth` x `sourceHeight`. */
  constructor(sourceWidth: number, sourceHeight: number, rect: Rect, width: number, height: number) {
    this.#x = axis(rect.x, rect.width, sourceWidth, width);
    this.#y = axis(rect.y, rect.height, sourceHeight, height);
    this.#lines = new Float32Array(span(this.#y).count * width);
    this.#width = width;
    this.#height = height;
  }

  /** Writes one channel, densely, from `out[outAt]`. */
  plane({ data, at, step, width }: Plane, out: Uint8Array, outAt: number): void {
    const { from, count } = span(this.#y);
    this.#across(data, at + from * width * step, step, width * step, count, 0);
    this.#down(0, out, outAt);
  }

  /** Writes all channels, `[channels, height, width]`, from the start of `out`. */
  picture(picture: Picture, out: Uint8Array): void {
    const { channels } = picture, columns = span(this.#x), rows = span(this.#y), line = rows.count * this.#width;
    const strip = Math.max(1, Math.floor(STRIP / (columns.count * channels))), stride = columns.count * channels;
    if (this.#lines.length < channels * line) this.#lines = new Float32Array(channels * line);
    for (let top = 0; top < rows.count; top += strip) {
      const count = Math.min(strip, rows.count - top);
      const data = picture.rows(columns.from, rows.from + top, columns.count, count);
      for (let c = 0; c < channels; c++) {
        this.#across(data, c - columns.from * channels, channels, stride, count, c * line + top * this.#width);
      }
    }
    for (let c = 0; c < channels; c++) this.#down(c * line, out, c * this.#height * this.#width);
  }

  /** Takes `count` rows, which are `stride` apart, to the new width. */
  #across(data: Uint8Array, at: number, step: number, stride: number, count: number, to: number): void {
    const { first, taps, weights } = this.#x, width = this.#width, lines = this.#lines;
    for (let row = 0; row < count; row++) {
      for (let x = 0; x < width; x++) {
        let sum = 0;
        for (let k = 0, from = at + row * stride + first[x] * step, w = x * taps; k < taps; k++, from += step, w++) {
          sum += data[from] * weights[w];
        }
        lines[to + row * width + x] = sum;
      }
    }
  }

  /** Takes the rows of a channel to the new height. */
  #down(start: number, out: Uint8Array, outAt: number): void {
    const { first, taps, weights } = this.#y, { from } = span(this.#y), width = this.#width, lines = this.#lines;
    for (let y = 0; y < this.#height; y++) {
      const line = start + (first[y] - from) * width;
      for (let x = 0; x < width; x++) {
        let sum = 0;
        for (let k = 0, at = line + x, w = y * taps; k < taps; k++, at += width, w++) sum += lines[at] * weights[w];
        out[outAt + y * width + x] = Math.min(255, Math.round(sum));
      }
    }
  }
}

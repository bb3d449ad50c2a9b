/**
 * Geometry of images for kernels that stream through whole channels as vec4s.
 * @module
 */
import { rowPitch, type TensorType } from "../graph/tensor_type.ts";

/** Constants of a kernel that walks the vec4s of one channel of an image `[C, N, H, W]`. */
export interface ChannelConstants {
  /** vec4s per channel. */
  readonly LENGTH: number;
  /** vec4s per row. */
  readonly VECS: number;
  /** Elements in the last vec4 of a row, 0 where the row fills it: then nothing needs a mask. */
  readonly TAIL: number;
}

/** Constants for the channels of `type`. */
export function channelConstants(type: TensorType): ChannelConstants & {
  [name: string]: number;
} {
  const [, n, h, w] = type.shape, VECS = rowPitch(w) / 4;
  return { LENGTH: n * h * VECS, VECS, TAIL: w % 4 };
}

/** Workgroup size of elementwise kernels over channels. */
const SIZE = 64;

/**
 * Launch of an elementwise kernel over every channel: workgroup `(x, c)` does `ITEMS` vec4s per invocation of
 * channel `c`, `SIZE` apart. `GUARD` says that the last workgroup reaches past the channel.
 */
export function overChannels(
  type: TensorType,
): {
  constants: { SIZE: number; ITEMS: number; GUARD: boolean };
  workgroups: [number, number, number];
} {
  const { LENGTH } = channelConstants(type);
  const exact = LENGTH % SIZE === 0
    ? [8, 7, 6, 5, 4].find((items) => LENGTH % (SIZE * items) === 0)
    : undefined;
  const ITEMS = exact ?? Math.max(1, Math.min(4, Math.floor(LENGTH / SIZE)));
  const groups = Math.ceil(LENGTH / (SIZE * ITEMS));
  return {
    constants: { SIZE, ITEMS, GUARD: LENGTH % (SIZE * ITEMS) !== 0 },
    workgroups: [groups, type.shape[0], 1],
  };
}

/** @throws {RangeError} unless `type` is an image. */
export function requireImage(type: TensorType, what: string): void {
  if (type?.layout !== "image" || type.dtype !== "f32") {
    throw new RangeError(`${what} must be an f32 image`);
  }
}

/** @throws {RangeError} unless `type` is a dense f32 tensor of `shape`. */
export function requireDense(
  type: TensorType,
  shape: readonly number[],
  what: string,
): void {
  if (
    type?.layout !== "dense" || type.dtype !== "f32" ||
    type.shape.length !== shape.length ||
    type.shape.some((d, i) => d !== shape[i])
  ) {
    throw new RangeError(`${what} must be f32[${shape.join(",")}]`);
  }
}

/** Mean and biased variance of every channel in f64, as `[2, C]`: the obvious version for references. */
export function channelStatistics(
  x: Float64Array,
  type: TensorType,
): Float64Array {
  const c = type.shape[0], count = x.length / c, out = new Float64Array(2 * c);
  for (let k = 0; k < c; k++) {
    const part = x.subarray(k * count, (k + 1) * count);
    const mean = part.reduce((a, v) => a + v, 0) / count;
    out[k] = mean;
    out[c + k] = part.reduce((a, v) => a + (v - mean) ** 2, 0) / count;
  }
  return out;
}

/**
 * Shapes and storage layouts of tensors: the one place that knows where an element lies in a buffer.
 *
 * - `dense`: row-major, total length padded to a multiple of 4.
 * - `image`: shape `[C, N, H, W]`, channel-major, every row padded to a pitch of a multiple of 4. The padding
 *   always holds zeros, so that sums need no mask and convolutions read their right border from it. Channels
 *   first makes every channel (batch norm) and every group of channels contiguous.
 * @module
 */

/** Element type, shape and layout of a tensor. */
export interface TensorType {
  /** Logical shape; `[C, N, H, W]` for images. */
  readonly shape: readonly number[];
  /** Storage layout. */
  readonly layout: "dense" | "image";
  /** Element type. */
  readonly dtype: "f32" | "i32";
}

/** Type of a row-major f32 (or i32) tensor. */
export function dense(
  shape: readonly number[],
  dtype: "f32" | "i32" = "f32",
): TensorType {
  return { shape, layout: "dense", dtype };
}

/** Type of a channel-major image batch `[C, N, H, W]`. */
export function image(c: number, n: number, h: number, w: number): TensorType {
  return { shape: [c, n, h, w], layout: "image", dtype: "f32" };
}

/** Number of logical elements. */
export function elementCount(type: TensorType): number {
  return type.shape.reduce((a, b) => a * b, 1);
}

/** Row pitch of images of width `w`, in elements. */
export function rowPitch(w: number): number {
  return Math.ceil(w / 4) * 4;
}

/** Length of the storage in 4-byte elements, padding included. */
export function storageLength(type: TensorType): number {
  if (type.layout === "dense") return Math.ceil(elementCount(type) / 4) * 4;
  const [c, n, h, w] = type.shape;
  return c * n * h * rowPitch(w);
}

/** Copies logical row-major elements into storage order; padding becomes zero. */
export function pack(
  type: TensorType,
  values: ArrayLike<number>,
): Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer> {
  const out = type.dtype === "f32" ? new Float32Array(storageLength(type)) : new Int32Array(storageLength(type));
  forEachRow(type, (from, to, length) => {
    for (let i = 0; i < length; i++) out[to + i] = values[from + i];
  });
  return out;
}

/** Inverse of {@linkcode pack}: logical row-major elements as f64. */
export function unpack(
  type: TensorType,
  storage: ArrayLike<number>,
): Float64Array<ArrayBuffer> {
  const out = new Float64Array(elementCount(type));
  forEachRow(type, (from, to, length) => {
    for (let i = 0; i < length; i++) out[from + i] = storage[to + i];
  });
  return out;
}

function forEachRow(
  type: TensorType,
  visit: (logical: number, stored: number, length: number) => void,
): void {
  if (type.layout === "dense") return visit(0, 0, elementCount(type));
  const w = type.shape[3],
    pitch = rowPitch(w),
    rows = type.shape[0] * type.shape[1] * type.shape[2];
  for (let r = 0; r < rows; r++) visit(r * w, r * pitch, w);
}

/** `"f32[8,32,28,28]"`-like text for messages and plans. */
export function typeText(type: TensorType): string {
  return `${type.dtype}${type.layout === "image" ? " image" : ""}[${type.shape.join(",")}]`;
}

/** True when shape, layout and element type agree. */
export function sameType(a: TensorType, b: TensorType): boolean {
  return a.layout === b.layout && a.dtype === b.dtype &&
    a.shape.length === b.shape.length &&
    a.shape.every((d, i) => d === b.shape[i]);
}

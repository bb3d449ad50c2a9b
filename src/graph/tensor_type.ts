/**
 * Shapes and storage layouts of tensors: the one place that knows where an element lies in a buffer.
 *
 * - `dense`: row-major, total length padded to a multiple of 4.
 * - `image`: shape `[C, N, H, W]`, channel-major, every row padded to a pitch of a multiple of 4. The padding
 *   always holds zeros, so that sums need no mask and convolutions read their right border from it. Channels
 *   first makes every channel (batch norm) and every group of channels contiguous.
 * Images are f32 or bf16 (the upper half of an f32, two in a word); everything else is 32-bit.
 * @module
 */

/** How the images that a program computes (activations and their gradients) are stored. */
export type Precision = "f32" | "bf16";

/** Element type, shape and layout of a tensor. */
export interface TensorType {
  /** Logical shape; `[C, N, H, W]` for images. */
  readonly shape: readonly number[];
  /** Storage layout. */
  readonly layout: "dense" | "image";
  /** Element type. */
  readonly dtype: "f32" | "i32" | "bf16";
}

/** Type of a row-major f32 (or i32) tensor. */
export function dense(shape: readonly number[], dtype: "f32" | "i32" = "f32"): TensorType {
  return { shape, layout: "dense", dtype };
}

/** Type of a channel-major image batch `[C, N, H, W]`. */
export function image(c: number, n: number, h: number, w: number): TensorType {
  return { shape: [c, n, h, w], layout: "image", dtype: "f32" };
}

/** `type` with its elements stored as `precision`, if it is an image. */
export function storedAs(type: TensorType, precision: Precision): TensorType {
  return type.layout === "image" ? { ...type, dtype: precision } : type;
}

/** Number of logical elements. */
export function elementCount(type: TensorType): number {
  return type.shape.reduce((a, b) => a * b, 1);
}

/** Row pitch of images of width `w`, in elements. */
export function rowPitch(w: number): number {
  return Math.ceil(w / 4) * 4;
}

/** Number of stored elements, padding included. */
export function storageLength(type: TensorType): number {
  if (type.layout === "dense") return Math.ceil(elementCount(type) / 4) * 4;
  const [c, n, h, w] = type.shape;
  return c * n * h * rowPitch(w);
}

/** Bytes of the storage. */
export function storageBytes(type: TensorType): number {
  return storageLength(type) * (type.dtype === "bf16" ? 2 : 4);
}

/** Copies logical row-major elements into storage order; padding becomes zero. bf16 comes as words of two. */
export function pack(type: TensorType, values: ArrayLike<number>): Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer> {
  const length = storageLength(type), out = type.dtype === "i32" ? new Int32Array(length) : new Float32Array(length);
  forEachRow(type, (from, to, count) => {
    for (let i = 0; i < count; i++) out[to + i] = values[from + i];
  });
  if (type.dtype !== "bf16") return out;
  const bits = new Uint32Array(out.buffer), words = new Int32Array(length / 2);
  for (let i = 0; i < words.length; i++) {
    words[i] = ((bits[2 * i] + 0x8000) >>> 16) | ((bits[2 * i + 1] + 0x8000) & 0xffff0000);
  }
  return words;
}

/** Inverse of {@linkcode pack}: logical row-major elements as f64. */
export function unpack(
  type: TensorType,
  storage: Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer>,
): Float64Array<ArrayBuffer> {
  const out = new Float64Array(elementCount(type)), elements = storedElements(type, storage);
  forEachRow(type, (from, to, length) => {
    for (let i = 0; i < length; i++) out[from + i] = elements[to + i];
  });
  return out;
}

/** Elements in storage order, padding included. */
export function storedElements(
  type: TensorType,
  storage: Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer>,
): Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer> {
  if (type.dtype !== "bf16") return storage;
  const words = new Uint32Array(storage.buffer, storage.byteOffset, storage.length);
  const bits = new Uint32Array(2 * words.length);
  words.forEach((word, i) => {
    bits[2 * i] = word << 16;
    bits[2 * i + 1] = word & 0xffff0000;
  });
  return new Float32Array(bits.buffer);
}

function forEachRow(type: TensorType, visit: (logical: number, stored: number, length: number) => void): void {
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

/** True when shape and layout agree, and the element type up to its storage. */
export function sameKind(a: TensorType, b: TensorType): boolean {
  return sameType(storedAs(a, "f32"), storedAs(b, "f32"));
}

/** True when shape, layout and element type agree. */
export function sameType(a: TensorType, b: TensorType): boolean {
  return a.layout === b.layout && a.dtype === b.dtype &&
    a.shape.length === b.shape.length &&
    a.shape.every((d, i) => d === b.shape[i]);
}

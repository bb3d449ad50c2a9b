/**
 * Values that PyTorch and this program both make from names (tests/golden/supernet.py), for networks whose outcome was
 * computed there in f64: parameters, batches, and projections of what is too large to keep.
 * @module
 */
import { hashName } from "../base/random.ts";
import { pack, type TensorType } from "../graph/tensor_type.ts";

/** `count` numbers in [0, 1) that depend on `name` only. */
export function uniforms(name: string, count: number): Float64Array {
  const h = hashName(name);
  return new Float64Array(count).map((_, i) => {
    let x = (h + Math.imul(i, 0x9e3779b9)) >>> 0;
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b) >>> 0;
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35) >>> 0;
    return ((x ^ (x >>> 16)) >>> 0) / 2 ** 32;
  });
}

/** The value of a parameter called `name`. */
export function parameter(name: string, shape: readonly number[]): Float64Array {
  const fanIn = shape.slice(1).reduce((a, b) => a * b, 1);
  const [centre, bound] = name.endsWith(".gamma")
    ? [1, 0.2]
    : name.endsWith(".beta")
    ? [0, 0.2]
    : name.endsWith(".bias")
    ? [0, 0.1]
    : name.startsWith("alphas.")
    ? [0, 0.5]
    : [0, 1.5 / Math.sqrt(fanIn)];
  const count = shape.reduce((a, b) => a * b, 1);
  return uniforms(name, count).map((u) => Math.fround(centre + (2 * u - 1) * bound));
}

/** A large tensor as it is stored: one random projection per row. */
export function projected(name: string, shape: readonly number[], values: Float64Array): Float64Array {
  const rows = shape[0], columns = values.length / rows, u = uniforms(`project.${name}`, values.length);
  return new Float64Array(rows).map((_, r) => {
    let sum = 0;
    for (let c = 0; c < columns; c++) sum += values[r * columns + c] * (2 * u[r * columns + c] - 1);
    return sum;
  });
}

/** The batch of images and labels called `images` and `labels`, as the device takes it. */
export function goldenBatch(
  { batch: n, inputChannels: c, height: h, width: w, classes }: {
    batch: number;
    inputChannels: number;
    height: number;
    width: number;
    classes: number;
  },
  images = "images",
  labels = "labels",
): { images: Float32Array<ArrayBuffer>; labels: Int32Array<ArrayBuffer> } {
  const size = h * w, values = uniforms(images, n * c * size).map((u) => Math.fround((2 * u - 1) * 1.7));
  const type: TensorType = { shape: [c, n, h, w], layout: "image", dtype: "f32" };
  // The generator's order is [N, C, H, W].
  const moved = new Float64Array(values.length);
  for (let i = 0; i < n * c; i++) {
    const at = ((i % c) * n + Math.floor(i / c)) * size;
    moved.set(values.subarray(i * size, (i + 1) * size), at);
  }
  return {
    images: pack(type, moved) as Float32Array<ArrayBuffer>,
    labels: Int32Array.from(uniforms(labels, n), (u) => Math.floor(u * classes)),
  };
}

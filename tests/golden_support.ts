/**
 * What tests against golden tensors share: the repeatable values that both sides make from names (tests/golden/
 * supernet.py), the stored projections, and the comparison.
 * @module
 */
import assert from "node:assert/strict";
import { hashName } from "../src/base/random.ts";
import { decodeTensors } from "../src/base/safetensors.ts";
import { pack, type TensorType } from "../src/graph/tensor_type.ts";

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

/** A golden file. */
export interface GoldenFile {
  readonly metadata: ReadonlyMap<string, string>;
  readonly tensor: (name: string) => { shape: readonly number[]; data: Float32Array };
  readonly names: readonly string[];
}

/** Reads tests/golden/`file`. */
export function readGoldenFile(file: string): GoldenFile {
  const { tensors, metadata } = decodeTensors(Deno.readFileSync(`tests/golden/${file}`), file);
  return {
    metadata,
    tensor: (name) => {
      assert.ok(tensors.has(name), `${file} holds no '${name}'`);
      return tensors.get(name) as { shape: number[]; data: Float32Array };
    },
    names: [...tensors.keys()],
  };
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

/** Largest difference over the largest expected value; fails above `tolerance`. */
export function compare(
  name: string,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
): number {
  assert.equal(actual.length, expected.length, `${name} has another size`);
  let worst = 0, scale = 1e-12;
  for (let i = 0; i < expected.length; i++) {
    scale = Math.max(scale, Math.abs(expected[i]));
    const error = Math.abs(actual[i] - expected[i]);
    worst = Math.max(worst, Number.isNaN(error) ? Infinity : error);
  }
  assert.ok(worst / scale <= tolerance, `${name} is off by ${(worst / scale).toExponential(2)}`);
  return worst / scale;
}

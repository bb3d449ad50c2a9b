/**
 * Normal noise that can be drawn again: a function of a key that the host writes, of a stream, and of the place of the
 * element. Not responsible for what is in the key (`nn/noise_key.ts`).
 * @module
 */
import { noise as source } from "./shader_texts.ts";
import { FailureError } from "../base/errors.ts";
import { philox } from "../base/random.ts";
import { kernel, read, write } from "../gpu/kernel.ts";
import { dispatch, input, type OpCase, type OpSpec, output } from "../graph/op.ts";
import { dense, image, rowPitch, storageLength } from "../graph/tensor_type.ts";
import { expectInputs, expectInteger } from "./expect.ts";
import { grid } from "./launch.ts";

const shader = kernel("noise", source, {
  buffers: { key: read("vec4u"), y: write("vec4f", "bf16") },
  params: { length: "u32", row: "u32", stream: "u32" },
});

/** Attributes of {@linkcode noise}. */
export interface NoiseAttributes {
  /** Shape `[C, N, H, W]` of the result. */
  readonly shape: readonly [number, number, number, number];
  /** Tells the noises of one graph apart: a whole number below 2^32. */
  readonly stream: number;
}

/** `key i32[4] -> y [C, N, H, W]`, independent normal numbers of mean 0 and variance 1; no gradient. */
export const noise: OpSpec<NoiseAttributes> = {
  name: "noise",
  infer(inputs, { shape, stream }) {
    expectInputs(inputs, ["key"]);
    const [key] = inputs;
    if (key.layout !== "dense" || key.dtype !== "i32" || key.shape.join() !== "4") {
      throw new RangeError("key must be i32[4]");
    }
    expectInteger(stream, "stream", 0, 2 ** 32 - 1);
    return [image(...shape)];
  },
  kernels({ outputs: [y], attrs: { shape, stream } }) {
    const length = storageLength(y) / 4, width = shape[3];
    return {
      dispatches: [dispatch(shader, {
        constants: { TAIL: width % 4 },
        buffers: { key: input(0), y: output(0) },
        params: { length, row: rowPitch(width) / 4, stream },
        workgroups: grid(length, 64).workgroups,
      })],
    };
  },
  reference([key], _, { shape: [c, n, h, w], stream }) {
    const y = new Float64Array(c * n * h * w), vecs = rowPitch(w) / 4;
    const uniform = (word: number): number => Math.fround((word >>> 8) + 0.5) / 2 ** 24;
    return [y.map((_, i) => {
      const x = i % w, m = Math.floor(i / w) * vecs + (x >> 2), [step, program, low, high] = key;
      const words = philox([m, stream, step >>> 0, program >>> 0], [low >>> 0, high >>> 0]), pair = x & 2;
      const radius = Math.sqrt(-2 * Math.log(uniform(words[pair])));
      const angle = 2 * Math.PI * (uniform(words[pair + 1]) - 0.5);
      return radius * (x & 1 ? Math.sin(angle) : Math.cos(angle));
    })];
  },
  cases: () =>
    ([
      ["rows of 7", [2, 3, 5, 7], 1],
      ["whole vec4s", [3, 2, 4, 8], 4_000_000_000],
      ["one column", [1, 2, 3, 1], 0],
      ["several workgroups", [4, 3, 17, 22], 12345],
    ] as const).map(([name, shape, stream]): OpCase<NoiseAttributes> => ({
      name,
      inputs: [dense([4], "i32")],
      attrs: { shape, stream },
      tolerance: 1e-3, // WGSL promises cos and sin to 2^-11 only
      fill: (_index, element) => [3, -77, 123456, -1][element],
    })),
  onnx({ node }) {
    throw new FailureError(
      `Cannot export '${node.label}' to ONNX as noise is drawn anew for each batch: take a network without noise`,
    );
  },
};

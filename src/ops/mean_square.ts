/**
 * Mean of squares, for the norms of nodes.
 * @module
 */
import { meanSquare as source } from "./shader_texts.ts";
import { kernel, read, write } from "../gpu/kernel.ts";
import { dispatch, input, type OpSpec, output, scratch } from "../graph/op.ts";
import { dense, elementCount, image, storageLength } from "../graph/tensor_type.ts";
import { expectImage, expectInputs } from "./expect.ts";

const partShader = kernel("mean_square", source, {
  buffers: { x: read("vec4f", "bf16"), partials: write("f32") },
  params: { chunk: "u32", length: "u32" },
});
const lastShader = kernel("mean_square", source, {
  buffers: { partials: read("f32"), y: write("vec4f") },
  params: { count: "u32", elements: "u32" },
});

/** Image `[C, N, H, W]` -> `[1]`, the mean of the squares of its elements. Not differentiable. */
export const meanSquare: OpSpec<null> = {
  name: "mean_square",
  infer(inputs) {
    expectInputs(inputs, ["x"]);
    expectImage(inputs[0], "x");
    return [dense([1])];
  },
  kernels({ inputs: [x] }) {
    const LENGTH = storageLength(x) / 4;
    const CHUNK = Math.max(16, Math.ceil(LENGTH / 16384));
    const PARTIALS = Math.ceil(LENGTH / (64 * CHUNK)) * 64;
    return {
      scratch: [PARTIALS],
      dispatches: [
        dispatch(partShader, {
          constants: { LANES: 64, LAST: false },
          buffers: { x: input(0), partials: scratch(0) },
          params: { chunk: CHUNK, length: LENGTH },
          workgroups: [PARTIALS / 64, 1, 1],
        }),
        dispatch(lastShader, {
          constants: { LANES: 64, LAST: true },
          buffers: { partials: scratch(0), y: output(0) },
          params: { count: PARTIALS, elements: elementCount(x) },
          workgroups: [1, 1, 1],
        }),
      ],
    };
  },
  reference: ([x]) => [Float64Array.of(x.reduce((sum, v) => sum + v * v, 0) / x.length)],
  cases: () =>
    [image(3, 2, 7, 7), image(1, 1, 5, 9), image(40, 9, 15, 13)].map((type) => ({
      name: type.shape.join(" x "),
      inputs: [type],
      attrs: null,
    })),
};

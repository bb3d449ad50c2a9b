/**
 * 2x2 max pooling at stride 2 and its gradient: how channels that bypass the operations of a reduction cell are halved.
 * @module
 */
import { maxPool2x2 as source } from "./shader_texts.ts";
import { kernel, read, write } from "../gpu/kernel.ts";
import { dispatch, input, type OpSpec, output } from "../graph/op.ts";
import { image, rowPitch, storageLength, type TensorType } from "../graph/tensor_type.ts";
import { expectImage, expectInputs, expectShape } from "./expect.ts";
import { grid } from "./launch.ts";
import { poolParts } from "./shader_parts.ts";

const shader = kernel("max_pool_2x2", source, {
  parts: [poolParts],
  buffers: { x: read("vec4i", "bf16"), y: write("vec4i", "bf16") },
});
const gradShader = kernel("max_pool_2x2", source, {
  parts: [poolParts],
  buffers: { gy: read("vec4f", "bf16"), x: read("vec4i", "bf16"), gx: write("vec4f", "bf16") },
});

const half = (size: number): number => Math.ceil(size / 2);

function infer(inputs: readonly TensorType[]): TensorType[] {
  expectInputs(inputs, ["x"]);
  const [c, n, h, w] = expectImage(inputs[0], "x");
  return [image(c, n, half(h), half(w))];
}

/** Launch that makes `result` from or for the large image `big`. */
function launch(big: TensorType, result: TensorType, GRADIENT: boolean) {
  const [, , H, W] = big.shape, COUNT = storageLength(result) / 4, { workgroups, GRID_X } = grid(COUNT, 64);
  const sizes = { H, W, Q: rowPitch(W) / 4, HO: half(H), QO: rowPitch(half(W)) / 4 };
  return { constants: { ...sizes, COUNT, GRID_X, GRADIENT }, workgroups };
}

/** Gradient of {@linkcode maxPool2x2}: (gy, x) -> gx. The first maximum of a window gets the window's gradient. */
export const maxPool2x2Grad: OpSpec<null> = {
  name: "max_pool_2x2_grad",
  infer(inputs) {
    expectInputs(inputs, ["gy", "x"]);
    expectImage(inputs[0], "gy");
    expectShape(inputs[0], "gy", infer([inputs[1]])[0].shape);
    return [inputs[1]];
  },
  kernels: ({ inputs: [, x], outputs: [gx] }) => ({
    dispatches: [
      dispatch(gradShader, { ...launch(x, gx, true), buffers: { gy: input(0), x: input(1), gx: output(0) } }),
    ],
  }),
  testedBy: "max_pool_2x2",
};

/**
 * 2x2 max pooling at stride 2: `[C, N, H, W]` -> `[C, N, ceil(H/2), ceil(W/2)]`; at odd sizes the last windows hold what
 * there is. A NaN in a window is its maximum.
 */
export const maxPool2x2: OpSpec<null> = {
  name: "max_pool_2x2",
  infer,
  kernels: ({ inputs: [x], outputs: [y] }) => ({
    dispatches: [dispatch(shader, { ...launch(x, y, false), buffers: { x: input(0), y: output(0) } })],
  }),
  gradient: ({ graph, node, grads }) => [grads[0] && graph.apply1(maxPool2x2Grad, [grads[0], node.inputs[0]], null)],
  reference([x], [{ shape: [c, n, h, w] }]) {
    const ho = half(h), wo = half(w), y = new Float64Array(c * n * ho * wo).fill(-Infinity);
    x.forEach((v, i) => {
      const column = i % w, row = Math.floor(i / w) % h, plane = Math.floor(i / (h * w));
      const at = (plane * ho + (row >> 1)) * wo + (column >> 1);
      if (v > y[at] || Number.isNaN(v)) y[at] = v;
    });
    return [y];
  },
  cases: () =>
    [
      image(3, 2, 8, 8),
      image(2, 2, 7, 7),
      image(1, 3, 5, 10),
      image(2, 1, 6, 13),
      image(2, 1, 1, 1),
      image(1, 2, 9, 12),
      image(3, 4, 20, 20),
    ].map((type) => ({
      name: type.shape.join(" x "),
      inputs: [type],
      attrs: null,
      // Different in every window, also as bf16: a maximum that ties has no derivative.
      fill: (_: number, element: number) => (element * 37 % 251 - 125) / 64,
    })),
};

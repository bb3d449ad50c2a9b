/**
 * ReLU by itself, where no operation that follows takes it in on load.
 * @module
 */
import { relu as source } from "./shader_texts.ts";
import { kernel, read, write } from "../gpu/kernel.ts";
import { dispatch, input, type OpCase, type OpSpec, output } from "../graph/op.ts";
import { image, storageLength, type TensorType } from "../graph/tensor_type.ts";
import { expectImage, expectInputs, expectShape } from "./expect.ts";
import { grid } from "./launch.ts";
import { onnxRelu } from "./onnx.ts";

const x = read("vec4f", "bf16"), params = { length: "u32", gridX: "u32" } as const;
const shader = kernel("relu", source, { buffers: { x, y: write("vec4f", "bf16") }, params });
const gradShader = kernel("relu", source, { buffers: { gy: x, x, gx: write("vec4f", "bf16") }, params });

function launch(type: TensorType, GRADIENT: boolean) {
  const length = storageLength(type) / 4, { workgroups, GRID_X } = grid(length, 64);
  return { constants: { GRADIENT }, params: { length, gridX: GRID_X }, workgroups };
}

/** Gradient of {@linkcode relu}: (gy, x) -> gx. */
export const reluGrad: OpSpec<null> = {
  name: "relu_grad",
  infer(inputs) {
    expectInputs(inputs, ["gy", "x"]);
    expectShape(inputs[0], "gy", expectImage(inputs[1], "x"));
    return [image(...expectImage(inputs[1], "x"))];
  },
  kernels: ({ outputs: [gx] }) => ({
    dispatches: [dispatch(gradShader, { ...launch(gx, true), buffers: { gy: input(0), x: input(1), gx: output(0) } })],
  }),
  testedBy: "relu",
};

/** Image `[C, N, H, W]` -> the same size, `max(x, 0)`. A NaN stays one. */
export const relu: OpSpec<null> = {
  name: "relu",
  infer(inputs) {
    expectInputs(inputs, ["x"]);
    return [image(...expectImage(inputs[0], "x"))];
  },
  kernels: ({ outputs: [y] }) => ({
    dispatches: [dispatch(shader, { ...launch(y, false), buffers: { x: input(0), y: output(0) } })],
  }),
  gradient: ({ graph, node, grads: [gy] }) => [gy && graph.apply1(reluGrad, [gy, node.inputs[0]], null)],
  onnx: (context) => [onnxRelu(context, context.input(0), true)],
  reference: ([x]) => [x.map((v) => Math.max(v, 0))],
  cases: () =>
    [image(2, 2, 6, 5), image(3, 4, 8, 8), image(1, 1, 1, 1)].map((type): OpCase<null> => ({
      name: type.shape.join(" x "),
      inputs: [type],
      attrs: null,
      // Away from the kink, so that finite differences see a smooth function.
      fill: (_i, _e, normal) => normal + 0.02 * Math.sign(normal),
    })),
};

/**
 * Mean over all positions, in front of the classifier.
 * @module
 */
import { globalAvgPool as source } from "./shader_texts.ts";
import { kernel, read, write } from "../gpu/kernel.ts";
import { dispatch, input, type OpSpec, output } from "../graph/op.ts";
import { dense, image, rowPitch, storageLength, type TensorType } from "../graph/tensor_type.ts";
import { expectDense, expectImage, expectInputs } from "./expect.ts";
import { grid } from "./launch.ts";

const shader = kernel("global_avg_pool", source, { buffers: { x: read("vec4f", "bf16"), y: write("f32") } });
const gradShader = kernel("global_avg_pool", source, { buffers: { gy: read("f32"), gx: write("vec4f", "bf16") } });

function launch(big: TensorType, COUNT: number, GRADIENT: boolean) {
  const [C, N, H, W] = big.shape, Q = rowPitch(W) / 4, { workgroups, GRID_X } = grid(COUNT, 64);
  return { constants: { GRADIENT, C, N, H, W, Q, LENGTH: H * Q, COUNT, GRID_X }, workgroups };
}

/** Gradient of {@linkcode globalAvgPool}: gy -> gx. */
export const globalAvgPoolGrad: OpSpec<{ height: number; width: number }> = {
  name: "global_avg_pool_grad",
  infer(inputs, { height, width }) {
    expectInputs(inputs, ["gy"]);
    const [n, c] = expectDense(inputs[0], "gy", 2);
    return [image(c, n, height, width)];
  },
  kernels: ({ outputs: [gx] }) => ({
    dispatches: [
      dispatch(gradShader, { ...launch(gx, storageLength(gx) / 4, true), buffers: { gy: input(0), gx: output(0) } }),
    ],
  }),
  testedBy: "global_avg_pool",
};

/** Image `[C, N, H, W]` -> dense `[N, C]`. */
export const globalAvgPool: OpSpec<null> = {
  name: "global_avg_pool",
  infer(inputs) {
    expectInputs(inputs, ["x"]);
    const [c, n] = expectImage(inputs[0], "x");
    return [dense([n, c])];
  },
  kernels: ({ inputs: [x], outputs: [y] }) => ({
    dispatches: [dispatch(shader, { ...launch(x, storageLength(y), false), buffers: { x: input(0), y: output(0) } })],
  }),
  gradient({ graph, node, grads }) {
    const [, , height, width] = node.inputs[0].type.shape;
    const attrs = { height, width };
    return [grads[0] && graph.apply1(globalAvgPoolGrad, [grads[0]], attrs)];
  },
  reference([x], [{ shape: [c, n, h, w] }]) {
    const y = new Float64Array(n * c);
    x.forEach((v, i) => {
      const plane = Math.floor(i / (h * w));
      y[plane % n * c + Math.floor(plane / n)] += v / (h * w);
    });
    return [y];
  },
  cases: () =>
    [
      image(3, 5, 7, 7),
      image(1, 1, 5, 9),
      image(5, 2, 4, 8),
      image(3, 1, 1, 1),
    ].map((type) => ({
      name: type.shape.join(" x "),
      inputs: [type],
      attrs: null,
    })),
  onnx: (context) => [context.emit("Flatten", [context.emit("GlobalAveragePool", [context.input(0)])], { axis: 1 })],
};

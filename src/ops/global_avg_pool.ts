/**
 * Mean over all positions, in front of the classifier.
 * @module
 */
import { globalAvgPool as source } from "./shader_texts.ts";
import { kernel, optional, read, write } from "../gpu/kernel.ts";
import { dispatch, input, type OpCase, type OpSpec, output } from "../graph/op.ts";
import { dense, image, rowPitch, storageLength, type TensorType } from "../graph/tensor_type.ts";
import { expectDense, expectImage, expectInputs, expectShape } from "./expect.ts";
import { grid } from "./launch.ts";
import { onnxRelu } from "./onnx.ts";

const shader = kernel("global_avg_pool", source, { buffers: { x: read("vec4f", "bf16"), y: write("f32") } });
const gradShader = kernel("global_avg_pool", source, {
  buffers: { gy: read("f32"), gx: write("vec4f", "bf16"), x: optional(read("vec4f", "bf16")) },
});

/** Attributes of {@linkcode globalAvgPool}. */
export interface GlobalAvgPoolAttributes {
  /** Whether ReLU is applied to x on load. */
  readonly relu: boolean;
}

/** Attributes of {@linkcode globalAvgPoolGrad}: the pool's and the size of its input. */
export interface GlobalAvgPoolGradAttributes extends GlobalAvgPoolAttributes {
  readonly height: number;
  readonly width: number;
}

function launch(big: TensorType, COUNT: number, RELU: boolean, GRADIENT: boolean) {
  const [C, N, H, W] = big.shape, Q = rowPitch(W) / 4, { workgroups, GRID_X } = grid(COUNT, 64);
  return { constants: { GRADIENT, RELU, C, N, H, W, Q, LENGTH: H * Q, COUNT, GRID_X }, workgroups };
}

/** Gradient of {@linkcode globalAvgPool}: (gy, x when relu) -> gx. */
export const globalAvgPoolGrad: OpSpec<GlobalAvgPoolGradAttributes> = {
  name: "global_avg_pool_grad",
  infer(inputs, { height, width, relu }) {
    expectInputs(inputs, relu ? ["gy", "x"] : ["gy"]);
    const [n, c] = expectDense(inputs[0], "gy", 2), x = image(c, n, height, width);
    if (relu) expectShape(inputs[1], "x", x.shape);
    return [x];
  },
  kernels: ({ outputs: [gx], attrs: { relu } }) => ({
    dispatches: [
      dispatch(gradShader, {
        ...launch(gx, storageLength(gx) / 4, relu, true),
        buffers: { gy: input(0), gx: output(0), ...(relu && { x: input(1) }) },
      }),
    ],
  }),
  testedBy: "global_avg_pool",
};

/** Image `[C, N, H, W]`, or its ReLU -> dense `[N, C]`. */
export const globalAvgPool: OpSpec<GlobalAvgPoolAttributes> = {
  name: "global_avg_pool",
  infer(inputs) {
    expectInputs(inputs, ["x"]);
    const [c, n] = expectImage(inputs[0], "x");
    return [dense([n, c])];
  },
  kernels: ({ inputs: [x], outputs: [y], attrs: { relu } }) => ({
    dispatches: [
      dispatch(shader, { ...launch(x, storageLength(y), relu, false), buffers: { x: input(0), y: output(0) } }),
    ],
  }),
  gradient({ graph, node: { inputs: [x], attrs }, grads: [gy] }) {
    const [, , height, width] = x.type.shape;
    return [gy && graph.apply1(globalAvgPoolGrad, attrs.relu ? [gy, x] : [gy], { ...attrs, height, width })];
  },
  reference([x], [{ shape: [c, n, h, w] }], { relu }) {
    const y = new Float64Array(n * c);
    x.forEach((v, i) => {
      const plane = Math.floor(i / (h * w));
      y[plane % n * c + Math.floor(plane / n)] += (relu ? Math.max(v, 0) : v) / (h * w);
    });
    return [y];
  },
  cases: () =>
    [image(3, 5, 7, 7), image(1, 1, 5, 9), image(5, 2, 4, 8), image(3, 1, 1, 1)].flatMap((type) =>
      [false, true].map((relu): OpCase<GlobalAvgPoolAttributes> => ({
        name: `${type.shape.join(" x ")}${relu ? ", relu" : ""}`,
        inputs: [type],
        attrs: { relu },
        // Away from the kink, so that finite differences see a smooth function.
        fill: (_i, _e, normal) => normal + 0.02 * Math.sign(normal),
      }))
    ),
  onnx(context) {
    const x = onnxRelu(context, context.input(0), context.node.attrs.relu);
    return [context.emit("Flatten", [context.emit("GlobalAveragePool", [x])], { axis: 1 })];
  },
};

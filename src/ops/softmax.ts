/**
 * Softmax of the rows of a small matrix: architecture weights from alpha.
 * @module
 */
import source from "../../shaders/softmax.wgsl" with { type: "text" };
import { input, type OpSpec, output } from "../graph/op.ts";
import { dense, storageLength, type TensorType } from "../graph/tensor_type.ts";
import { expectDense, expectInputs, expectShape } from "./expect.ts";
import { linear } from "./launch.ts";

const shader = { name: "softmax", source };

function launch(type: TensorType, GRADIENT: boolean) {
  const [R, K] = type.shape, { workgroups, GRID_X } = linear(R, 64);
  const PADDED = storageLength(type);
  return {
    shader,
    constants: { GRADIENT, R, K, PADDED, GRID_X },
    workgroups,
  };
}

/** Gradient of {@linkcode softmax}: (gy, y) -> gx. */
export const softmaxGrad: OpSpec<null> = {
  name: "softmax_grad",
  infer(inputs) {
    expectInputs(inputs, ["gy", "y"]);
    expectDense(inputs[0], "gy", 2);
    expectShape(inputs[1], "y", inputs[0].shape);
    return [inputs[0]];
  },
  kernels: ({ inputs }) => ({
    dispatches: [{
      ...launch(inputs[0], true),
      bindings: [input(0), input(1), output(0)],
    }],
  }),
  testedBy: "softmax",
};

/** Softmax over the last axis of `[R, K]`. */
export const softmax: OpSpec<null> = {
  name: "softmax",
  infer(inputs) {
    expectInputs(inputs, ["x"]);
    expectDense(inputs[0], "x", 2);
    return [inputs[0]];
  },
  kernels: ({ inputs }) => ({
    dispatches: [{
      ...launch(inputs[0], false),
      bindings: [input(0), output(0)],
    }],
  }),
  gradient: ({ graph, node, grads }) => [
    grads[0] && graph.apply1(softmaxGrad, [grads[0], node.outputs[0]], null),
  ],
  reference([x], [{ shape: [rows, k] }]) {
    const y = new Float64Array(x.length);
    for (let r = 0; r < rows; r++) {
      const row = x.subarray(r * k, r * k + k), most = Math.max(...row);
      const e = row.map((v) => Math.exp(v - most));
      const sum = e.reduce((a, b) => a + b, 0);
      y.set(e.map((v) => v / sum), r * k);
    }
    return [y];
  },
  cases: () => [
    { name: "14 edges, 8 operations", inputs: [dense([14, 8])], attrs: null },
    { name: "5 x 7", inputs: [dense([5, 7])], attrs: null },
    { name: "one row of one", inputs: [dense([1, 1])], attrs: null },
    {
      name: "large values",
      inputs: [dense([3, 5])],
      attrs: null,
      fill: (_i, _e, normal) => 300 + 2 * normal,
    },
  ],
  onnx: (context) => [context.emit("Softmax", [context.input(0)], { axis: -1 })],
};

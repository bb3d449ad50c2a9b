/**
 * Grouped 1x1 convolution with an optional ReLU on load, the product that a supernet spends most of its arithmetic
 * on. Parallel edges of a supernet node are groups of one wide convolution.
 * @module
 */
import type { Tensor } from "../graph/graph.ts";
import type { OpSpec } from "../graph/op.ts";
import { dense, image } from "../graph/tensor_type.ts";
import { onnxRelu, onnxRepeat, onnxWeight } from "./onnx.ts";
import { pointwiseGrad, pointwiseInputGrad, pointwiseWeightGrad } from "./pointwise_grad.ts";
import { type PointwiseAttributes, product } from "./pointwise_product.ts";

/** 1x1 convolution: x `[inputGroups*Ci, N, H, W]`, w `[groups*Co, Ci]` to `[groups*Co, N, H, W]`. No bias. */
export const pointwise: OpSpec<PointwiseAttributes> = {
  name: "pointwise",
  infer([x, w], { groups, inputGroups }) {
    const [c, n, h, width] = x.shape, [o, i] = w.shape;
    if (x.layout !== "image" || w.shape.length !== 2) {
      throw new RangeError("it needs an image and [Cout, Cin] weights");
    }
    if (
      c !== i * inputGroups || o % groups !== 0 || groups % inputGroups !== 0
    ) {
      throw new RangeError(`weights of ${groups} groups must fit ${inputGroups} input groups of ${c} channels`);
    }
    return [image(o, n, h, width)];
  },
  kernels: (context) => product(context, context.inputs[1], false),
  gradient({ graph, node, grads: [gy], needs }) {
    const [x, w] = node.inputs as [Tensor, Tensor], { attrs } = node;
    if (needs[0] && needs[1]) return graph.apply(pointwiseGrad, [gy!, w, x], attrs);
    return [
      needs[0]
        ? graph.apply1(
          pointwiseInputGrad,
          attrs.relu ? [gy!, w, x] : [gy!, w],
          attrs,
          "dx",
        )
        : null,
      needs[1] ? graph.apply1(pointwiseWeightGrad, [gy!, x], attrs, "dw") : null,
    ];
  },
  reference([x, w], [xt, wt], { groups, inputGroups, relu }) {
    const [cx, n, h, width] = xt.shape,
      m = n * h * width,
      [cy, ci] = wt.shape,
      co = cy / groups;
    const y = new Float64Array(cy * m),
      f = relu ? (v: number) => Math.max(v, 0) : (v: number) => v;
    for (let o = 0; o < cy; o++) {
      const from = (Math.floor(o / co) % inputGroups) * (cx / inputGroups);
      for (let i = 0; i < ci; i++) {
        for (let p = 0; p < m; p++) {
          y[o * m + p] += w[o * ci + i] * f(x[(from + i) * m + p]);
        }
      }
    }
    return [y];
  },
  cases: () => {
    const plain = { groups: 1, inputGroups: 1, relu: false }, relu = { ...plain, relu: true };
    return [
      { name: "plain", inputs: [image(8, 2, 3, 4), dense([8, 8])], attrs: plain },
      { name: "wide, ReLU, odd size", inputs: [image(4, 2, 3, 5), dense([32, 4])], attrs: relu },
      {
        name: "20 operands, wide, ReLU",
        inputs: [image(20, 1, 3, 5), dense([32, 20])],
        attrs: relu,
      },
      { name: "24 outputs, no multiple of 16", inputs: [image(12, 1, 3, 5), dense([24, 12])], attrs: relu },
      {
        name: "3 groups of 12",
        inputs: [image(12, 1, 3, 7), dense([12, 4])],
        attrs: { groups: 3, inputGroups: 3, relu: false },
      },
      {
        name: "6 groups on 2 input groups",
        inputs: [image(8, 2, 3, 3), dense([12, 4])],
        attrs: { groups: 6, inputGroups: 2, relu: true },
      },
      {
        name: "4 groups of 8 on 2 input groups",
        inputs: [image(8, 2, 3, 5), dense([32, 4])],
        attrs: { groups: 4, inputGroups: 2, relu: true },
      },
      {
        name: "channels that are no multiple of 4",
        inputs: [image(3, 1, 5, 6), dense([10, 3])],
        attrs: { groups: 2, inputGroups: 1, relu: true },
      },
      {
        name: "several subgroups add up weights' gradients, ReLU",
        inputs: [image(8, 2, 9, 16), dense([8, 8])],
        attrs: relu,
      },
      // Too many operands for differences of each.
      {
        name: "operands of three walks, 2 groups, ReLU",
        inputs: [image(240, 1, 2, 36), dense([32, 120])],
        attrs: { groups: 2, inputGroups: 2, relu: true },
        wrt: [],
        through: [],
      },
      {
        name: "operands of the gradient in three walks",
        inputs: [image(8, 1, 1, 68), dense([120, 8])],
        attrs: plain,
        wrt: [0],
      },
      { name: "more than one pixel block", inputs: [image(4, 3, 9, 9), dense([4, 4])], attrs: plain },
    ];
  },
  macs: ([x, w]) => w.shape[0] * w.shape[1] * x.shape[1] * x.shape[2] * x.shape[3],
  onnx(context) {
    const { groups, inputGroups, relu } = context.node.attrs, [co, ci] = context.node.inputs[1].type.shape;
    // Every output group reads a single input group whole.
    const group = inputGroups === 1 ? 1 : groups;
    const x = onnxRepeat(context, onnxRelu(context, context.input(0), relu), group / inputGroups);
    const w = onnxWeight(context, 1, [co, ci, 1, 1]);
    return [context.emit("Conv", [x, w], { kernel_shape: [1, 1], group })];
  },
};

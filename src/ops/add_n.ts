/**
 * Sum of tensors of equal type; autodiff uses it to add up gradients.
 * @module
 */
import { addN as source } from "./shader_texts.ts";
import type { Graph, Tensor } from "../graph/graph.ts";
import { kernel, list, read, write } from "../gpu/kernel.ts";
import { type Binding, type Dispatch, dispatch, input, type OpSpec, output } from "../graph/op.ts";
import { image, sameType, storageLength, type TensorType } from "../graph/tensor_type.ts";
import { manyWorkgroups } from "./channel.ts";
import { grid } from "./launch.ts";

const shader = kernel("add_n", source, {
  buffers: { x: list(read("vec4f", "bf16")), y: write("vec4f", "bf16") },
  params: { length: "u32", share: "u32" },
});

/** The dispatch that adds up tensors of one type, what is in `y` among them with `accumulate`. */
export function addition(type: TensorType, x: readonly Binding[], y: Binding, accumulate = false): Dispatch {
  const length = storageLength(type) / 4, { groups, SHARE, SIZE } = manyWorkgroups(length);
  return dispatch(shader, {
    constants: { COUNT: x.length, ACCUMULATE: accumulate, SIZE },
    buffers: { x, y },
    params: { length, share: SHARE },
    workgroups: grid(groups * SIZE, SIZE).workgroups,
  });
}

/** `y = x_0 + x_1 + ...`, added in this order. */
export const addN: OpSpec<null> = {
  name: "add_n",
  infer(inputs) {
    if (inputs.length === 0) {
      throw new RangeError("it needs at least one tensor");
    }
    if (!inputs.every((t) => sameType(t, inputs[0]))) {
      throw new RangeError("all tensors must have the same type");
    }
    return [inputs[0]];
  },
  kernels({ inputs, limits }) {
    const most = limits.maxStorageBuffersPerShaderStage - 1, dispatches: Dispatch[] = [];
    for (let from = 0; from < inputs.length; from += most) {
      const part = inputs.slice(from, from + most).map((_, i) => input(from + i));
      dispatches.push(addition(inputs[0], part, output(0), from > 0));
    }
    return { dispatches };
  },
  gradient: ({ grads, node }) => node.inputs.map(() => grads[0]),
  onnx(context) {
    const inputs = context.node.inputs.map((_, i) => context.input(i));
    return [context.emit(inputs.length === 2 ? "Add" : "Sum", inputs)];
  },
  reference: (inputs) => [inputs[0].map((_, i) => inputs.reduce((sum, x) => sum + x[i], 0))],
  cases: () => [
    { name: "two", inputs: Array(2).fill(image(3, 2, 5, 7)), attrs: null },
    {
      name: "more than the portable number of bindings",
      inputs: Array(17).fill(image(2, 1, 3, 4)),
      attrs: null,
    },
  ],
};

/** Applies {@linkcode addN}; one tensor is returned as it is. */
export function sum(graph: Graph, tensors: readonly Tensor[], label?: string): Tensor {
  return tensors.length === 1 ? tensors[0] : graph.apply1(addN, tensors, null, label);
}

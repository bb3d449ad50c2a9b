/**
 * The classifier's layer and its gradients.
 * @module
 */
import { linear as source } from "./shader_texts.ts";
import { kernel, optional, read, write } from "../gpu/kernel.ts";
import { type Bound, dispatch, input, type KernelPlan, type OpSpec, output } from "../graph/op.ts";
import { dense, storageLength, type TensorType } from "../graph/tensor_type.ts";
import { expectDense, expectInputs, expectShape } from "./expect.ts";
import { grid } from "./launch.ts";

const shader = kernel("linear", source, {
  buffers: {
    a: read("f32"),
    b: read("f32"),
    bias: optional(read("f32")),
    c: write("f32"),
    s: optional(write("f32")),
  },
  params: {
    ...{ rows: "u32", columns: "u32", depth: "u32", ai: "u32", ak: "u32", bk: "u32", bj: "u32" },
    ...{ blocks: "u32", count: "u32", gridX: "u32", padded: "u32", sumsPadded: "u32" },
  },
});

/** A matrix product: sizes, and strides of a(i, k) and b(k, j). */
interface Product {
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  readonly ai: number;
  readonly ak: number;
  readonly bk: number;
  readonly bj: number;
}

function kernels(product: Product, buffers: Bound<typeof shader.buffers>): KernelPlan {
  const { rows, columns } = product, blocks = Math.ceil(columns / 4), count = Math.ceil(rows / 4) * blocks;
  const padded = storageLength(dense([rows, columns])), sumsPadded = storageLength(dense([rows]));
  const { workgroups, GRID_X: gridX } = grid(count, 16);
  return {
    dispatches: [dispatch(shader, {
      constants: { BIAS: buffers.bias !== undefined, ROW_SUMS: buffers.s !== undefined },
      buffers,
      params: { ...product, blocks, count, gridX, padded, sumsPadded },
      workgroups,
    })],
  };
}

const macs = (inputs: readonly TensorType[]): number => inputs[0].shape[0] * inputs[0].shape[1] * inputs[1].shape[1];

/** Gradient of {@linkcode linear} for x: (gy `[N, O]`, w `[O, F]`) -> gx `[N, F]`. */
export const linearInputGrad: OpSpec<null> = {
  name: "linear_input_grad",
  infer(inputs) {
    expectInputs(inputs, ["gy", "w"]);
    const [n, o] = expectDense(inputs[0], "gy", 2);
    const [, f] = expectDense(inputs[1], "w", 2);
    expectShape(inputs[1], "w", [o, f]);
    return [dense([n, f])];
  },
  kernels({ inputs: [gy, w] }) {
    const [rows, depth] = gy.shape, columns = w.shape[1];
    return kernels(
      { rows, columns, depth, ai: depth, ak: 1, bk: columns, bj: 1 },
      { a: input(0), b: input(1), c: output(0) },
    );
  },
  testedBy: "linear",
  macs,
};

/** Gradients of {@linkcode linear} for w and b: (gy `[N, O]`, x `[N, F]`) -> gw `[O, F]`, gb `[O]`. */
export const linearWeightGrad: OpSpec<null> = {
  name: "linear_weight_grad",
  infer(inputs) {
    expectInputs(inputs, ["gy", "x"]);
    const [n, o] = expectDense(inputs[0], "gy", 2);
    const [, f] = expectDense(inputs[1], "x", 2);
    expectShape(inputs[1], "x", [n, f]);
    return [dense([o, f]), dense([o])];
  },
  kernels({ inputs: [gy, x] }) {
    const [depth, rows] = gy.shape, columns = x.shape[1];
    return kernels(
      { rows, columns, depth, ai: 1, ak: rows, bk: columns, bj: 1 },
      { a: input(0), b: input(1), c: output(0), s: output(1) },
    );
  },
  testedBy: "linear",
  macs,
};

/** (x `[N, F]`, w `[O, F]`, b `[O]`) -> `x w^T + b`, `[N, O]`. */
export const linear: OpSpec<null> = {
  name: "linear",
  infer(inputs) {
    expectInputs(inputs, ["x", "w", "b"]);
    const [n, f] = expectDense(inputs[0], "x", 2);
    const [o] = expectDense(inputs[1], "w", 2);
    expectShape(inputs[1], "w", [o, f]);
    expectDense(inputs[2], "b", 1);
    expectShape(inputs[2], "b", [o]);
    return [dense([n, o])];
  },
  kernels({ inputs: [x, w] }) {
    const [rows, depth] = x.shape, columns = w.shape[0];
    return kernels(
      { rows, columns, depth, ai: depth, ak: 1, bk: 1, bj: depth },
      { a: input(0), b: input(1), bias: input(2), c: output(0) },
    );
  },
  gradient({ graph, node, grads, needs }) {
    const [gy] = grads, [x, w] = node.inputs;
    if (!gy) return [null, null, null];
    const [gw, gb] = needs[1] || needs[2] ? graph.apply(linearWeightGrad, [gy, x], null) : [null, null];
    const gx = needs[0] ? graph.apply1(linearInputGrad, [gy, w], null) : null;
    return [gx, gw, gb];
  },
  reference([x, w, b], [{ shape: [n, f] }, { shape: [o] }]) {
    const y = new Float64Array(n * o);
    y.forEach((_, i) => {
      const row = Math.floor(i / o), column = i % o;
      y[i] = b[column];
      for (let k = 0; k < f; k++) y[i] += x[row * f + k] * w[column * f + k];
    });
    return [y];
  },
  cases: () =>
    [[5, 7, 3], [8, 16, 10], [1, 1, 1], [3, 33, 4], [1, 6, 9]].map(([n, f, o]) => ({
      name: `[${n}, ${f}] to ${o}`,
      inputs: [dense([n, f]), dense([o, f]), dense([o])],
      attrs: null,
    })),
  macs: (inputs) => inputs[0].shape[0] * inputs[0].shape[1] * inputs[1].shape[0],
  onnx: (context) => [context.emit("Gemm", [0, 1, 2].map((i) => context.input(i)), { transB: 1 })],
};

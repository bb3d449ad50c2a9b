/**
 * The classifier's layer and its gradients.
 * @module
 */
import { linear as source, linearGrad as gradSource } from "./shader_texts.ts";
import { kernel, optional, read, write } from "../gpu/kernel.ts";
import type { GpuLimits } from "../gpu/device.ts";
import { as, type Bound, dispatch, input, type KernelPlan, type OpSpec, output } from "../graph/op.ts";
import { dense, storageLength, type TensorType } from "../graph/tensor_type.ts";
import { expectDense, expectInputs, expectShape } from "./expect.ts";
import { grid } from "./launch.ts";

const rowsOf = read(["vec4f", "f32"]);
const shader = kernel("linear", source, {
  buffers: { x: rowsOf, w: rowsOf, b: read("f32"), y: write("f32") },
  params: {
    ...{ rows: "u32", columns: "u32", depth: "u32" },
    ...{ blocks: "u32", count: "u32", gridX: "u32", padded: "u32" },
  },
});
const gradShader = kernel("linear_grad", gradSource, {
  buffers: { a: read("f32"), b: rowsOf, c: write(["vec4f", "f32"]), s: optional(write("f32")) },
  params: {
    ...{ rows: "u32", columns: "u32", depth: "u32", ai: "u32", ak: "u32" },
    ...{ count: "u32", gridX: "u32", padded: "u32", sumsPadded: "u32" },
  },
});

/** Rows and columns of results of an invocation. */
const ROWS = 4, COLUMNS = 4;
/** Invocations of a workgroup: what a CPU does at once, or few of a GPU's, as classifiers are small. */
const sizeFor = ({ software }: GpuLimits): number => software ? 8 : 32;

/** Whether rows of so many elements are vec4s, and how many elements or vec4s they are. */
function rowsAre(elements: number): { QUADS: boolean; element: "vec4f" | "f32"; length: number } {
  const QUADS = elements % 4 === 0;
  return { QUADS, element: QUADS ? "vec4f" : "f32", length: QUADS ? elements / 4 : elements };
}

/** A product a b of matrices with contiguous rows of b: sizes, and strides of a(i, k). */
interface Product {
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  readonly ai: number;
  readonly ak: number;
}

/** @param s where the sums of the rows of a go */
function product(
  { rows, columns: elements, depth, ai, ak }: Product,
  { a, b, c, s }: Bound<typeof gradShader.buffers>,
  limits: GpuLimits,
): KernelPlan {
  const { QUADS, element, length: columns } = rowsAre(elements), count = Math.ceil(rows / ROWS) * columns;
  const padded = storageLength(dense([rows, elements])), sumsPadded = storageLength(dense([rows]));
  const SIZE = sizeFor(limits), { workgroups, GRID_X: gridX } = grid(count, SIZE);
  return {
    dispatches: [dispatch(gradShader, {
      constants: { QUADS, ROWS, SIZE, SUMS: s !== undefined },
      buffers: { a, b: as(element, b), c: as(element, c), s },
      params: { rows, columns, depth, ai, ak, count, gridX, padded, sumsPadded },
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
  kernels({ inputs: [gy, w], limits }) {
    const [rows, depth] = gy.shape, columns = w.shape[1];
    return product({ rows, columns, depth, ai: depth, ak: 1 }, { a: input(0), b: input(1), c: output(0) }, limits);
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
  kernels({ inputs: [gy, x], limits }) {
    const [depth, rows] = gy.shape, columns = x.shape[1];
    return product(
      { rows, columns, depth, ai: 1, ak: rows },
      { a: input(0), b: input(1), c: output(0), s: output(1) },
      limits,
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
  kernels({ inputs: [x, w], limits }) {
    const [rows, features] = x.shape, columns = w.shape[0], { QUADS, element, length: depth } = rowsAre(features);
    const blocks = Math.ceil(columns / COLUMNS), count = Math.ceil(rows / ROWS) * blocks;
    const SIZE = sizeFor(limits),
      { workgroups, GRID_X: gridX } = grid(count, SIZE),
      padded = storageLength(dense([rows, columns]));
    return {
      dispatches: [dispatch(shader, {
        constants: { QUADS, ROWS, COLUMNS, SIZE },
        buffers: { x: as(element, input(0)), w: as(element, input(1)), b: input(2), y: output(0) },
        params: { rows, columns, depth, blocks, count, gridX, padded },
        workgroups,
      })],
    };
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
    [[5, 7, 3], [8, 16, 10], [1, 1, 1], [3, 33, 4], [1, 6, 9], [6, 68, 5]].map(([n, f, o]) => ({
      name: `[${n}, ${f}] to ${o}`,
      inputs: [dense([n, f]), dense([o, f]), dense([o])],
      attrs: null,
    })),
  macs: (inputs) => inputs[0].shape[0] * inputs[0].shape[1] * inputs[1].shape[0],
  onnx: (context) => [context.emit("Gemm", [0, 1, 2].map((i) => context.input(i)), { transB: 1 })],
};

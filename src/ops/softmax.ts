/**
 * Softmax of the rows of a small matrix: architecture weights from alpha.
 * @module
 */
import { softmax as source } from "./shader_texts.ts";
import { kernel, read, table, write } from "../gpu/kernel.ts";
import { dispatch, input, type OpSpec, output } from "../graph/op.ts";
import { dense, storageLength, type TensorType } from "../graph/tensor_type.ts";
import { expectDense, expectInputs, expectInteger, expectShape } from "./expect.ts";
import { grid } from "./launch.ts";

const shader = kernel("softmax", source, {
  buffers: { x: read("f32"), y: write("f32") },
  params: { rows: table({ columns: "u32" }) },
});
const gradShader = kernel("softmax", source, { buffers: { gy: read("f32"), y: read("f32"), gx: write("f32") } });

/** Attributes of {@linkcode softmax}. */
export interface SoftmaxAttributes {
  /** Per row the columns that take part, at least one; the others become 0. Rows have at most 32 columns then. */
  readonly columns: readonly (readonly number[])[];
}

function launch(type: TensorType, GRADIENT: boolean, MASKED = false) {
  const [R, K] = type.shape, { workgroups, GRID_X } = grid(R, 64), PADDED = storageLength(type);
  return { constants: { GRADIENT, MASKED, R, K, PADDED, GRID_X }, workgroups };
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
    dispatches: [dispatch(gradShader, {
      ...launch(inputs[0], true),
      buffers: { gy: input(0), y: input(1), gx: output(0) },
    })],
  }),
  testedBy: "softmax",
};

/** Softmax over the last axis of `[R, K]`, of all columns (null) or of some in each row. */
export const softmax: OpSpec<SoftmaxAttributes | null> = {
  name: "softmax",
  infer(inputs, attrs) {
    expectInputs(inputs, ["x"]);
    const [rows, k] = expectDense(inputs[0], "x", 2);
    if (!attrs) return [inputs[0]];
    if (k > 32) throw new RangeError(`x must have at most 32 columns to choose from: it has ${k}`);
    if (attrs.columns.length !== rows) throw new RangeError(`columns must be given for each of ${rows} rows`);
    attrs.columns.forEach((columns, r) => {
      if (columns.length === 0) throw new RangeError(`row ${r} must have a column`);
      for (const column of columns) expectInteger(column, `a column of row ${r}`, 0, k - 1);
    });
    return [inputs[0]];
  },
  kernels: ({ inputs, attrs }) => ({
    dispatches: [dispatch(shader, {
      ...launch(inputs[0], false, attrs !== null),
      buffers: { x: input(0), y: output(0) },
      params: { rows: (attrs?.columns ?? []).map((columns) => ({ columns: maskOf(columns) })) },
    })],
  }),
  gradient: ({ graph, node, grads }) => [grads[0] && graph.apply1(softmaxGrad, [grads[0], node.outputs[0]], null)],
  reference([x], [{ shape: [rows, k] }], attrs) {
    const y = new Float64Array(x.length);
    for (let r = 0; r < rows; r++) {
      const places = (attrs?.columns[r] ?? Array.from({ length: k }, (_, column) => column)).map((c) => r * k + c);
      const most = Math.max(...places.map((at) => x[at]));
      const sum = places.reduce((total, at) => total + Math.exp(x[at] - most), 0);
      for (const at of places) y[at] = Math.exp(x[at] - most) / sum;
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
    {
      name: "some columns of each row",
      inputs: [dense([4, 5])],
      attrs: { columns: [[1, 4], [0], [0, 1, 2, 3, 4], [2, 3]] },
      fill: (_i, e, normal) => e === 0 ? 90 : normal, // large where it must not count
    },
    { name: "32 columns", inputs: [dense([2, 32])], attrs: { columns: [[31], [0, 15, 31]] } },
  ],
  onnx(context) {
    const { attrs, inputs: [{ type: { shape: [rows, k] } }] } = context.node, x = context.input(0);
    if (!attrs) return [context.emit("Softmax", [x], { axis: -1 })];
    const barred = new Float64Array(rows * k).fill(-1e30); // its exponential is 0
    attrs.columns.forEach((columns, r) => columns.forEach((column) => barred[r * k + column] = 0));
    const masked = context.emit("Add", [x, context.constant("softmax.barred", [rows, k], barred)]);
    return [context.emit("Softmax", [masked], { axis: -1 })];
  },
};

/** Bit k is set for each column k. */
const maskOf = (columns: readonly number[]): number => columns.reduce((mask, column) => (mask | 1 << column) >>> 0, 0);

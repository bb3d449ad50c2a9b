/**
 * The loss of classification and what the host wants to know about it.
 * @module
 */
import { crossEntropy as source, crossEntropyGrad as gradSource } from "./shader_texts.ts";
import { kernel, optional, read, write } from "../gpu/kernel.ts";
import { dispatch, input, type OpCase, type OpSpec, output } from "../graph/op.ts";
import { dense, storageLength, type TensorType } from "../graph/tensor_type.ts";
import { expectDense, expectInputs, expectShape } from "./expect.ts";
import { grid } from "./launch.ts";

const shader = kernel("cross_entropy", source, {
  buffers: { x: read("f32"), labels: read("i32"), loss: write("vec4f"), tally: write("vec4f") },
});
const gradShader = kernel("cross_entropy_grad", gradSource, {
  buffers: {
    x: read("f32"),
    labels: read("i32"),
    tally: read("vec4f"),
    seed: optional(read("f32")),
    gx: write("f32"),
  },
});

/** Attributes of {@linkcode crossEntropy}. */
export interface CrossEntropyAttributes {
  /** Share of the target that is spread over all classes, in [0, 1). */
  readonly labelSmoothing: number;
}

function inferRows(logits: TensorType, labels: TensorType, { labelSmoothing }: CrossEntropyAttributes): void {
  const [n] = expectDense(logits, "logits", 2);
  expectDense(labels, "labels", 1, "i32");
  expectShape(labels, "labels", [n]);
  if (!(labelSmoothing >= 0 && labelSmoothing < 1)) {
    throw new RangeError(`attribute labelSmoothing must be in [0, 1): it is ${labelSmoothing}`);
  }
}

/**
 * Gradient of {@linkcode crossEntropy}'s loss: (logits, labels, tally, seed `[1]` unless it is 1) -> gradient of
 * the logits.
 */
export const crossEntropyGrad: OpSpec<CrossEntropyAttributes> = {
  name: "cross_entropy_grad",
  infer(inputs, attrs) {
    const names = ["logits", "labels", "tally", "seed"];
    expectInputs(inputs, names.slice(0, inputs.length === 3 ? 3 : 4));
    inferRows(inputs[0], inputs[1], attrs);
    expectShape(inputs[2], "tally", [4]);
    if (inputs[3]) expectShape(inputs[3], "seed", [1]);
    return [inputs[0]];
  },
  kernels({ inputs, attrs }) {
    const [N, K] = inputs[0].shape, { workgroups, GRID_X } = grid(N, 64);
    const SEED = inputs.length === 4;
    return {
      dispatches: [dispatch(gradShader, {
        constants: { SEED, N, K, SMOOTHING: attrs.labelSmoothing, PADDED: storageLength(inputs[0]), GRID_X },
        buffers: {
          ...{ x: input(0), labels: input(1), tally: input(2), gx: output(0) },
          ...(SEED && { seed: input(3) }),
        },
        workgroups,
      })],
    };
  },
  testedBy: "cross_entropy",
};

/**
 * Cross entropy of logits `[N, K]` with labels `[N]` (i32, negative: ignored) -> loss `[1]`, the mean over counted
 * rows (0 when there are none), and tally `[4]`: sum of the losses, rows whose first largest logit is the label's,
 * counted rows, 0. The gradient goes through the loss only.
 *
 * A row with a logit that is not finite, or with a label of K or more, has the loss NaN.
 * Label smoothing is PyTorch's: the target is `(1 - e) onehot + e / K`.
 */
export const crossEntropy: OpSpec<CrossEntropyAttributes> = {
  name: "cross_entropy",
  infer(inputs, attrs) {
    expectInputs(inputs, ["logits", "labels"]);
    inferRows(inputs[0], inputs[1], attrs);
    return [dense([1]), dense([4])];
  },
  kernels({ inputs, attrs }) {
    const [N, K] = inputs[0].shape;
    return {
      dispatches: [dispatch(shader, {
        constants: { N, K, LANES: 128, SMOOTHING: attrs.labelSmoothing },
        buffers: { x: input(0), labels: input(1), loss: output(0), tally: output(1) },
        workgroups: [1, 1, 1],
      })],
    };
  },
  gradient({ graph, node, grads }) {
    const inputs = [...node.inputs, node.outputs[1]];
    if (grads[0]) inputs.push(grads[0]);
    return [graph.apply1(crossEntropyGrad, inputs, node.attrs), null];
  },
  reference([x, labels], [{ shape: [, k] }], { labelSmoothing }) {
    const tally = new Float64Array(4);
    labels.forEach((label, r) => {
      if (label < 0) return;
      const row = x.subarray(r * k, r * k + k), most = Math.max(...row);
      const lse = most +
        Math.log(row.reduce((sum, v) => sum + Math.exp(v - most), 0));
      const uniform = row.reduce((sum, v) => sum + lse - v, 0) / k;
      const bad = label >= k || !row.every(Number.isFinite);
      tally[0] += bad ? NaN : (1 - labelSmoothing) * (lse - row[label]) + labelSmoothing * uniform;
      if (!bad && row.indexOf(most) === label) tally[1]++;
      tally[2]++;
    });
    return [Float64Array.of(tally[0] / Math.max(tally[2], 1)), tally];
  },
  cases: () =>
    ([
      ["7 rows, 5 classes", 7, 5, 0, 0],
      ["label smoothing", 6, 3, 0.1, 0],
      ["ignored rows", 9, 4, 0.1, 0.5],
      ["more rows than invocations", 150, 2, 0, 0.1],
      ["one row", 1, 10, 0, 0],
      ["nothing counts", 3, 3, 0, 1],
    ] as const).map(([name, n, k, labelSmoothing, ignored]): OpCase<
      CrossEntropyAttributes
    > => ({
      name,
      inputs: [dense([n, k]), dense([n], "i32")],
      attrs: { labelSmoothing },
      through: [0],
      fill: (index, element, normal, u) => index === 0 ? 3 * normal : u < ignored ? -1 : (element * 7 + 1) % k,
    })),
};

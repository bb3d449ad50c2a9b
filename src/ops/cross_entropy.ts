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

/** What is right: the class of an image or, where it is of two, both and the share of the first. */
const TARGETS = { labels: read("i32"), others: optional(read("i32")), shares: optional(read("f32")) };
const shader = kernel("cross_entropy", source, {
  buffers: { x: read("f32"), ...TARGETS, loss: write("vec4f"), tally: write("vec4f") },
});
const gradShader = kernel("cross_entropy_grad", gradSource, {
  buffers: { x: read("f32"), ...TARGETS, tally: read("vec4f"), seed: optional(read("f32")), gx: write("f32") },
});

/** Attributes of {@linkcode crossEntropy}. */
export interface CrossEntropyAttributes {
  /** Share of the target that is spread over all classes, in [0, 1). */
  readonly labelSmoothing: number;
}

/** Names of the inputs that say what is right. @param mixed whether an image may be of two classes */
const targets = (mixed: boolean): string[] => (mixed ? Object.keys(TARGETS) : ["labels"]);

function inferRows(
  [logits, labels, others, shares]: readonly TensorType[],
  { labelSmoothing }: CrossEntropyAttributes,
  mixed: boolean,
): void {
  const [n] = expectDense(logits, "logits", 2);
  expectDense(labels, "labels", 1, "i32");
  expectShape(labels, "labels", [n]);
  if (mixed) {
    expectDense(others, "others", 1, "i32");
    expectShape(others, "others", [n]);
    expectDense(shares, "shares", 1);
    expectShape(shares, "shares", [n]);
  }
  if (!(labelSmoothing >= 0 && labelSmoothing < 1)) {
    throw new RangeError(`attribute labelSmoothing must be in [0, 1): it is ${labelSmoothing}`);
  }
}

/**
 * Gradient of {@linkcode crossEntropy}'s loss: (logits, labels, others and shares where targets are mixed, tally, seed
 * `[1]` unless it is 1) -> gradient of the logits.
 */
export const crossEntropyGrad: OpSpec<CrossEntropyAttributes> = {
  name: "cross_entropy_grad",
  infer(inputs, attrs) {
    const mixed = inputs.length > 4, names = ["logits", ...targets(mixed), "tally"], at = names.length;
    expectInputs(inputs, inputs.length > at ? [...names, "seed"] : names);
    inferRows(inputs, attrs, mixed);
    expectShape(inputs[at - 1], "tally", [4]);
    if (inputs[at]) expectShape(inputs[at], "seed", [1]);
    return [inputs[0]];
  },
  kernels({ inputs, attrs }) {
    const [N, K] = inputs[0].shape, { workgroups, GRID_X } = grid(N, 64);
    const MIXED = inputs.length > 4, SEED = inputs.length % 2 === 0, tally = MIXED ? 4 : 2;
    return {
      dispatches: [dispatch(gradShader, {
        constants: { SEED, MIXED, N, K, SMOOTHING: attrs.labelSmoothing, PADDED: storageLength(inputs[0]), GRID_X },
        buffers: {
          ...{ x: input(0), labels: input(1), tally: input(tally), gx: output(0) },
          ...(MIXED && { others: input(2), shares: input(3) }),
          ...(SEED && { seed: input(tally + 1) }),
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
 *
 * With two more inputs, others `[N]` (i32) and shares `[N]`, an image may be of two classes: its target is that of its
 * label times its share and that of the other class times the rest, where the other is not negative.
 */
export const crossEntropy: OpSpec<CrossEntropyAttributes> = {
  name: "cross_entropy",
  infer(inputs, attrs) {
    const mixed = inputs.length > 2;
    expectInputs(inputs, ["logits", ...targets(mixed)]);
    inferRows(inputs, attrs, mixed);
    return [dense([1]), dense([4])];
  },
  kernels({ inputs, attrs }) {
    const [N, K] = inputs[0].shape, MIXED = inputs.length > 2;
    return {
      dispatches: [dispatch(shader, {
        constants: { MIXED, N, K, LANES: 128, SMOOTHING: attrs.labelSmoothing },
        buffers: {
          ...{ x: input(0), labels: input(1), loss: output(0), tally: output(1) },
          ...(MIXED && { others: input(2), shares: input(3) }),
        },
        workgroups: [1, 1, 1],
      })],
    };
  },
  gradient({ graph, node, grads }) {
    const inputs = [...node.inputs, node.outputs[1]];
    if (grads[0]) inputs.push(grads[0]);
    const [, ...rest] = node.inputs;
    return [graph.apply1(crossEntropyGrad, inputs, node.attrs), ...rest.map(() => null)];
  },
  reference([x, labels, others = labels, shares], [{ shape: [, k] }], { labelSmoothing }) {
    const tally = new Float64Array(4);
    labels.forEach((label, r) => {
      if (label < 0) return;
      const row = x.subarray(r * k, r * k + k), most = Math.max(...row);
      const lse = most +
        Math.log(row.reduce((sum, v) => sum + Math.exp(v - most), 0));
      const uniform = row.reduce((sum, v) => sum + lse - v, 0) / k;
      const other = others[r] < 0 ? label : others[r], share = shares?.[r] ?? 1;
      const bad = label >= k || other >= k || !row.every(Number.isFinite);
      const right = share * row[label] + (1 - share) * row[other];
      tally[0] += bad ? NaN : (1 - labelSmoothing) * (lse - right) + labelSmoothing * uniform;
      if (!bad && row.indexOf(most) === label) tally[1]++;
      tally[2]++;
    });
    return [Float64Array.of(tally[0] / Math.max(tally[2], 1)), tally];
  },
  cases: () =>
    ([
      ["7 rows, 5 classes", 7, 5, 0, 0, false],
      ["label smoothing", 6, 3, 0.1, 0, false],
      ["ignored rows", 9, 4, 0.1, 0.5, false],
      ["more rows than invocations", 150, 2, 0, 0.1, false],
      ["one row", 1, 10, 0, 0, false],
      ["nothing counts", 3, 3, 0, 1, false],
      ["two classes an image", 7, 5, 0, 0, true],
      ["two classes, label smoothing, ignored rows", 150, 4, 0.1, 0.3, true],
    ] as const).map(([name, n, k, labelSmoothing, ignored, mixed]): OpCase<
      CrossEntropyAttributes
    > => ({
      name,
      inputs: [dense([n, k]), dense([n], "i32"), ...(mixed ? [dense([n], "i32"), dense([n])] : [])],
      attrs: { labelSmoothing },
      wrt: [0],
      through: [0],
      fill: (index, element, normal, u) =>
        index === 0 ? 3 * normal : index === 3 ? u : u < ignored ? -1 : (element * (8 - index) + 1) % k,
    })),
};

/**
 * Normalisation of every sample over its channels and positions: the readings `sample` and `rms` of iDARTS' node
 * normalisation.
 * @module
 */
import { sampleNorm as source } from "./shader_texts.ts";
import type { GpuLimits } from "../gpu/device.ts";
import { kernel, read, write } from "../gpu/kernel.ts";
import { dispatch, input, type OpCase, type OpSpec, output } from "../graph/op.ts";
import { dense, elementCount, image, rowPitch, sameType, type TensorType } from "../graph/tensor_type.ts";
import { expectImage, expectTensor } from "./expect.ts";
import { channelVec4s, joinedStrands } from "./channel.ts";

const params = {
  length: "u32",
  elements: "u32",
  share: "u32",
  run: "u32",
  channel: "u32",
  stepInRun: "u32",
  step: "u32",
  row: "u32",
  tail: "u32",
} as const;
const shader = kernel("sample_norm", source, {
  buffers: { x: read("vec4f", "bf16"), y: write("vec4f", "bf16"), stats: write("f32") },
  params,
});
const gradShader = kernel("sample_norm", source, {
  buffers: { x: read("vec4f", "bf16"), gy: read("vec4f", "bf16"), stats: read("f32"), y: write("vec4f", "bf16") },
  params,
});

/** Attributes of {@linkcode sampleNorm}. */
export interface SampleNormAttributes {
  /** True: subtract the mean (layer norm without scale and shift); false: only divide by the root mean square. */
  readonly center: boolean;
  /** Added to the mean square. */
  readonly eps: number;
}

function launch(x: TensorType, { center, eps }: SampleNormAttributes, backward: boolean, limits: GpuLimits) {
  const [c, n, h, w] = x.shape, LENGTH = channelVec4s(x), VECS = rowPitch(w) / 4, TAIL = w % 4;
  const RUN = h * VECS, { SIZE, SHARE, SHUFFLED } = joinedStrands(c * RUN, limits);
  return {
    constants: { TAIL: center && TAIL > 0, CENTER: center, BACKWARD: backward, EPS: eps, SIZE, SHUFFLED },
    params: {
      ...{ length: c * RUN, elements: c * h * w, share: SHARE, run: RUN, channel: LENGTH, row: VECS, tail: TAIL },
      ...{ stepInRun: 8 % RUN, step: Math.floor(8 / RUN) * LENGTH + 8 % RUN },
    },
    workgroups: [n, 1, 1] as const,
  };
}

/** Gradient of {@linkcode sampleNorm}: `(x, gy [C,N,H,W], stats [2,N]) -> gx`, through the statistics. */
export const sampleNormGrad: OpSpec<SampleNormAttributes> = {
  name: "sample_norm_grad",
  infer([x, gy, stats]) {
    expectImage(x, "x");
    if (!gy || !sameType(x, gy)) throw new RangeError("x and gy must agree");
    expectTensor(stats, "stats", [2, x.shape[1]]);
    return [x];
  },
  kernels: ({ inputs: [x], attrs, limits }) => ({
    dispatches: [dispatch(gradShader, {
      ...launch(x, attrs, true, limits),
      buffers: { x: input(0), gy: input(1), stats: input(2), y: output(0) },
    })],
  }),
  testedBy: "sample_norm",
};

/**
 * `x [C,N,H,W] -> y, stats [2,N]`. With `center`: `y = (x - mean) / sqrt(var + eps)`, stats = mean and biased
 * variance of every sample; without: `y = x / sqrt(mean(x^2) + eps)`, stats = 0 and mean(x^2). Differentiable in y.
 */
export const sampleNorm: OpSpec<SampleNormAttributes> = {
  name: "sample_norm",
  infer([x]) {
    expectImage(x, "x");
    return [x, dense([2, x.shape[1]])];
  },
  kernels: ({ inputs: [x], attrs, limits }) => ({
    dispatches: [dispatch(shader, {
      ...launch(x, attrs, false, limits),
      buffers: { x: input(0), y: output(0), stats: output(1) },
    })],
  }),
  gradient({ graph, node, grads: [gy, gStats] }) {
    if (gStats) {
      throw new TypeError(
        `Cannot differentiate the statistics of ${node.op.name} at '${node.label}': only its first output`,
      );
    }
    if (!gy) return [null];
    const inputs = [node.inputs[0], gy, node.outputs[1]];
    return [graph.apply1(sampleNormGrad, inputs, node.attrs)];
  },
  reference([x], [type], { center, eps }) {
    const [c, n, h, w] = type.shape, plane = h * w, count = c * plane;
    const y = x.slice(), stats = new Float64Array(2 * n);
    for (let s = 0; s < n; s++) {
      const elements: number[] = [];
      for (let k = 0; k < c; k++) {
        for (let e = 0; e < plane; e++) elements.push((k * n + s) * plane + e);
      }
      const sum = (f: (v: number) => number) => elements.reduce((a, e) => a + f(x[e]), 0);
      const mean = center ? sum((v) => v) / count : 0;
      const square = sum((v) => (v - mean) ** 2) / count;
      for (const e of elements) y[e] = (x[e] - mean) / Math.sqrt(square + eps);
      stats[s] = mean;
      stats[n + s] = square;
    }
    return [y, stats];
  },
  onnx(context) {
    const { center, eps } = context.node.attrs, x = context.input(0);
    const mean = (of: string) => context.emit("ReduceMean", [of], { axes: [1, 2, 3], keepdims: 1 });
    const centred = center ? context.emit("Sub", [x, mean(x)]) : x;
    const square = mean(context.emit("Mul", [centred, centred]));
    const shifted = context.emit("Add", [square, context.constant("sample_norm.eps", [1], [eps])]);
    return [context.emit("Div", [centred, context.emit("Sqrt", [shifted])])];
  },
  cases() {
    const cases: OpCase<SampleNormAttributes>[] = [];
    for (const center of [true, false]) {
      const attrs = { center, eps: 1e-5 }, rule = center ? "sample" : "rms";
      for (
        const x of [
          image(4, 3, 8, 8),
          image(7, 2, 5, 7),
          image(3, 5, 3, 13),
          image(2, 1, 3, 2),
          image(1, 3, 1, 1),
          image(2, 2, 12, 28),
          image(40, 1, 12, 9),
        ]
      ) {
        // One element per sample: y is (almost) constant, and so is its gradient.
        const single = elementCount(x) === x.shape[1];
        cases.push({
          name: `${rule}, ${x.shape}`,
          inputs: [x],
          attrs: single ? { center, eps: 0.5 } : attrs,
          through: [0],
        });
      }
      cases.push({
        name: `${rule}, mean 100, deviation 1`,
        inputs: [image(4, 2, 8, 8)],
        attrs,
        through: [0],
        gradTolerance: center ? 1e-4 : 1e-3,
        fill: (_i, _e, normal) => 100 + normal,
      });
    }
    return cases;
  },
};

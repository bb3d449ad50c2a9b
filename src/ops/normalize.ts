/**
 * Batch normalisation with given statistics: those of the batch (training) or running ones (evaluation).
 * @module
 */
import { normalize as source } from "./shader_texts.ts";
import { kernel, optional, read, write } from "../gpu/kernel.ts";
import { type Bound, type Dispatch, dispatch, input, type OpCase, type OpSpec, output } from "../graph/op.ts";
import { dense, image, type TensorType } from "../graph/tensor_type.ts";
import { expectImage, expectTensor } from "./expect.ts";
import { bnGrad, bnGradSums } from "./bn_grad.ts";
import { overChannels } from "./channel.ts";
import { channelStatistics } from "./reference.ts";
import { onnxBatchNorm } from "./onnx.ts";
import { rowEnds } from "./shader_parts.ts";

const shader = kernel("normalize", source, {
  parts: [rowEnds],
  buffers: {
    x: read("vec4f", "bf16"),
    stats: read("f32"),
    gamma: optional(read("f32")),
    beta: optional(read("f32")),
    more: optional(read("vec4f", "bf16")),
    y: write("vec4f", "bf16"),
  },
  params: { length: "u32", share: "u32", row: "u32" },
});

/** The dispatch of it for an image of the type of `x`; what is bound decides what it does. */
export function normalizing(
  x: TensorType,
  eps: number,
  buffers: Bound<typeof shader.buffers>,
  BACKWARD = false,
): Dispatch {
  const { constants, params, workgroups } = overChannels(x), { gamma, beta, more } = buffers;
  const given = { GAMMA: gamma !== undefined, BETA: beta !== undefined, MORE: more !== undefined };
  return dispatch(shader, { constants: { ...constants, ...given, BACKWARD, EPS: eps }, buffers, params, workgroups });
}

/** Attributes of {@linkcode normalize}. */
export interface NormalizeAttributes {
  /** Added to the variance. */
  readonly eps: number;
  /** True where the statistics are those of `x` itself: its gradient then goes through them too. */
  readonly batch: boolean;
}

function checkParameters(x: TensorType, stats: TensorType, perChannel: readonly TensorType[]): void {
  expectImage(x, "x");
  expectTensor(stats, "stats", [2, x.shape[0]]);
  perChannel.forEach((t, i) => expectTensor(t, i ? "beta" : "gamma", [x.shape[0]]));
}

/** Gradient of {@linkcode normalize} with constant statistics: `(gy, stats[, gamma]) -> gy * gamma / sqrt(var + eps)`. */
export const normalizeGrad: OpSpec<{ readonly eps: number }> = {
  name: "normalize_grad",
  infer([gy, stats, ...gamma]) {
    checkParameters(gy, stats, gamma);
    return [gy];
  },
  kernels({ inputs, attrs: { eps } }) {
    const buffers = { x: input(0), stats: input(1), ...(inputs.length > 2 && { gamma: input(2) }), y: output(0) };
    return { dispatches: [normalizing(inputs[0], eps, buffers, true)] };
  },
  testedBy: "normalize",
};

/**
 * `(x [C,N,H,W], stats [2,C][, gamma [C], beta [C]]) -> y`: `y = (x - mean) / sqrt(var + eps) [* gamma + beta]`.
 */
export const normalize: OpSpec<NormalizeAttributes> = {
  name: "normalize",
  infer([x, stats, ...affine]) {
    if (affine.length !== 0 && affine.length !== 2) {
      throw new RangeError("it needs both gamma and beta or neither");
    }
    checkParameters(x, stats, affine);
    return [x];
  },
  kernels({ inputs, attrs: { eps } }) {
    const affine = inputs.length > 2 && { gamma: input(2), beta: input(3) };
    return { dispatches: [normalizing(inputs[0], eps, { x: input(0), stats: input(1), ...affine, y: output(0) })] };
  },
  gradient({ graph, node, grads: [gy], needs }) {
    const [x, stats, ...affine] = node.inputs, { eps, batch } = node.attrs;
    const gamma = affine.slice(0, 1), attrs = { eps };
    if (!gy) return node.inputs.map(() => null);
    if (batch && needs[0]) {
      const [gx, ...sums] = graph.apply(bnGrad, [x, gy, stats, ...gamma], attrs);
      return affine.length ? [gx, null, sums[1], sums[0]] : [gx, null];
    }
    const sums = needs[2] || needs[3] ? graph.apply(bnGradSums, [x, gy, stats], attrs, "sums") : [];
    const gx = needs[0] ? graph.apply1(normalizeGrad, [gy, stats, ...gamma], attrs, "x") : null;
    return affine.length ? [gx, null, sums[1] ?? null, sums[0] ?? null] : [gx, null];
  },
  onnx(context) {
    const { inputs: { length }, attrs: { eps } } = context.node, affine = length > 2 ? [2, 3] : [];
    return [onnxBatchNorm(context, context.input(0), eps, 1, ...affine)];
  },
  reference([x, given, gamma, beta], [type], { eps, batch }) {
    const stats = batch ? channelStatistics(x, type.shape[0]) : given;
    const c = type.shape[0], count = x.length / c;
    return [x.map((v, i) => {
      const k = Math.floor(i / count);
      const normal = (v - stats[k]) / Math.sqrt(stats[c + k] + eps);
      return gamma ? normal * gamma[k] + beta[k] : normal;
    })];
  },
  cases() {
    const cases: OpCase<NormalizeAttributes>[] = [];
    for (const x of [image(3, 4, 8, 8), image(5, 3, 5, 7), image(2, 1, 3, 2)]) {
      const c = x.shape[0], vector = dense([c]), stats = dense([2, c]);
      for (const batch of [true, false]) {
        for (const affine of [true, false]) {
          cases.push({
            name: `${x.shape}${affine ? ", affine" : ""}, ${batch ? "batch" : "constant"} statistics`,
            inputs: affine ? [x, stats, vector, vector] : [x, stats],
            attrs: { eps: 1e-5, batch },
            wrt: affine ? [0, 2, 3] : [0],
            derive: (index, inputs) => index === 1 && batch ? channelStatistics(inputs[0], x.shape[0]) : undefined,
            fill: (index, e, normal, u) => index === 1 && e >= c ? 0.5 + u : normal,
          });
        }
      }
    }
    const x = image(3, 32, 4, 4);
    cases.push({
      name: "mean 100, deviation 1",
      inputs: [x, dense([2, 3])],
      attrs: { eps: 1e-5, batch: true },
      wrt: [0],
      derive: (index, inputs) => index === 1 ? channelStatistics(inputs[0], x.shape[0]) : undefined,
      fill: (_index, _e, normal) => 100 + normal,
    });
    return cases;
  },
};

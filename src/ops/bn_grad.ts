/**
 * Backward pass of batch normalisation: the sums that are also the gradients of beta and gamma (and, in a mixed
 * operation, of the softmax weight), then the gradient of the input; in one kernel where one subgroup does a channel.
 * @module
 */
import { bnGrad as source, bnGradInput as inputSource, bnGradSums as sumsSource } from "./shader_texts.ts";
import type { GpuLimits } from "../gpu/device.ts";
import { kernel, optional, read, write } from "../gpu/kernel.ts";
import { type Bound, type Dispatch, dispatch, input, type OpCase, type OpSpec, output } from "../graph/op.ts";
import { dense, image, sameType, type TensorType } from "../graph/tensor_type.ts";
import { addition } from "./add_n.ts";
import { expectImage, expectTensor } from "./expect.ts";
import { channelVec4s, hasTails, joinedStrands, overChannels, rowWord } from "./channel.ts";
import { hasLanes } from "./lanes.ts";
import { channelStatistics } from "./reference.ts";
import { rowEnds } from "./shader_parts.ts";

const sumsShader = kernel("bn_grad_sums", sumsSource, {
  buffers: {
    x: read("vec4f", "bf16"),
    gy: read("vec4f", "bf16"),
    stats: read("f32"),
    sums: write("f32"),
    products: write("f32"),
  },
  params: { length: "u32", share: "u32" },
});
const inputShader = kernel("bn_grad_input", inputSource, {
  parts: [rowEnds],
  buffers: {
    x: read("vec4f", "bf16"),
    stats: read("f32"),
    sums: read("f32"),
    products: read("f32"),
    gx: write("vec4f", "bf16"),
    gy: optional(read("vec4f", "bf16")),
    gamma: optional(read("f32")),
  },
  params: { length: "u32", share: "u32", row: "u32", elements: "u32" },
});

const shader = kernel("bn_grad", source, {
  parts: [rowEnds],
  buffers: {
    x: read("vec4f", "bf16"),
    gy: read("vec4f", "bf16"),
    stats: read("f32"),
    gx: write("vec4f", "bf16"),
    sums: write("f32"),
    products: write("f32"),
    gamma: optional(read("f32")),
    more: optional(read("vec4f", "bf16")),
    total: optional(write("vec4f", "bf16")),
  },
  params: { length: "u32", row: "u32", elements: "u32" },
});

/** Attributes of the backward operations. */
export interface BnGradAttributes {
  /** Added to the variance. */
  readonly eps: number;
}

function expectOperands([x, gy, stats]: readonly TensorType[]): void {
  expectImage(x, "x");
  if (!gy || !sameType(x, gy)) throw new RangeError("x and gy must agree");
  expectTensor(stats, "stats", [2, x.shape[0]]);
}

function sums([x, gy, stats]: readonly Float64Array[], eps: number): [Float64Array, Float64Array] {
  const c = stats.length / 2, count = x.length / c;
  const sum = new Float64Array(c), product = new Float64Array(c);
  x.forEach((v, i) => {
    const k = Math.floor(i / count);
    sum[k] += gy[i];
    product[k] += gy[i] * (v - stats[k]) / Math.sqrt(stats[c + k] + eps);
  });
  return [sum, product];
}

const deriveStats = (x: TensorType, at: number): OpCase["derive"] => (index, inputs) =>
  index === at ? channelStatistics(inputs[0], x.shape[0]) : undefined;

/** The dispatch that computes the sums, inputs x, `gy`, stats, as output `first` and the next one. */
function sumsOf(x: TensorType, eps: number, limits: GpuLimits, first: number, gy = input(1)): Dispatch {
  const length = channelVec4s(x), { SIZE, SHARE, SHUFFLED } = joinedStrands(length, limits);
  return dispatch(sumsShader, {
    constants: { SIZE, SHUFFLED, EPS: eps },
    buffers: { x: input(0), gy, stats: input(2), sums: output(first), products: output(first + 1) },
    params: { length, share: SHARE },
    workgroups: [x.shape[0], 1, 1],
  });
}

/** `(x, gy [C,N,H,W], stats [2,C]) -> sum of gy [C], sum of gy * xhat [C]`, xhat = (x - mean) / sqrt(var + eps). */
export const bnGradSums: OpSpec<BnGradAttributes> = {
  name: "bn_grad_sums",
  infer(inputs) {
    expectOperands(inputs);
    const type = dense([inputs[0].shape[0]]);
    return [type, type];
  },
  kernels: ({ inputs: [x], attrs: { eps }, limits }) => ({ dispatches: [sumsOf(x, eps, limits, 0)] }),
  reference: (inputs, _types, { eps }) => sums(inputs, eps),
  cases: () =>
    [image(3, 16, 8, 8), image(5, 3, 7, 13), image(2, 1, 3, 2)].map((x) => ({
      name: `${x.shape}`,
      inputs: [x, x, dense([2, x.shape[0]])],
      attrs: { eps: 1e-5 },
      derive: deriveStats(x, 2),
    })),
};

/**
 * The dispatch that computes batch norm's gradient for its input, of the type of `x`; where gy is left out, gx holds it.
 */
export function inputGradient(x: TensorType, eps: number, buffers: Bound<typeof inputShader.buffers>): Dispatch {
  const { constants, params, workgroups } = overChannels(x), [, n, h, w] = x.shape, { gy, gamma } = buffers;
  return dispatch(inputShader, {
    constants: { ...constants, IN_PLACE: !gy, GAMMA: gamma !== undefined, EPS: eps },
    buffers,
    params: { ...params, elements: n * h * w },
    workgroups,
  });
}

/** Attributes of {@linkcode bnGrad}. */
export interface BnGradInputAttributes extends BnGradAttributes {
  /** Whether gy is the sum of two images. */
  readonly sum?: boolean;
}

/**
 * `(x, gy [C,N,H,W], stats [2,C][, gamma [C]]) -> gx, sum of gy [C], sum of gy * xhat [C]`:
 * `gx = gamma / sqrt(var + eps) * (gy - sum_gy / n - xhat * sum_gy_xhat / n)`, n = N * H * W. With `sum` the last input
 * is an image that is added to gy, and the last output is what they come to.
 */
export const bnGrad: OpSpec<BnGradInputAttributes> = {
  name: "bn_grad",
  infer(inputs, { sum = false }) {
    expectOperands(inputs);
    const [x] = inputs, c = dense([x.shape[0]]), gammas = inputs.length - 3 - Number(sum);
    if (gammas !== 0 && gammas !== 1) throw new RangeError("it has the wrong number of inputs");
    if (gammas === 1) expectTensor(inputs[3], "gamma", c.shape);
    if (sum && !sameType(inputs[inputs.length - 1], x)) throw new RangeError("gy and what is added must agree");
    return [x, c, c, ...(sum ? [x] : [])];
  },
  kernels({ inputs, attrs: { eps, sum = false }, limits }) {
    const [type] = inputs, [channels, n, h, w] = type.shape, [x, gy, stats] = [0, 1, 2].map(input);
    const [gx, sums, products, total] = [0, 1, 2, 3].map(output), more = input(inputs.length - 1);
    const GAMMA = inputs.length > 3 + Number(sum), gamma = GAMMA && { gamma: input(3) };
    // With a sum there is one buffer more than WebGPU guarantees.
    if (!hasLanes(limits) || (sum && limits.maxStorageBuffersPerShaderStage < 9)) {
      const whole = sum ? total : gy, added = sum ? [addition(type, [gy, more], total)] : [];
      const last = inputGradient(type, eps, { x, gy: whole, stats, sums, products, gx, ...gamma });
      return { dispatches: [...added, sumsOf(type, eps, limits, 1, whole), last] };
    }
    return {
      dispatches: [dispatch(shader, {
        constants: { MASKED: hasTails(type), GAMMA, SUM: sum, EPS: eps },
        buffers: { x, gy, stats, gx, sums, products, ...gamma, ...(sum && { more, total }) },
        params: { length: channelVec4s(type), row: rowWord(type), elements: n * h * w },
        workgroups: [channels, 1, 1],
      })],
    };
  },
  reference(inputs, _types, { eps, sum: two = false }) {
    const [x, first, stats] = inputs, gamma = inputs.length > 3 + Number(two) ? inputs[3] : undefined;
    const gy = two ? first.map((g, i) => g + inputs[inputs.length - 1][i]) : first;
    const c = stats.length / 2, count = x.length / c, [sum, product] = sums([x, gy, stats], eps);
    const gx = x.map((v, i) => {
      const k = Math.floor(i / count), rstd = 1 / Math.sqrt(stats[c + k] + eps);
      const centred = gy[i] - sum[k] / count - (v - stats[k]) * rstd * product[k] / count;
      return (gamma?.[k] ?? 1) * rstd * centred;
    });
    return [gx, sum, product, ...(two ? [gy] : [])];
  },
  cases: () =>
    [image(3, 16, 8, 8), image(5, 3, 7, 13), image(2, 1, 3, 2)].flatMap((x) =>
      [[], [dense([x.shape[0]])]].flatMap((gamma) =>
        [false, true].map((sum) => ({
          name: `${x.shape}${gamma.length > 0 ? ", gamma" : ""}${sum ? ", a sum" : ""}`,
          inputs: [x, x, dense([2, x.shape[0]]), ...gamma, ...(sum ? [x] : [])],
          attrs: { eps: 1e-5, sum },
          derive: deriveStats(x, 2),
          roundings: sum ? 2 : 1,
        }))
      )
    ),
};

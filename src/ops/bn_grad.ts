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

/** The dispatch that computes the sums, inputs x, gy, stats, as output `first` and the next one. */
function sumsOf(x: TensorType, eps: number, limits: GpuLimits, first: number): Dispatch {
  const length = channelVec4s(x), { SIZE, SHARE, SHUFFLED } = joinedStrands(length, limits);
  return dispatch(sumsShader, {
    constants: { SIZE, SHUFFLED, EPS: eps },
    buffers: { x: input(0), gy: input(1), stats: input(2), sums: output(first), products: output(first + 1) },
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

/**
 * `(x, gy [C,N,H,W], stats [2,C][, gamma [C]]) -> gx, sum of gy [C], sum of gy * xhat [C]`:
 * `gx = gamma / sqrt(var + eps) * (gy - sum_gy / n - xhat * sum_gy_xhat / n)`, n = N * H * W.
 */
export const bnGrad: OpSpec<BnGradAttributes> = {
  name: "bn_grad",
  infer(inputs) {
    expectOperands(inputs);
    const c = inputs[0].shape[0], sum = dense([c]);
    if (inputs.length > 3) expectTensor(inputs[3], "gamma", [c]);
    return [inputs[0], sum, sum];
  },
  kernels({ inputs, attrs: { eps }, limits }) {
    const [type] = inputs, [channels, n, h, w] = type.shape, [x, gy, stats, gamma] = inputs.map((_, i) => input(i));
    const [gx, sums, products] = [output(0), output(1), output(2)], more = gamma && { gamma };
    if (!hasLanes(limits)) {
      const last = inputGradient(type, eps, { x, gy, stats, sums, products, gx, ...more });
      return { dispatches: [sumsOf(type, eps, limits, 1), last] };
    }
    return {
      dispatches: [dispatch(shader, {
        constants: { MASKED: hasTails(type), GAMMA: gamma !== undefined, EPS: eps },
        buffers: { x, gy, stats, gx, sums, products, ...more },
        params: { length: channelVec4s(type), row: rowWord(type), elements: n * h * w },
        workgroups: [channels, 1, 1],
      })],
    };
  },
  reference([x, gy, stats, gamma], _types, { eps }) {
    const c = stats.length / 2, count = x.length / c, [sum, product] = sums([x, gy, stats], eps);
    const gx = x.map((v, i) => {
      const k = Math.floor(i / count);
      const rstd = 1 / Math.sqrt(stats[c + k] + eps);
      const centred = gy[i] - sum[k] / count -
        (v - stats[k]) * rstd * product[k] / count;
      return (gamma?.[k] ?? 1) * rstd * centred;
    });
    return [gx, sum, product];
  },
  cases: () =>
    [image(3, 16, 8, 8), image(5, 3, 7, 13), image(2, 1, 3, 2)].flatMap((x) => {
      const inputs = [x, x, dense([2, x.shape[0]])], attrs = { eps: 1e-5 }, derive = deriveStats(x, 2);
      return [
        { name: `${x.shape}`, inputs, attrs, derive },
        { name: `${x.shape}, gamma`, inputs: [...inputs, dense([x.shape[0]])], attrs, derive },
      ];
    }),
};

/**
 * Batch normalisation with the statistics of the batch, and a sum behind it, at one go: what {@linkcode fuseBatchNorms}
 * (`src/nn/fuse_batch_norms.ts`) makes of the operations in a differentiated graph, so it has no gradient of its own.
 * @module
 */
import { batchNorm as source } from "./shader_texts.ts";
import { kernel, optional, read, write } from "../gpu/kernel.ts";
import { dispatch, input, type OpCase, type OpSpec, output } from "../graph/op.ts";
import { dense, image, sameType } from "../graph/tensor_type.ts";
import { statisticsOf } from "./bn_stats.ts";
import { channelVec4s, hasTails, rowWord } from "./channel.ts";
import { expectImage, expectTensor } from "./expect.ts";
import { hasLanes } from "./lanes.ts";
import { normalizing } from "./normalize.ts";
import { channelStatistics } from "./reference.ts";
import { channelMoments, rowEnds } from "./shader_parts.ts";

const shader = kernel("batch_norm", source, {
  parts: [rowEnds, channelMoments],
  buffers: {
    x: read("vec4f", "bf16"),
    stats: write("f32"),
    y: write("vec4f", "bf16"),
    gamma: optional(read("f32")),
    beta: optional(read("f32")),
    more: optional(read("vec4f", "bf16")),
  },
  params: { length: "u32", row: "u32" },
});

/** Attributes of {@linkcode batchNorm}. */
export interface BatchNormAttributes {
  /** Added to the variance. */
  readonly eps: number;
  /** Whether there are gamma and beta. */
  readonly affine: boolean;
  /** Whether an image is added to the result. */
  readonly more: boolean;
}

/**
 * `(x [C,N,H,W][, gamma [C], beta [C]][, more [C,N,H,W]]) -> y, stats [2,C]`: the mean and the biased variance of every
 * channel, and `y = (x - mean) / sqrt(var + eps) [* gamma + beta] [+ more]`.
 */
export const batchNorm: OpSpec<BatchNormAttributes> = {
  name: "batch_norm",
  infer(inputs, { affine, more }) {
    const [x] = inputs, [channels] = expectImage(x, "x");
    if (inputs.length !== 1 + 2 * Number(affine) + Number(more)) {
      throw new RangeError("it has the wrong number of inputs");
    }
    if (affine) ["gamma", "beta"].forEach((name, i) => expectTensor(inputs[1 + i], name, [channels]));
    if (more && !sameType(inputs[inputs.length - 1], x)) throw new RangeError("x and what is added must agree");
    return [x, dense([2, channels])];
  },
  kernels({ inputs, attrs: { eps, affine, more }, limits }) {
    const [type] = inputs, channels = type.shape[0], x = input(0), y = output(0), stats = output(1);
    const given = {
      ...(affine && { gamma: input(1), beta: input(2) }),
      ...(more && { more: input(inputs.length - 1) }),
    };
    if (!hasLanes(limits)) {
      const first = statisticsOf(type, [channels], 0, [stats], limits);
      return { dispatches: [first, normalizing(type, eps, { x, stats, y, ...given })] };
    }
    return {
      dispatches: [dispatch(shader, {
        constants: { MASKED: hasTails(type), AFFINE: affine, MORE: more, EPS: eps },
        buffers: { x, stats, y, ...given },
        params: { length: channelVec4s(type), row: rowWord(type) },
        workgroups: [channels, 1, 1],
      })],
    };
  },
  reference(inputs, [{ shape: [channels] }], { eps, affine, more }) {
    const [x, gamma, beta] = inputs, stats = channelStatistics(x, channels), count = x.length / channels;
    const y = x.map((v, i) => {
      const k = Math.floor(i / count), normal = (v - stats[k]) / Math.sqrt(stats[channels + k] + eps);
      return (affine ? normal * gamma[k] + beta[k] : normal) + (more ? inputs[inputs.length - 1][i] : 0);
    });
    return [y, stats];
  },
  cases: () =>
    [image(3, 16, 8, 8), image(5, 3, 7, 13), image(2, 1, 3, 2), image(1, 9, 11, 1)].flatMap((x) =>
      [false, true].flatMap((affine) =>
        [false, true].map((more): OpCase<BatchNormAttributes> => ({
          name: `${x.shape}${affine ? ", affine" : ""}${more ? ", and a sum" : ""}`,
          inputs: [x, ...(affine ? [dense([x.shape[0]]), dense([x.shape[0]])] : []), ...(more ? [x] : [])],
          attrs: { eps: 1e-5, affine, more },
          fill: (index, _e, normal) => index === 0 ? 3 + normal : normal,
        }))
      )
    ),
};

/**
 * Batch statistics: mean and biased variance of every channel.
 * @module
 */
import { bnStats as source } from "./shader_texts.ts";
import type { GpuLimits } from "../gpu/device.ts";
import { kernel, list, read, table, write } from "../gpu/kernel.ts";
import { type Binding, type Dispatch, dispatch, input, type OpSpec, output } from "../graph/op.ts";
import { dense, image, type TensorType } from "../graph/tensor_type.ts";
import { expectImage } from "./expect.ts";
import { channelVec4s, hasTails, joinedStrands, rowWord } from "./channel.ts";
import { channelStatistics } from "./reference.ts";
import { channelMoments, rowEnds } from "./shader_parts.ts";

const shader = kernel("bn_stats", source, {
  parts: [rowEnds, channelMoments],
  buffers: { x: read("vec4f", "bf16"), stats: list(write("f32")) },
  params: { length: "u32", share: "u32", row: "u32", first: "u32", parts: table({ channels: "u32" }) },
});

/** Attributes of {@linkcode bnStats}. */
export interface BnStatsAttributes {
  /** Channels of each output; they add up to the input's. */
  readonly sizes: readonly number[];
}

/** The dispatch for runs of `parts` channels from channel `first` of `x` (input 0) on, whose results are `stats`. */
export function statisticsOf(
  x: TensorType,
  parts: readonly number[],
  first: number,
  stats: readonly Binding[],
  limits: GpuLimits,
): Dispatch {
  const length = channelVec4s(x), { SHARE, ...strands } = joinedStrands(length, limits);
  return dispatch(shader, {
    constants: { ...strands, MASKED: hasTails(x), PARTS: parts.length },
    buffers: { x: input(0), stats },
    params: { length, share: SHARE, row: rowWord(x), first, parts: parts.map((channels) => ({ channels })) },
    workgroups: [parts.reduce((a, b) => a + b, 0), 1, 1],
  });
}

/**
 * `x [C,N,H,W] -> [2,C]`: row 0 the mean, row 1 the biased variance of every channel, or such a tensor for each of
 * several runs of channels. It passes no gradient: the operations that use the statistics return the total derivative
 * for `x`.
 */
export const bnStats: OpSpec<BnStatsAttributes> = {
  name: "bn_stats",
  infer([x], { sizes }) {
    expectImage(x, "x");
    if (sizes.reduce((a, b) => a + b, 0) !== x.shape[0]) {
      throw new RangeError(`attribute sizes must add up to ${x.shape[0]} channels: it is [${sizes}]`);
    }
    return sizes.map((channels) => dense([2, channels]));
  },
  kernels({ inputs: [x], attrs: { sizes }, limits }) {
    const most = limits.maxStorageBuffersPerShaderStage - 1, dispatches: Dispatch[] = [];
    for (let from = 0, first = 0; from < sizes.length; from += most) {
      const part = sizes.slice(from, from + most);
      dispatches.push(statisticsOf(x, part, first, part.map((_, i) => output(from + i)), limits));
      first += part.reduce((a, b) => a + b, 0);
    }
    return { dispatches };
  },
  gradient: () => [null],
  reference([x], [{ shape: [channels] }], { sizes }) {
    const each = x.length / channels;
    let first = 0;
    return sizes.map((size) => {
      const from = first * each, to = (first += size) * each;
      return channelStatistics(x.subarray(from, to), size);
    });
  },
  cases: () =>
    [
      { name: "whole vectors", inputs: [image(3, 16, 8, 8)] },
      { name: "padded rows", inputs: [image(5, 3, 7, 13)] },
      {
        name: "fewer vectors than lanes",
        inputs: [image(2, 1, 3, 2)],
      },
      {
        name: "one element per row",
        inputs: [image(1, 9, 11, 1)],
      },
      {
        name: "mean 100, deviation 1",
        inputs: [image(3, 8, 14, 14)],
        fill: (_i: number, _e: number, normal: number) => 100 + normal,
      },
      {
        name: "mean 1e4, deviation 0.1",
        inputs: [image(1, 8, 14, 14)],
        fill: (_i: number, _e: number, normal: number) => 1e4 + 0.1 * normal,
      },
      { name: "three runs of channels", inputs: [image(9, 2, 5, 6)], attrs: { sizes: [2, 6, 1] } },
      {
        name: "more runs than the portable number of bindings",
        inputs: [image(19, 1, 3, 4)],
        attrs: { sizes: [2, ...Array(17).fill(1)] },
      },
    ].map((c) => ({ ...c, attrs: c.attrs ?? { sizes: [c.inputs[0].shape[0]] }, wrt: [], through: [] })),
};

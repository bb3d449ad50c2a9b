/**
 * Batch statistics: mean and biased variance of every channel.
 * @module
 */
import source from "../../shaders/bn_stats.wgsl" with { type: "text" };
import { input, type OpSpec, output } from "../graph/op.ts";
import { dense, image } from "../graph/tensor_type.ts";
import { channelConstants, channelStatistics, joinedStrands, requireImage } from "./channel.ts";

const shader = { name: "bn_stats", source };

/**
 * `x [C,N,H,W] -> [2,C]`: row 0 the mean, row 1 the biased variance of every channel. It passes no gradient: the
 * operations that use the statistics return the total derivative for `x`.
 */
export const bnStats: OpSpec<null> = {
  name: "bn_stats",
  infer([x]) {
    requireImage(x, "x");
    return [dense([2, x.shape[0]])];
  },
  kernels({ inputs: [x], limits }) {
    const sizes = channelConstants(x);
    return {
      dispatches: [{
        shader,
        constants: { ...sizes, ...joinedStrands(sizes.LENGTH, limits) },
        bindings: [input(0), output(0)],
        workgroups: [x.shape[0], 1, 1],
      }],
    };
  },
  gradient: () => [null],
  reference: ([x], [type]) => [channelStatistics(x, type)],
  cases: () =>
    [
      { name: "whole vectors", inputs: [image(3, 16, 8, 8)], attrs: null },
      { name: "padded rows", inputs: [image(5, 3, 7, 13)], attrs: null },
      {
        name: "fewer vectors than lanes",
        inputs: [image(2, 1, 3, 2)],
        attrs: null,
      },
      {
        name: "one element per row",
        inputs: [image(1, 9, 11, 1)],
        attrs: null,
      },
      {
        name: "mean 100, deviation 1",
        inputs: [image(3, 8, 14, 14)],
        attrs: null,
        fill: (_i: number, _e: number, normal: number) => 100 + normal,
      },
      {
        name: "mean 1e4, deviation 0.1",
        inputs: [image(1, 8, 14, 14)],
        attrs: null,
        fill: (_i: number, _e: number, normal: number) => 1e4 + 0.1 * normal,
      },
    ].map((c) => ({ ...c, wrt: [], through: [] })),
};

/**
 * Kernels of 3x3 convolutions of stride 2 for subgroups of 8 lanes and multiples of 8 channels.
 * @module
 */
import {
  strided as source,
  stridedInputGrad as inputGradSource,
  stridedWeightGrad as weightGradSource,
} from "./shader_texts.ts";
import type { GpuLimits } from "../gpu/device.ts";
import { kernel, optional, read, write } from "../gpu/kernel.ts";
import { as, dispatch, input, type KernelVariant, output, scratch } from "../graph/op.ts";
import { rowPitch } from "../graph/tensor_type.ts";
import { blockOf, type Convolution, convolutionShares, gradientShares, hasBlocks } from "./conv2d_lanes.ts";
import { reducePartials } from "./reduce_partials.ts";

const image = read("vec4f", "bf16"), result = write("vec4f", "bf16");
const rows = { height: "u32", width: "u32", images: "u32", share: "u32" } as const;
const shader = kernel("strided", source, {
  buffers: { x: image, w: read(["vec4f", "f32"]), y: result, partial: optional(write("vec4f")) },
  params: { ...rows, relu: "u32", walks: "u32" },
});
const inputGradShader = kernel("strided_input_grad", inputGradSource, {
  buffers: { gy: image, w: read("vec4f"), gx: result, u: optional(image), partial: optional(write("vec4f")) },
  params: { ...rows, walks: "u32" },
});
const weightGradShader = kernel("strided_weight_grad", weightGradSource, {
  buffers: { gy: image, x: image, sums: write(["vec4f", "f32"]) },
  params: { ...rows, relu: "u32", inputs: "u32", count: "u32" },
});

/** Vec4s of a channel of the convolution's result, rows of all its images, and what kernels are told of x. */
function sizesOf({ x: { shape: [, images, height, width] } }: Convolution) {
  const rows = images * Math.ceil(height / 2);
  return { rows, plane: rows * rowPitch(Math.ceil(width / 2)) / 4, params: { images, height, width } };
}

const fits = (of: Convolution, from: number, to: number, limits: GpuLimits): boolean =>
  of.stride === 2 && hasBlocks(of, from, to, limits);

/** The convolution; inputs x, w. */
export function strided(of: Convolution, limits: GpuLimits): KernelVariant[] {
  const [co, ci] = of.w.shape, { rows, plane, params } = sizesOf(of);
  if (!fits(of, ci, co, limits)) return [];
  const IB = blockOf(ci), block = blockOf(co), walks = ci / IB, SPLIT = walks > 1;
  const { share, parts } = convolutionShares(rows, co / block);
  return [{
    name: "lanes",
    plan: () => ({
      scratch: SPLIT ? [4 * co * plane] : [],
      dispatches: [dispatch(shader, {
        constants: { EACH: block / 8, IB, SPLIT },
        buffers: {
          ...{ x: input(0), w: as(IB % 4 === 0 ? "vec4f" : "f32", input(1)), y: output(0) },
          ...(SPLIT && { partial: scratch(0) }),
        },
        params: { ...params, relu: Number(of.relu), share, walks },
        workgroups: [parts, co / block, 1],
      })],
    }),
  }];
}

/** Its gradient for x; inputs gy, w, and x where there is a ReLU. */
export function stridedInputGrad(of: Convolution, limits: GpuLimits): KernelVariant[] {
  const [co, ci] = of.w.shape, { rows, plane, params } = sizesOf(of);
  if (!fits(of, co, ci, limits) || co < 8) return [];
  // Sums that wait cost more than to load gy twice: 32 channels of it and 8 of gx, where others have 16 and 16.
  const wide = co % 32 === 0, IB = wide ? 32 : blockOf(co), block = wide ? 8 : blockOf(ci), walks = co / IB;
  const SPLIT = walks > 1, { share, parts } = convolutionShares(rows, ci / block);
  return [{
    name: "lanes",
    plan: () => ({
      scratch: SPLIT ? [16 * ci * plane] : [],
      dispatches: [
        dispatch(inputGradShader, {
          constants: { EACH: block / 8, IB, SPLIT, MASKED: of.relu },
          buffers: {
            ...{ gy: input(0), w: input(1), gx: output(0) },
            ...(of.relu && { u: input(2) }),
            ...(SPLIT && { partial: scratch(0) }),
          },
          params: { ...params, share, walks },
          workgroups: [parts, ci / block, 1],
        }),
      ],
    }),
  }];
}

/** Its gradient for w; inputs gy, x. */
export function stridedWeightGrad(of: Convolution, limits: GpuLimits): KernelVariant[] {
  const [co, ci] = of.w.shape, { rows, params } = sizesOf(of);
  if (!fits(of, ci, co, limits)) return [];
  const IB = Math.min(ci, 8), block = blockOf(co), count = co * ci * 9, blocks = co / block * ci / IB;
  const { share, parts } = gradientShares(rows, blocks), alone = parts === 1;
  const sums = as(IB % 4 === 0 ? "vec4f" : "f32", alone ? output(0) : scratch(0));
  return [{
    name: `lanes, parts ${parts}`,
    plan: () => ({
      scratch: alone ? [] : [count * parts],
      dispatches: [
        dispatch(weightGradShader, {
          constants: { EACH: block / 8, IB },
          buffers: { gy: input(0), x: input(1), sums },
          params: { ...params, relu: Number(of.relu), share, inputs: ci, count },
          workgroups: [parts, co / block, ci / IB],
        }),
        ...(alone ? [] : [reducePartials({ count, parts, blockRows: 1, blockColumns: count, columns: 1 })]),
      ],
    }),
  }];
}

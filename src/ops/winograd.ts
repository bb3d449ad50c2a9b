/**
 * Kernels of 3x3 convolutions of stride 1 by Winograd's F(2x4, 3x3) (Lavin and Gray, arXiv 1509.09308), which multiplies
 * three times less than the sum over taps, and of their weights' gradients by F(2x2, 3x3), 2.25 times less; for subgroups
 * of 8 lanes and multiples of 8 channels.
 * @module
 */
import { winograd as source, winogradWeightGrad as weightGradSource } from "./shader_texts.ts";
import type { GpuLimits } from "../gpu/device.ts";
import { kernel, optional, read, write } from "../gpu/kernel.ts";
import { as, dispatch, input, type KernelPlan, type KernelVariant, output, scratch } from "../graph/op.ts";
import { rowPitch, type TensorType } from "../graph/tensor_type.ts";
import { blockOf, type Convolution, convolutionShares, gradientShares, hasBlocks } from "./conv2d_lanes.ts";
import { reducePartials } from "./reduce_partials.ts";

const image = read("vec4f", "bf16");
const rows = { height: "u32", width: "u32", images: "u32", relu: "u32", share: "u32" } as const;
const shader = kernel("winograd", source, {
  buffers: {
    x: image,
    w: read(["vec4f", "f32"]),
    y: write("vec4f", "bf16"),
    u: optional(image),
    partial: optional(write("vec4f")),
  },
  params: { ...rows, walks: "u32" },
});
const weightGradShader = kernel("winograd_weight_grad", weightGradSource, {
  buffers: { gy: image, x: image, sums: write(["vec4f", "f32"]) },
  params: { ...rows, inputs: "u32", count: "u32" },
});

const fits = (of: Convolution, from: number, to: number, limits: GpuLimits): boolean =>
  of.stride === 1 && hasBlocks(of, from, to, limits);

const rowPairs = ({ shape: [, n, h] }: TensorType): number => n * Math.ceil(h / 2);

/** The convolution of an image (input 0) of `from` channels to `to`; `TURNED`: it is a gradient, where `relu` masked. */
function convolution(
  { x, relu }: Convolution,
  [from, to]: readonly [number, number],
  TURNED: boolean,
): KernelPlan {
  const [, n, h, width] = x.shape, IB = blockOf(from), walks = from / IB, SPLIT = walks > 1, block = blockOf(to);
  const { share, parts } = convolutionShares(rowPairs(x), to / block), MASKED = TURNED && relu;
  const weights = as(TURNED || IB % 4 === 0 ? "vec4f" : "f32", input(1));
  return {
    scratch: SPLIT ? [to * n * h * rowPitch(width)] : [], // sums that wait between walks
    dispatches: [dispatch(shader, {
      constants: { EACH: block / 8, IB, MASKED, SPLIT, TURNED },
      buffers: {
        ...{ x: input(0), w: weights, y: output(0) },
        ...(MASKED && { u: input(2) }),
        ...(SPLIT && { partial: scratch(0) }),
      },
      params: { height: h, width, images: n, relu: Number(relu && !TURNED), share, walks },
      workgroups: [parts, to / block, 1],
    })],
  };
}

/** The convolution; inputs x, w. */
export function winograd(of: Convolution, limits: GpuLimits): KernelVariant[] {
  const [co, ci] = of.w.shape;
  return fits(of, ci, co, limits) ? [{ name: "winograd", plan: () => convolution(of, [ci, co], false) }] : [];
}

/** Its gradient for x; inputs gy, w, and x where there is a ReLU. */
export function winogradInputGrad(of: Convolution, limits: GpuLimits): KernelVariant[] {
  const [co, ci] = of.w.shape;
  return fits(of, co, ci, limits) ? [{ name: "winograd", plan: () => convolution(of, [co, ci], true) }] : [];
}

/** Its gradient for w; inputs gy, x. */
export function winogradWeightGrad(of: Convolution, limits: GpuLimits): KernelVariant[] {
  const { x, w, relu } = of, [co, ci] = w.shape, [, n, h, width] = x.shape;
  if (!fits(of, ci, co, limits)) return [];
  const block = blockOf(co), EACH = block / 8, IB = Math.min(8, ci), blocks = co / block * ci / IB, count = co * ci * 9;
  const { share, parts } = gradientShares(rowPairs(x), blocks), alone = parts === 1;
  return [{
    name: `winograd, parts ${parts}`,
    plan: () => ({
      scratch: alone ? [] : [count * parts],
      dispatches: [
        dispatch(weightGradShader, {
          constants: { EACH, IB },
          buffers: {
            ...{ gy: input(0), x: input(1) },
            sums: as(IB === 8 ? "vec4f" : "f32", alone ? output(0) : scratch(0)),
          },
          params: { height: h, width, images: n, relu: Number(relu), share, inputs: ci, count },
          workgroups: [parts, co / block, ci / IB],
        }),
        ...(alone ? [] : [reducePartials({ count, parts, blockRows: 1, blockColumns: count, columns: 1 })]),
      ],
    }),
  }];
}

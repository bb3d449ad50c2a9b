/**
 * Kernels of 3x3 convolutions of stride 1 by Winograd's F(2x2, 3x3) (Lavin and Gray, arXiv 1509.09308), which multiplies
 * 2.25 times less than the sum over taps, for subgroups of 8 lanes and multiples of 8 channels.
 * @module
 */
import source from "../../shaders/winograd.wgsl" with { type: "text" };
import turnSource from "../../shaders/winograd_turn.wgsl" with { type: "text" };
import weightGradSource from "../../shaders/winograd_weight_grad.wgsl" with { type: "text" };
import type { GpuLimits } from "../gpu/device.ts";
import { kernel, optional, read, write } from "../gpu/kernel.ts";
import { as, type Binding, type Dispatch, dispatch, input, type KernelVariant, output, scratch } from "../graph/op.ts";
import { rowPitch, type TensorType } from "../graph/tensor_type.ts";
import { hasLanes } from "./lanes.ts";
import { linear } from "./launch.ts";
import { reducePartials } from "./reduce_partials.ts";

const rows = { height: "u32", width: "u32", images: "u32", relu: "u32", share: "u32" } as const;
const shader = kernel("winograd", source, {
  buffers: {
    x: read("vec4f", "bf16"),
    w: read("vec4f"),
    y: write("vec4f", "bf16"),
    u: optional(read("vec4f", "bf16")),
    partial: optional(write("vec4f")),
  },
  params: { ...rows, walks: "u32" },
});
const turnShader = kernel("winograd_turn", turnSource, {
  buffers: { w: read("f32"), v: write("f32") },
  params: { count: "u32", inputs: "u32", outputs: "u32", gridX: "u32" },
});
const weightGradShader = kernel("winograd_weight_grad", weightGradSource, {
  buffers: { gy: read("vec4f", "bf16"), x: read("vec4f", "bf16"), sums: write(["vec2f", "f32"]) },
  params: { ...rows, inputs: "u32", count: "u32" },
});

/** A convolution, as the kernels here need to know it. */
export interface WinogradSizes {
  /** Input of the convolution. */
  readonly x: TensorType;
  /** Its weights. */
  readonly w: TensorType;
  readonly stride: number;
  readonly padding: number;
  /** Whether ReLU is applied to x on load. */
  readonly relu: boolean;
}

function applies({ x, w, stride, padding }: WinogradSizes, limits: GpuLimits): boolean {
  const [co, ci, k] = w.shape, [, n, h] = x.shape;
  return hasLanes(limits) && k === 3 && stride === 1 && padding === 1 && co % 8 === 0 && ci % 8 === 0 && n * h > 0;
}

/** Channels that one subgroup does: 16 if they divide `channels`, else 8. So many transformed weights fit the caches. */
const blockOf = (channels: number): number => channels % 16 === 0 ? 16 : 8;

/** How a number of pairs of rows is shared among about `parts` subgroups. */
function shares(pairs: number, parts: number): { share: number; parts: number } {
  const share = Math.ceil(pairs / Math.min(parts, pairs));
  return { share, parts: Math.ceil(pairs / share) };
}

const rowPairs = ({ shape: [, n, h] }: TensorType): number => n * Math.ceil(h / 2);

/** The convolution of an image `x` of `from` channels to `to`; `masked` by input 2; weights in the binding `weights`. */
function convolution(
  { x, relu }: WinogradSizes,
  [from, to]: readonly [number, number],
  weights: Binding,
  partial: number,
  masked: boolean,
): Dispatch {
  const [, n, h, width] = x.shape, IB = blockOf(from), walks = from / IB, SPLIT = walks > 1, block = blockOf(to);
  const { share, parts } = shares(rowPairs(x), Math.ceil(16 / (to / block)));
  return dispatch(shader, {
    constants: { EACH: block / 8, IB, MASKED: masked, SPLIT },
    buffers: {
      ...{ x: input(0), w: weights, y: output(0) },
      ...(masked && { u: input(2) }),
      ...(SPLIT && { partial: scratch(partial) }),
    },
    params: { height: h, width, images: n, relu: Number(relu && !masked), share, walks },
    workgroups: [parts, to / block, 1],
  });
}

/** Sums of an image of `to` channels that wait between walks over `from` channels. */
function waiting({ shape: [, n, h, width] }: TensorType, [from, to]: readonly [number, number]): number[] {
  return from > blockOf(from) ? [to * n * h * rowPitch(width)] : [];
}

/** The convolution; inputs x, w. */
export function winograd(sizes: WinogradSizes, limits: GpuLimits): KernelVariant[] {
  if (!applies(sizes, limits)) return [];
  const [co, ci] = sizes.w.shape;
  return [{
    name: "winograd",
    plan: () => ({
      scratch: waiting(sizes.x, [ci, co]),
      dispatches: [convolution(sizes, [ci, co], input(1), 0, false)],
    }),
  }];
}

/** Its gradient for x; inputs gy, w, and x where there is a ReLU. */
export function winogradInputGrad(sizes: WinogradSizes, limits: GpuLimits): KernelVariant[] {
  if (!applies(sizes, limits)) return [];
  const [co, ci] = sizes.w.shape, count = co * ci * 9, { workgroups, GRID_X } = linear(count, 64);
  return [{
    name: "winograd",
    plan: () => ({
      scratch: [count, ...waiting(sizes.x, [co, ci])],
      dispatches: [
        dispatch(turnShader, {
          buffers: { w: input(1), v: scratch(0) },
          params: { count, inputs: ci, outputs: co, gridX: GRID_X },
          workgroups,
        }),
        convolution(sizes, [co, ci], scratch(0), 1, sizes.relu),
      ],
    }),
  }];
}

/** Its gradient for w; inputs gy, x. */
export function winogradWeightGrad(sizes: WinogradSizes, limits: GpuLimits): KernelVariant[] {
  if (!applies(sizes, limits)) return [];
  const { x, w, relu } = sizes,
    [co, ci] = w.shape,
    [, n, h, width] = x.shape,
    OB = 8,
    block = blockOf(ci),
    EACH = block / 8;
  const count = co * ci * 9, blocks = co / OB * ci / block;
  const { share, parts } = shares(rowPairs(x), blocks < 8 ? 2 * Math.ceil(4 / blocks) : 1), alone = parts === 1;
  return [{
    name: `winograd, parts ${parts}`,
    plan: () => ({
      scratch: alone ? [] : [count * parts],
      dispatches: [
        dispatch(weightGradShader, {
          constants: { OB, EACH },
          buffers: {
            ...{ gy: input(0), x: input(1) },
            sums: as(EACH === 2 ? "vec2f" : "f32", alone ? output(0) : scratch(0)),
          },
          params: { height: h, width, images: n, relu: Number(relu), share, inputs: ci, count },
          workgroups: [parts, ci / block, co / OB],
        }),
        ...(alone ? [] : [reducePartials({ count, parts, blockRows: 1, blockColumns: count, columns: 1 })]),
      ],
    }),
  }];
}

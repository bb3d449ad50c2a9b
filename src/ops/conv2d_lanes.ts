/**
 * What the kernels of 3x3 convolutions for subgroups of 8 lanes share.
 * @module
 */
import { turnWeights as source } from "./shader_texts.ts";
import type { GpuLimits } from "../gpu/device.ts";
import { kernel, read, write } from "../gpu/kernel.ts";
import { type Dispatch, dispatch, input, scratch } from "../graph/op.ts";
import type { TensorType } from "../graph/tensor_type.ts";
import { hasLanes } from "./lanes.ts";
import { grid } from "./launch.ts";

const turnShader = kernel("turn_weights", source, {
  buffers: { w: read("f32"), v: write("f32") },
  params: { count: "u32", inputs: "u32", outputs: "u32", gridX: "u32" },
});

/** A convolution, as these kernels need to know it. */
export interface Convolution {
  /** Its input. */
  readonly x: TensorType;
  /** Its weights. */
  readonly w: TensorType;
  /** Pixels from one window to the next. */
  readonly stride: number;
  /** Zeros around the image, in pixels. */
  readonly padding: number;
  /** Whether ReLU is applied to x on load. */
  readonly relu: boolean;
}

/** Whether a 3x3 convolution (or gradient) that reads `from` channels and makes `to` can be done in blocks of them. */
export function hasBlocks({ w, padding }: Convolution, from: number, to: number, limits: GpuLimits): boolean {
  const whole = (channels: number) => channels % 8 === 0;
  return hasLanes(limits) && w.shape[2] === 3 && padding === 1 && (from < 8 || whole(from)) && whole(to);
}

/** Channels that one subgroup does: few, or 16 if they divide `channels`, or 8. More make the code larger than caches. */
export const blockOf = (channels: number): number => channels < 8 ? channels : channels % 16 === 0 ? 16 : 8;

/** How `rows` are shared among about `parts` subgroups. */
export function shares(rows: number, parts: number): { share: number; parts: number } {
  const share = Math.ceil(rows / Math.min(parts, rows));
  return { share, parts: Math.ceil(rows / share) };
}

/** How gradients of `blocks` of weights share rows: at least four subgroups. To add up their sums costs a dispatch. */
export const gradientShares = (rows: number, blocks: number): { share: number; parts: number } =>
  shares(rows, blocks < 4 ? 2 * Math.ceil(4 / blocks) : 1);

/** Puts the weights (input 1) into scratch 0 as those of the gradient for the input. */
export function turnWeights(w: TensorType): Dispatch {
  const [outputs, inputs] = w.shape, count = outputs * inputs, { workgroups, GRID_X } = grid(count, 64);
  return dispatch(turnShader, {
    buffers: { w: input(1), v: scratch(0) },
    params: { count, inputs, outputs, gridX: GRID_X },
    workgroups,
  });
}

/**
 * What the kernels of 3x3 convolutions for subgroups of 8 lanes share.
 * @module
 */
import type { GpuLimits } from "../gpu/device.ts";
import type { TensorType } from "../graph/tensor_type.ts";
import { hasLanes } from "./lanes.ts";

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
function shares(rows: number, parts: number): { share: number; parts: number } {
  const share = Math.ceil(rows / Math.min(parts, rows));
  return { share, parts: Math.ceil(rows / share) };
}

/** How convolutions to `blocks` of channels do: at least eight subgroups, no more, as each begins with its weights. */
export const convolutionShares = (rows: number, blocks: number): { share: number; parts: number } =>
  shares(rows, Math.ceil(8 / blocks));

/** How gradients of `blocks` of weights share rows: at least four subgroups. To add up their sums costs a dispatch. */
export const gradientShares = (rows: number, blocks: number): { share: number; parts: number } =>
  shares(rows, blocks < 4 ? 2 * Math.ceil(4 / blocks) : 1);

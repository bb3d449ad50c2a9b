/**
 * Kernels of the product that a 1x1 convolution and the gradient of its input are.
 * @module
 */
import source from "../../shaders/pointwise.wgsl" with { type: "text" };
import heldSource from "../../shaders/pointwise_held.wgsl" with { type: "text" };
import lanesSource from "../../shaders/pointwise_lanes.wgsl" with { type: "text" };
import tiledSource from "../../shaders/pointwise_tiled.wgsl" with { type: "text" };
import type { GpuLimits } from "../gpu/device.ts";
import { input, type KernelContext, type KernelVariant, output, scratch, uniformInput } from "../graph/op.ts";
import { elementCount, type TensorType } from "../graph/tensor_type.ts";
import { hasLanes } from "./lanes.ts";
import { imageVec4s, largestDivisor } from "./launch.ts";

const shader = { name: "pointwise", source };
const heldShader = { name: "pointwise_held", source: heldSource };
const lanesShader = { name: "pointwise_lanes", source: lanesSource };
const tiledShader = { name: "pointwise_tiled", source: tiledSource };

/** Bytes of the uniform range that weights are bound as; arenas of weights have this much slack. */
export const WEIGHT_UNIFORM_BYTES = 65536;

/** Whether the weights `w` can be bound as a uniform range. */
export function fitsUniform(w: TensorType, limits: GpuLimits): boolean {
  return elementCount(w) * 4 <= WEIGHT_UNIFORM_BYTES && limits.maxUniformBufferBindingSize >= WEIGHT_UNIFORM_BYTES;
}

/** Attributes of {@linkcode pointwise}. */
export interface PointwiseAttributes {
  /** Number of groups of output channels. */
  readonly groups: number;
  /** Number of groups of input channels; output group g reads input group g mod inputGroups. */
  readonly inputGroups: number;
  /** Apply ReLU to the input on load. */
  readonly relu: boolean;
}

/** Channels of a group, groups, and vec4s of a channel. */
export interface PointwiseSizes {
  readonly CI: number;
  readonly CO: number;
  readonly GI: number;
  readonly GROUPS: number;
  readonly M4: number;
}

/** The sizes of a convolution of x with w. */
export function sizesOf(
  x: TensorType,
  w: TensorType,
  { groups, inputGroups }: PointwiseAttributes,
): PointwiseSizes {
  return {
    CI: w.shape[1],
    CO: w.shape[0] / groups,
    GI: inputGroups,
    GROUPS: groups,
    M4: imageVec4s(x),
  };
}

/** How many of `channels`, a multiple of 8, each of 8 lanes does: as many as can be that are no more than `most` in all. */
export function laneChannels(channels: number, most: number): number {
  return largestDivisor(channels / 8, most / 8);
}

/** Most operands that an invocation adds up when it holds its weights in registers. */
const HELD_OPERANDS = 32;

/** Most weights that 8 lanes hold at a time unless two channels each take more. */
const SHARED_WEIGHTS = 2048;

/** Operands of a walk over the pixels: more make long shaders, fewer many walks, so that all are taken at once. */
const MOST_WALKED = 96, FEWEST_WALKED = 32;

/** Most sums that wait from walk to walk, 4 MiB: not so many that a program needs more memory for them. */
const MOST_WAITING = 1 << 20;

/** Operands that 8 lanes add up in one walk. */
function walkOperands(operands: number): number {
  const part = 8 * largestDivisor(operands / 8, MOST_WALKED / 8);
  return part >= FEWEST_WALKED ? part : operands;
}

/** Most operands that 8 lanes share where one walk has to take them all. */
const SHARED_OPERANDS = 512;

/**
 * Ways to multiply input 0 of `context` with the weights of type `w`, input 1; `transposed`: for the gradient of the
 * input, input 0 being that of the output and input 2, where there is a ReLU, the input.
 */
export function product(
  context: KernelContext<PointwiseAttributes>,
  w: TensorType,
  transposed: boolean,
): KernelVariant[] {
  const { CI, CO, GI, GROUPS, M4 } = sizesOf(context.inputs[0], w, context.attrs), { relu } = context.attrs;
  const [outputs, operands] = transposed ? [CI, CO] : [CO, CI], { software } = context.limits;
  const mask = transposed && relu ? [input(2)] : [], settings = { TRANSPOSED: transposed, RELU: relu };
  const fits = fitsUniform(w, context.limits);
  const weights = uniformInput(1, WEIGHT_UNIFORM_BYTES);
  /** Up to `rows` results of `PV` vec4s of pixels for an invocation. */
  const block = (rows: number, PV: number): KernelVariant => {
    const OB = largestDivisor(outputs, rows), WG = M4 >= 64 * PV * 8 ? 64 : 16;
    const VEC = CI % 4 === 0 && (!transposed || OB % 4 === 0), UNIFORM = VEC && fits;
    return {
      name: `block ${OB}x${PV}`,
      plan: () => ({
        dispatches: [{
          shader,
          constants: { OB, PV, WG, VEC, UNIFORM, ...settings },
          bindings: [input(0), UNIFORM ? weights : input(1), output(0), ...mask],
          params: [GI, GROUPS, CI, CO, M4, 0, 0, 0],
          workgroups: [Math.ceil(M4 / (WG * PV)), (transposed ? GI : GROUPS) * outputs / OB, 1],
        }],
      }),
    };
  };
  /** As many results as `most` weights in registers allow, for 8 or 16 vec4s after each other. */
  const held = (most: number): KernelVariant => {
    const OB = largestDivisor(outputs, Math.min(16, most / operands));
    const WG = 32, SHARE = 8 * (M4 >= 2048 ? 16 : 8);
    return {
      name: `held ${OB}x${operands}`,
      plan: () => ({
        dispatches: [{
          shader: heldShader,
          constants: { OB, IB: operands, WG, SHARE, ...settings },
          bindings: [input(0), weights, output(0), ...mask],
          params: [GI, 0, CI, CO, M4, 0, 0, 0],
          workgroups: [Math.ceil(M4 / (SHARE * WG / 8)), GROUPS * outputs / OB, 1],
        }],
      }),
    };
  };
  /** Up to `most` results, one of every 8 in each of 8 lanes, which hold the weights and share the operands. */
  const lanes = (most: number): KernelVariant => {
    const sums = GROUPS * outputs * M4 * 4;
    const IB = sums <= MOST_WAITING ? walkOperands(operands) : operands, walks = operands / IB, SPLIT = walks > 1;
    const EACH = laneChannels(outputs, Math.min(most, Math.max(16, SHARED_WEIGHTS / IB))),
      blocks = GROUPS * outputs / (8 * EACH);
    const share = Math.ceil(M4 / Math.ceil(16 / blocks));
    return {
      name: `lanes ${8 * EACH}x${operands}`,
      plan: () => ({
        scratch: SPLIT ? [sums] : [],
        dispatches: [{
          shader: lanesShader,
          constants: { EACH, IB, TRANSPOSED: transposed, MASKED: mask.length > 0, SPLIT },
          bindings: [input(0), input(1), output(0), ...mask, ...(SPLIT ? [scratch(0)] : [])],
          params: [GI, 0, CI, CO, M4, share, Number(relu), walks],
          workgroups: [Math.ceil(M4 / share), blocks, 1],
        }],
      }),
    };
  };
  /** Up to 32 results and as many vec4s of pixels for a workgroup, which shares operands and weights. */
  const tiled = (): KernelVariant => {
    const OB = largestDivisor(outputs, 8), blocks = outputs / OB;
    const ROWS = [4, 3, 2, 1].find((rows) => blocks % rows === 0)!;
    return {
      name: `tiled ${ROWS * OB}x32`,
      plan: () => ({
        dispatches: [{
          shader: tiledShader,
          constants: { OB, ROWS, DEPTH: 8, ...settings },
          bindings: [input(0), input(1), output(0), ...mask],
          params: [GI, GROUPS, CI, CO, M4, 0, 0, 0],
          workgroups: [Math.ceil(M4 / 32), (transposed ? GI : GROUPS) * outputs / (ROWS * OB), 1],
        }],
      }),
    };
  };
  const small = largestDivisor(outputs, 16) <= 8,
    holds = fits && CI % 4 === 0 && operands <= HELD_OPERANDS &&
      (!transposed || GROUPS === GI);
  const shares = hasLanes(context.limits) && outputs % 8 === 0 && operands % 8 === 0 &&
    walkOperands(operands) <= SHARED_OPERANDS && (!transposed || GROUPS === GI);
  const holding = holds ? [held(256), held(128)] : [], sharing = shares ? [lanes(32), lanes(16)] : [];
  return software
    ? [
      // The gradient by itself runs in alpha steps only, for which another long shader is not worth its compilation.
      ...(!transposed && Math.max(operands, outputs) <= 16 ? [...holding, ...sharing] : [...sharing, ...holding]),
      block(16, small && transposed ? 4 : 2),
      block(8, 4),
    ]
    : [...(outputs >= 32 ? [tiled(), block(8, 2)] : [block(8, 2), tiled()]), block(16, 2), block(8, 1), block(4, 4)];
}

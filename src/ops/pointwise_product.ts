/**
 * Kernels of the product that a 1x1 convolution and the gradient of its input are.
 * @module
 */
import { pointwise as source, pointwiseHeld as heldSource, pointwiseLanes as lanesSource } from "./shader_texts.ts";
import type { GpuLimits } from "../gpu/device.ts";
import { kernel, optional, type ParamValues, read, uniform, write } from "../gpu/kernel.ts";
import {
  as,
  type Binding,
  dispatch,
  input,
  type KernelContext,
  type KernelVariant,
  output,
  scratch,
  uniformInput,
} from "../graph/op.ts";
import { elementCount, type TensorType } from "../graph/tensor_type.ts";
import { channelVec4s } from "./channel.ts";
import { hasLanes } from "./lanes.ts";
import { largestDivisor } from "./launch.ts";
import { anyLanes } from "./pointwise_any.ts";

const x = read("vec4f", "bf16"), y = write("vec4f", "bf16"), u = optional(x);
const sizes = { inputGroups: "u32", inChannels: "u32", outChannels: "u32", length: "u32" } as const;
const shader = kernel("pointwise", source, {
  buffers: { x, w: read(["vec4f", "f32"]), y, u },
  params: { ...sizes, groups: "u32" },
});
const heldShader = kernel("pointwise_held", heldSource, { buffers: { x, w: uniform("vec4f"), y, u }, params: sizes });
const lanesShader = kernel("pointwise_lanes", lanesSource, {
  buffers: { x, w: read(["vec4f", "vec2f", "f32"]), y, u, partial: optional(write("vec4f")) },
  params: { ...sizes, share: "u32", relu: "u32", walks: "u32" },
});
/** Bytes of the uniform range that weights are bound as; arenas of weights have this much slack. */
export const WEIGHT_UNIFORM_BYTES = 65536;

/** Whether the weights `w` can be bound as a uniform range. */
function fitsUniform(w: TensorType, limits: GpuLimits): boolean {
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
export function sizesOf(x: TensorType, w: TensorType, { groups, inputGroups }: PointwiseAttributes): PointwiseSizes {
  return {
    CI: w.shape[1],
    CO: w.shape[0] / groups,
    GI: inputGroups,
    GROUPS: groups,
    M4: channelVec4s(x),
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

/** A product of input 0 with the weights, input 1: what its kernels have in common. */
interface Product {
  readonly sizes: PointwiseSizes;
  /** Whether it is the gradient of the input. */
  readonly transposed: boolean;
  readonly relu: boolean;
  /** Channels of a group of the result, and those that each of them is added up from. */
  readonly outputs: number;
  readonly operands: number;
  /** Whether the weights can be bound as a uniform range. */
  readonly fits: boolean;
  readonly settings: { readonly TRANSPOSED: boolean; readonly RELU: boolean };
  readonly buffers: { readonly x: Binding; readonly y: Binding; readonly u?: Binding };
  readonly params: ParamValues<typeof sizes>;
}

function productOf(
  { inputs, attrs, limits }: KernelContext<PointwiseAttributes>,
  w: TensorType,
  transposed: boolean,
): Product {
  const sizes = sizesOf(inputs[0], w, attrs), { CI, CO, GI, M4 } = sizes, { relu } = attrs;
  const [outputs, operands] = transposed ? [CI, CO] : [CO, CI];
  return {
    ...{ sizes, transposed, relu, outputs, operands, fits: fitsUniform(w, limits) },
    settings: { TRANSPOSED: transposed, RELU: relu },
    buffers: { x: input(0), y: output(0), ...(transposed && relu && { u: input(2) }) },
    params: { inputGroups: GI, inChannels: CI, outChannels: CO, length: M4 },
  };
}

const uniformWeights = uniformInput(1, WEIGHT_UNIFORM_BYTES);

/** Up to `rows` results of `PV` vec4s of pixels for an invocation. */
function block(product: Product, rows: number, PV: number): KernelVariant {
  const { sizes: { CI, GI, GROUPS, M4 }, transposed, outputs, fits, settings, buffers, params } = product;
  const OB = largestDivisor(outputs, rows), WG = M4 >= 64 * PV * 8 ? 64 : 16;
  const VEC = CI % 4 === 0 && (!transposed || OB % 4 === 0);
  return {
    name: `block ${OB}x${PV}`,
    plan: () => ({
      dispatches: [dispatch(shader, {
        constants: { OB, PV, WG, VEC, ...settings },
        buffers: { ...buffers, w: VEC ? fits ? uniformWeights : input(1) : as("f32", input(1)) },
        params: { ...params, groups: GROUPS },
        workgroups: [Math.ceil(M4 / (WG * PV)), (transposed ? GI : GROUPS) * outputs / OB, 1],
      })],
    }),
  };
}

/** As many results as `most` weights in registers allow, for 8 or 16 vec4s after each other. */
function held({ sizes: { GROUPS, M4 }, outputs, operands, settings, ...common }: Product, most: number): KernelVariant {
  const OB = largestDivisor(outputs, Math.min(16, most / operands));
  const WG = 32, SHARE = 8 * (M4 >= 2048 ? 16 : 8);
  return {
    name: `held ${OB}x${operands}`,
    plan: () => ({
      dispatches: [dispatch(heldShader, {
        constants: { OB, IB: operands, WG, SHARE, ...settings },
        buffers: { ...common.buffers, w: uniformWeights },
        params: common.params,
        workgroups: [Math.ceil(M4 / (SHARE * WG / 8)), GROUPS * outputs / OB, 1],
      })],
    }),
  };
}

/** Up to `most` results, one of every 8 in each of 8 lanes, which hold the weights and share the operands. */
function lanes(product: Product, most: number): KernelVariant {
  const { sizes: { GROUPS, M4 }, transposed, relu, outputs, operands, buffers, params } = product;
  const sums = GROUPS * outputs * M4 * 4;
  const IB = sums <= MOST_WAITING ? walkOperands(operands) : operands, walks = operands / IB, SPLIT = walks > 1;
  const EACH = laneChannels(outputs, Math.min(most, Math.max(16, SHARED_WEIGHTS / IB))),
    blocks = GROUPS * outputs / (8 * EACH);
  const share = Math.ceil(M4 / Math.ceil(16 / blocks));
  const w = !transposed || EACH === 4 ? input(1) : as(EACH === 2 ? "vec2f" : "f32", input(1));
  return {
    name: `lanes ${8 * EACH}x${operands}`,
    plan: () => ({
      scratch: SPLIT ? [sums] : [],
      dispatches: [dispatch(lanesShader, {
        constants: { EACH, IB, TRANSPOSED: transposed, MASKED: buffers.u !== undefined, SPLIT },
        buffers: { ...buffers, w, ...(SPLIT && { partial: scratch(0) }) },
        params: { ...params, share, relu: Number(relu), walks },
        workgroups: [Math.ceil(M4 / share), blocks, 1],
      })],
    }),
  };
}

/**
 * Ways to multiply input 0 of `context` with the weights of type `w`, input 1; `transposed`: for the gradient of the
 * input, input 0 being that of the output and input 2, where there is a ReLU, the input.
 */
export function product(
  context: KernelContext<PointwiseAttributes>,
  w: TensorType,
  transposed: boolean,
): KernelVariant[] {
  const all = productOf(context, w, transposed), { sizes: { CI, GI, GROUPS }, outputs, operands, fits } = all;
  const small = largestDivisor(outputs, 16) <= 8, direct = !transposed || GROUPS === GI;
  const holds = fits && CI % 4 === 0 && operands <= HELD_OPERANDS && direct;
  const shares = hasLanes(context.limits) && outputs % 8 === 0 && operands % 8 === 0 &&
    walkOperands(operands) <= SHARED_OPERANDS && direct;
  const holding = holds ? [held(all, 256), held(all, 128)] : [],
    sharing = shares ? [lanes(all, 32), lanes(all, 16)] : [];
  // Few channels are quicker in other ways.
  const any = hasLanes(context.limits) && !shares && !transposed && Math.min(operands, outputs) >= 16
    ? anyLanes({ ...all.sizes, x: context.inputs[0], relu: all.relu })
    : [];
  return context.limits.software
    ? [
      ...any,
      // The gradient by itself runs in alpha steps only, for which another long shader is not worth its compilation.
      ...(!transposed && Math.max(operands, outputs) <= 16 ? [...holding, ...sharing] : [...sharing, ...holding]),
      block(all, 16, small && transposed ? 4 : 2),
      block(all, 8, 4),
    ]
    // On an H200 small blocks were quicker with many channels, larger ones with few (docs/performance.md).
    : outputs >= 64
    ? [block(all, 8, 1), block(all, 8, 2), block(all, 4, 4)]
    : [block(all, 8, 2), block(all, 4, 4), block(all, 8, 1)];
}

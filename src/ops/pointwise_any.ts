/**
 * Kernels of 1x1 convolutions of any number of channels for subgroups of 8 lanes, with or without a batch norm with
 * given statistics and a sum behind.
 * @module
 */
import { pointwiseAnyLanes as source } from "./shader_texts.ts";
import { kernel, optional, read, write } from "../gpu/kernel.ts";
import { as, type Binding, dispatch, input, type KernelVariant, output, scratch } from "../graph/op.ts";
import type { TensorType } from "../graph/tensor_type.ts";
import { largestDivisor } from "./launch.ts";

const pixels = read("vec4f", "bf16"), perChannel = optional(read("f32"));
const shader = kernel("pointwise_any_lanes", source, {
  buffers: {
    ...{ x: pixels, w: read(["vec4f", "f32"]), y: write("vec4f", "bf16") },
    ...{ stats: perChannel, gamma: perChannel, beta: perChannel, more: optional(pixels) },
    partial: optional(write("vec4f")),
  },
  params: {
    inputGroups: "u32",
    outChannels: "u32",
    channels: "u32",
    length: "u32",
    width: "u32",
    relu: "u32",
    walks: "u32",
    add: "u32",
    blocks: "u32",
    share: "u32",
  },
});

/** A convolution: input 0 with the weights, input 1, and what comes behind. */
export interface AnyPointwise {
  /** Channels of an input group. */
  readonly CI: number;
  /** Channels of a group of the result. */
  readonly CO: number;
  /** Input groups. */
  readonly GI: number;
  /** Groups of the result. */
  readonly GROUPS: number;
  /** Vec4s of a channel. */
  readonly M4: number;
  /** Input. */
  readonly x: TensorType;
  readonly relu: boolean;
  /** Batch norm: where statistics, scale and shift are bound, and what is added to the variance. */
  readonly norm?: { readonly eps: number; readonly stats: Binding; readonly gamma: Binding; readonly beta: Binding };
  /** What is added to the result of the batch norm. */
  readonly more?: Binding;
}

/** Most weights that a lane holds at a time, unless one channel takes more. */
const HELD_WEIGHTS = 300;

/** More operands than these are taken in several walks of at least and at most so many. */
const SPLIT_FROM = 96, FEWEST_WALKED = 32, MOST_WALKED = 96;

/** Most operands that are taken in one walk. */
const MOST_OPERANDS = 512;

/** Most sums that wait from walk to walk, 4 MiB: not so many that a program needs more memory for them. */
const MOST_WAITING = 1 << 20;

/** Most channels of a lane. */
const MOST_EACH = 6;

/** Channels of each lane that leave the fewest lanes idle, more of them where it makes no difference. */
function channelsOfLane(channels: number, operands: number): number {
  const most = Math.max(1, Math.min(MOST_EACH, Math.floor(HELD_WEIGHTS / operands)));
  let best = 1;
  // A block loads all operands, which costs as much as two or three of its channels.
  const cost = (each: number) => Math.ceil(channels / (8 * each)) * (each + 2.5);
  for (let each = 2; each <= most; each++) if (cost(each) <= cost(best)) best = each;
  return best;
}

/** The way to run it; none for very many operands. */
export function anyLanes({ CI, CO, GI, GROUPS, M4, x, relu, norm, more }: AnyPointwise): KernelVariant[] {
  const sums = GROUPS * CO * M4 * 4, part = CI % 8 === 0 ? 8 * largestDivisor(CI / 8, MOST_WALKED / 8) : 0;
  const SPLIT = CI > SPLIT_FROM && part >= FEWEST_WALKED && sums <= MOST_WAITING, IB = SPLIT ? part : CI;
  if (IB > MOST_OPERANDS) return [];
  const EACH = channelsOfLane(CO, IB), blocks = Math.ceil(CO / (8 * EACH)), width = x.shape[3];
  const share = Math.ceil(M4 / Math.ceil(16 / (GROUPS * blocks))), NORM = norm !== undefined;
  return [{
    name: `lanes ${8 * EACH}x${CI}`,
    plan: () => ({
      scratch: SPLIT ? [sums] : [],
      dispatches: [dispatch(shader, {
        constants: {
          ...{ EACH, IB, SPLIT, NORM, GUARD: CO % (8 * EACH) !== 0, TAIL: NORM && width % 4 !== 0 },
          ...(norm && { EPS: norm.eps }),
        },
        buffers: {
          ...{ x: input(0), w: as(IB % 4 === 0 ? "vec4f" : "f32", input(1)), y: output(0) },
          ...(norm && { stats: norm.stats, gamma: norm.gamma, beta: norm.beta, more: more ?? input(0) }),
          ...(SPLIT && { partial: scratch(0) }),
        },
        params: {
          ...{ inputGroups: GI, outChannels: CO, channels: GROUPS * CO, length: M4, width, relu: Number(relu) },
          ...{ walks: CI / IB, add: Number(more !== undefined), blocks, share },
        },
        workgroups: [Math.ceil(M4 / share), GROUPS * blocks, 1],
      })],
    }),
  }];
}

/**
 * 1x1 convolution, batch norm with given statistics and a sum in one operation, for networks that only predict: nothing
 * between the three is stored. Not differentiable.
 * @module
 */
import { pointwiseNorm as source, pointwiseNormLanes as lanesSource } from "./shader_texts.ts";
import { kernel, optional, read, write } from "../gpu/kernel.ts";
import {
  as,
  dispatch,
  input,
  type KernelContext,
  type KernelVariant,
  type OpSpec,
  output,
  scratch,
} from "../graph/op.ts";
import { dense, image, sameType } from "../graph/tensor_type.ts";
import { hasLanes } from "./lanes.ts";
import { largestDivisor } from "./launch.ts";
import { normalize } from "./normalize.ts";
import { pointwise } from "./pointwise.ts";
import { type PointwiseAttributes, sizesOf } from "./pointwise_product.ts";

const x = read("vec4f", "bf16"), more = optional(x), y = write("vec4f", "bf16");
const norm = { stats: read("f32"), gamma: read("f32"), beta: read("f32") };
const sizes = {
  inputGroups: "u32",
  outChannels: "u32",
  channels: "u32",
  length: "u32",
  width: "u32",
  relu: "u32",
} as const;
const shader = kernel("pointwise_norm", source, {
  buffers: { x, w: read("f32"), ...norm, more, y },
  params: { ...sizes, inChannels: "u32" },
});
const lanesShader = kernel("pointwise_norm_lanes", lanesSource, {
  buffers: { x, w: read(["vec4f", "f32"]), ...norm, more: x, y, partial: optional(write("vec4f")) },
  params: { ...sizes, walks: "u32", add: "u32", blocks: "u32", share: "u32" },
});

/** Attributes of {@linkcode pointwiseNorm}. */
export interface PointwiseNormAttributes extends PointwiseAttributes {
  /** Added to the variance. */
  readonly eps: number;
}

/** Most weights that a lane holds at a time, unless one channel takes more. */
const HELD_WEIGHTS = 300;

/** More operands than these are taken in several walks, by up to so many each, with so many weights at most. */
const SPLIT_FROM = 96, WALKED = 96, WALKED_WEIGHTS = 300;

/** Most sums that wait from walk to walk, 4 MiB: not so many that a program needs more memory for them. */
const MOST_WAITING = 1 << 20;

/** Most channels of a lane. */
const MOST_EACH = 6;

/** Channels of each lane that leave the fewest lanes idle, more of them where it makes no difference. */
function channelsOfLane(channels: number, operands: number, weights: number): number {
  const most = Math.max(1, Math.min(MOST_EACH, Math.floor(weights / operands)));
  let best = 1;
  // A block loads all operands, which costs as much as two or three of its channels.
  const cost = (each: number) => Math.ceil(channels / (8 * each)) * (each + 2.5);
  for (let each = 2; each <= most; each++) if (cost(each) <= cost(best)) best = each;
  return best;
}

/** What both kinds of kernels get. */
function common({ inputs, attrs }: KernelContext<PointwiseNormAttributes>) {
  const [x, w] = inputs, { CI, CO, GI, GROUPS, M4 } = sizesOf(x, w, attrs), width = x.shape[3], ADD = inputs.length > 5;
  return {
    ...{ CI, CO, GROUPS, M4 },
    ADD,
    constants: { EPS: attrs.eps, TAIL: width % 4 !== 0 },
    buffers: {
      x: input(0),
      stats: input(2),
      gamma: input(3),
      beta: input(4),
      ...(ADD && { more: input(5) }),
      y: output(0),
    },
    params: {
      ...{ inputGroups: GI, outChannels: CO, channels: w.shape[0] },
      ...{ length: M4, width, relu: Number(attrs.relu) },
    },
  };
}

function lanes(context: KernelContext<PointwiseNormAttributes>): KernelVariant {
  const { CI, CO, GROUPS, M4, ADD, constants, buffers, params } = common(context), sums = GROUPS * CO * M4 * 4;
  const SPLIT = CI > SPLIT_FROM && CI % 8 === 0 && sums <= MOST_WAITING;
  const IB = SPLIT ? 8 * largestDivisor(CI / 8, WALKED / 8) : CI;
  const EACH = channelsOfLane(CO, IB, SPLIT ? WALKED_WEIGHTS : HELD_WEIGHTS), blocks = Math.ceil(CO / (8 * EACH));
  const share = Math.ceil(M4 / Math.ceil(16 / (GROUPS * blocks)));
  return {
    name: `lanes ${8 * EACH}x${CI}`,
    plan: () => ({
      scratch: SPLIT ? [sums] : [],
      dispatches: [dispatch(lanesShader, {
        constants: { ...constants, EACH, IB, GUARD: CO % (8 * EACH) !== 0, SPLIT },
        buffers: {
          ...{ ...buffers, more: input(ADD ? 5 : 0), w: as(IB % 4 === 0 ? "vec4f" : "f32", input(1)) },
          ...(SPLIT && { partial: scratch(0) }),
        },
        params: { ...params, blocks, share, walks: CI / IB, add: Number(ADD) },
        workgroups: [Math.ceil(M4 / share), GROUPS * blocks, 1],
      })],
    }),
  };
}

/** Up to `rows` results of `PV` vec4s of pixels for an invocation. */
function block(context: KernelContext<PointwiseNormAttributes>, rows: number, PV: number): KernelVariant {
  const { CI, CO, GROUPS, M4, ADD, constants, buffers, params } = common(context);
  const OB = largestDivisor(CO, rows), WG = M4 >= 64 * PV * 8 ? 64 : 16;
  return {
    name: `block ${OB}x${PV}`,
    plan: () => ({
      dispatches: [dispatch(shader, {
        constants: { ...constants, ADD, OB, PV, WG },
        buffers: { ...buffers, w: input(1) },
        params: { ...params, inChannels: CI },
        workgroups: [Math.ceil(M4 / (WG * PV)), GROUPS * CO / OB, 1],
      })],
    }),
  };
}

/** `(x, w, stats [2,C], gamma [C], beta [C][, more]) -> normalize(pointwise(x, w), stats, gamma, beta) [+ more]`. */
export const pointwiseNorm: OpSpec<PointwiseNormAttributes> = {
  name: "pointwise_norm",
  infer([x, w, stats, gamma, beta, more], attrs) {
    const made = pointwise.infer([x, w], attrs),
      [y] = normalize.infer([made[0], stats, gamma, beta], { ...attrs, batch: false });
    if (more && !sameType({ ...more, dtype: y.dtype }, y)) {
      throw new RangeError("what is added must have the result's shape");
    }
    return [y];
  },
  kernels(context) {
    const blocks = [block(context, 8, 2), block(context, 16, 2), block(context, 4, 4)];
    return hasLanes(context.limits) ? [lanes(context), ...blocks] : blocks;
  },
  reference(inputs, types, attrs) {
    const [x, w, stats, gamma, beta, more] = inputs, [made] = pointwise.infer(types.slice(0, 2), attrs);
    const [z] = pointwise.reference!([x, w], types, attrs);
    const [y] = normalize.reference!([z, stats, gamma, beta], [made], { eps: attrs.eps, batch: false });
    return [more ? y.map((v, i) => v + more[i]) : y];
  },
  cases() {
    const made = (
      name: string,
      x: ReturnType<typeof image>,
      [outputs, operands]: readonly [number, number],
      attrs: PointwiseAttributes,
      add: boolean,
    ) => {
      const vector = dense([outputs]), [, n, h, w] = x.shape;
      return {
        name,
        inputs: [
          ...[x, dense([outputs, operands]), dense([2, outputs]), vector, vector],
          ...(add ? [image(outputs, n, h, w)] : []),
        ],
        attrs: { ...attrs, eps: 1e-5 },
        fill: (index: number, e: number, normal: number, u: number) => index === 2 && e >= outputs ? 0.5 + u : normal,
      };
    };
    const one = { groups: 1, inputGroups: 1 };
    return [
      made("16 channels, ReLU", image(16, 2, 4, 8), [16, 16], { ...one, relu: true }, false),
      made("12 to 36 channels, added, odd size", image(12, 2, 3, 5), [36, 12], { ...one, relu: true }, true),
      made("7 to 5 channels, added", image(7, 1, 5, 4), [5, 7], { ...one, relu: false }, true),
      made("2 groups of 18", image(36, 1, 3, 7), [36, 18], { groups: 2, inputGroups: 2, relu: false }, false),
      made("2 groups of 1 input group", image(8, 3, 2, 2), [20, 8], { groups: 2, inputGroups: 1, relu: true }, true),
      made("216 to 24 channels, in three walks, added", image(216, 1, 2, 6), [24, 216], { ...one, relu: true }, true),
      made("144 to 40 channels", image(144, 1, 2, 9), [40, 144], { ...one, relu: true }, false),
    ];
  },
  macs: (inputs, outputs, attrs) => pointwise.macs!(inputs, outputs, attrs),
};

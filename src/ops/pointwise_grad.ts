/**
 * Gradients of the grouped 1x1 convolution, one by one or both in one walk.
 * @module
 */
import { pointwiseGradLanes as gradLanesSource, pointwiseWeightGrad as weightGradSource } from "./shader_texts.ts";
import { kernel, read, write } from "../gpu/kernel.ts";
import {
  as,
  type Binding,
  dispatch,
  input,
  type KernelContext,
  type KernelPlan,
  type KernelVariant,
  type OpSpec,
  output,
  scratch,
} from "../graph/op.ts";
import { dense, image, type TensorType } from "../graph/tensor_type.ts";
import { hasLanes } from "./lanes.ts";
import { largestDivisor } from "./launch.ts";
import { laneChannels, type PointwiseAttributes, product, sizesOf } from "./pointwise_product.ts";
import { reducePartials } from "./reduce_partials.ts";

const pixels = read("vec4f", "bf16");
const gradLanesShader = kernel("pointwise_grad_lanes", gradLanesSource, {
  buffers: {
    gy: pixels,
    w: read(["vec4f", "vec2f", "f32"]),
    x: pixels,
    gx: write("vec4f", "bf16"),
    sums: write(["vec4f", "vec2f", "f32"]),
  },
  params: { weights: "u32", inChannels: "u32", length: "u32", share: "u32", relu: "u32", blocks: "u32" },
});
const weightGradShader = kernel("pointwise_weight_grad", weightGradSource, {
  buffers: { gy: pixels, x: pixels, partial: write("f32") },
  params: {
    inputGroups: "u32",
    inChannels: "u32",
    outChannels: "u32",
    invocations: "u32",
    length: "u32",
    share: "u32",
  },
});

/** Ways to add up the gradient `dw`; inputs gy, x. */
function weightGradVariants(
  { attrs, limits }: KernelContext<PointwiseAttributes>,
  x: TensorType,
  dw: TensorType,
): KernelVariant[] {
  const { CI, CO, GI, M4 } = sizesOf(x, dw, attrs);
  const [rows] = dw.shape;
  /** Blocks of up to `most` x `most` weights, each added up by as many strands as leave `busy` of them. */
  const blocks = (most: number, busy: number): KernelVariant => {
    const BO = largestDivisor(CO, most), BI = largestDivisor(CI, most), count = (rows / BO) * (CI / BI);
    const strands = Math.min(Math.ceil(M4 / 256), 32, Math.ceil(busy / count)), WG = strands >= 8 ? 32 : 8;
    const SUBGROUPS = hasLanes(limits) && BO * BI % 8 === 0, ALONE = SUBGROUPS && strands === 1;
    const parts = SUBGROUPS ? strands : 8 * strands;
    const sizes = { count: rows * CI, parts, blockRows: BO, blockColumns: BI, columns: CI / BI };
    return {
      name: `blocks ${BO}x${BI}, strands ${strands}`,
      plan: () => ({
        scratch: ALONE ? [] : [count * parts * BO * BI],
        dispatches: [
          dispatch(weightGradShader, {
            constants: { BO, BI, WG, SUBGROUPS, ALONE, RELU: attrs.relu },
            buffers: { gy: input(0), x: input(1), partial: ALONE ? output(0) : scratch(0) },
            params: {
              ...{ inputGroups: GI, inChannels: CI, outChannels: CO, invocations: 8 * strands },
              ...{ length: M4, share: 8 * Math.ceil(M4 / (8 * strands)) },
            },
            workgroups: [Math.ceil(8 * strands / WG), count, 1],
          }),
          ...(ALONE ? [] : [reducePartials(sizes)]),
        ],
      }),
    };
  };
  // Every strand leaves partial sums behind: a CPU gets only as many as keep its cores busy.
  if (!limits.software) return [blocks(8, Infinity), blocks(4, Infinity)];
  // Large blocks need fewer loads, but make the longest shaders. With few output channels this runs only for reductions,
  // whose groups both gradients in one walk do not fit.
  const wide = blocks(16, 32), narrow = blocks(8, 32);
  return [
    ...(hasLanes(limits) ? (CO > 256 ? [wide, narrow] : [narrow, wide]) : []),
    ...[blocks(8, 64), blocks(8, 16), blocks(8, Infinity), blocks(4, 64)],
  ];
}

/** Gradient of {@linkcode pointwise} for x; inputs gy, w, and x when there is a ReLU. */
export const pointwiseInputGrad: OpSpec<PointwiseAttributes> = {
  name: "pointwise_input_grad",
  testedBy: "pointwise",
  infer([gy, w], { inputGroups }) {
    const [, n, h, width] = gy.shape;
    return [image(w.shape[1] * inputGroups, n, h, width)];
  },
  kernels: (context) => product(context, context.inputs[1], true),
  macs: ([gy, w]) => w.shape[0] * w.shape[1] * gy.shape[1] * gy.shape[2] * gy.shape[3],
};

/** Gradient of {@linkcode pointwise} for w; inputs gy, x. */
export const pointwiseWeightGrad: OpSpec<PointwiseAttributes> = {
  name: "pointwise_weight_grad",
  testedBy: "pointwise",
  infer: ([gy, x], { inputGroups }) => [dense([gy.shape[0], x.shape[0] / inputGroups])],
  kernels: (context) => weightGradVariants(context, context.inputs[1], context.outputs[0]),
  macs: ([gy, x], _, { inputGroups }) =>
    gy.shape[0] * (x.shape[0] / inputGroups) * x.shape[1] * x.shape[2] *
    x.shape[3],
};

/** Most weights of a block of input channels in the registers of 8 lanes, besides as many sums. */
const JOINT_WEIGHTS = 2048;

/** Input channels of each lane, blocks of them in all groups, and whether they are too many for the channels. */
function jointBlocks(CI: number, CO: number, GI: number): { EACH: number; blocks: number; GUARD: boolean } {
  // No more than output channels, so that convolutions to as many channels share a shader whatever they read. With more
  // than 32 of these, 16 are as fast as 32, and compiled in half the time.
  const most = Math.min(CO > 32 ? 16 : 32, CO, JOINT_WEIGHTS / CO);
  const EACH = CI % 8 === 0 ? laneChannels(CI, most) : CI % 2 === 0 && most >= 16 ? 2 : 1;
  return { EACH, blocks: GI * Math.ceil(CI / (8 * EACH)), GUARD: CI % (8 * EACH) !== 0 };
}

/** Both gradients in one walk over gy and x; undefined where subgroups or sizes do not allow it. */
function jointVariant(
  { attrs, limits }: KernelContext<PointwiseAttributes>,
  x: TensorType,
  dw: TensorType,
): KernelVariant | undefined {
  const { CI, CO, GI, GROUPS, M4 } = sizesOf(x, dw, attrs);
  if (!hasLanes(limits) || GROUPS !== GI || 8 * CO > JOINT_WEIGHTS) return undefined;
  const { EACH, blocks, GUARD } = jointBlocks(CI, CO, GI);
  // At least 8 subgroups, and an even number, since llvmpipe cuts them into one run for each core.
  const strands = Math.min(Math.ceil(M4 / 64), blocks < 8 ? 2 * Math.ceil(4 / blocks) : 1), ALONE = strands === 1;
  const element = EACH === 4 ? "vec4f" : EACH === 2 ? "vec2f" : "f32";
  const count = GROUPS * CO * CI, sums = { count, parts: strands, blockRows: 1, blockColumns: count, columns: 1 };
  return {
    name: `joint ${CO}x${8 * EACH}, strands ${strands}`,
    plan: () => ({
      scratch: ALONE ? [] : [count * strands],
      dispatches: [
        dispatch(gradLanesShader, {
          constants: { CO, EACH, GUARD },
          buffers: {
            ...{ gy: input(0), w: as(element, input(1)), x: input(2), gx: output(0) },
            sums: as(element, ALONE ? output(1) : scratch(0)),
          },
          params: {
            ...{ weights: count, inChannels: CI, length: M4 },
            ...{ share: Math.ceil(M4 / strands), relu: Number(attrs.relu), blocks: blocks / GI },
          },
          workgroups: [strands, blocks, 1],
        }),
        ...(ALONE ? [] : [reducePartials(sums, output(1))]),
      ],
    }),
  };
}

/** One way for each gradient, one after the other. */
function sequence(inputGrad: KernelVariant, weightGrad: KernelVariant): KernelVariant {
  return {
    name: `${inputGrad.name}; ${weightGrad.name}`,
    plan(): KernelPlan {
      const first = inputGrad.plan(), then = weightGrad.plan(), before = first.scratch?.length ?? 0;
      /** Where a binding of the weights' gradient, whose inputs are gy and x, is among those of both. */
      const moved = (binding: Binding): Binding => {
        const { from, index } = binding, by = from === "scratch" ? before : from === "input" && index === 0 ? 0 : 1;
        return { ...binding, index: index + by };
      };
      return {
        scratch: [...first.scratch ?? [], ...then.scratch ?? []],
        dispatches: [...first.dispatches, ...then.dispatches.map((d) => ({ ...d, bindings: d.bindings.map(moved) }))],
      };
    },
  };
}

/** Gradients of {@linkcode pointwise} for x and w; inputs gy, w, x. */
export const pointwiseGrad: OpSpec<PointwiseAttributes> = {
  name: "pointwise_grad",
  testedBy: "pointwise",
  infer: ([, w, x]) => [x, w],
  kernels(context) {
    const [, w, x] = context.inputs, joint = jointVariant(context, x, w);
    const [firstInput, ...inputs] = product(context, w, true),
      [firstWeight, ...weights] = weightGradVariants(context, x, w);
    return [
      ...(joint ? [joint] : []),
      sequence(firstInput, firstWeight),
      ...inputs.map((variant) => sequence(variant, firstWeight)),
      ...weights.map((variant) => sequence(firstInput, variant)),
    ];
  },
  macs: ([gy, w]) => 2 * w.shape[0] * w.shape[1] * gy.shape[1] * gy.shape[2] * gy.shape[3],
};

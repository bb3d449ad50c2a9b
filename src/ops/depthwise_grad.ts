/**
 * Gradients of the depthwise convolution, one for the input alone and one for the weights as well.
 * @module
 */
import { depthwiseGrad as source, depthwiseGradLanes as lanesSource } from "./shader_texts.ts";
import { kernel, optional, read, write } from "../gpu/kernel.ts";
import {
  type Binding,
  type Bound,
  type Dispatch,
  dispatch,
  input,
  type KernelContext,
  type KernelPlan,
  type OpSpec,
  output,
  scratch,
} from "../graph/op.ts";
import { inputGradient } from "./bn_grad.ts";
import {
  type Cut,
  type DepthwiseAttributes,
  edgesAtOnce,
  type Geometry,
  geometry,
  isNorm,
  LANE_PARAMS,
  type LaneCut,
  laneVariants,
  variants,
} from "./depthwise_cut.ts";
import type { TensorType } from "../graph/tensor_type.ts";
import type { Constants } from "../gpu/template.ts";
import { reducePartials } from "./reduce_partials.ts";
import { rowEnds } from "./shader_parts.ts";

const buffers = {
  gy: read("vec4f", "bf16"),
  w: read("f32"),
  gx: write("vec4f", "bf16"),
  x: optional(read("vec4f", "bf16")),
  stats: optional(read("f32")),
  partial: optional(write("f32")),
};
const shader = kernel("depthwise_grad", source, {
  buffers,
  params: { channels: "u32", edges: "u32", imageGroups: "u32", parts: "u32" },
});
const lanesShader = kernel("depthwise_grad_lanes", lanesSource, {
  parts: [rowEnds],
  buffers: { ...buffers, dw: optional(write("f32")) },
  params: { ...LANE_PARAMS, firstEdge: "u32", endEdge: "u32" },
});

/** What the kernels of one gradient have in common. */
interface Common {
  readonly sizes: Geometry;
  /** Whether the gradient of the weights is wanted. */
  readonly weights: boolean;
  /** Whether batch norm precedes the convolution, with statistics of the batch: its own gradient begins with two sums. */
  readonly sums: boolean;
  /** Sums that a kernel makes for each channel: those of the weights first. */
  readonly sumsEach: number;
  readonly constants: Constants;
  readonly buffers: Bound<typeof buffers>;
}

function commonOf({ inputs: [, w, x], attrs }: KernelContext<DepthwiseAttributes>, weights: boolean): Common {
  const sizes = geometry(x, w, attrs), norm = isNorm(attrs.prologue), sums = attrs.prologue === "batch-norm-relu";
  const MASK = attrs.prologue !== "none", sumsEach = (weights ? sizes.K ** 2 : 0) + (sums ? 2 : 0);
  const flags = { MASK, WEIGHTS: weights, NORM: norm, ...(norm ? { EPS: attrs.eps } : {}), SUMS: sums, V: sumsEach };
  return {
    ...{ sizes, weights, sums, sumsEach },
    constants: flags,
    buffers: {
      ...{ gy: input(0), w: input(1), gx: output(0) },
      ...((MASK || weights) && { x: input(2) }),
      ...(norm && { stats: input(3) }),
    },
  };
}

/** Kernels that leave `parts` partial sums of each channel in scratch 0, and what joins and uses these. */
function joined(common: Common, x: TensorType, eps: number, parts: number, kernels: readonly Dispatch[]): KernelPlan {
  const { sizes: { CI, CO, K }, weights, sums, sumsEach } = common, weightsEach = K ** 2;
  const reduce = (blockColumns: number, from: number, to: Binding) =>
    reducePartials(
      { count: CO * blockColumns, parts, blockRows: 1, blockColumns, columns: 1, stride: sumsEach, from },
      to,
    );
  const [sum, product] = [scratch(1), scratch(2)];
  return {
    scratch: [
      ...(sumsEach > 0 ? [CO * parts * sumsEach] : []),
      ...(sums ? [1, 2].map(() => Math.ceil(CI / 4) * 4) : []),
    ],
    dispatches: [
      ...kernels,
      ...(weights ? [reduce(weightsEach, 0, output(1))] : []),
      ...(sums
        ? [
          ...[sum, product].map((to, i) => reduce(1, sumsEach - 2 + i, to)),
          inputGradient(x, eps, { x: input(2), stats: input(3), sums: sum, products: product, gx: output(0) }),
        ]
        : []),
    ],
  };
}

/** A way for lanes: edges several at a time. */
function lanePlan(common: Common, cut: LaneCut, x: TensorType, eps: number): KernelPlan {
  const { sizes: { CI, CO, K, S, D, PAD }, weights, sumsEach } = common, { parts, constants, params } = cut;
  // Words that fill up the last vec4 of a result are zero, which only reduce_partials sees to.
  const ALONE = parts === 1 && (!weights || CO * K ** 2 % 4 === 0), edges = CO / CI, most = edgesAtOnce(constants);
  const LOW = Math.floor(PAD / Math.max(S, D));
  const WINDOW = S === 1 ? K : Math.floor((PAD + 1) / 2) + Math.floor(PAD / 2) + 1;
  const bound = {
    ...common.buffers,
    ...(ALONE ? weights && { dw: output(1) } : sumsEach > 0 && { partial: scratch(0) }),
  };
  /** Edges from `first` to `last`, `E` at a time. */
  const pass = (E: number, first: number, last: number): Dispatch =>
    dispatch(lanesShader, {
      constants: { ...constants, ...common.constants, LOW, WINDOW, RU: constants.CLASSES, E, ALONE },
      buffers: bound,
      params: { ...params, firstEdge: first, endEdge: last },
      workgroups: [parts, CI, 1],
    });
  // Two edges at once are much faster than two after each other. Four are a bit faster yet, but long shaders: only
  // for small windows, and not for the sake of alpha steps, which have no gradients of weights.
  const atOnce = [...(weights && most >= 8 ? [4] : []), ...(most >= 2 ? [2] : []), 1], passes: Dispatch[] = [];
  let first = 0;
  for (const E of atOnce) {
    const last = edges - (edges - first) % E;
    if (last > first) passes.push(pass(E, first, last));
    first = last;
  }
  return ALONE ? { scratch: [], dispatches: passes } : joined(common, x, eps, parts, passes);
}

/** A way for invocations by themselves. */
function cutPlan(common: Common, { count, NG, constants }: Cut, x: TensorType, eps: number): KernelPlan {
  const { sizes: { CI, CO, WO: _, ...sizes }, sumsEach } = common, groups = Math.ceil(count / constants.WG);
  const parts = constants.ACROSS ? groups : count;
  const kernel = dispatch(shader, {
    constants: { ...sizes, ...constants, ...common.constants, RU: sizes.D, LOADS: constants.TV + 2 },
    buffers: { ...common.buffers, ...(sumsEach > 0 && { partial: scratch(0) }) },
    params: { channels: CI, edges: CO / CI, imageGroups: NG, parts },
    workgroups: [groups, CI, 1],
  });
  return joined(common, x, eps, parts, [kernel]);
}

function gradOp(name: string, weights: boolean): OpSpec<DepthwiseAttributes> {
  return {
    name,
    testedBy: "depthwise",
    infer: ([, w, x]) => [x, ...(weights ? [w] : [])],
    kernels(context) {
      const common = commonOf(context, weights), { inputs: [, , x], attrs: { eps }, limits } = context;
      const { CI, D, H, N, P4 } = common.sizes, size = { rows: H, classes: D, columns: P4, n: N, planes: CI };
      return [
        ...laneVariants(common.sizes, limits, [8, 64], (cut) => lanePlan(common, cut, x, eps)),
        ...variants(size, limits.software, (cut) => cutPlan(common, cut, x, eps)),
      ];
    },
    macs: ([gy, w]) =>
      (weights ? 2 : 1) * gy.shape[0] * gy.shape[1] * gy.shape[2] *
      gy.shape[3] * w.shape[1] ** 2,
  };
}

/** Gradient of {@linkcode depthwise} for x, through batch norm where that precedes it; inputs gy, w, x, and the statistics. */
export const depthwiseInputGrad: OpSpec<DepthwiseAttributes> = gradOp("depthwise_input_grad", false);

/** Gradients of {@linkcode depthwise} for x and w in one kernel; inputs as {@linkcode depthwiseInputGrad}. */
export const depthwiseGrad: OpSpec<DepthwiseAttributes> = gradOp("depthwise_grad", true);

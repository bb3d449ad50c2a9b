/**
 * Grouped 1x1 convolution with an optional ReLU on load, the product that a supernet spends most of its arithmetic
 * on. Parallel edges of a supernet node are groups of one wide convolution.
 * @module
 */
import source from "../../shaders/pointwise.wgsl" with { type: "text" };
import heldSource from "../../shaders/pointwise_held.wgsl" with { type: "text" };
import shuffledSource from "../../shaders/pointwise_shuffled.wgsl" with { type: "text" };
import tiledSource from "../../shaders/pointwise_tiled.wgsl" with { type: "text" };
import weightGradSource from "../../shaders/pointwise_weight_grad.wgsl" with {
  type: "text",
};
import type { Tensor } from "../graph/graph.ts";
import {
  input,
  type KernelContext,
  type KernelVariant,
  type OpSpec,
  output,
  scratch,
  uniformInput,
} from "../graph/op.ts";
import { dense, image, type TensorType } from "../graph/tensor_type.ts";
import { imageVec4s, largestDivisor } from "./launch.ts";
import { onnxRelu, onnxRepeat, onnxWeight } from "./onnx.ts";
import { reducePartials } from "./reduce_partials.ts";

const shader = { name: "pointwise", source };
const heldShader = { name: "pointwise_held", source: heldSource };
const shuffledShader = { name: "pointwise_shuffled", source: shuffledSource };
const tiledShader = { name: "pointwise_tiled", source: tiledSource };
const weightGradShader = {
  name: "pointwise_weight_grad",
  source: weightGradSource,
};

/** Bytes of the uniform range that weights are bound as; arenas of weights have this much slack. */
export const WEIGHT_UNIFORM_BYTES = 65536;

/** Attributes of {@linkcode pointwise}. */
export interface PointwiseAttributes {
  /** Number of groups of output channels. */
  readonly groups: number;
  /** Number of groups of input channels; output group g reads input group g mod inputGroups. */
  readonly inputGroups: number;
  /** Apply ReLU to the input on load. */
  readonly relu: boolean;
}

interface Sizes {
  CI: number;
  CO: number;
  GI: number;
  GROUPS: number;
  M4: number;
}

function sizesOf(
  x: TensorType,
  w: TensorType,
  { groups, inputGroups }: PointwiseAttributes,
): Sizes {
  return {
    CI: w.shape[1],
    CO: w.shape[0] / groups,
    GI: inputGroups,
    GROUPS: groups,
    M4: imageVec4s(x),
  };
}

/** Most operands that an invocation adds up when it holds its weights in registers. */
const HELD_OPERANDS = 32;

function product(context: KernelContext<PointwiseAttributes>, w: TensorType, transposed: boolean): KernelVariant[] {
  const { CI, CO, GI, GROUPS, M4 } = sizesOf(context.inputs[0], w, context.attrs), { relu } = context.attrs;
  const [outputs, operands] = transposed ? [CI, CO] : [CO, CI], { software } = context.limits;
  const mask = transposed && relu ? [input(2)] : [], settings = { TRANSPOSED: transposed, RELU: relu };
  const fits = GROUPS * CO * CI * 4 <= WEIGHT_UNIFORM_BYTES &&
    context.limits.maxUniformBufferBindingSize >= WEIGHT_UNIFORM_BYTES;
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
  /** Like a block, of up to 16 results, with weights that the 8 lanes of a subgroup load for each other. */
  const shuffled = (PV: number): KernelVariant => {
    const OB = transposed ? largestDivisor(outputs, 16) : outputs % 16 === 0 ? 16 : 8; // the rows of 8 lanes, or two
    const WG = M4 >= 64 * PV * 8 ? 64 : 16, STEP = transposed ? 8 : 4;
    return {
      name: `shuffled ${OB}x${PV}`,
      plan: () => ({
        dispatches: [{
          shader: shuffledShader,
          constants: { OB, PV, STEP, WG, UNIFORM: fits, ...settings },
          bindings: [input(0), fits ? weights : input(1), output(0), ...mask],
          params: [GI, GROUPS, CI, CO, M4, 0, 0, 0],
          workgroups: [Math.ceil(M4 / (WG * PV)), (transposed ? GI : GROUPS) * outputs / OB, 1],
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
  const shuffles = context.limits.subgroupSize === 8 && CI % 4 === 0 && (transposed ? CO : outputs) % 8 === 0;
  const holding = holds ? [held(256), held(128)] : [], shuffling = shuffles ? [shuffled(2), shuffled(4)] : [];
  return software
    ? [
      ...(operands === HELD_OPERANDS && !transposed ? [...shuffling, ...holding] : [...holding, ...shuffling]),
      block(16, small && transposed ? 4 : 2),
      block(8, 4),
    ]
    : [...(outputs >= 32 ? [tiled(), block(8, 2)] : [block(8, 2), tiled()]), block(16, 2), block(8, 1), block(4, 4)];
}

/** 1x1 convolution: x `[inputGroups*Ci, N, H, W]`, w `[groups*Co, Ci]` to `[groups*Co, N, H, W]`. No bias. */
export const pointwise: OpSpec<PointwiseAttributes> = {
  name: "pointwise",
  infer([x, w], { groups, inputGroups }) {
    const [c, n, h, width] = x.shape, [o, i] = w.shape;
    if (x.layout !== "image" || w.shape.length !== 2) {
      throw new RangeError("it needs an image and [Cout, Cin] weights");
    }
    if (
      c !== i * inputGroups || o % groups !== 0 || groups % inputGroups !== 0
    ) {
      throw new RangeError(
        `weights of ${groups} groups must fit ${inputGroups} input groups of ${c} channels`,
      );
    }
    return [image(o, n, h, width)];
  },
  kernels: (context) => product(context, context.inputs[1], false),
  gradient({ graph, node, grads: [gy], needs }) {
    const [x, w] = node.inputs as [Tensor, Tensor], { attrs } = node;
    return [
      needs[0]
        ? graph.apply1(
          pointwiseInputGrad,
          attrs.relu ? [gy!, w, x] : [gy!, w],
          attrs,
          "dx",
        )
        : null,
      needs[1] ? graph.apply1(pointwiseWeightGrad, [gy!, x], attrs, "dw") : null,
    ];
  },
  reference([x, w], [xt, wt], { groups, inputGroups, relu }) {
    const [cx, n, h, width] = xt.shape,
      m = n * h * width,
      [cy, ci] = wt.shape,
      co = cy / groups;
    const y = new Float64Array(cy * m),
      f = relu ? (v: number) => Math.max(v, 0) : (v: number) => v;
    for (let o = 0; o < cy; o++) {
      const from = (Math.floor(o / co) % inputGroups) * (cx / inputGroups);
      for (let i = 0; i < ci; i++) {
        for (let p = 0; p < m; p++) {
          y[o * m + p] += w[o * ci + i] * f(x[(from + i) * m + p]);
        }
      }
    }
    return [y];
  },
  cases: () => [
    {
      name: "plain",
      inputs: [image(8, 2, 3, 4), dense([8, 8])],
      attrs: { groups: 1, inputGroups: 1, relu: false },
    },
    {
      name: "wide, ReLU, odd size",
      inputs: [image(4, 2, 3, 5), dense([32, 4])],
      attrs: { groups: 1, inputGroups: 1, relu: true },
    },
    {
      name: "more operands than are staged at once, ReLU",
      inputs: [image(20, 1, 3, 5), dense([32, 20])],
      attrs: { groups: 1, inputGroups: 1, relu: true },
    },
    {
      name: "24 outputs, no multiple of 16",
      inputs: [image(12, 1, 3, 5), dense([24, 12])],
      attrs: { groups: 1, inputGroups: 1, relu: true },
    },
    {
      name: "3 groups of 12",
      inputs: [image(12, 1, 3, 7), dense([12, 4])],
      attrs: { groups: 3, inputGroups: 3, relu: false },
    },
    {
      name: "6 groups on 2 input groups",
      inputs: [image(8, 2, 3, 3), dense([12, 4])],
      attrs: { groups: 6, inputGroups: 2, relu: true },
    },
    {
      name: "4 groups of 8 on 2 input groups",
      inputs: [image(8, 2, 3, 5), dense([32, 4])],
      attrs: { groups: 4, inputGroups: 2, relu: true },
    },
    {
      name: "channels that are no multiple of 4",
      inputs: [image(3, 1, 5, 6), dense([10, 3])],
      attrs: { groups: 2, inputGroups: 1, relu: true },
    },
    {
      name: "more than one pixel block",
      inputs: [image(4, 3, 9, 9), dense([4, 4])],
      attrs: { groups: 1, inputGroups: 1, relu: false },
    },
  ],
  macs: ([x, w]) => w.shape[0] * w.shape[1] * x.shape[1] * x.shape[2] * x.shape[3],
  onnx(context) {
    const { groups, inputGroups, relu } = context.node.attrs, [co, ci] = context.node.inputs[1].type.shape;
    // Every output group reads a single input group whole.
    const group = inputGroups === 1 ? 1 : groups;
    const x = onnxRepeat(context, onnxRelu(context, context.input(0), relu), group / inputGroups);
    const w = onnxWeight(context, 1, [co, ci, 1, 1]);
    return [context.emit("Conv", [x, w], { kernel_shape: [1, 1], group })];
  },
};

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
  infer: (
    [gy, x],
    { inputGroups },
  ) => [dense([gy.shape[0], x.shape[0] / inputGroups])],
  kernels({ inputs: [, x], outputs: [dw], attrs, limits }) {
    const { CI, CO, GI, M4 } = sizesOf(x, dw, attrs);
    const [rows] = dw.shape;
    /** Blocks of up to `most` x `most` weights, each added up by as many strands as leave `busy` of them. */
    const blocks = (most: number, busy: number): KernelVariant => {
      const BO = largestDivisor(CO, most), BI = largestDivisor(CI, most), count = (rows / BO) * (CI / BI);
      const strands = Math.min(Math.ceil(M4 / 256), 32, Math.ceil(busy / count)), WG = strands >= 8 ? 32 : 8;
      const SUBGROUPS = limits.subgroupSize === 8 && BO * BI % 8 === 0, ALONE = SUBGROUPS && strands === 1;
      const parts = SUBGROUPS ? strands : 8 * strands;
      const sizes = { count: rows * CI, parts, blockRows: BO, blockColumns: BI, columns: CI / BI };
      return {
        name: `blocks ${BO}x${BI}, strands ${strands}`,
        plan: () => ({
          scratch: ALONE ? [] : [count * parts * BO * BI],
          dispatches: [
            {
              shader: weightGradShader,
              constants: { BO, BI, WG, SUBGROUPS, ALONE, RELU: attrs.relu },
              bindings: [input(0), input(1), ALONE ? output(0) : scratch(0)],
              params: [GI, CI, CO, 8 * strands, M4, 8 * Math.ceil(M4 / (8 * strands)), 0, 0],
              workgroups: [Math.ceil(8 * strands / WG), count, 1],
            },
            ...(ALONE ? [] : [reducePartials(sizes)]),
          ],
        }),
      };
    };
    // Every strand leaves partial sums behind: a CPU gets only as many as keep its cores busy.
    if (!limits.software) return [blocks(8, Infinity), blocks(4, Infinity)];
    return [
      ...(limits.subgroupSize === 8 ? [blocks(16, 32)] : []),
      ...[blocks(8, 64), blocks(8, 16), blocks(8, Infinity), blocks(4, 64)],
    ];
  },
  macs: ([gy, x], _, { inputGroups }) =>
    gy.shape[0] * (x.shape[0] / inputGroups) * x.shape[1] * x.shape[2] *
    x.shape[3],
};

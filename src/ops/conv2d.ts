/**
 * Full convolution for stems and heads, with an optional ReLU on load. Cells use `pointwise` and `depthwise`.
 * @module
 */
import {
  conv2d as source,
  conv2dInputGrad as inputGradSource,
  conv2dWeightGrad as weightGradSource,
  conv2dWeights as weightsSource,
} from "./shader_texts.ts";
import type { GpuLimits } from "../gpu/device.ts";
import { kernel, optional, read, write } from "../gpu/kernel.ts";
import {
  type Binding,
  type Dispatch,
  dispatch,
  input,
  type KernelPlan,
  type OpCase,
  type OpSpec,
  output,
  scratch,
} from "../graph/op.ts";
import { dense, image, rowPitch, type TensorType } from "../graph/tensor_type.ts";
import { expectDense, expectImage, expectInputs, expectInteger, expectShape } from "./expect.ts";
import { grid, largestDivisor } from "./launch.ts";
import { onnxRelu, onnxWindow } from "./onnx.ts";
import { reducePartials } from "./reduce_partials.ts";
import { strided, stridedInputGrad, stridedWeightGrad } from "./strided.ts";
import { winograd, winogradInputGrad, winogradWeightGrad } from "./winograd.ts";

const shader = kernel("conv2d", source, {
  buffers: { x: read("vec4f", "bf16"), v: read("vec4f"), y: write("vec4f", "bf16") },
});
const weightsShader = kernel("conv2d_weights", weightsSource, { buffers: { w: read("f32"), v: write("f32") } });
const inputGradShader = kernel("conv2d_input_grad", inputGradSource, {
  buffers: {
    gy: read("vec4f", "bf16"),
    v: read("vec4f"),
    x: optional(read("vec4f", "bf16")),
    gx: write("vec4f", "bf16"),
  },
});
const weightGradShader = kernel("conv2d_weight_grad", weightGradSource, {
  buffers: { gy: read("vec4f", "bf16"), x: read("vec4f", "bf16"), partial: write("f32") },
});

/** Attributes of {@linkcode conv2d}. */
export interface Conv2dAttributes {
  readonly stride: number;
  /** Zeros around the image, in pixels. */
  readonly padding: number;
  /** Whether ReLU is applied to x on load. */
  readonly relu: boolean;
}

/** Attributes of {@linkcode conv2dInputGrad}: the convolution's and the size of its input. */
export interface Conv2dInputGradAttributes extends Conv2dAttributes {
  readonly height: number;
  readonly width: number;
}

/** Attributes of {@linkcode conv2dWeightGrad}: the convolution's and the size of its kernel. */
export interface Conv2dWeightGradAttributes extends Conv2dAttributes {
  readonly kernel: number;
}

function inferConv(x: TensorType, w: TensorType, { stride, padding }: Conv2dAttributes): TensorType {
  const [ci, n, h, width] = expectImage(x, "x");
  const [co, , k] = expectDense(w, "w", 4);
  expectShape(w, "w", [co, ci, k, k]);
  expectInteger(stride, "stride", 1);
  expectInteger(padding, "padding", 0);
  if (Math.min(h, width) + 2 * padding < k) {
    throw new RangeError(
      `the image of ${h} x ${width} with padding ${padding} must be at least as large as the kernel of ${k} x ${k}`,
    );
  }
  const size = (s: number) => Math.floor((s + 2 * padding - k) / stride) + 1;
  return image(co, n, size(h), size(width));
}

/** Constants that all kernels of one convolution share. */
function geometry(
  x: readonly number[],
  y: readonly number[],
  K: number,
  { stride, padding, relu }: Conv2dAttributes,
) {
  const [CI, N, H, W] = x, [CO, , HO, WO] = y;
  return {
    CI,
    CO,
    N,
    H,
    W,
    HO,
    WO,
    K,
    S: stride,
    PAD: padding,
    RELU: relu,
    Q: rowPitch(W) / 4,
    QO: rowPitch(WO) / 4,
  };
}

/**
 * Vec4s of an input row that `count` output pixels from a multiple of 4 on look at: `NQ` from `S * q + FIRST` on,
 * where the first pixel's first tap is number `OFF`.
 */
function span(count: number, k: number, stride: number, padding: number) {
  const FIRST = Math.floor(-padding / 4), OFF = -padding - 4 * FIRST;
  const NQ = Math.floor((OFF + stride * (count - 1) + k - 1) / 4) + 1;
  return { FIRST, OFF, NQ };
}

/** Arranges the weights (input 1) in scratch 0: blocks of `OB` outer channels. */
function arrange(
  OUTER: number,
  INNER: number,
  K: number,
  OB: number,
  TRANSPOSED: boolean,
): { first: Dispatch; length: number } {
  const TAPS = K * K, length = Math.ceil(OUTER / OB) * OB * INNER * TAPS;
  const { workgroups, GRID_X } = grid(length, 64);
  const constants = { OUTER, INNER, TAPS, OB, TRANSPOSED, COUNT: length };
  return {
    length,
    first: dispatch(weightsShader, {
      constants: { ...constants, GRID_X },
      buffers: { w: input(1), v: scratch(0) },
      workgroups,
    }),
  };
}

/** Tile along a row that wastes least of it: at most `most` vec4s, the larger one of equals. */
function tile(length: number, most: number): number {
  let best = 1, bestCost = Infinity;
  for (let t = 1; t <= most; t++) {
    const cost = Math.ceil(length / t) * (t + 1);
    if (cost <= bestCost) [best, bestCost] = [t, cost];
  }
  return best;
}

/** The convolution as sums over taps. */
function forwardPlan(
  x: TensorType,
  w: TensorType,
  y: TensorType,
  attrs: Conv2dAttributes,
  limits: GpuLimits,
): KernelPlan {
  const K = w.shape[2], { W: _, ...shared } = geometry(x.shape, y.shape, K, attrs);
  const { CI, CO, N, HO, QO, S, PAD } = shared;
  const OB = CO > 4 ? 8 : 4, PX = tile(QO, S === 1 ? 4 : 2);
  const TILES = Math.ceil(QO / PX), COUNT = N * HO * TILES;
  const { workgroups: [gx, gy], GRID_X } = grid(COUNT, 64);
  const { first, length } = arrange(CO, CI, K, OB, false);
  const fits = length * 4 <= limits.maxUniformBufferBindingSize;
  const weights: Binding = fits ? { ...scratch(0), uniform: length * 4 } : scratch(0);
  return {
    scratch: [length],
    dispatches: [
      first,
      dispatch(shader, {
        constants: { ...shared, ...span(4 * PX, K, S, PAD), OB, PX, TILES, COUNT, GRID_X },
        buffers: { x: input(0), v: weights, y: output(0) },
        workgroups: [gx, gy, Math.ceil(CO / OB)],
      }),
    ],
  };
}

/** The gradient for x as sums over taps. */
function inputGradPlan(gy: TensorType, w: TensorType, gx: TensorType, attrs: Conv2dAttributes): KernelPlan {
  const K = w.shape[2];
  const { WO: _, ...shared } = geometry(gx.shape, gy.shape, K, attrs), { CI, CO, N, H, Q, S, PAD, RELU } = shared;
  const OB = CI > 4 && S <= 2 ? 8 : 4, blocks = Math.ceil(CI / OB);
  const TILES = Math.ceil(Q / S), COUNT = N * H * TILES;
  const { workgroups: [gx0, gy0], GRID_X } = grid(COUNT, 64);
  const FIRST = Math.floor(Math.floor((PAD - K + 1) / S) / 4);
  const NQ = Math.floor((4 * S - 1 + PAD) / S / 4) - FIRST + 1;
  const { first, length } = arrange(CI, CO, K, OB, true);
  return {
    scratch: [length],
    dispatches: [
      first,
      dispatch(inputGradShader, {
        constants: { ...shared, OB, TILES, FIRST, NQ, COUNT, GRID_X },
        buffers: { gy: input(0), v: scratch(0), ...(RELU && { x: input(2) }), gx: output(0) },
        workgroups: [gx0, gy0, blocks],
      }),
    ],
  };
}

/** The gradient for w as sums over taps. */
function weightGradPlan(gy: TensorType, x: TensorType, attrs: Conv2dWeightGradAttributes): KernelPlan {
  const K = attrs.kernel,
    { CO, W: _, WO: __, ...shared } = geometry(x.shape, gy.shape, K, attrs),
    { CI, N, HO, S, PAD } = shared;
  const KG = K <= 3 ? K : 1, OB = largestDivisor(CO, K <= 5 ? 8 : 4);
  const rows = N * HO, count = CO * CI * K * K;
  // Up to 64 partial sums of a weight, in at most 16 MiB.
  const most = Math.max(1, Math.min(64, Math.floor(2 ** 22 / count)));
  const CHUNK = Math.ceil(rows / most), T = Math.ceil(rows / CHUNK);
  return {
    scratch: [count * T],
    dispatches: [
      dispatch(weightGradShader, {
        constants: { ...shared, ...span(4, K, S, PAD), KG, OB, CHUNK, T },
        buffers: { gy: input(0), x: input(1), partial: scratch(0) },
        workgroups: [Math.ceil(T / 16), CI * (K / KG), CO / OB],
      }),
      reducePartials({
        count,
        parts: T,
        blockRows: OB,
        blockColumns: KG * K,
        columns: CI * (K / KG),
      }),
    ],
  };
}

/** Gradient of {@linkcode conv2d} for x: (gy, w, x when relu) -> gx. */
export const conv2dInputGrad: OpSpec<Conv2dInputGradAttributes> = {
  name: "conv2d_input_grad",
  infer(inputs, attrs) {
    expectInputs(inputs, attrs.relu ? ["gy", "w", "x"] : ["gy", "w"]);
    const [, n] = expectImage(inputs[0], "gy");
    const [, ci] = expectDense(inputs[1], "w", 4);
    const gx = image(ci, n, attrs.height, attrs.width);
    expectShape(inputs[0], "gy", inferConv(gx, inputs[1], attrs).shape);
    if (attrs.relu) expectShape(inputs[2], "x", gx.shape);
    return [gx];
  },
  kernels({ inputs: [gy, w], outputs: [gx], attrs, limits }) {
    const taps = { name: "taps", plan: () => inputGradPlan(gy, w, gx, attrs) };
    const of = { x: gx, w, ...attrs };
    return [...winogradInputGrad(of, limits), ...stridedInputGrad(of, limits), taps];
  },
  testedBy: "conv2d",
  macs: ([gy, w]) => convMacs(gy, w),
};

/** Gradient of {@linkcode conv2d} for w: (gy, x) -> gw. */
export const conv2dWeightGrad: OpSpec<Conv2dWeightGradAttributes> = {
  name: "conv2d_weight_grad",
  infer(inputs, attrs) {
    expectInputs(inputs, ["gy", "x"]);
    const [co] = expectImage(inputs[0], "gy");
    const [ci] = expectImage(inputs[1], "x");
    const w = dense([co, ci, attrs.kernel, attrs.kernel]);
    expectShape(inputs[0], "gy", inferConv(inputs[1], w, attrs).shape);
    return [w];
  },
  kernels({ inputs: [gy, x], outputs: [w], attrs, limits }) {
    const taps = { name: "taps", plan: () => weightGradPlan(gy, x, attrs) };
    const of = { x, w, ...attrs };
    return [...winogradWeightGrad(of, limits), ...stridedWeightGrad(of, limits), taps];
  },
  testedBy: "conv2d",
  macs: ([gy], [w]) => convMacs(gy, w),
};

const convMacs = (y: TensorType, w: TensorType): number =>
  y.shape[1] * y.shape[2] * y.shape[3] * w.shape.reduce((a, b) => a * b);

/**
 * Convolution: x `[Ci, N, H, W]`, w `[Co, Ci, K, K]` -> `[Co, N, floor((H + 2 padding - K) / stride) + 1, ...]`.
 * No bias.
 */
export const conv2d: OpSpec<Conv2dAttributes> = {
  name: "conv2d",
  infer(inputs, attrs) {
    expectInputs(inputs, ["x", "w"]);
    return [inferConv(inputs[0], inputs[1], attrs)];
  },
  kernels({ inputs: [x, w], outputs: [y], attrs, limits }) {
    const taps = { name: "taps", plan: () => forwardPlan(x, w, y, attrs, limits) };
    const of = { x, w, ...attrs };
    return [...winograd(of, limits), ...strided(of, limits), taps];
  },
  gradient({ graph, node, grads, needs }) {
    const [gy] = grads, [x, w] = node.inputs, { attrs } = node;
    if (!gy) return [null, null];
    const [, , height, width] = x.type.shape;
    return [
      needs[0]
        ? graph.apply1(conv2dInputGrad, attrs.relu ? [gy, w, x] : [gy, w], {
          ...attrs,
          height,
          width,
        })
        : null,
      needs[1]
        ? graph.apply1(conv2dWeightGrad, [gy, x], {
          ...attrs,
          kernel: w.type.shape[2],
        })
        : null,
    ];
  },
  reference([x, w], [xt, wt], attrs) {
    const [ci, n, h, width] = xt.shape, [co, , k] = wt.shape;
    const { stride, padding, relu } = attrs;
    const [, , ho, wo] = inferConv(xt, wt, attrs).shape;
    const y = new Float64Array(co * n * ho * wo);
    y.forEach((_, i) => {
      const ox = i % wo, oy = Math.floor(i / wo) % ho;
      const b = Math.floor(i / (wo * ho)) % n;
      const o = Math.floor(i / (wo * ho * n));
      for (let c = 0; c < ci; c++) {
        for (let ky = 0; ky < k; ky++) {
          for (let kx = 0; kx < k; kx++) {
            const iy = oy * stride + ky - padding;
            const ix = ox * stride + kx - padding;
            if (iy < 0 || iy >= h || ix < 0 || ix >= width) continue;
            const v = x[((c * n + b) * h + iy) * width + ix];
            y[i] += (relu ? Math.max(v, 0) : v) *
              w[((o * ci + c) * k + ky) * k + kx];
          }
        }
      }
    });
    return [y];
  },
  cases: () =>
    ([
      ["stem, 7 x 7", image(3, 2, 7, 7), 9, 3, 1, 1, false],
      ["stem, stride 2, 5 x 9", image(3, 1, 5, 9), 6, 3, 2, 1, false],
      ["one channel, 13 x 13", image(1, 1, 13, 13), 5, 3, 1, 1, false],
      ["relu, stride 2, 8 x 8", image(2, 2, 8, 8), 8, 3, 2, 1, true],
      ["relu, 6 x 12, many channels", image(9, 1, 6, 12), 3, 3, 1, 1, true],
      ["several tiles in a row", image(1, 1, 3, 40), 4, 3, 1, 1, false],
      ["kernel 1, stride 2", image(5, 2, 5, 5), 4, 1, 2, 0, false],
      ["kernel 2, no padding", image(2, 1, 4, 5), 10, 2, 1, 0, false],
      ["kernel 5, padding 2, stride 2", image(1, 2, 7, 9), 2, 5, 2, 2, false],
      ["kernel 7, padding 3, stride 3", image(2, 1, 9, 10), 3, 7, 3, 3, true],
      ["3 to 8 channels, 5 x 9", image(3, 2, 5, 9), 8, 3, 1, 1, true],
      ["4 to 16 channels, 6 x 4", image(4, 2, 6, 4), 16, 3, 1, 1, false],
      ["stride 2, 3 to 8 channels, 5 x 9", image(3, 2, 5, 9), 8, 3, 2, 1, true],
      ["stride 2, 4 to 16 channels, 6 x 16", image(4, 2, 6, 16), 16, 3, 2, 1, false],
      ["stride 2, 8 to 16 channels, 7 x 5", image(8, 2, 7, 5), 16, 3, 2, 1, true],
      ["stride 2, 16 to 8 channels, 1 x 3", image(16, 3, 1, 3), 8, 3, 2, 1, false],
      ["stride 2, 24 to 24 channels, 4 x 2", image(24, 1, 4, 2), 24, 3, 2, 1, true, [0]],
      ["stride 2, 16 to 32 channels, 3 x 12", image(16, 1, 3, 12), 32, 3, 2, 1, false, [0]],
      ["stride 2, 8 to 64 channels, 3 x 6, relu", image(8, 1, 3, 6), 64, 3, 2, 1, true, [0]],
      ["8 channels, 5 x 7", image(8, 2, 5, 7), 8, 3, 1, 1, true],
      ["16 to 8 channels, 4 x 8", image(16, 1, 4, 8), 8, 3, 1, 1, true],
      ["8 to 16 channels, one row of 3", image(8, 3, 1, 3), 16, 3, 1, 1, false],
      ["8 to 24 channels, 3 x 2, relu", image(8, 2, 3, 2), 24, 3, 1, 1, true],
      ["32 channels, 2 x 5", image(32, 1, 2, 5), 16, 3, 1, 1, true, [0]],
      ["wide padding", image(1, 1, 2, 3), 1, 3, 1, 5, false],
      ["one pixel", image(2, 1, 1, 1), 1, 3, 1, 1, false],
    ] as const).map(([name, x, co, k, stride, padding, relu, wrt]): OpCase<Conv2dAttributes> => ({
      name,
      inputs: [x, dense([co, x.shape[0], k, k])],
      attrs: { stride, padding, relu },
      wrt,
    })),
  macs: ([, w], [y]) => convMacs(y, w),
  onnx(context) {
    const { stride, padding, relu } = context.node.attrs, [, w] = context.node.inputs;
    const x = onnxRelu(context, context.input(0), relu);
    return [context.emit("Conv", [x, context.input(1)], onnxWindow(w.type.shape[2], stride, padding))];
  },
};

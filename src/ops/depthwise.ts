/**
 * Depthwise convolution with what precedes it in a DARTS primitive (ReLU, or batch norm and ReLU) applied on load, so
 * that the activated tensor is never stored. Parallel edges of a supernet node share one input: the weights of e
 * edges make e times as many output channels.
 * @module
 */
import source from "../../shaders/depthwise.wgsl" with { type: "text" };
import gradSource from "../../shaders/depthwise_grad.wgsl" with {
  type: "text",
};
import type { Tensor } from "../graph/graph.ts";
import { input, type KernelPlan, type KernelVariant, type OpCase, type OpSpec, output, scratch } from "../graph/op.ts";
import { dense, image, rowPitch, type TensorType } from "../graph/tensor_type.ts";
import { batchNormGradient } from "./bn_grad.ts";
import { onnxBatchNorm, onnxRelu, onnxRepeat, onnxWeight, onnxWindow } from "./onnx.ts";
import { channelStatistics } from "./reference.ts";
import { reducePartials } from "./reduce_partials.ts";

const shader = { name: "depthwise", source };
const gradShader = { name: "depthwise_grad", source: gradSource };

/** What is applied to the input of a convolution on load. */
export type Prologue =
  /** Nothing. */
  | "none"
  /** ReLU. */
  | "relu"
  /** Batch norm without affine parameters, then ReLU; input 2 holds the batch's statistics `[2, C]`. */
  | "batch-norm-relu"
  /** The same with constant (running) statistics. */
  | "fixed-norm-relu";

/** Attributes of {@linkcode depthwise}. */
export interface DepthwiseAttributes {
  readonly stride: 1 | 2;
  readonly dilation: number;
  readonly prologue: Prologue;
  /** Batch norm's epsilon; used by the norm prologues. */
  readonly eps: number;
}

const isNorm = (p: Prologue): boolean => p === "batch-norm-relu" || p === "fixed-norm-relu";

/** Widest tile of a row that one invocation holds, in vec4s. */
const WIDEST_TILE = 8;

function geometry(x: TensorType, w: TensorType, attrs: DepthwiseAttributes) {
  const [CI, N, H, W] = x.shape,
    [CO, K] = w.shape,
    { stride: S, dilation: D } = attrs;
  const HO = Math.ceil(H / S), WO = Math.ceil(W / S);
  return {
    CI,
    CO,
    N,
    H,
    W,
    K,
    S,
    D,
    HO,
    WO,
    P4: rowPitch(W) / 4,
    Q4: rowPitch(WO) / 4,
    PAD: (K - 1) * D / 2,
  };
}

/** The work of a kernel: `n` images of `planes` channels, rows of `columns` vec4s in `classes` row classes. */
interface Size {
  readonly rows: number;
  readonly columns: number;
  readonly classes: number;
  readonly n: number;
  readonly planes: number;
}

/** A way to share the work among invocations. */
interface Cut {
  /** Invocations for each channel. */
  readonly count: number;
  /** Images side by side; a parameter and no constant, so that like layers share a pipeline. */
  readonly NG: number;
  readonly constants: {
    readonly TILES: number;
    readonly TV: number;
    readonly CHUNKS: number;
    readonly RC: number;
    readonly CLASSES: number;
    readonly WG: number;
    readonly ACROSS: boolean;
  };
}

/**
 * Whole rows (up to {@linkcode WIDEST_TILE} vec4s) for an invocation, and as many rows and images as leave `busy`
 * invocations: the fewer, the less often weights and halos are loaded. What suits the few cores of a CPU.
 */
function strands(size: Size, busy: number): Cut {
  const { classes: CLASSES, n, planes } = size, rows = Math.ceil(size.rows / CLASSES);
  const TILES = Math.ceil(size.columns / WIDEST_TILE), TV = Math.ceil(size.columns / TILES);
  const wanted = Math.ceil(busy / (planes * CLASSES * TILES));
  const most = Math.min(Math.ceil(64 / (n * CLASSES)), Math.floor(rows / 6), Math.ceil(rows / 4));
  const CHUNKS = Math.max(1, Math.min(most, Math.ceil(wanted / n))), RC = Math.ceil(rows / CHUNKS);
  let NG = n;
  for (let d = n; d >= 1; d--) {
    const enough = d * CHUNKS >= wanted && d * CHUNKS * CLASSES * TILES >= 8;
    if (n % d === 0 && enough) NG = d;
  }
  const count = NG * CHUNKS * CLASSES * TILES, constants = { TILES, TV, CHUNKS, RC, CLASSES, WG: 16, ACROSS: false };
  return { count, NG, constants };
}

/** Narrow and short tiles, so that neighbours read neighbouring vec4s and there are many: what a GPU wants. */
function tiles(size: Size, wide: number, most: number): Cut {
  const { classes: CLASSES, n: NG } = size, TV = Math.min(wide, size.columns), TILES = Math.ceil(size.columns / TV);
  const rows = Math.ceil(size.rows / CLASSES), CHUNKS = Math.ceil(rows / most), RC = Math.ceil(rows / CHUNKS);
  const count = NG * CHUNKS * CLASSES * TILES, constants = { TILES, TV, CHUNKS, RC, CLASSES, WG: 64, ACROSS: true };
  return { count, NG, constants };
}

/** Ways to share the work, of which `plan` makes kernels; a CPU and a GPU begin with their own. */
function variants(size: Size, software: boolean, plan: (cut: Cut) => KernelPlan): KernelVariant[] {
  const cpu = [256, 8192].map((busy) => ({ name: `strands ${busy}`, plan: () => plan(strands(size, busy)) }));
  const gpu = [[1, 8], [2, 4]].map(([wide, most]) => ({
    name: `tiles ${wide}x${most}`,
    plan: () => plan(tiles(size, wide, most)),
  }));
  return software ? [...cpu, ...gpu] : [...gpu, ...cpu];
}

/** Depthwise convolution: x `[C, N, H, W]`, w `[e*C, K, K]`, K odd, "same" padding, to `[e*C, N, ceil(H/s), ceil(W/s)]`. */
export const depthwise: OpSpec<DepthwiseAttributes> = {
  name: "depthwise",
  infer([x, w, stats], { stride, dilation, prologue }) {
    const [c, n, h, width] = x.shape, [o, k, k2] = w.shape;
    if (
      x.layout !== "image" || w.shape.length !== 3 || k !== k2 || k % 2 === 0 ||
      o % c !== 0
    ) {
      throw new RangeError(
        "it needs an image [C,N,H,W] and weights [e*C,K,K] with odd K",
      );
    }
    if ((k - 1) * dilation / 2 > 4) {
      throw new RangeError(`padding (K-1)*dilation/2 must be at most 4`);
    }
    if (dilation > 1 && stride > 1 && dilation !== stride) {
      throw new RangeError(
        `dilation must be 1 or equal to the stride ${stride} when both exceed 1`,
      );
    }
    if (isNorm(prologue) !== (stats !== undefined)) {
      throw new RangeError("a norm prologue needs statistics [2,C]");
    }
    return [image(o, n, Math.ceil(h / stride), Math.ceil(width / stride))];
  },
  kernels({ inputs: [x, w], attrs, limits }) {
    const { CI, CO, PAD, ...g } = geometry(x, w, attrs),
      norm = isNorm(attrs.prologue);
    // Row classes: dilated rows of one parity at stride 1; a dilation equal to the stride has one class.
    const CLASSES = g.S === 1 ? g.D : 1,
      RU = g.D,
      A = g.D === 1 ? g.S : 1,
      OUT_STEP = CLASSES;
    const size = { rows: g.HO, columns: g.Q4, classes: CLASSES, n: g.N, planes: CO };
    return variants(size, limits.software, ({ count, NG, constants }) => ({
      dispatches: [{
        shader,
        constants: {
          ...g,
          ...constants,
          PAD,
          RU,
          A,
          OUT_STEP,
          LOADS: g.S * constants.TV + 2,
          RELU: attrs.prologue === "relu",
          NORM: norm,
          ...(norm ? { EPS: attrs.eps } : {}),
        },
        bindings: [input(0), input(1), output(0), ...(norm ? [input(2)] : [])],
        params: [CI, 0, NG, 0],
        workgroups: [Math.ceil(count / constants.WG), CO, 1],
      }],
    }));
  },
  gradient({ graph, node, grads: [gy], needs }) {
    const [x, w, stats] = node.inputs, { attrs } = node;
    const operands = stats ? [gy!, w, x, stats] : [gy!, w, x];
    const [gx, dw] = graph.apply(
      needs[1] ? depthwiseGrad : depthwiseInputGrad,
      operands,
      attrs,
    );
    const normalised = attrs.prologue === "batch-norm-relu";
    const dx: Tensor = normalised && needs[0] ? batchNormGradient(graph, x, gx, stats, attrs.eps) : gx;
    return [dx, needs[1] ? dw : null, null];
  },
  reference([x, w, stats], [xt, wt], attrs) {
    const { CI, CO, N, H, W, K, S, D, HO, WO, PAD } = geometry(xt, wt, attrs),
      y = new Float64Array(CO * N * HO * WO);
    const f = prologueReference(x, CI, stats, attrs);
    for (let o = 0; o < CO; o++) {
      for (let n = 0; n < N; n++) {
        const from = ((o % CI) * N + n) * H * W, to = (o * N + n) * HO * WO;
        for (let r = 0; r < HO; r++) {
          for (let c = 0; c < WO; c++) {
            for (let k = 0; k < K * K; k++) {
              const iy = S * r + Math.floor(k / K) * D - PAD,
                ix = S * c + (k % K) * D - PAD;
              if (iy < 0 || iy >= H || ix < 0 || ix >= W) continue;
              y[to + r * WO + c] += w[o * K * K + k] * f[from + iy * W + ix];
            }
          }
        }
      }
    }
    return [y];
  },
  cases: depthwiseCases,
  macs: ([, w], [y]) => y.shape[0] * y.shape[1] * y.shape[2] * y.shape[3] * w.shape[1] ** 2,
  onnx(context) {
    const { inputs: [{ type }, w], attrs: { stride, dilation, prologue, eps } } = context.node;
    const [co, k] = w.type.shape, given = context.input(0);
    const normal = isNorm(prologue) ? onnxBatchNorm(context, given, eps, 2) : given;
    const x = onnxRepeat(context, onnxRelu(context, normal, prologue !== "none"), co / type.shape[0]);
    const window = onnxWindow(k, stride, (k - 1) * dilation / 2);
    const attributes = { ...window, dilations: [dilation, dilation], group: co };
    return [context.emit("Conv", [x, onnxWeight(context, 1, [co, 1, k, k])], attributes)];
  },
};

function prologueReference(
  x: Float64Array,
  channels: number,
  stats: Float64Array | undefined,
  { prologue, eps }: DepthwiseAttributes,
): Float64Array {
  if (prologue === "none") return x;
  if (prologue === "relu") return x.map((v) => Math.max(v, 0));
  const used = prologue === "batch-norm-relu" ? channelStatistics(x, channels) : stats!,
    size = x.length / channels;
  return x.map((v, i) => {
    const c = Math.floor(i / size);
    return Math.max(0, (v - used[c]) / Math.sqrt(used[channels + c] + eps));
  });
}

function depthwiseCases(): OpCase<DepthwiseAttributes>[] {
  const cases: OpCase<DepthwiseAttributes>[] = [];
  const add = (
    name: string,
    x: TensorType,
    k: number,
    e: number,
    attrs: Partial<DepthwiseAttributes>,
  ) => {
    const full: DepthwiseAttributes = {
      stride: 1,
      dilation: 1,
      prologue: "none",
      eps: 1e-5,
      ...attrs,
    };
    const c = x.shape[0], norm = isNorm(full.prologue);
    cases.push({
      name: `${k}x${k} ${name}`,
      inputs: [x, dense([e * c, k, k]), ...(norm ? [dense([2, c])] : [])],
      attrs: full,
      wrt: full.prologue === "fixed-norm-relu" ? [1] : [0, 1],
      // Away from ReLU's kink, so that finite differences see a smooth function.
      fill: (index, _e, normal, u) =>
        index === 0 && full.prologue !== "none" ? normal + 0.02 * Math.sign(normal) : index === 2 ? 0.5 + u : normal,
      derive: (index, inputs) =>
        index === 2 && full.prologue === "batch-norm-relu" ? channelStatistics(inputs[0], c) : undefined,
    });
  };
  add("plain", image(2, 2, 8, 8), 3, 1, {});
  add("odd size, ReLU, 3 edges", image(2, 2, 7, 5), 3, 3, { prologue: "relu" });
  add("ReLU, 2 edges", image(1, 2, 6, 9), 5, 2, { prologue: "relu" });
  add("batch norm", image(2, 3, 5, 7), 3, 1, { prologue: "batch-norm-relu" });
  add("batch norm", image(2, 2, 9, 6), 5, 1, { prologue: "batch-norm-relu" });
  add("fixed norm", image(2, 2, 5, 7), 3, 1, { prologue: "fixed-norm-relu" });
  add("dilated", image(2, 1, 9, 7), 3, 2, { dilation: 2, prologue: "relu" });
  add("dilated", image(2, 1, 11, 12), 5, 1, { dilation: 2, prologue: "relu" });
  add("plain", image(1, 2, 8, 10), 7, 1, {});
  add("strided", image(2, 2, 8, 8), 3, 2, { stride: 2, prologue: "relu" });
  add("strided, odd size", image(2, 1, 7, 13), 3, 1, { stride: 2 });
  add("strided, odd size", image(1, 2, 9, 5), 5, 2, {
    stride: 2,
    prologue: "relu",
  });
  add("strided and dilated", image(1, 2, 9, 7), 3, 2, {
    stride: 2,
    dilation: 2,
    prologue: "relu",
  });
  add("strided and dilated", image(1, 1, 12, 14), 5, 1, {
    stride: 2,
    dilation: 2,
    prologue: "relu",
  });
  add("rows wider than a tile", image(1, 1, 3, 37), 3, 1, { prologue: "relu" });
  add("strided, rows wider than a tile", image(1, 1, 4, 71), 5, 2, {
    stride: 2,
    prologue: "relu",
  });
  add("many rows", image(1, 1, 40, 4), 5, 1, { dilation: 2 });
  add("two images an invocation on a CPU", image(32, 16, 2, 1), 3, 1, { prologue: "batch-norm-relu" });
  return cases;
}

function gradOp(name: string, weights: boolean): OpSpec<DepthwiseAttributes> {
  return {
    name,
    testedBy: "depthwise",
    infer: ([, w, x]) => weights ? [x, w] : [x],
    kernels({ inputs: [, w, x], attrs, limits }) {
      const { CI, CO, ...g } = geometry(x, w, attrs),
        norm = isNorm(attrs.prologue),
        RU = g.D;
      const size = { rows: g.H, columns: g.P4, classes: g.D, n: g.N, planes: CI };
      const MASK = attrs.prologue !== "none", readsX = MASK || weights;
      return variants(size, limits.software, ({ count, NG, constants }) => {
        const groups = Math.ceil(count / constants.WG), PARTS = constants.ACROSS ? groups : count;
        return {
          scratch: weights ? [CO * PARTS * g.K * g.K] : [],
          dispatches: [
            {
              shader: gradShader,
              constants: {
                ...g,
                ...constants,
                RU,
                LOADS: constants.TV + 2,
                MASK,
                WEIGHTS: weights,
                NORM: norm,
                ...(norm ? { EPS: attrs.eps } : {}),
              },
              bindings: [
                input(0),
                input(1),
                output(0),
                ...(readsX ? [input(2)] : []),
                ...(norm ? [input(3)] : []),
                ...(weights ? [scratch(0)] : []),
              ],
              params: [CI, CO / CI, NG, PARTS],
              workgroups: [groups, CI, 1],
            },
            ...(weights
              ? [
                reducePartials({
                  count: CO * g.K ** 2,
                  parts: PARTS,
                  blockRows: 1,
                  blockColumns: g.K ** 2,
                  columns: 1,
                }, 1),
              ]
              : []),
          ],
        };
      });
    },
    macs: ([gy, w]) =>
      (weights ? 2 : 1) * gy.shape[0] * gy.shape[1] * gy.shape[2] *
      gy.shape[3] * w.shape[1] ** 2,
  };
}

/** Gradient of {@linkcode depthwise} for x (before batch norm's own gradient); inputs gy, w, x, and the statistics. */
export const depthwiseInputGrad: OpSpec<DepthwiseAttributes> = gradOp(
  "depthwise_input_grad",
  false,
);

/** Gradients of {@linkcode depthwise} for x and w in one kernel; inputs as {@linkcode depthwiseInputGrad}. */
export const depthwiseGrad: OpSpec<DepthwiseAttributes> = gradOp(
  "depthwise_grad",
  true,
);

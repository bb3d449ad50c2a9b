/**
 * Depthwise convolution with what precedes it in a DARTS primitive (ReLU, or batch norm and ReLU) applied on load, so
 * that the activated tensor is never stored. Parallel edges of a supernet node share one input: the weights of e
 * edges make e times as many output channels.
 * @module
 */
import { depthwise as source, depthwiseLanes as lanesSource } from "./shader_texts.ts";
import { kernel, optional, read, write } from "../gpu/kernel.ts";
import { dispatch, input, type OpCase, type OpSpec, output } from "../graph/op.ts";
import { dense, image, type TensorType } from "../graph/tensor_type.ts";
import {
  type DepthwiseAttributes,
  edgesAtOnce,
  geometry,
  isNorm,
  LANE_PARAMS,
  laneVariants,
  variants,
} from "./depthwise_cut.ts";
import { depthwiseGrad, depthwiseInputGrad } from "./depthwise_grad.ts";
import { onnxBatchNorm, onnxRelu, onnxRepeat, onnxWeight, onnxWindow } from "./onnx.ts";
import { channelStatistics } from "./reference.ts";
import { rowEnds } from "./shader_parts.ts";

const buffers = {
  x: read("vec4f", "bf16"),
  w: read("f32"),
  y: write("vec4f", "bf16"),
  stats: optional(read("f32")),
};
const shader = kernel("depthwise", source, { buffers, params: { channels: "u32", imageGroups: "u32" } });
const lanesShader = kernel("depthwise_lanes", lanesSource, { parts: [rowEnds], buffers, params: LANE_PARAMS });

/** Depthwise convolution: x `[C, N, H, W]`, w `[e*C, K, K]`, K odd, "same" padding, to `[e*C, N, ceil(H/s), ceil(W/s)]`. */
export const depthwise: OpSpec<DepthwiseAttributes> = {
  name: "depthwise",
  infer([x, w, stats], { stride, dilation, prologue }) {
    const [c, n, h, width] = x.shape, [o, k, k2] = w.shape;
    if (
      x.layout !== "image" || w.shape.length !== 3 || k !== k2 || k % 2 === 0 ||
      o % c !== 0
    ) {
      throw new RangeError("it needs an image [C,N,H,W] and weights [e*C,K,K] with odd K");
    }
    if ((k - 1) * dilation / 2 > 4) {
      throw new RangeError(`padding (K-1)*dilation/2 must be at most 4`);
    }
    if (dilation > 1 && stride > 1 && dilation !== stride) {
      throw new RangeError(`dilation must be 1 or equal to the stride ${stride} when both exceed 1`);
    }
    if (isNorm(prologue) !== (stats !== undefined)) {
      throw new RangeError("a norm prologue needs statistics [2,C]");
    }
    if (stats && o !== c) throw new RangeError("a norm prologue takes one filter per channel");
    return [image(o, n, Math.ceil(h / stride), Math.ceil(width / stride))];
  },
  kernels({ inputs: [x, w], attrs, limits }) {
    const sizes = geometry(x, w, attrs), { CI, CO, PAD, ...g } = sizes, norm = isNorm(attrs.prologue);
    // Row classes: dilated rows of one parity at stride 1; a dilation equal to the stride has one class.
    const CLASSES = g.S === 1 ? g.D : 1, RU = g.D, A = g.D === 1 ? g.S : 1;
    const size = { rows: g.HO, columns: g.Q4, classes: CLASSES, n: g.N, planes: CO };
    const prologue = { RELU: attrs.prologue === "relu", NORM: norm, ...(norm ? { EPS: attrs.eps } : {}) };
    const buffers = { x: input(0), w: input(1), y: output(0), ...(norm && { stats: input(2) }) };
    return [
      ...laneVariants(sizes, limits, [32], ({ parts, constants, params }) => {
        const E = [4, 3, 2, 1].find((edges) => CO / CI % edges === 0 && edges <= edgesAtOnce(constants))!;
        return {
          dispatches: [dispatch(lanesShader, {
            constants: { ...constants, E, RU, A, ...prologue },
            buffers,
            params,
            workgroups: [parts, CO / E, 1],
          })],
        };
      }),
      ...variants(size, limits.software, ({ count, NG, constants }) => ({
        dispatches: [dispatch(shader, {
          constants: { ...g, ...constants, PAD, RU, A, OUT_STEP: CLASSES, LOADS: g.S * constants.TV + 2, ...prologue },
          buffers,
          params: { channels: CI, imageGroups: NG },
          workgroups: [Math.ceil(count / constants.WG), CO, 1],
        })],
      })),
    ];
  },
  gradient({ graph, node, grads: [gy], needs }) {
    const [x, w, stats] = node.inputs, { attrs } = node;
    const operands = stats ? [gy!, w, x, stats] : [gy!, w, x];
    const [dx, dw = null] = graph.apply(needs[1] ? depthwiseGrad : depthwiseInputGrad, operands, attrs);
    return [dx, dw, null];
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

function made(
  name: string,
  x: TensorType,
  k: number,
  e: number,
  attrs: Partial<DepthwiseAttributes>,
): OpCase<DepthwiseAttributes> {
  const full: DepthwiseAttributes = { stride: 1, dilation: 1, prologue: "none", eps: 1e-5, ...attrs };
  const c = x.shape[0], norm = isNorm(full.prologue);
  return {
    name: `${k}x${k} ${name}`,
    inputs: [x, dense([e * c, k, k]), ...(norm ? [dense([2, c])] : [])],
    attrs: full,
    wrt: full.prologue === "fixed-norm-relu" ? [1] : [0, 1],
    // Away from ReLU's kink, so that finite differences see a smooth function.
    fill: (index, _e, normal, u) =>
      index === 0 && full.prologue !== "none" ? normal + 0.02 * Math.sign(normal) : index === 2 ? 0.5 + u : normal,
    derive: (index, inputs) =>
      index === 2 && full.prologue === "batch-norm-relu" ? channelStatistics(inputs[0], c) : undefined,
  };
}

function depthwiseCases(): OpCase<DepthwiseAttributes>[] {
  return [
    made("plain", image(2, 2, 8, 8), 3, 1, {}),
    made("odd size, ReLU, 3 edges", image(2, 2, 7, 5), 3, 3, { prologue: "relu" }),
    made("ReLU, 2 edges", image(1, 2, 6, 9), 5, 2, { prologue: "relu" }),
    made("4 channels, ReLU", image(4, 2, 5, 8), 3, 1, { prologue: "relu" }),
    made("batch norm", image(2, 3, 5, 7), 3, 1, { prologue: "batch-norm-relu" }),
    made("batch norm", image(2, 2, 9, 6), 5, 1, { prologue: "batch-norm-relu" }),
    made("batch norm, 8 channels", image(8, 3, 4, 9), 3, 1, { prologue: "batch-norm-relu" }),
    made("batch norm, 8 channels", image(8, 2, 2, 37), 5, 1, { prologue: "batch-norm-relu" }),
    made("fixed norm", image(2, 2, 5, 7), 3, 1, { prologue: "fixed-norm-relu" }),
    made("dilated", image(2, 1, 9, 7), 3, 2, { dilation: 2, prologue: "relu" }),
    made("dilated", image(2, 1, 11, 12), 5, 1, { dilation: 2, prologue: "relu" }),
    made("plain", image(1, 2, 8, 10), 7, 1, {}),
    made("strided", image(2, 2, 8, 8), 3, 2, { stride: 2, prologue: "relu" }),
    made("strided, odd size", image(2, 1, 7, 13), 3, 1, { stride: 2 }),
    made("strided, odd size", image(1, 2, 9, 5), 5, 2, {
      stride: 2,
      prologue: "relu",
    }),
    made("strided and dilated", image(1, 2, 9, 7), 3, 2, {
      stride: 2,
      dilation: 2,
      prologue: "relu",
    }),
    made("strided and dilated", image(1, 1, 12, 14), 5, 1, {
      stride: 2,
      dilation: 2,
      prologue: "relu",
    }),
    made("rows wider than a tile", image(1, 1, 3, 37), 3, 1, { prologue: "relu" }),
    made("strided, rows wider than a tile", image(1, 1, 4, 71), 5, 2, {
      stride: 2,
      prologue: "relu",
    }),
    made("many rows", image(1, 1, 40, 4), 5, 1, { dilation: 2 }),
    made("two images an invocation on a CPU", image(32, 16, 2, 1), 3, 1, { prologue: "batch-norm-relu" }),
  ];
}

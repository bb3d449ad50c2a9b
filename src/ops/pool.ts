/**
 * 3x3 pooling with padding 1, stride 1 or 2, and its gradients.
 * @module
 */
import {
  avgPool as avgSource,
  maxPool as maxSource,
  maxPoolGrad as maxGradSource,
  maxPoolGradLanes as maxGradLanesSource,
  poolLanes as lanesSource,
} from "./shader_texts.ts";
import type { GpuLimits } from "../gpu/device.ts";
import { kernel, optional, type ParamValues, read, write } from "../gpu/kernel.ts";
import {
  type Binding,
  type Bound,
  type Dispatch,
  dispatch,
  input,
  type KernelVariant,
  type OpCase,
  type OpSpec,
  output,
} from "../graph/op.ts";
import type { Graph, Node, Tensor } from "../graph/graph.ts";
import { image, rowPitch, type TensorType } from "../graph/tensor_type.ts";
import { expectImage, expectInputs, expectInteger, expectShape } from "./expect.ts";
import { laneRows } from "./lanes.ts";
import { grid } from "./launch.ts";
import { onnxWindow } from "./onnx.ts";
import { poolParts } from "./shader_parts.ts";

const parts = [poolParts], gy = read("vec4f", "bf16"), gx = write("vec4f", "bf16"), bits = read("vec4i", "bf16");
const maxShader = kernel("max_pool", maxSource, { parts, buffers: { x: bits, y: write("vec4i", "bf16") } });
const maxGradShader = kernel("max_pool_grad", maxGradSource, { parts, buffers: { gy, x: bits, gx } });
const avgShader = kernel("avg_pool", avgSource, {
  parts,
  buffers: { x: read("vec4f", "bf16"), y: write("vec4f", "bf16") },
});
/** Parameters of the kernels of lanes. */
const LANE_PARAMS = {
  batch: "i32",
  height: "i32",
  width: "i32",
  outHeight: "i32",
  pitch: "i32",
  outPitch: "i32",
  rowLanes: "i32",
  atOnce: "i32",
} as const;
const maxGradLanesShader = kernel("max_pool_grad_lanes", maxGradLanesSource, {
  parts,
  buffers: { gy, x: bits, gx, average_gy: optional(gy) },
  params: LANE_PARAMS,
});
const lanesShader = kernel("pool_lanes", lanesSource, {
  parts,
  buffers: {
    x: read("vec4f", "bf16"),
    maxima: optional(write("vec4i", "bf16")),
    y: optional(write("vec4f", "bf16")),
  },
  params: LANE_PARAMS,
});

/** Attributes of the pools. */
export interface PoolAttributes {
  readonly stride: 1 | 2;
}

/** Attributes of {@linkcode avgPoolGrad}: the pool's and the size of its input. */
export interface AvgPoolGradAttributes extends PoolAttributes {
  readonly height: number;
  readonly width: number;
}

/** Pixels along an axis of the result: `floor((size + 2 - 3) / stride) + 1`. */
const pooled = (size: number, stride: number): number => Math.floor((size - 1) / stride) + 1;

function infer(inputs: readonly TensorType[], { stride }: PoolAttributes): TensorType[] {
  expectInputs(inputs, ["x"]);
  expectInteger(stride, "stride", 1, 2);
  const [c, n, h, w] = expectImage(inputs[0], "x");
  return [image(c, n, pooled(h, stride), pooled(w, stride))];
}

/**
 * Geometry of one launch: an invocation makes a tile of `T` vec4s and `ROWS` rows of the result (of windows).
 * Whole rows need the fewest loads, but more than `widest` vec4s do not fit into registers.
 */
function tiles(big: TensorType, stride: number, widest: number) {
  const [c, n, H, W] = big.shape;
  const HO = pooled(H, stride), WO = pooled(W, stride), Q = rowPitch(W) / 4;
  const QO = rowPitch(WO) / 4, TILES = Math.ceil(QO / widest);
  const T = Math.ceil(QO / TILES);
  // Whole planes are fastest where there are enough of them to keep a device busy.
  const wanted = Math.ceil(512 / (c * n * TILES));
  const ROWS = Math.max(Math.ceil(HO / wanted), Math.min(HO, 7));
  const STRIPS = Math.ceil(HO / ROWS), COUNT = c * n * STRIPS * TILES;
  const { workgroups, GRID_X } = grid(COUNT, 64);
  const constants = {
    S: stride,
    H,
    W,
    HO,
    WO,
    Q,
    QO,
    T,
    TILES,
    ROWS,
    STRIPS,
    COUNT,
    GRID_X,
  };
  return { constants, workgroups };
}

type Tiles = ReturnType<typeof tiles>;

/** Sizes that a kernel of lanes runs with. */
interface LaneSizes {
  readonly constants: { readonly S: number; readonly TV: number };
  readonly params: ParamValues<typeof LANE_PARAMS>;
  readonly workgroups: readonly [number, number, number];
}

/** Makes dispatches of one kind. */
type LaneKernel = (sizes: LaneSizes) => Dispatch;
type TileKernel = (sizes: Tiles) => Dispatch;

/**
 * Kernels of an operation: one of lanes along the rows of windows, where these go, and some of tiles after each other.
 * `big`: what is pooled.
 */
function variants(
  big: TensorType,
  stride: number,
  limits: GpuLimits,
  ofLanes: LaneKernel,
  ofTiles: readonly TileKernel[],
): KernelVariant[] {
  const [c, n, H, W] = big.shape, HO = pooled(H, stride), Q4 = rowPitch(pooled(W, stride)) / 4;
  const rows = laneRows({ columns: Q4, stride, n, channels: c }, 32, limits);
  const lanes = rows && ofLanes({
    constants: { S: stride, TV: rows.TV },
    params: {
      ...{ batch: n, height: H, width: W, outHeight: HO, pitch: rowPitch(W) / 4, outPitch: Q4 },
      ...{ rowLanes: rows.row, atOnce: rows.atOnce },
    },
    workgroups: [rows.parts, c, 1],
  });
  const sizes = tiles(big, stride, 8), tiled = ofTiles.map((kernel) => kernel(sizes));
  return [
    ...(lanes ? [{ name: "lanes", plan: () => ({ dispatches: [lanes] }) }] : []),
    { name: "tiles", plan: () => ({ dispatches: tiled }) },
  ];
}

/** Calls `visit(plane, window, pixel)` for every window and every pixel in it, in row-major order. */
function forEachPixel(
  [c, n, h, w]: readonly number[],
  stride: number,
  visit: (window: number, pixel: number) => void,
): void {
  const ho = pooled(h, stride), wo = pooled(w, stride);
  for (let plane = 0; plane < c * n; plane++) {
    for (let oy = 0; oy < ho; oy++) {
      for (let ox = 0; ox < wo; ox++) {
        for (let y = oy * stride - 1; y <= oy * stride + 1; y++) {
          for (let x = ox * stride - 1; x <= ox * stride + 1; x++) {
            if (y < 0 || y >= h || x < 0 || x >= w) continue;
            visit((plane * ho + oy) * wo + ox, (plane * h + y) * w + x);
          }
        }
      }
    }
  }
}

function cases(): OpCase<PoolAttributes>[] {
  const sizes: [string, TensorType][] = [
    ["7 x 7", image(3, 2, 7, 7)],
    ["5 x 9", image(2, 3, 5, 9)],
    ["one channel, batch 1, 13 x 13", image(1, 1, 13, 13)],
    ["whole vec4s", image(2, 2, 8, 12)],
    ["several tiles in a row", image(1, 1, 3, 70)],
    ["several tiles and strips, whole vec4s", image(1, 1, 17, 36)],
    ["one pixel", image(2, 1, 1, 1)],
    ["one column", image(1, 2, 6, 1)],
    ["two rows", image(2, 1, 2, 6)],
  ];
  return ([1, 2] as const).flatMap((stride) =>
    sizes.map(([name, type]) => ({
      name: `${name}, stride ${stride}`,
      inputs: [type],
      attrs: { stride },
      // Different in every window, also as bf16: a maximum that ties has no derivative.
      fill: (_: number, element: number) => (element * 37 % 251 - 125) / 64,
    }))
  );
}

/**
 * Gradient of {@linkcode maxPool}: (gy, x) -> gx. The first maximum of a window in row-major order gets the
 * window's gradient.
 */
export const maxPoolGrad: OpSpec<PoolAttributes> = {
  name: "max_pool_grad",
  infer(inputs, attrs) {
    expectInputs(inputs, ["gy", "x"]);
    expectImage(inputs[0], "gy");
    expectShape(inputs[0], "gy", infer([inputs[1]], attrs)[0].shape);
    return [inputs[1]];
  },
  kernels: ({ inputs: [, x], attrs: { stride }, limits }) => {
    const buffers = { gy: input(0), x: input(1), gx: output(0) };
    return variants(x, stride, limits, maxGradLanes(buffers), [maxGradTiles(buffers, false)]);
  },
  testedBy: "max_pool",
};

function maxGradLanes(buffers: Bound<typeof maxGradLanesShader.buffers>): LaneKernel {
  const AVERAGE = buffers.average_gy !== undefined;
  return ({ constants, ...sizes }) =>
    dispatch(maxGradLanesShader, { ...sizes, constants: { ...constants, AVERAGE }, buffers });
}

function maxGradTiles(buffers: Bound<typeof maxGradShader.buffers>, ADD: boolean): TileKernel {
  return ({ constants: { WO: _, ...constants }, workgroups }) => {
    const { S, T, TILES } = constants, edge = +(TILES > 1), EL = S === 1 ? edge : 0;
    return dispatch(maxGradShader, {
      constants: { ...constants, EL, ER: edge, NW: T + EL + edge, ADD },
      buffers,
      workgroups,
    });
  };
}

/**
 * 3x3 max pooling, padding 1: `[C, N, H, W]` -> `[C, N, floor((H - 1) / stride) + 1, ...]`. A NaN in a window is
 * its maximum.
 */
export const maxPool: OpSpec<PoolAttributes> = {
  name: "max_pool",
  infer,
  kernels: ({ inputs: [x], attrs: { stride }, limits }) =>
    variants(x, stride, limits, poolLanes({ maxima: output(0) }), [maxTiles(output(0))]),
  gradient: ({ graph, node, grads }) => [
    grads[0] &&
    graph.apply1(maxPoolGrad, [grads[0], node.inputs[0]], node.attrs),
  ],
  reference([x], [type], attrs) {
    const [{ shape }] = infer([type], attrs);
    const y = new Float64Array(shape.reduce((a, b) => a * b)).fill(-Infinity);
    forEachPixel(type.shape, attrs.stride, (window, pixel) => {
      if (x[pixel] > y[window] || Number.isNaN(x[pixel])) y[window] = x[pixel];
    });
    return [y];
  },
  cases,
  onnx: (context) => [context.emit("MaxPool", [context.input(0)], onnxWindow(3, context.node.attrs.stride, 1))],
};

/** Pools of input 0 on lanes, or the gradient of average pooling. */
function poolLanes(results: { readonly maxima?: Binding; readonly y?: Binding }, GRADIENT = false): LaneKernel {
  const MAX = results.maxima !== undefined, AVERAGE = results.y !== undefined && !GRADIENT;
  return ({ constants, ...sizes }) =>
    dispatch(lanesShader, {
      ...sizes,
      constants: { ...constants, MAX, AVERAGE, GRADIENT },
      buffers: { x: input(0), ...results },
    });
}

const maxTiles = (y: Binding): TileKernel => (sizes) => dispatch(maxShader, { ...sizes, buffers: { x: input(0), y } });

const avgTiles = (x: Binding, y: Binding, GRADIENT: boolean): TileKernel => ({ constants, workgroups }) => {
  const { H, W, HO, WO, Q, QO, ...tile } = constants;
  const sizes = GRADIENT ? { HX: HO, QX: QO, HY: H, QY: Q, WY: W } : { HX: H, QX: Q, HY: HO, QY: QO, WY: WO };
  return dispatch(avgShader, {
    constants: { ...tile, H, W, HO, ...sizes, GRADIENT },
    buffers: { x, y },
    workgroups,
  });
};

/** Gradient of {@linkcode avgPool}: gy -> gx. */
export const avgPoolGrad: OpSpec<AvgPoolGradAttributes> = {
  name: "avg_pool_grad",
  infer(inputs, { stride, height, width }) {
    expectInputs(inputs, ["gy"]);
    const [c, n] = expectImage(inputs[0], "gy");
    const big = image(c, n, height, width);
    expectShape(inputs[0], "gy", infer([big], { stride })[0].shape);
    return [big];
  },
  kernels: ({ outputs: [x], attrs: { stride }, limits }) =>
    variants(x, stride, limits, poolLanes({ y: output(0) }, true), [avgTiles(input(0), output(0), true)]),
  testedBy: "avg_pool",
};

function avgGradient(graph: Graph, { inputs, attrs }: Node<PoolAttributes>, gy: Tensor): Tensor {
  const [, , height, width] = inputs[0].type.shape;
  return graph.apply1(avgPoolGrad, [gy], { ...attrs, height, width });
}

/**
 * 3x3 average pooling, padding 1, where the padding does not count: `[C, N, H, W]` ->
 * `[C, N, floor((H - 1) / stride) + 1, ...]`.
 */
export const avgPool: OpSpec<PoolAttributes> = {
  name: "avg_pool",
  infer,
  kernels: ({ inputs: [x], attrs: { stride }, limits }) =>
    variants(x, stride, limits, poolLanes({ y: output(0) }), [avgTiles(input(0), output(0), false)]),
  gradient: ({ graph, node, grads }) => [grads[0] && avgGradient(graph, node, grads[0])],
  reference([x], [type], attrs) {
    const [{ shape }] = infer([type], attrs);
    const y = new Float64Array(shape.reduce((a, b) => a * b));
    const count = new Float64Array(y.length);
    forEachPixel(type.shape, attrs.stride, (window, pixel) => {
      y[window] += x[pixel];
      count[window]++;
    });
    return [y.map((sum, i) => sum / count[i])];
  },
  cases,
  onnx(context) {
    const window = { ...onnxWindow(3, context.node.attrs.stride, 1), count_include_pad: 0 };
    return [context.emit("AveragePool", [context.input(0)], window)];
  },
};

/** Gradient of {@linkcode bothPools}: (gradient of the maximum, of the average, x) -> gx. */
export const bothPoolsGrad: OpSpec<PoolAttributes> = {
  name: "both_pools_grad",
  infer(inputs, attrs) {
    expectInputs(inputs, ["gy of the maximum", "gy of the average", "x"]);
    const [{ shape }] = infer([inputs[2]], attrs);
    expectShape(inputs[0], "gy of the maximum", shape);
    expectShape(inputs[1], "gy of the average", shape);
    return [inputs[2]];
  },
  kernels({ inputs: [, , x], attrs: { stride }, limits }) {
    const buffers = { gy: input(0), x: input(2), gx: output(0) };
    return variants(x, stride, limits, maxGradLanes({ ...buffers, average_gy: input(1) }), [
      avgTiles(input(1), output(0), true),
      maxGradTiles(buffers, true),
    ]);
  },
  testedBy: "both_pools",
};

/** {@linkcode maxPool} and {@linkcode avgPool} of the same image, which is loaded once: x -> their results. */
export const bothPools: OpSpec<PoolAttributes> = {
  name: "both_pools",
  infer(inputs, attrs) {
    const [type] = infer(inputs, attrs);
    return [type, type];
  },
  kernels: ({ inputs: [x], attrs: { stride }, limits }) =>
    variants(x, stride, limits, poolLanes({ maxima: output(0), y: output(1) }), [
      maxTiles(output(0)),
      avgTiles(input(0), output(1), false),
    ]),
  gradient({ graph, node, grads: [max, avg] }) {
    const { inputs: [x], attrs } = node;
    if (max && avg) return [graph.apply1(bothPoolsGrad, [max, avg, x], attrs)];
    if (max) return [graph.apply1(maxPoolGrad, [max, x], attrs)];
    return [avg && avgGradient(graph, node, avg)];
  },
  reference: (...args) => [maxPool, avgPool].flatMap((pool) => pool.reference!(...args)),
  cases,
};

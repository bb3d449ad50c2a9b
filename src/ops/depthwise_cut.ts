/**
 * What the depthwise convolution and its gradients share: attributes, sizes, and how the work is cut up.
 * @module
 */
import type { GpuLimits } from "../gpu/device.ts";
import type { ParamValues } from "../gpu/kernel.ts";
import type { KernelPlan, KernelVariant } from "../graph/op.ts";
import { rowPitch, type TensorType } from "../graph/tensor_type.ts";
import { laneRows, WIDEST_TILE } from "./lanes.ts";

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

/** Whether batch norm precedes the convolution. */
export const isNorm = (p: Prologue): boolean => p === "batch-norm-relu" || p === "fixed-norm-relu";

/** Sizes as the shaders name them. */
export type Geometry = Readonly<
  Record<"CI" | "CO" | "N" | "H" | "W" | "K" | "S" | "D" | "HO" | "WO" | "P4" | "Q4" | "PAD", number>
>;

/** The sizes of a convolution of x with w. */
export function geometry(x: TensorType, w: TensorType, attrs: DepthwiseAttributes): Geometry {
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
export interface Size {
  readonly rows: number;
  readonly columns: number;
  readonly classes: number;
  readonly n: number;
  readonly planes: number;
}

/** A way to share the work among invocations. */
export interface Cut {
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
export function variants(size: Size, software: boolean, plan: (cut: Cut) => KernelPlan): KernelVariant[] {
  const cpu = [256, 8192].map((busy) => ({ name: `strands ${busy}`, plan: () => plan(strands(size, busy)) }));
  const gpu = [[1, 8], [2, 4]].map(([wide, most]) => ({
    name: `tiles ${wide}x${most}`,
    plan: () => plan(tiles(size, wide, most)),
  }));
  return software ? [...cpu, ...gpu] : [...gpu, ...cpu];
}

/** Parameters of both kernels of lanes. */
export const LANE_PARAMS = {
  channels: "u32",
  batch: "u32",
  height: "u32",
  width: "u32",
  outHeight: "u32",
  pitch: "u32",
  outPitch: "u32",
  rowLanes: "u32",
  atOnce: "u32",
} as const;

/** How the lanes of subgroups share the work. */
export interface LaneCut {
  /** Subgroups, each a workgroup, that share the images of a channel. */
  readonly parts: number;
  /** What both kernels of lanes know of it. */
  readonly constants: Readonly<Record<"K" | "S" | "D" | "PAD" | "TV" | "CLASSES", number>>;
  /** Sizes; no constants, so that layers of all sizes share a pipeline. */
  readonly params: ParamValues<typeof LANE_PARAMS>;
}

/** Most edges that lanes do at once: as many as keep the text of a shader, and its compilation, within bounds. */
export function edgesAtOnce({ K, TV }: LaneCut["constants"]): number {
  return Math.max(1, Math.floor(100 / (TV * K ** 2)));
}

/** Kernels for lanes along a row, for at least each of the numbers of subgroups `busy`; none where these do not go. */
export function laneVariants(
  { CI, N, H, W, K, S, D, HO, P4, Q4, PAD }: Geometry,
  limits: GpuLimits,
  busy: readonly number[],
  plan: (cut: LaneCut) => KernelPlan,
): KernelVariant[] {
  return busy.flatMap((least) => {
    const rows = laneRows({ columns: Q4, stride: S, n: N, channels: CI }, least, limits);
    if (!rows) return [];
    const { TV, row, parts, atOnce } = rows, constants = { K, S, D, PAD, TV, CLASSES: S === 1 ? D : 1 };
    const params = {
      ...{ channels: CI, batch: N, height: H, width: W, outHeight: HO, pitch: P4, outPitch: Q4 },
      ...{ rowLanes: row, atOnce: atOnce },
    };
    return { name: `lanes ${least}`, plan: () => plan({ parts, constants, params }) };
  });
}

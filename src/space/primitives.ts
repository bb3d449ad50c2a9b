/**
 * The primitives: what may stand on an edge of a cell. Each is described once, by its layers and by how it is called and
 * drawn; what the layers mean in a supernet and in a derived network says `primitive_layers.ts`, what colours there are
 * `report/palette.ts`.
 * @module
 */

/**
 * A layer of a primitive. The first one has the stride of the edge, the others have stride 1. `name` is that of its
 * weights or statistics, below the name of the primitive; without one they are called like the primitive.
 */
export type Layer =
  /** ReLU, then a depthwise convolution of `size` x `size`. */
  | { readonly kind: "depthwise"; readonly name: string; readonly size: number; readonly dilation: 1 | 2 }
  /** A 1x1 convolution, which a batch norm follows. */
  | { readonly kind: "pointwise"; readonly name: string }
  /** ReLU, then a full convolution of `size` x `size`; the first layer only. */
  | { readonly kind: "convolution"; readonly name: string; readonly size: 1 | 3 }
  /** ReLU, then a factorized reduction: half of the channels from the even pixels, half from the odd ones. */
  | { readonly kind: "reduction"; readonly name: string }
  /** A 3x3 pool, which a batch norm follows. */
  | { readonly kind: "pool"; readonly of: "max" | "avg" }
  /** Normal noise of the shape that the edge gives; each edge and each step draw their own. */
  | { readonly kind: "noise" }
  /** Batch norm; `where` tells which networks have it. Affine in derived networks. */
  | { readonly kind: "batch-norm"; readonly name?: string; readonly where: "everywhere" | "supernet" };

/** Primitives that are drawn alike: a hue of their own. */
export type Family = "none" | "skip" | "pool" | "separable" | "dilated" | "convolution" | "noise";

/** How a line is drawn. */
export type Dash = "solid" | "dashed" | "dotted";

/** A primitive. */
export interface Primitive {
  /** Its standard name. */
  readonly name: string;
  /** Short label for tables and legends. */
  readonly label: string;
  /** Label for drawings of cells. */
  readonly title: string;
  /** Its hue in drawings and charts. */
  readonly family: Family;
  /** What tells it from its family in charts: a shade of the hue, the first is 0, and the dashes of lines. */
  readonly look: { readonly shade: number; readonly dash: Dash };
  /**
   * Has no weights at stride 1. `skip_connect` counts at every stride, as in the literature, although at stride 2 it
   * is a factorized reduction.
   */
  readonly parameterFree: boolean;
  /** Its layers in order; none: the identity. Null: it outputs zeros. */
  readonly layers: readonly Layer[] | null;
  /** Its layers on edges of stride 2, where they are others. */
  readonly layersAtStride2?: readonly Layer[];
}

const norm = (name: string): Layer => ({ kind: "batch-norm", name, where: "everywhere" });

/** A pool; the supernet normalises it, derived networks do not (DARTS' public code). */
function pool(of: "max" | "avg", look: Primitive["look"]): Primitive {
  return {
    name: `${of}_pool_3x3`,
    label: `${of} 3×3`,
    title: `${of} pool 3×3`,
    family: "pool",
    look,
    parameterFree: true,
    layers: [{ kind: "pool", of }, { kind: "batch-norm", where: "supernet" }],
  };
}

/** A separable convolution, twice. */
function separable(size: number, look: Primitive["look"]): Primitive {
  return {
    name: `sep_conv_${size}x${size}`,
    label: `sep ${size}×${size}`,
    title: `sep conv ${size}×${size}`,
    family: "separable",
    look,
    parameterFree: false,
    layers: [
      { kind: "depthwise", name: "dw1", size, dilation: 1 },
      { kind: "pointwise", name: "pw1" },
      norm("bn1"),
      { kind: "depthwise", name: "dw2", size, dilation: 1 },
      { kind: "pointwise", name: "pw2" },
      norm("bn2"),
    ],
  };
}

/** A separable convolution with dilation, once. */
function dilated(size: number, look: Primitive["look"]): Primitive {
  return {
    name: `dil_conv_${size}x${size}`,
    label: `dil ${size}×${size}`,
    title: `dil conv ${size}×${size}`,
    family: "dilated",
    look,
    parameterFree: false,
    layers: [{ kind: "depthwise", name: "dw", size, dilation: 2 }, { kind: "pointwise", name: "pw" }, norm("bn")],
  };
}

/** ReLU, a full convolution, batch norm (NAS-Bench-201, arXiv 2001.00326). */
function full(size: 1 | 3, look: Primitive["look"]): Primitive {
  return {
    name: `nor_conv_${size}x${size}`,
    label: `conv ${size}×${size}`,
    title: `nor conv ${size}×${size}`,
    family: "convolution",
    look,
    parameterFree: false,
    layers: [{ kind: "convolution", name: "conv", size }, norm("bn")],
  };
}

/** Every primitive: the only list of them. */
export const PRIMITIVES: readonly Primitive[] = [
  {
    name: "none",
    label: "none",
    title: "none",
    family: "none",
    look: { shade: 0, dash: "dotted" },
    parameterFree: true,
    layers: null,
  },
  pool("max", { shade: 0, dash: "solid" }),
  pool("avg", { shade: 1, dash: "dashed" }),
  {
    name: "skip_connect",
    label: "skip",
    title: "skip connect",
    family: "skip",
    look: { shade: 0, dash: "solid" },
    parameterFree: true,
    layers: [],
    layersAtStride2: [{ kind: "reduction", name: "reduce" }, norm("bn")],
  },
  separable(3, { shade: 0, dash: "solid" }),
  separable(5, { shade: 1, dash: "dashed" }),
  separable(7, { shade: 2, dash: "dotted" }),
  dilated(3, { shade: 0, dash: "solid" }),
  dilated(5, { shade: 1, dash: "dashed" }),
  // It says nothing about the source (RobustDARTS, arXiv 1909.09656): a search that keeps it has failed.
  {
    name: "noise",
    label: "noise",
    title: "noise",
    family: "noise",
    look: { shade: 0, dash: "dotted" },
    parameterFree: true,
    layers: [{ kind: "noise" }],
  },
  full(1, { shade: 0, dash: "solid" }),
  full(3, { shade: 1, dash: "dashed" }),
];

/** The primitive called `name`. @throws {RangeError} when there is none. */
export function findPrimitive(name: string): Primitive {
  const primitive = PRIMITIVES.find((p) => p.name === name);
  if (!primitive) throw new RangeError(`Cannot find primitive '${name}'`);
  return primitive;
}

/** The layers of a primitive on an edge of that stride; null: it outputs zeros. */
export function layersOf({ layers, layersAtStride2 }: Primitive, stride: 1 | 2): readonly Layer[] | null {
  return stride === 2 ? layersAtStride2 ?? layers : layers;
}

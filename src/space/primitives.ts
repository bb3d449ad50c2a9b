/**
 * The primitives: what may stand on an edge of a cell. In the supernet one primitive is built for all edges that
 * leave a source with one stride, either once for all of them (a pool) or as groups of one wide tensor
 * (a convolution, whose weights differ from edge to edge).
 * @module
 */
import type { Tensor } from "../graph/graph.ts";
import type { Builder, Normed, ToNorm } from "../nn/layers.ts";
import { conv2d } from "../ops/conv2d.ts";
import { avgPool, maxPool } from "../ops/pool.ts";

/** What a primitive is built from. */
export interface PrimitiveContext {
  readonly builder: Builder;
  /** Source tensor `[C, N, H, W]`. */
  readonly x: Tensor;
  /** Name of its weights, for example `cells.0.from1.sep_conv_3x3`. */
  readonly name: string;
  /** Number of edges to build for. */
  readonly edges: number;
  readonly stride: 1 | 2;
}

/** What a primitive gives to the mixed operation. */
export interface PrimitiveOutput {
  /** Output before its last batch norm: `[C, ...]` when shared, else `[edges*C, ...]`. */
  readonly z: Tensor;
  /** Statistics of the last batch norm, or null when there is none (identity). */
  readonly stats: Tensor | null;
  /** One output for all edges. */
  readonly shared: boolean;
}

/**
 * A primitive while it is built: it yields what it needs normalised, with the 1x1 convolution or the pool in front, so that
 * what the primitives of a source ask for at the same time is done at once ({@linkcode buildTogether}).
 */
export type Building = Generator<ToNorm, PrimitiveOutput, Normed>;

/** What a primitive of a derived network is built from. */
export type DeriveContext = Omit<PrimitiveContext, "edges">;

/** A primitive. */
export interface Primitive {
  /** Its standard name. */
  readonly name: string;
  /** Short label for drawings and tables. */
  readonly label: string;
  /**
   * Has no weights at stride 1. `skip_connect` counts at every stride, as in the literature, although at stride 2 it
   * is a factorized reduction.
   */
  readonly parameterFree: boolean;
  /** Builds it for the supernet, at once or in steps; null: it outputs zeros. */
  readonly build: (context: PrimitiveContext) => Building | PrimitiveOutput | null;
  /**
   * Builds it for one edge of a derived network: batch norms are affine, none follows a pool. The source itself means
   * that it is the identity. Null: it cannot be chosen.
   */
  readonly derive: ((context: DeriveContext) => Tensor) | null;
}

function pool(kind: "max" | "avg"): Primitive {
  const op = kind === "max" ? maxPool : avgPool;
  return {
    name: `${kind}_pool_3x3`,
    label: `${kind} 3×3`,
    parameterFree: true,
    *build({ x, name: path, stride }): Building {
      return { ...yield { x, pool: { kind, stride }, norm: path }, shared: true };
    },
    derive: ({ builder, x, name: path, stride }) => builder.graph.apply1(op, [x], { stride }, path),
  };
}

function separable(size: number): Primitive {
  return {
    name: `sep_conv_${size}x${size}`,
    label: `sep ${size}×${size}`,
    parameterFree: false,
    *build({ builder, x, name, edges, stride }): Building {
      const d1 = builder.depthwise(x, `${name}.dw1`, { size, edges, stride });
      const { z, stats } = yield { x: d1, weight: `${name}.pw1`, norm: `${name}.bn1` };
      const d2 = builder.depthwise(z, `${name}.dw2`, { size, stats });
      return { ...yield { x: d2, weight: `${name}.pw2`, norm: `${name}.bn2` }, shared: false };
    },
    derive({ builder, x, name, stride }) {
      let y = x;
      for (const half of [1, 2]) {
        y = builder.depthwise(y, `${name}.dw${half}`, { size, stride: half === 1 ? stride : 1 });
        y = builder.affineBatchNorm(builder.pointwise(y, `${name}.pw${half}`, x.type.shape[0]), `${name}.bn${half}`);
      }
      return y;
    },
  };
}

function dilated(size: number): Primitive {
  return {
    name: `dil_conv_${size}x${size}`,
    label: `dil ${size}×${size}`,
    parameterFree: false,
    *build({ builder, x, name, edges, stride }): Building {
      const d = builder.depthwise(x, `${name}.dw`, { size, edges, stride, dilation: 2 });
      return { ...yield { x: d, weight: `${name}.pw`, norm: `${name}.bn` }, shared: false };
    },
    derive({ builder, x, name, stride }) {
      const d = builder.depthwise(x, `${name}.dw`, { size, stride, dilation: 2 });
      return builder.affineBatchNorm(builder.pointwise(d, `${name}.pw`, x.type.shape[0]), `${name}.bn`);
    },
  };
}

/**
 * Normal noise of the shape that the edge gives (RobustDARTS, arXiv 1909.09656): it says nothing about the source, so
 * a search that keeps it has failed. Each edge and each step draw their own.
 */
const noise: Primitive = {
  name: "noise",
  label: "noise",
  parameterFree: true,
  build: (context) => ({ z: noiseOn(context), stats: null, shared: false }),
  derive: (context) => noiseOn({ ...context, edges: 1 }),
};

function noiseOn({ builder, x, name, edges, stride }: PrimitiveContext): Tensor {
  const [c, n, h, w] = x.type.shape;
  return builder.noise(name, [edges * c, n, Math.ceil(h / stride), Math.ceil(w / stride)]);
}

/** ReLU, a full convolution, batch norm (NAS-Bench-201, arXiv 2001.00326). */
function full(size: 1 | 3): Primitive {
  const convolve = ({ builder, x, name, edges, stride }: PrimitiveContext): Tensor => {
    const ci = x.type.shape[0], path = `${name}.conv`;
    if (size === 1 && stride === 1) return builder.pointwise(x, path, edges * ci, { relu: true });
    const w = builder.weight(path, [edges * ci, ci, size, size], ci * size * size);
    return builder.graph.apply1(conv2d, [x, w], { stride, padding: (size - 1) / 2, relu: true }, path);
  };
  return {
    name: `nor_conv_${size}x${size}`,
    label: `conv ${size}×${size}`,
    parameterFree: false,
    *build(context): Building {
      return { ...yield { x: convolve(context), norm: `${context.name}.bn` }, shared: false };
    },
    derive: (context) => context.builder.affineBatchNorm(convolve({ ...context, edges: 1 }), `${context.name}.bn`),
  };
}

/** Every primitive: the only list of them. */
export const PRIMITIVES: readonly Primitive[] = [
  { name: "none", label: "none", parameterFree: true, build: () => null, derive: null },
  pool("max"),
  pool("avg"),
  {
    name: "skip_connect",
    label: "skip",
    parameterFree: true,
    *build({ builder, x, name, edges, stride }): Building {
      if (stride === 1) return { z: x, stats: null, shared: true };
      const reduced = builder.factorizedReduce(x, `${name}.reduce`, x.type.shape[0], edges);
      return { ...yield { x: reduced, norm: `${name}.bn` }, shared: false };
    },
    derive({ builder, x, name, stride }) {
      if (stride === 1) return x;
      return builder.affineBatchNorm(builder.factorizedReduce(x, `${name}.reduce`, x.type.shape[0]), `${name}.bn`);
    },
  },
  separable(3),
  separable(5),
  separable(7),
  dilated(3),
  dilated(5),
  noise,
  full(1),
  full(3),
];

/** The primitive called `name`. */
export function findPrimitive(name: string): Primitive {
  const primitive = PRIMITIVES.find((p) => p.name === name);
  if (!primitive) throw new RangeError(`Cannot find primitive '${name}'`);
  return primitive;
}

/**
 * What primitives of one source of `channels` channels give. What they ask for at the same time is done at once; their
 * 1x1 convolutions become one, called `name`.pw and a number.
 */
export function buildTogether(
  builder: Builder,
  primitives: readonly (Building | PrimitiveOutput | null)[],
  channels: number,
  name: string,
): (PrimitiveOutput | null)[] {
  const outputs: (PrimitiveOutput | null)[] = [], waiting: { building: Building; i: number; asks: ToNorm }[] = [];
  const go = (building: Building, i: number, answer?: Normed): void => {
    const { done, value } = answer ? building.next(answer) : building.next();
    if (done) outputs[i] = value;
    else waiting.push({ building, i, asks: value });
  };
  primitives.forEach((primitive, i) => {
    if (primitive && "next" in primitive) go(primitive, i);
    else outputs[i] = primitive;
  });
  for (let round = 1; waiting.length > 0; round++) {
    const asking = waiting.splice(0);
    builder.normed(asking.map(({ asks }) => asks), channels, `${name}.pw${round}`)
      .forEach((answer, k) => go(asking[k].building, asking[k].i, answer));
  }
  return outputs;
}

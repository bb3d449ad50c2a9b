/**
 * What the layers of a primitive are made of, in both networks that hold it. In a supernet a primitive is built for all
 * edges that leave a source with one stride, either once for all of them (a pool) or as groups of one wide tensor (a
 * convolution, whose weights differ from edge to edge), and its last batch norm is left to the mixed operation. In a
 * derived network it is built for one edge, with affine batch norms. Not responsible for which layers there are
 * (`primitives.ts`).
 * @module
 */
import type { Tensor } from "../graph/graph.ts";
import type { Builder, Normed, ToNorm } from "../nn/layers.ts";
import { conv2d } from "../ops/conv2d.ts";
import { avgPool, maxPool } from "../ops/pool.ts";
import { type Layer, layersOf, type Primitive } from "./primitives.ts";

/** What a primitive of a derived network is built from. */
export interface EdgeContext {
  readonly builder: Builder;
  /** Source tensor `[C, N, H, W]`. */
  readonly x: Tensor;
  /** Name of its weights, for example `cells.0.node1.0.sep_conv_3x3`. */
  readonly name: string;
  readonly stride: 1 | 2;
}

/** What a primitive of a supernet is built from; its weights are called, for example, `cells.0.from1.sep_conv_3x3`. */
export interface EdgesContext extends EdgeContext {
  /** Number of edges to build for. */
  readonly edges: number;
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
 * what the primitives of a source ask for at the same time is done at once ({@linkcode buildTogether}). It returns null
 * where it outputs zeros.
 */
export type Building = Generator<ToNorm, PrimitiveOutput | null, Normed>;

/** Layers that make the same of the source in both networks. */
type PlainLayer = Extract<Layer, { kind: "depthwise" | "convolution" | "reduction" | "noise" }>;

/** Where a layer's weights and statistics are called by the primitive's name or below it. */
const pathOf = (name: string, layer: Layer): string =>
  "name" in layer && layer.name !== undefined ? `${name}.${layer.name}` : name;

/**
 * Builds a primitive for the supernet.
 * @throws {RangeError} where its layers do not follow each other as the supernet can build them.
 */
export function* buildOnEdges(primitive: Primitive, { builder, x, name, edges, stride }: EdgesContext): Building {
  const layers = layersOf(primitive, stride);
  if (!layers) return null;
  /** What has been made; `pending`: less the 1x1 convolution or the pool that the next batch norm begins with. */
  let y = x, stats: Tensor | null = null, pending: Omit<ToNorm, "norm"> | null = null, shared = true;
  for (const [i, layer] of layers.entries()) {
    const path = pathOf(name, layer), own = i === 0 ? stride : 1, plain = !pending && !stats;
    const fits: Record<Layer["kind"], boolean> = {
      "batch-norm": !stats,
      "pool": plain,
      "pointwise": plain && !shared,
      "depthwise": !pending,
      "convolution": plain && shared,
      "reduction": plain && shared,
      "noise": plain && shared,
    };
    if (!fits[layer.kind]) refuse(primitive, layer);
    switch (layer.kind) {
      case "pointwise":
        pending = { x: y, weight: path };
        break;
      case "pool":
        pending = { x: y, pool: { kind: layer.of, stride: own } };
        break;
      case "batch-norm":
        ({ z: y, stats } = yield { ...pending ?? { x: y }, norm: path });
        pending = null;
        break;
      default: // the first of these makes a group of channels for each edge, those after it go on with the groups
        y = plainLayer(builder, layer, y, path, own, shared ? edges : 1, stats);
        stats = null;
        shared = false;
    }
  }
  if (pending) refuse(primitive, layers[layers.length - 1]);
  return { z: y, stats, shared };
}

function refuse({ name }: Primitive, { kind }: Layer): never {
  throw new RangeError(
    `Cannot build primitive '${name}' for a supernet at its layer ${kind}: a batch norm must follow 1x1 convolutions and ` +
      `pools, a 1x1 convolution must not come first, only a depthwise convolution may follow a batch norm, and a full convolution, a ` +
      `reduction and noise must come first`,
  );
}

/** Builds a primitive for one edge of a derived network. The source itself: the identity. Null: it outputs zeros. */
export function buildOnEdge(primitive: Primitive, { builder, x, name, stride }: EdgeContext): Tensor | null {
  const layers = layersOf(primitive, stride);
  if (!layers) return null;
  return layers.reduce((y, layer, i) => {
    const path = pathOf(name, layer), own = i === 0 ? stride : 1;
    switch (layer.kind) {
      case "pointwise":
        return builder.pointwise(y, path, x.type.shape[0]);
      case "pool":
        return builder.graph.apply1(layer.of === "max" ? maxPool : avgPool, [y], { stride: own }, path);
      case "batch-norm":
        return layer.where === "supernet" ? y : builder.affineBatchNorm(y, path);
      default:
        return plainLayer(builder, layer, y, path, own, 1, null);
    }
  }, x);
}

/** A layer for `edges` edges side by side; `stats`: of a batch norm of `x` that it begins with. */
function plainLayer(
  builder: Builder,
  layer: PlainLayer,
  x: Tensor,
  path: string,
  stride: 1 | 2,
  edges: number,
  stats: Tensor | null,
): Tensor {
  const [c, n, h, w] = x.type.shape;
  switch (layer.kind) {
    case "depthwise": {
      const { size, dilation } = layer;
      return builder.depthwise(x, path, { size, dilation, stride, edges, ...(stats ? { stats } : {}) });
    }
    case "convolution": {
      const { size } = layer;
      if (size === 1 && stride === 1) return builder.pointwise(x, path, edges * c, { relu: true });
      const weight = builder.kernel(path, edges * c, c, size);
      return builder.graph.apply1(conv2d, [x, weight], { stride, padding: (size - 1) / 2, relu: true }, path);
    }
    case "reduction":
      return builder.factorizedReduce(x, path, c, edges);
    case "noise":
      return builder.noise(path, [edges * c, n, Math.ceil(h / stride), Math.ceil(w / stride)]);
  }
}

/**
 * What primitives of one source of `channels` channels give. What they ask for at the same time is done at once; their
 * 1x1 convolutions become one, called `name`.pw and a number.
 */
export function buildTogether(
  builder: Builder,
  primitives: readonly Building[],
  channels: number,
  name: string,
): (PrimitiveOutput | null)[] {
  const outputs: (PrimitiveOutput | null)[] = [], waiting: { building: Building; i: number; asks: ToNorm }[] = [];
  const go = (building: Building, i: number, answer?: Normed): void => {
    const { done, value } = answer ? building.next(answer) : building.next();
    if (done) outputs[i] = value;
    else waiting.push({ building, i, asks: value });
  };
  primitives.forEach((building, i) => go(building, i));
  for (let round = 1; waiting.length > 0; round++) {
    const asking = waiting.splice(0);
    builder.normed(asking.map(({ asks }) => asks), channels, `${name}.pw${round}`)
      .forEach((answer, k) => go(asking[k].building, asking[k].i, answer));
  }
  return outputs;
}

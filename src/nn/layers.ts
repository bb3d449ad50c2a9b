/**
 * Layers: the few combinations of operations that DARTS networks consist of, with their weights.
 * @module
 */
import { hashName } from "../base/random.ts";
import type { Graph, Tensor } from "../graph/graph.ts";
import { dense } from "../graph/tensor_type.ts";
import { bnStats } from "../ops/bn_stats.ts";
import { concat, split } from "../ops/concat.ts";
import { conv2d } from "../ops/conv2d.ts";
import { depthwise } from "../ops/depthwise.ts";
import { globalAvgPool } from "../ops/global_avg_pool.ts";
import { pyramidPool } from "../ops/pyramid_pool.ts";
import { linear } from "../ops/linear.ts";
import { noise } from "../ops/noise.ts";
import { normalize } from "../ops/normalize.ts";
import { pointwise } from "../ops/pointwise.ts";
import { avgPool, bothPools, maxPool } from "../ops/pool.ts";
import { relu as reluOf } from "../ops/relu.ts";
import { spaceToPhases } from "../ops/space_to_phases.ts";
import { NOISE_INPUT } from "./noise_key.ts";
import type { NetworkVariables } from "./variables.ts";

/** Epsilon of batch norms. */
export const BN_EPS = 1e-5;

/** A batch norm that {@linkcode Builder.normed} prepares. */
export interface ToNorm {
  /** Its name. */
  readonly norm: string;
  /** What it normalises, or what the 1x1 convolution or the pool in front of it reads: `[groups*C, N, H, W]`. */
  readonly x: Tensor;
  /** Name of the weights of a 1x1 convolution of `groups` times C to C channels. */
  readonly weight?: string;
  /** A 3x3 pool; none where there are weights. */
  readonly pool?: { readonly kind: "max" | "avg"; readonly stride: 1 | 2 };
}

/** What a batch norm normalises, and the statistics that it takes. */
export interface Normed {
  readonly z: Tensor;
  readonly stats: Tensor;
}

/** What a classifier has besides its classes. */
export interface ClassifierOptions {
  /** What its names begin with. */
  readonly prefix?: string;
  /** In how many parts the image is pooled too, each way; 0, the default: only as a whole. */
  readonly parts?: number;
  /** Whether it reads the ReLU of the image. */
  readonly relu?: boolean;
}

/** Builds layers into a graph: names weights and decides between batch and running statistics. */
export class Builder {
  /**
   * `training` selects the batch's statistics, inference the running ones.
   * @param prefix what the names of weights, statistics and noise begin with
   */
  constructor(
    readonly graph: Graph,
    readonly variables: NetworkVariables,
    readonly training: boolean,
    readonly prefix: string = "",
  ) {}

  /** The weight `name`, uniform in +-1/sqrt(fanIn) at the start. */
  weight(name: string, shape: readonly number[], fanIn: number, isMatrix = false): Tensor {
    const { graph, variables, prefix } = this, initializer = { uniform: 1 / Math.sqrt(fanIn) };
    return graph.variable(variables.weight(prefix + name, shape, initializer, isMatrix));
  }

  /** The weights `[channels, inputs, size, size]` of a convolution, as those of {@linkcode weight}. */
  kernel(name: string, channels: number, inputs: number, size: number): Tensor {
    return this.weight(name, [channels, inputs, size, size], inputs * size * size, true);
  }

  /** Statistics `[2, C]` with which batch norm `name` normalises `z`. */
  statistics(z: Tensor, name: string): Tensor {
    return this.#statistics(z, [{ name, channels: z.type.shape[0] }])[0];
  }

  /** Statistics `[2, C]` of several batch norms, whose channels follow each other in `z`. */
  #statistics(z: Tensor, norms: readonly { readonly name: string; readonly channels: number }[]): Tensor[] {
    const [, n, h, w] = z.type.shape;
    const variables = norms.map(({ name, channels }) =>
      this.variables.batchNorm(this.prefix + name, channels, n * h * w)
    );
    if (!this.training) return variables.map(({ running }) => this.graph.variable(running));
    const sizes = norms.map(({ channels }) => channels), label = `${norms.map(({ name }) => name).join("+")}/stats`;
    const stats = this.graph.apply(bnStats, [z], { sizes }, label);
    stats.forEach((t, i) => this.graph.place(t, variables[i].batch));
    return stats;
  }

  /** Batch norm without affine parameters. */
  batchNorm(z: Tensor, name: string): Tensor {
    return this.graph.apply1(normalize, [z, this.statistics(z, name)], { eps: BN_EPS, batch: this.training }, name);
  }

  /** Batch norm with scale `name.gamma` and shift `name.beta`. */
  affineBatchNorm(z: Tensor, name: string): Tensor {
    const c = z.type.shape[0], { graph, variables, prefix } = this;
    const gamma = graph.variable(variables.weight(`${prefix}${name}.gamma`, [c], { constant: 1 }));
    const beta = graph.variable(variables.weight(`${prefix}${name}.beta`, [c], { constant: 0 }));
    const stats = this.statistics(z, name);
    return graph.apply1(normalize, [z, stats, gamma, beta], { eps: BN_EPS, batch: this.training }, name);
  }

  /** 3x3 convolution without bias, of x or of ReLU(x). */
  conv3x3(x: Tensor, name: string, channels: number, stride = 1, relu = false): Tensor {
    const w = this.kernel(name, channels, x.type.shape[0], 3);
    return this.graph.apply1(conv2d, [x, w], { stride, padding: 1, relu }, name);
  }

  /** 1x1 convolution in groups (see `pointwise`). */
  pointwise(
    x: Tensor,
    name: string,
    channels: number,
    options: { groups?: number; inputGroups?: number; relu?: boolean } = {},
  ): Tensor {
    const { groups = 1, inputGroups = 1, relu = false } = options, ci = x.type.shape[0] / inputGroups;
    const w = this.weight(name, [channels, ci], ci, true);
    return this.graph.apply1(pointwise, [x, w], { groups, inputGroups, relu }, name);
  }

  /**
   * What several batch norms of tensors of one size need: their 1x1 convolutions of groups of `channels` channels as one
   * convolution side by side, called `name`, the maximum and the average of an image as one operation, and the statistics
   * in one go.
   */
  normed(norms: readonly ToNorm[], channels: number, name: string): Normed[] {
    const convolved = norms.filter((one): one is ToNorm & { weight: string } => one.weight !== undefined);
    const plain = norms.filter(({ weight }) => weight === undefined), given = this.#pooled(plain);
    const made = convolved.length > 0 ? this.#pointwiseBlock(convolved, channels, name) : { whole: [], parts: [] };
    const order = [...convolved, ...plain], zs = [...made.parts, ...given];
    const all = this.#sideBySide([...made.whole, ...given], `${name}/normed`);
    const stats = this.#statistics(all, order.map(({ norm }, i) => ({ name: norm, channels: zs[i].type.shape[0] })));
    return norms.map((one) => ({ z: zs[order.indexOf(one)], stats: stats[order.indexOf(one)] }));
  }

  /** What batch norms without convolutions normalise. */
  #pooled(norms: readonly ToNorm[]): Tensor[] {
    const done = new Map<ToNorm, Tensor>();
    for (const one of norms) {
      const { x, norm, pool } = one;
      if (!pool || done.has(one)) continue;
      const { kind, stride } = pool, attrs = { stride };
      const other = norms.find((n) => n.x === x && n.pool?.stride === stride && n.pool.kind !== kind);
      if (!other) done.set(one, this.graph.apply1(kind === "max" ? maxPool : avgPool, [x], attrs, norm));
      else {
        const [max, avg] = this.graph.apply(bothPools, [x], attrs, `${norm}+${other.norm}`);
        done.set(one, kind === "max" ? max : avg).set(other, kind === "max" ? avg : max);
      }
    }
    return norms.map((one) => done.get(one) ?? one.x);
  }

  #pointwiseBlock(layers: readonly (ToNorm & { weight: string })[], channels: number, name: string) {
    const sizes = layers.map(({ x }) => x.type.shape[0]), x = this.#sideBySide(layers.map(({ x }) => x), `${name}/in`);
    const parts = layers.map(({ weight }, i) => ({ name: this.prefix + weight, rows: sizes[i] }));
    const w = this.variables.weightBlock(this.prefix + name, parts, channels, { uniform: 1 / Math.sqrt(channels) });
    const groups = x.type.shape[0] / channels, attrs = { groups, inputGroups: groups, relu: false };
    const y = this.graph.apply1(pointwise, [x, this.graph.variable(w)], attrs, name);
    return { whole: [y], parts: layers.length === 1 ? [y] : this.graph.apply(split, [y], { sizes }, `${name}/out`) };
  }

  /** The channels of images behind each other. */
  #sideBySide(images: readonly Tensor[], label: string): Tensor {
    return images.length === 1 ? images[0] : this.graph.apply1(concat, images, null, label);
  }

  /** Depthwise convolution of ReLU(x), or of ReLU(BN(x)) where the statistics of x are given. */
  depthwise(
    x: Tensor,
    name: string,
    options: { size: number; edges?: number; dilation?: number; stride?: 1 | 2; stats?: Tensor },
  ): Tensor {
    const { size, edges = 1, dilation = 1, stride = 1, stats } = options;
    const w = this.weight(name, [edges * x.type.shape[0], size, size], size * size);
    const prologue = !stats ? "relu" : this.training ? "batch-norm-relu" : "fixed-norm-relu";
    const attrs = { stride, dilation, prologue, eps: BN_EPS } as const;
    return this.graph.apply1(depthwise, stats ? [x, w, stats] : [x, w], attrs, name);
  }

  /**
   * The convolutions of a factorized reduction, `edges` at a time: ReLU, then half of each edge's channels from the
   * even pixels and half from the odd ones. Odd sizes are padded with zeros. No batch norm.
   */
  factorizedReduce(x: Tensor, name: string, channels: number, edges = 1): Tensor {
    if (channels % 2 !== 0) {
      throw new RangeError(`Cannot halve ${channels} channels at '${name}': channels must be even`);
    }
    const phases = this.graph.apply1(spaceToPhases, [x], { relu: true }, `${name}/phases`);
    return this.pointwise(phases, name, edges * channels, { groups: 2 * edges, inputGroups: 2 });
  }

  /** Normal noise of shape `[C, N, H, W]`, drawn anew in each step (see `noise_key.ts`). */
  noise(name: string, shape: readonly [number, number, number, number]): Tensor {
    const key = this.graph.input(NOISE_INPUT, dense([4], "i32"));
    return this.graph.apply1(noise, [key], { shape, stream: hashName(this.prefix + name) }, name);
  }

  /** Pooling, behind a ReLU if wanted, and a linear layer: logits `[N, classes]`. */
  classifier(x: Tensor, classes: number, { prefix = "", parts = 0, relu = false }: ClassifierOptions = {}): Tensor {
    const pooled = parts > 0
      ? this.graph.apply1(
        pyramidPool,
        [relu ? this.graph.apply1(reluOf, [x], null, `${prefix}relu`) : x],
        { parts },
        `${prefix}pool`,
      )
      : this.graph.apply1(globalAvgPool, [x], { relu }, `${prefix}pool`);
    const [, features] = pooled.type.shape;
    const name = `${prefix}classifier`, w = this.weight(`${name}.weight`, [classes, features], features);
    const b = this.weight(`${name}.bias`, [classes], features);
    return this.graph.apply1(linear, [pooled, w, b], null, name);
  }
}

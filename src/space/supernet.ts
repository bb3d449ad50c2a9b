/**
 * The supernet: a stem, a stack of cells whose edges carry mixed operations, and a classifier (DARTS, arXiv
 * 1806.09055; or the stages of NAS-Bench-201, arXiv 2001.00326), with node normalisation (iDARTS, arXiv 2108.11014; the
 * formulas are our reading of its abstract).
 * @module
 */
import { option, optionError, text, UsageError } from "../base/errors.ts";
import type { Graph, Tensor } from "../graph/graph.ts";
import { dense, image, type Precision } from "../graph/tensor_type.ts";
import { Arena } from "../graph/variables.ts";
import type { Builder } from "../nn/layers.ts";
import type { NetworkVariables } from "../nn/variables.ts";
import { concat } from "../ops/concat.ts";
import { edgeWeights } from "../ops/edge_weights.ts";
import { softmax } from "../ops/softmax.ts";
import { buildDartsFeatures } from "./darts_network.ts";
import { buildNasBenchFeatures, checkNasBenchImages } from "./nas_bench_network.ts";
import { reductionProblem, THIRDS } from "./reductions.ts";
import { type CellKind, edgesOf, incoming, skeletonOf, softmaxColumns, type Space } from "./space.ts";
import { buildCell, type BuiltNode } from "./supernet_cell.ts";

export type { BuiltCandidate, BuiltNode } from "./supernet_cell.ts";

/**
 * How the raw sum s of an intermediate node is normalised:
 * `none`: not at all (plain DARTS); `batch`: per channel over batch and space; `sample`: per sample over channels and
 * space, centred; `rms`: per sample, s / sqrt(mean(s^2) + eps).
 */
export type NodeNorm = "none" | "batch" | "sample" | "rms";

/** All node normalisations. */
export const NODE_NORMS = ["none", "batch", "sample", "rms"] as const;

/** Size and kind of a supernet. */
export interface SupernetConfig {
  /** Search space. */
  readonly space: Space;
  /** Channels C of the first cells; doubled at each reduction. */
  readonly channels: number;
  /** Number of cells. */
  readonly cells: number;
  /** Number of classes. */
  readonly classes: number;
  /** Channels of the images. */
  readonly inputChannels: number;
  /** Rows of the images. */
  readonly height: number;
  /** Columns of the images. */
  readonly width: number;
  /** Images per step. */
  readonly batch: number;
  /** Normalisation of the nodes. */
  readonly nodeNorm: NodeNorm;
  /** Whether the edges that enter a node have weights, softmaxed betas (PC-DARTS); default false. */
  readonly edgeWeights?: boolean;
  /** K: only the first 1/K of the channels go through the operations, the others bypass them (PC-DARTS); default 1. */
  readonly partialChannels?: number;
  /** How activations and their gradients are stored; default f32. */
  readonly precision?: Precision;
}

/** A supernet in a graph. */
export interface BuiltSupernet {
  /** `[N, classes]`. */
  readonly logits: Tensor;
  readonly nodes: readonly BuiltNode[];
}

/** Name of the betas of a kind of cell in the arena of the architecture. */
export function betasName(kind: CellKind): string {
  return `betas.${kind}`;
}

/**
 * Arena of the architecture parameters: alphas `[edges, primitives]` of each kind of cell that there is, and with edge
 * weights its betas `[edges]`.
 */
export function alphaArena({ space, edgeWeights }: Pick<SupernetConfig, "space" | "edgeWeights">): Arena {
  const arena = new Arena("alphas"), rows = edgesOf(space).length, { kinds } = skeletonOf(space);
  for (const kind of kinds) arena.add(kind, dense([rows, space.primitives.length]));
  for (const kind of edgeWeights ? kinds : []) arena.add(betasName(kind), dense([rows]));
  return arena;
}

/** Whether some channels bypass the operations; a last column of the mixture then holds the weights of the edges. */
export function hasBypass({ partialChannels = 1 }: Pick<SupernetConfig, "partialChannels">): boolean {
  return partialChannels > 1;
}

/**
 * What the mixed operations of a kind of cell multiply by, `[edges, primitives]`: the softmaxed alphas, with edge weights
 * times the softmaxed betas. Where channels bypass the operations, one column more holds what those are multiplied by.
 */
export function mixtureOf(graph: Graph, config: SupernetConfig, alphas: Arena, kind: CellKind): Tensor {
  const { space, edgeWeights: weighted = false } = config,
    bypass = hasBypass(config),
    columns = softmaxColumns(space, kind);
  const weights = graph.apply1(softmax, [graph.variable(alphas.get(kind))], columns && { columns }, `alphas.${kind}`);
  if (!weighted && !bypass) return weights;
  const betas = weighted ? [graph.variable(alphas.get(betasName(kind)))] : [];
  const entering = Array.from({ length: space.nodes }, (_, node) => incoming(space, node).length);
  return graph.apply1(
    edgeWeights,
    [weights, ...betas],
    { entering: weighted ? entering : null, bypass },
    betasName(kind),
  );
}

/**
 * Checks that a supernet can be built.
 * @throws {UsageError} naming the option.
 */
export function checkSupernet(config: SupernetConfig): void {
  const { channels, cells, height, width, partialChannels = 1, space: { reduceAt = THIRDS, skeleton } } = config;
  const least = 2 ** reduceAt.length;
  if (channels % 2 !== 0) {
    throw optionError({ key: "init-channels", must: "even for the factorized reductions", value: channels });
  }
  if (skeleton) checkNasBenchImages(height, width, reduceAt);
  if (channels % partialChannels !== 0) {
    throw optionError({
      key: "partial-channels",
      must: text`a divisor of ${option("init-channels")} ${channels}`,
      value: partialChannels,
    });
  }
  const problem = reductionProblem(cells, reduceAt);
  if (problem) throw new UsageError(text`Cannot use ${option("cells")} as it is: ${problem}`, { option: "cells" });
  if (Math.min(height, width) < least) {
    throw new UsageError(
      `Cannot search on images of ${height}x${width}: they must be at least ${least}x${least}, since ` +
        `${reduceAt.length} of the cells halve them`,
    );
  }
}

/** The softmaxed architecture weights `[edges, primitives]` of each kind of cell that a space has. */
export type CellWeights = Readonly<Partial<Record<CellKind, Tensor>>>;

/**
 * Builds the supernet on `images` `[inputChannels, N, H, W]`.
 * @param weights of the mixed operations, from {@linkcode mixtureOf}, of each kind of cell.
 */
export function buildSupernet(
  builder: Builder,
  config: SupernetConfig,
  images: Tensor,
  weights: CellWeights,
): BuiltSupernet {
  const nodes: BuiltNode[] = [], { channels, cells, space: { reduceAt, skeleton } } = config;
  const outputsOf = (inputs: readonly Tensor[], cell: number, kind: CellKind): Tensor[] => {
    const built = buildCell(builder, config, { cell, kind, path: `cells.${cell}`, inputs, weights: weights[kind]! });
    nodes.push(...built);
    return built.map(({ output }) => output);
  };
  const stack = { channels, cells, reduceAt };
  const features = skeleton
    ? buildNasBenchFeatures(builder, stack, images, (x, cell) => outputsOf([x], cell, "normal").at(-1)!)
    : buildDartsFeatures(
      builder,
      { ...stack, form: "cifar", affine: false },
      images,
      (inputs, cell, kind) => builder.graph.apply1(concat, outputsOf(inputs, cell, kind), null, `cells.${cell}.concat`),
    );
  return { logits: builder.classifier(features, config.classes, { relu: skeleton !== undefined }), nodes };
}

/** Graph inputs of a supernet program: `images` and `labels`. */
export function supernetInputs(graph: Graph, config: SupernetConfig): { images: Tensor; labels: Tensor } {
  const { inputChannels, batch, height, width } = config;
  return {
    images: graph.input("images", image(inputChannels, batch, height, width)),
    labels: graph.input("labels", dense([batch], "i32")),
  };
}

/** Number of weights of a supernet whose graph was built with `variables` (alphas not counted). */
export function weightCount(variables: NetworkVariables): number {
  return variables.weights.elements;
}

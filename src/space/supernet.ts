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
import { BN_EPS, type Builder } from "../nn/layers.ts";
import type { NetworkVariables } from "../nn/variables.ts";
import { concat, split } from "../ops/concat.ts";
import { edgeWeights } from "../ops/edge_weights.ts";
import { maxPool2x2 } from "../ops/max_pool_2x2.ts";
import { mixed, type MixedCandidate } from "../ops/mixed.ts";
import { sampleNorm } from "../ops/sample_norm.ts";
import { softmax } from "../ops/softmax.ts";
import { buildNasBenchFeatures, checkNasBenchImages } from "./nas_bench_network.ts";
import { buildTogether, findPrimitive } from "./primitives.ts";
import { reductionCells, reductionProblem, THIRDS } from "./reductions.ts";
import {
  type CellKind,
  type Edge,
  edgesOf,
  incoming,
  outgoing,
  primitivesOf,
  skeletonOf,
  softmaxColumns,
  type Space,
} from "./space.ts";

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

/** A candidate of a node: where its output lies. */
export interface BuiltCandidate {
  /** Index of the edge in its cell. */
  readonly edge: number;
  /** Source of the edge. */
  readonly from: number;
  /** Name of the primitive. */
  readonly op: string;
  /** Tensor that holds it, `[groups*C/K, N, H, W]`, before the last batch norm. */
  readonly z: Tensor;
  /** Statistics of the last batch norm; null: there is none. */
  readonly stats: Tensor | null;
  /** Its group of channels in z. */
  readonly group: number;
}

/** An intermediate node of a built supernet. */
export interface BuiltNode {
  /** Kind of the cell. */
  readonly kind: CellKind;
  /** Index of the cell in the network. */
  readonly cell: number;
  /** 0-based. */
  readonly node: number;
  /** What the candidates add up to, `[C/K, N, H, W]`: the raw sum s, or its part that went through operations. */
  readonly sum: Tensor;
  /** The whole node after node normalisation, `[C, N, H, W]`. */
  readonly output: Tensor;
  /** In the order of `candidatesOf`. */
  readonly candidates: readonly BuiltCandidate[];
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
  const nodes: BuiltNode[] = [];
  const addCell = (cell: number, kind: CellKind, inputs: readonly Tensor[]): Tensor[] => {
    const built = buildCell(builder, config, { cell, kind, path: `cells.${cell}`, inputs, weights: weights[kind]! });
    nodes.push(...built);
    return built.map(({ output }) => output);
  };
  const features = config.space.skeleton
    ? buildNasBenchFeatures(
      builder,
      { ...config, reduceAt: config.space.reduceAt },
      images,
      (x, cell) => addCell(cell, "normal", [x]).at(-1)!,
    )
    : buildDartsFeatures(builder, config, images, addCell);
  return { logits: builder.classifier(features, config.classes), nodes };
}

/** The features that the classifier reads in DARTS' skeleton; `addCell` gives the nodes of a cell. */
function buildDartsFeatures(
  builder: Builder,
  config: SupernetConfig,
  images: Tensor,
  addCell: (cell: number, kind: CellKind, inputs: readonly Tensor[]) => Tensor[],
): Tensor {
  const reductions = reductionCells(config.cells, config.space.reduceAt);
  const stem = builder.affineBatchNorm(builder.conv3x3(images, "stem.conv", 3 * config.channels), "stem.bn");
  let before = stem, last = stem, channels = config.channels, afterReduction = false;
  for (let cell = 0; cell < config.cells; cell++) {
    const kind: CellKind = reductions.includes(cell) ? "reduce" : "normal";
    if (kind === "reduce") channels *= 2;
    const path = `cells.${cell}`;
    const first = afterReduction
      ? builder.factorizedReduce(before, `${path}.pre0`, channels)
      : builder.pointwise(before, `${path}.pre0`, channels, { relu: true });
    const second = builder.pointwise(last, `${path}.pre1`, channels, { relu: true });
    const inputs = [builder.batchNorm(first, `${path}.pre0.bn`), builder.batchNorm(second, `${path}.pre1.bn`)];
    const outputs = addCell(cell, kind, inputs);
    before = last;
    last = builder.graph.apply1(concat, outputs, null, `${path}.concat`);
    afterReduction = kind === "reduce";
  }
  return last;
}

interface CellContext {
  readonly cell: number;
  readonly kind: CellKind;
  readonly path: string;
  readonly inputs: readonly Tensor[];
  readonly weights: Tensor;
}

function buildCell(builder: Builder, config: SupernetConfig, context: CellContext): BuiltNode[] {
  const { space, partialChannels = 1 } = config, { cell, kind, path, inputs, weights } = context, { graph } = builder;
  const channels = inputs[0].type.shape[0], active = channels / partialChannels, rest = channels - active;
  const first = inputs.length, states = inputs.slice();
  const candidates: BuiltCandidate[][] = [], built: BuiltNode[] = [];
  for (let node = 0; node < space.nodes; node++) candidates.push([]);
  // What has entered the nodes that are not finished yet, side by side.
  let sums: Tensor | undefined, bypassed: Tensor | undefined;
  for (let from = 0; from < first + space.nodes - 1; from++) {
    if (from >= first) states.push(finishNode(from - first));
    const edges = outgoing(space, from), stride = kind === "reduce" && from < first ? 2 : 1;
    const [x, around] = rest > 0
      ? graph.apply(split, [states[from]], { sizes: [active, rest] }, `${path}.from${from}.split`)
      : [states[from]];
    const operands: Tensor[] = [weights], described: MixedCandidate[] = [];
    const offered = space.primitives.flatMap((op, column) => {
      const used = edges.map((e) => primitivesOf(space, kind, e.index).includes(op));
      return used.includes(true) ? [{ op, column, used }] : [];
    });
    const building = offered.map(({ op, used }) => {
      const name = `${path}.from${from}.${op}`, count = used.filter(Boolean).length;
      return findPrimitive(op).build({ builder, x, name, edges: count, stride });
    });
    buildTogether(builder, building, active, `${path}.from${from}`).forEach((output, i) => {
      if (!output) return;
      const { op, column, used } = offered[i];
      let next = 0;
      const groups = used.map((yes) => !yes ? -1 : output.shared ? 0 : next++);
      const norm = !output.stats ? "none" : builder.training ? "batch" : "fixed";
      described.push({ column, norm, groups });
      operands.push(output.z, ...(output.stats ? [output.stats] : []));
      edges.forEach((e, k) => {
        if (groups[k] < 0) return;
        candidates[e.to - first].push({ edge: e.index, from, op, z: output.z, stats: output.stats, group: groups[k] });
      });
    });
    sums = addMixed(sums, active, edges, operands, described, `${path}.from${from}.mixed`);
    if (!around) continue;
    const name = `${path}.from${from}.bypass`,
      z = stride === 2 ? graph.apply1(maxPool2x2, [around], null, name) : around;
    const identity = { column: space.primitives.length, norm: "none", groups: edges.map(() => 0) } as const;
    bypassed = addMixed(bypassed, rest, edges, [weights, z], [identity], name);
  }
  finishNode(space.nodes - 1);
  return built;

  /**
   * Adds what leaves a source along its edges, `width` channels each, to the sums of the nodes that they enter: all later
   * ones.
   */
  function addMixed(
    before: Tensor | undefined,
    width: number,
    edges: readonly Edge[],
    operands: readonly Tensor[],
    described: readonly MixedCandidate[],
    name: string,
  ): Tensor {
    const rows = edges.map((e) => e.index), accumulate = before !== undefined;
    const attrs = { channels: width, rows, candidates: described, eps: BN_EPS, accumulate };
    return graph.apply1(mixed, before ? [...operands, before] : operands, attrs, name);
  }

  /** The sum of the first of the nodes that are not finished, and those of the others. */
  function takeFirst(all: Tensor, width: number, name: string): [Tensor, Tensor?] {
    const others = all.type.shape[0] - width;
    if (others === 0) return [all];
    const [sum, rest] = graph.apply(split, [all], { sizes: [width, others] }, name);
    return [sum, rest];
  }

  /** Puts the finished sums of a node together and normalises it. */
  function finishNode(node: number): Tensor {
    const name = `${path}.node${node}`;
    let sum: Tensor, whole: Tensor;
    [sum, sums] = takeFirst(sums!, active, `${name}.sum`);
    whole = sum;
    if (bypassed) {
      let beside: Tensor;
      [beside, bypassed] = takeFirst(bypassed, rest, `${name}.bypassed`);
      whole = graph.apply1(concat, [sum, beside], { groups: partialChannels }, `${name}.shuffle`);
    }
    const output = normalizeNode(builder, config.nodeNorm, whole, name);
    built.push({ kind, cell, node, sum, output, candidates: candidates[node] });
    return output;
  }
}

function normalizeNode(builder: Builder, norm: NodeNorm, sum: Tensor, name: string): Tensor {
  switch (norm) {
    case "none":
      return sum;
    case "batch":
      return builder.batchNorm(sum, name);
    case "sample":
    case "rms":
      return builder.graph.apply1(sampleNorm, [sum], { center: norm === "sample", eps: BN_EPS }, name);
  }
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

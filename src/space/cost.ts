/**
 * What a derived network costs, counted on the graph that inference runs, and the largest network within a budget.
 * Needs no device.
 *
 * Conventions: parameters are all trained weights (convolutions, scales and shifts of batch norms, the classifier with
 * its bias), the auxiliary classifier excluded. MACs are the multiply-accumulates of convolutions and linear layers for
 * one image; batch norms, pools, activations and sums are not counted. (FLOPs are often given as 2 x MACs.)
 * Activation memory is for one image in f32 without row padding: the sum over all layers is what training has to keep,
 * the peak is what inference holds at once.
 * @module
 */
import { optionError, UsageError } from "../base/errors.ts";
import { BOUNDLESS_LIMITS } from "../gpu/device.ts";
import { Graph, type Node } from "../graph/graph.ts";
import { dropUnused } from "../graph/passes.ts";
import { planProgram, Pool } from "../graph/plan.ts";
import { elementCount } from "../graph/tensor_type.ts";
import { Builder } from "../nn/layers.ts";
import { NetworkVariables } from "../nn/variables.ts";
import { reductionProblem } from "./reductions.ts";
import { buildNetwork, checkNetwork, type NetworkConfig, type NetworkForm, networkImages } from "./derived.ts";

/** Cost of a layer: one operation of the graph with its weights. */
export interface LayerCost {
  /** Path of the layer, for example `cells.3/node0`. */
  readonly name: string;
  /** Operation of the graph. */
  readonly op: string;
  /** `[C, H, W]` or `[features]` of its result for one image. */
  readonly shape: readonly number[];
  /** Weights that it reads, and no layer before it. */
  readonly parameters: number;
  /** Multiply-accumulates for one image. */
  readonly macs: number;
  /** Bytes of its result for one image. */
  readonly activationBytes: number;
}

/** Cost of a network. */
export interface NetworkCost {
  /** All weights, the auxiliary classifier excluded. */
  readonly parameters: number;
  /** Multiply-accumulates of convolutions and linear layers for one image. */
  readonly macs: number;
  /** Bytes of the results of all layers for one image. */
  readonly activationBytes: number;
  /** Most bytes that inference of one image holds at once besides weights, scratch buffers and padding included. */
  readonly peakBytes: number;
  /** Every layer, in order of execution. */
  readonly layers: readonly LayerCost[];
}

function inferenceGraph(network: NetworkConfig) {
  checkNetwork(network);
  const graph = new Graph(), variables = new NetworkVariables();
  const { logits } = buildNetwork(new Builder(graph, variables, false), network, networkImages(graph, network, 1));
  dropUnused(graph, [logits]); // a node that no output depends on costs nothing but its weights
  return { graph, variables, logits };
}

const macsOf = (node: Node): number =>
  node.op.macs?.(node.inputs.map((t) => t.type), node.outputs.map((t) => t.type), node.attrs) ?? 0;

/** Parameters and MACs alone: what the search for a size needs, without planning. */
function count(network: NetworkConfig): { parameters: number; macs: number } {
  const { graph, variables } = inferenceGraph(network);
  return { parameters: variables.weights.elements, macs: graph.nodes.reduce((sum, node) => sum + macsOf(node), 0) };
}

/**
 * Counts a network.
 * @example DARTS' published cell on CIFAR-10
 * ```ts
 * import { costOf } from "./cost.ts";
 * import { DARTS_V2 } from "./published.ts";
 * const size = { channels: 36, cells: 20, classes: 10, inputChannels: 3, height: 32, width: 32 };
 * const cost = costOf({ genotype: DARTS_V2, form: "cifar", ...size });
 * console.assert(cost.parameters === 3_349_342);
 * ```
 * @throws {UsageError} when the network cannot be built.
 */
export function costOf(network: NetworkConfig): NetworkCost {
  const { graph, variables, logits } = inferenceGraph(network);
  const counted = new Set<unknown>(); // a mirrored network reads its weights twice
  const layers = graph.nodes.map((node): LayerCost => {
    const [{ type }] = node.outputs, shape = type.layout === "image" ? [type.shape[0], ...type.shape.slice(2)] : null;
    const weights = node.inputs.flatMap(({ variable }) =>
      variable?.arena === variables.weights && !counted.has(variable) ? [variable] : []
    );
    for (const variable of weights) counted.add(variable);
    return {
      name: node.label,
      op: node.op.name,
      shape: shape ?? type.shape.slice(1),
      parameters: weights.reduce((sum, v) => sum + elementCount(v.type), 0),
      macs: macsOf(node),
      activationBytes: 4 * node.outputs.reduce((sum, t) => sum + elementCount(t.type), 0),
    };
  });
  const pool = new Pool();
  planProgram("cost", graph, { logits }, BOUNDLESS_LIMITS, pool);
  const sum = (key: "macs" | "activationBytes") => layers.reduce((total, layer) => total + layer[key], 0);
  return {
    parameters: variables.weights.elements,
    macs: sum("macs"),
    activationBytes: sum("activationBytes"),
    peakBytes: pool.bytes,
    layers,
  };
}

/** A budget for {@linkcode scaleNetwork}; at least one of the two. */
export interface Budget {
  /** Most parameters. */
  readonly parameters?: number;
  /** Most multiply-accumulates for one image. */
  readonly macs?: number;
}

/** Reads a number with an optional k, M or G: `1M`, `600k`, `2.5e6`. @throws {UsageError} naming option `key`. */
export function parseCount(count: string, key: string): number {
  const match = /^\s*(\d+(?:\.\d+)?(?:e\d+)?)\s*([kmg]?)\s*$/i.exec(count);
  const factor = { "": 1, k: 1e3, m: 1e6, g: 1e9 }[match?.[2].toLowerCase() ?? ""]!;
  const value = match ? Math.round(Number(match[1]) * factor) : 0;
  if (value >= 1 && Number.isSafeInteger(value)) return value;
  throw optionError({ key, must: "a count such as 1M, 600k or 2500000", value: count.slice(0, 60) });
}

/** Depths that are tried, deepest first: published ones, and what lies between. */
const DEPTHS: Readonly<Record<NetworkForm, readonly number[]>> = {
  cifar: [20, 17, 14, 11, 8, 5],
  imagenet: [14, 11, 8, 5],
};

/** Fewest channels of the first cells at which a shallower network is not preferred yet. */
const WIDE_ENOUGH = 16;

/** Most channels that are tried. */
const MOST_CHANNELS = 1024;

/**
 * Picks channels and cells for a budget. The rule: the network is as deep as the published ones (20 cells in the CIFAR
 * form, 14 in the ImageNet form) if the budget allows at least 16 channels then, else 3 cells shallower, and so on down
 * to 5 cells; with that depth, as wide as the budget allows (channels are even). If even 5 cells of 16 channels are too
 * many, 5 cells of fewer channels. `cells` fixes the depth.
 * @throws {UsageError} when not even 2 channels fit.
 */
export function scaleNetwork(
  network: Omit<NetworkConfig, "channels" | "cells">,
  budget: Budget,
  cells?: number,
): NetworkConfig {
  const { parameters = Infinity, macs = Infinity } = budget;
  const { form, genotype: { reduceAt } } = network;
  const possible = DEPTHS[form].filter((depth) => !reduceAt || reductionProblem(depth, reduceAt) === undefined);
  const depths = cells !== undefined ? [cells] : possible.length > 0 ? possible : DEPTHS[form];
  let least: { parameters: number; macs: number } | undefined;
  const fits = (channels: number, depth: number): boolean => {
    const cost = count({ ...network, channels, cells: depth });
    least = cost;
    return cost.parameters <= parameters && cost.macs <= macs;
  };
  for (const depth of depths) {
    const last = depth === depths[depths.length - 1];
    let low = (last ? 2 : WIDE_ENOUGH) / 2, high = MOST_CHANNELS / 2 + 1; // in pairs of channels
    if (!fits(2 * low, depth)) continue;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (fits(2 * middle, depth)) low = middle;
      else high = middle;
    }
    return { ...network, channels: 2 * low, cells: depth };
  }
  throw new UsageError(
    `Cannot build a network within the budget: the smallest, with 2 channels and ${depths.at(-1)} cells, has ` +
      `${least!.parameters} parameters and ${least!.macs} MACs, so allow more`,
  );
}

/**
 * The derived network: a stack of cells with the operations of a genotype, a classifier, and in training an auxiliary
 * classifier and drop path (DARTS' public code, `cnn/model.py`). Not responsible for how cells are stacked
 * (`darts_network.ts`, `nas_bench_network.ts`) nor for training it.
 *
 * All batch norms are affine, none follows a pool. Odd sizes are rounded up where the image is halved.
 * @module
 */
import { option, optionError, text, UsageError } from "../base/errors.ts";
import type { Graph, Tensor } from "../graph/graph.ts";
import { dense, image } from "../graph/tensor_type.ts";
import { Builder } from "../nn/layers.ts";
import { sum } from "../ops/add_n.ts";
import { concat, zeros } from "../ops/concat.ts";
import { conv2d } from "../ops/conv2d.ts";
import { dropPath } from "../ops/drop_path.ts";
import { mirror } from "../ops/mirror.ts";
import { windowMean } from "../ops/window_mean.ts";
import {
  buildDartsFeatures,
  cellKind,
  DARTS_SIZES,
  type NetworkForm,
  STEM_HALVINGS,
  strideOf,
} from "./darts_network.ts";
import type { CellGenotype, Genotype } from "./genotype.ts";
import { buildNasBenchFeatures, checkNasBenchImages, NAS_BENCH_SIZE } from "./nas_bench_network.ts";
import { buildOnEdge } from "./primitive_layers.ts";
import { findPrimitive, layersOf } from "./primitives.ts";
import { reductionCells, reductionProblem, THIRDS } from "./reductions.ts";
import { type CellKind, skeletonOf } from "./space.ts";

export { NETWORK_FORMS, type NetworkForm } from "./darts_network.ts";

/** Size of a derived network: with a genotype, all that decides its weights. */
export interface NetworkConfig {
  /** The cells. */
  readonly genotype: Genotype;
  /** Which stem. */
  readonly form: NetworkForm;
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
  /** What the classifier sees; left out: `global`. */
  readonly pooling?: Pooling;
  /** Networks of this kind whose logits are added up, each with weights of its own: an ensemble. Left out: 1. */
  readonly members?: number;
  /** Whether the logits of an image and of its mirror image, by the same weights, are added up. Left out: false. */
  readonly mirrored?: boolean;
}

/** What the names of a member's weights and statistics begin with. */
export function memberPrefix(member: number): string {
  return `members.${member}.`;
}

/**
 * What a classifier sees of the last cell: `global` the mean of each channel, as all published networks have it;
 * `pyramid` the means over 4 x 4 parts of the image as well, so that it can tell where things are.
 */
export type Pooling = "global" | "pyramid";

/** Both. */
export const POOLINGS = ["global", "pyramid"] as const;

/** Parts of the pyramid, each way; fewer where there are fewer pixels. */
const PYRAMID_PARTS = 4;

/** What a network has in training only. */
export interface TrainingParts {
  /** Builds the auxiliary classifier. */
  readonly auxiliary: boolean;
  /** Factors of the paths `[dropPathRows, N]`, 0 or 1 / keep; null: no path is dropped. */
  readonly dropMask: Tensor | null;
}

/** A derived network in a graph. */
export interface BuiltNetwork {
  /** `[N, classes]`. */
  readonly logits: Tensor;
  /** Logits of the auxiliary classifier, or null. */
  readonly auxiliary: Tensor | null;
}

/** Channels and cells of the published networks of such a cell: DARTS' in each form, or the benchmark's. */
export function publishedSize({ skeleton }: Genotype, form: NetworkForm): { channels: number; cells: number } {
  return skeleton ? NAS_BENCH_SIZE : DARTS_SIZES[form];
}

/** Channels of the auxiliary classifier's two convolutions. */
const AUXILIARY_CHANNELS = [128, 768] as const;

/**
 * Checks that a network can be built.
 * @throws {UsageError} naming the option.
 */
export function checkNetwork(config: NetworkConfig, auxiliary = false): void {
  const { channels, cells, height, width, form, genotype: { reduceAt = THIRDS } } = config;
  const size = Math.min(height, width), least = 2 ** (STEM_HALVINGS[form] + reduceAt.length); // a pixel is left
  if (channels % 2 !== 0) {
    throw optionError({ key: "init-channels", must: "even for the factorized reductions", value: channels });
  }
  if (config.genotype.skeleton) {
    if (form !== "cifar") {
      throw new UsageError(
        text`Cannot use ${option("form")} ${form} with a NAS-Bench-201 cell, which has none but cifar`,
        { option: "form", value: form, remedies: [{ kind: "set", option: "form", value: "cifar" }] },
      );
    }
    checkNasBenchImages(height, width, reduceAt);
  }
  const problem = reductionProblem(cells, reduceAt);
  if (problem) throw new UsageError(text`Cannot use ${option("cells")} as it is: ${problem}`, { option: "cells" });
  if (size < least) {
    throw new UsageError(
      `Cannot use images of ${height}x${width} with the ${form} form: they must be at least ${least}x${least}`,
      {
        value: size,
        limit: least,
        remedies: form === "cifar" ? [] : [{ kind: "set", option: "form", value: "cifar" }],
      },
    );
  }
  if (auxiliary && auxiliarySize(config) < 2) {
    throw new UsageError(
      `Cannot give a network on images of ${height}x${width} an auxiliary classifier: what reaches it must be at ` +
        "least 2x2",
      { remedies: [{ kind: "set", option: "auxiliary-weight", value: 0 }] },
    );
  }
}

/** Rows or columns, whichever are fewer, of what reaches the auxiliary classifier. */
function auxiliarySize({ form, height, width, cells, genotype }: NetworkConfig): number {
  const before = reductionCells(cells, genotype.reduceAt).filter((cell) => cell <= auxiliaryCell(cells)).length;
  let size = Math.min(height, width);
  for (let halvings = STEM_HALVINGS[form] + before; halvings > 0; halvings--) size = Math.ceil(size / 2);
  return size;
}

/** The cell that the auxiliary classifier looks at. */
const auxiliaryCell = (cells: number): number => Math.floor(2 * cells / 3);

/** Paths that drop path may drop: one for each operation of each cell that is neither the identity nor zero. */
export function dropPathRows({ genotype, cells }: Pick<NetworkConfig, "genotype" | "cells">): number {
  let rows = 0;
  for (let cell = 0; cell < cells; cell++) {
    const kind = kindOf(cell, cells, genotype);
    rows += genotype[kind].nodes.flat().filter(({ op, from }) => layersOn(op, kind, from)?.length).length;
  }
  return rows;
}

const kindOf = (cell: number, cells: number, genotype: Genotype): CellKind =>
  skeletonOf(genotype).kinds.length > 1 ? cellKind(cell, cells, genotype.reduceAt) : "normal";

const layersOn = (op: string, kind: CellKind, from: number) => layersOf(findPrimitive(op), strideOf(kind, from));

/** Graph inputs of a network's program: `images`, and `labels`, which a program for prediction has no use for. */
export function networkImages(graph: Graph, config: NetworkConfig, batch: number): Tensor {
  return graph.input("images", image(config.inputChannels, batch, config.height, config.width));
}

/** The graph input `labels` `[N]`. */
export function networkLabels(graph: Graph, batch: number): Tensor {
  return graph.input("labels", dense([batch], "i32"));
}

/**
 * Builds the network on `images` `[inputChannels, N, H, W]`; `training` is null for inference. Ensembles, and networks
 * that look at mirror images too, are built for inference only: members are trained apart, with images as they are.
 */
export function buildNetwork(
  builder: Builder,
  config: NetworkConfig,
  images: Tensor,
  training: TrainingParts | null = null,
): BuiltNetwork {
  const { members = 1, mirrored = false } = config, { graph, variables } = builder;
  if (members === 1 && !mirrored) return buildMember(builder, config, images, training);
  if (training) throw new RangeError("Cannot train an ensemble as one, nor with mirror images beside each image");
  const views = mirrored ? [images, graph.apply1(mirror, [images], null, "mirror")] : [images];
  const logits = Array.from({ length: members }, (_, member) => {
    const prefix = members > 1 ? memberPrefix(member) : "", own = new Builder(graph, variables, false, prefix);
    return views.map((view, i) => {
      const scope = [...(members > 1 ? [`members.${member}`] : []), ...(i > 0 ? ["mirrored"] : [])].join("/");
      const build = (): Tensor => buildMember(own, config, view, null).logits;
      return scope ? graph.scope(scope, build) : build();
    });
  });
  return { logits: sum(graph, logits.flat(), members > 1 ? "members" : "views"), auxiliary: null };
}

function buildMember(
  builder: Builder,
  config: NetworkConfig,
  images: Tensor,
  training: TrainingParts | null,
): BuiltNetwork {
  const { genotype, cells, classes, form } = config, stack = { ...config, reduceAt: genotype.reduceAt };
  const paths = new Paths(builder.graph, training?.dropMask ?? null);
  let auxiliary: Tensor | null = null;
  const lookAt = (y: Tensor, cell: number): Tensor => {
    if (training?.auxiliary && cell === auxiliaryCell(cells)) auxiliary = buildAuxiliary(builder, y, classes, form);
    return y;
  };
  const nodesOf = (inputs: readonly Tensor[], cell: number, kind: CellKind): Tensor[] => {
    const states = buildNodes(builder, genotype[kind], kind, `cells.${cell}`, inputs, paths);
    return genotype[kind].concat.map((node) => states[node]);
  };
  const features = genotype.skeleton
    ? buildNasBenchFeatures(builder, stack, images, (x, cell) => lookAt(nodesOf([x], cell, "normal")[0], cell))
    : buildDartsFeatures(builder, { ...stack, affine: true }, images, (inputs, cell, kind) => {
      const outputs = nodesOf(inputs, cell, kind);
      return lookAt(builder.graph.apply1(concat, outputs, null, `cells.${cell}.concat`), cell);
    });
  const [, , height, width] = features.type.shape;
  const parts = config.pooling === "pyramid" ? Math.min(PYRAMID_PARTS, height, width) : 0;
  return { logits: builder.classifier(features, classes, { parts, relu: genotype.skeleton !== undefined }), auxiliary };
}

/** Hands out the rows of the drop-path mask, in the order of the operations. */
class Paths {
  #next = 0;

  constructor(readonly graph: Graph, readonly mask: Tensor | null) {}

  /** A node: the sum of its operations, some of them dropped. */
  join(outputs: readonly { y: Tensor; identity: boolean }[], label: string): Tensor {
    const rows = outputs.map(({ identity }) => identity ? null : this.#next++), tensors = outputs.map(({ y }) => y);
    if (!this.mask || rows.every((row) => row === null)) return sum(this.graph, tensors, label);
    return this.graph.apply1(dropPath, [...tensors, this.mask], { rows }, label);
  }
}

/** Builds the nodes of a cell. @returns its inputs and its nodes, by number. */
function buildNodes(
  builder: Builder,
  cell: CellGenotype,
  kind: CellKind,
  path: string,
  inputs: readonly Tensor[],
  paths: Paths,
): Tensor[] {
  const states = inputs.slice();
  cell.nodes.forEach((choices, node) => {
    const outputs = choices.flatMap(({ op, from }, k) => {
      const name = `${path}.node${node}.${k}.${op}`, stride = strideOf(kind, from), x = states[from];
      const y = buildOnEdge(findPrimitive(op), { builder, x, name, stride });
      return y ? [{ y, identity: y === x }] : [];
    });
    const shape = inputs[0].type.shape as [number, number, number, number]; // a node of nothing is in one skeleton only
    states.push(
      outputs.length > 0
        ? paths.join(outputs, `${path}.node${node}`)
        : builder.graph.apply1(zeros, [], { shape }, `${path}.node${node}`),
    );
  });
  return states;
}

/**
 * The auxiliary classifier: ReLU, average pool, 1x1 to 128, BN, ReLU, 2x2 to 768, BN (CIFAR form only), ReLU, linear.
 * The published pool is 5x5 with stride 3 (2 in the ImageNet form) and makes 2x2 of 8x8 (of 7x7). Where less comes
 * out, the stride is the largest that gives at least 2x2, then the window shrinks; where more comes out, the mean over
 * positions comes before the linear layer.
 */
function buildAuxiliary(builder: Builder, x: Tensor, classes: number, form: NetworkForm): Tensor {
  const { graph } = builder, [, , h, w] = x.type.shape, least = Math.min(h, w);
  const size = Math.min(5, least - 1), stride = Math.max(1, Math.min(form === "cifar" ? 3 : 2, least - size));
  const pooled = graph.apply1(windowMean, [x], { size, stride, relu: true }, "auxiliary.pool");
  const [narrow, wide] = AUXILIARY_CHANNELS;
  const first = builder.affineBatchNorm(builder.pointwise(pooled, "auxiliary.conv1", narrow), "auxiliary.bn1");
  const weight = builder.kernel("auxiliary.conv2", wide, narrow, 2);
  let y = graph.apply1(conv2d, [first, weight], { stride: 1, padding: 0, relu: true }, "auxiliary.conv2");
  if (form === "cifar") y = builder.affineBatchNorm(y, "auxiliary.bn2");
  return builder.classifier(y, classes, { prefix: "auxiliary.", relu: true });
}

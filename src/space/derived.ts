/**
 * The derived network: a stem, a stack of cells with the operations of a genotype, a classifier, and in training an
 * auxiliary classifier and drop path (DARTS' public code, `cnn/model.py`). In its CIFAR form the stem keeps the
 * resolution; in its ImageNet form it takes three strided convolutions. Not responsible for training it.
 *
 * All batch norms are affine, none follows a pool. Odd sizes are rounded up where the image is halved.
 * @module
 */
import { option, optionError, text, UsageError } from "../base/errors.ts";
import type { Graph, Tensor } from "../graph/graph.ts";
import { dense, image } from "../graph/tensor_type.ts";
import type { Builder } from "../nn/layers.ts";
import { sum } from "../ops/add_n.ts";
import { concat, zeros } from "../ops/concat.ts";
import { conv2d } from "../ops/conv2d.ts";
import { dropPath } from "../ops/drop_path.ts";
import { windowMean } from "../ops/window_mean.ts";
import type { CellGenotype, Genotype } from "./genotype.ts";
import { buildNasBenchFeatures, checkNasBenchImages, NAS_BENCH_SIZE } from "./nas_bench_network.ts";
import { findPrimitive } from "./primitives.ts";
import { reductionCells, reductionProblem, THIRDS } from "./reductions.ts";
import { ZERO_PRIMITIVE } from "./space.ts";

/** Which stem a derived network has. */
export type NetworkForm = "cifar" | "imagenet";

/** Both forms. */
export const NETWORK_FORMS = ["cifar", "imagenet"] as const;

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
}

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

const PUBLISHED_SIZES: Readonly<Record<NetworkForm, { channels: number; cells: number }>> = {
  cifar: { channels: 36, cells: 20 },
  imagenet: { channels: 48, cells: 14 },
};

/** Channels and cells of the published networks of such a cell: DARTS' in each form, or the benchmark's. */
export function publishedSize({ skeleton }: Genotype, form: NetworkForm): { channels: number; cells: number } {
  return skeleton ? NAS_BENCH_SIZE : PUBLISHED_SIZES[form];
}

/** How often the stem of each form halves the image. */
const STEM_HALVINGS: Readonly<Record<NetworkForm, number>> = { cifar: 0, imagenet: 3 };

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

/** Paths that drop path may drop: one for each operation of each cell that is not the identity. */
export function dropPathRows({ genotype, cells }: Pick<NetworkConfig, "genotype" | "cells">): number {
  let rows = 0;
  for (let cell = 0; cell < cells; cell++) {
    const kind = kindOf(cell, cells, genotype);
    for (const { op, from } of genotype[kind].nodes.flat()) {
      if (op !== ZERO_PRIMITIVE && !isIdentity(op, kind, from)) rows++;
    }
  }
  return rows;
}

const kindOf = (cell: number, cells: number, { reduceAt, skeleton }: Genotype): "normal" | "reduce" =>
  !skeleton && reductionCells(cells, reduceAt).includes(cell) ? "reduce" : "normal";

const strideOf = (kind: "normal" | "reduce", from: number): 1 | 2 => kind === "reduce" && from < 2 ? 2 : 1;

const isIdentity = (op: string, kind: "normal" | "reduce", from: number): boolean =>
  op === "skip_connect" && strideOf(kind, from) === 1;

/** Graph inputs of a network's program: `images`, and `labels`, which a program for prediction has no use for. */
export function networkImages(graph: Graph, config: NetworkConfig, batch: number): Tensor {
  return graph.input("images", image(config.inputChannels, batch, config.height, config.width));
}

/** The graph input `labels` `[N]`. */
export function networkLabels(graph: Graph, batch: number): Tensor {
  return graph.input("labels", dense([batch], "i32"));
}

/** Builds the network on `images` `[inputChannels, N, H, W]`; `training` is null for inference. */
export function buildNetwork(
  builder: Builder,
  config: NetworkConfig,
  images: Tensor,
  training: TrainingParts | null = null,
): BuiltNetwork {
  const { genotype, cells, classes, form } = config;
  const paths = new Paths(builder.graph, training?.dropMask ?? null);
  if (genotype.skeleton) {
    let auxiliary: Tensor | null = null;
    const features = buildNasBenchFeatures(builder, { ...config, reduceAt: genotype.reduceAt }, images, (x, cell) => {
      const y = buildNodes(builder, genotype.normal, "normal", `cells.${cell}`, [x], paths).at(-1)!;
      if (training?.auxiliary && cell === auxiliaryCell(cells)) auxiliary = buildAuxiliary(builder, y, classes, form);
      return y;
    });
    return { logits: builder.classifier(features, classes), auxiliary };
  }
  let [before, last] = form === "cifar" ? cifarStem(builder, config, images) : imagenetStem(builder, config, images);
  let channels = config.channels, halved = form === "imagenet", auxiliary: Tensor | null = null;
  for (let cell = 0; cell < cells; cell++) {
    const kind = kindOf(cell, cells, genotype), path = `cells.${cell}`;
    if (kind === "reduce") channels *= 2;
    const first = halved
      ? builder.factorizedReduce(before, `${path}.pre0`, channels)
      : builder.pointwise(before, `${path}.pre0`, channels, { relu: true });
    const second = builder.pointwise(last, `${path}.pre1`, channels, { relu: true });
    const inputs = [
      builder.affineBatchNorm(first, `${path}.pre0.bn`),
      builder.affineBatchNorm(second, `${path}.pre1.bn`),
    ];
    before = last;
    const states = buildNodes(builder, genotype[kind], kind, path, inputs, paths);
    const outputs = genotype[kind].concat.map((node) => states[node]);
    last = builder.graph.apply1(concat, outputs, null, `${path}.concat`);
    halved = kind === "reduce";
    if (training?.auxiliary && cell === auxiliaryCell(cells)) {
      auxiliary = buildAuxiliary(builder, last, classes, form);
    }
  }
  return { logits: builder.classifier(last, classes), auxiliary };
}

/** Convolution and batch norm; both inputs of the first cell are its result. */
function cifarStem(builder: Builder, { channels }: NetworkConfig, images: Tensor): [Tensor, Tensor] {
  const stem = builder.affineBatchNorm(builder.conv3x3(images, "stem.conv", 3 * channels), "stem.bn");
  return [stem, stem];
}

/** A fourth of the size for the first input of the first cell, an eighth for the second. */
function imagenetStem(builder: Builder, { channels }: NetworkConfig, images: Tensor): [Tensor, Tensor] {
  const half = builder.affineBatchNorm(builder.conv3x3(images, "stem0.conv1", channels / 2, 2), "stem0.bn1");
  const stem0 = builder.affineBatchNorm(builder.conv3x3(half, "stem0.conv2", channels, 2, true), "stem0.bn2");
  const stem1 = builder.affineBatchNorm(builder.conv3x3(stem0, "stem1.conv", channels, 2, true), "stem1.bn");
  return [stem0, stem1];
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
  kind: "normal" | "reduce",
  path: string,
  inputs: readonly Tensor[],
  paths: Paths,
): Tensor[] {
  const states = inputs.slice();
  cell.nodes.forEach((choices, node) => {
    const outputs = choices.flatMap(({ op, from }, k) => {
      if (op === ZERO_PRIMITIVE) return [];
      const derive = findPrimitive(op).derive;
      if (!derive) throw new TypeError(`Cannot build primitive '${op}' as a genotype never holds it`);
      const name = `${path}.node${node}.${k}.${op}`, identity = isIdentity(op, kind, from);
      return [{ y: derive({ builder, x: states[from], name, stride: strideOf(kind, from) }), identity }];
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
  const weight = builder.weight("auxiliary.conv2", [wide, narrow, 2, 2], narrow * 4);
  let y = graph.apply1(conv2d, [first, weight], { stride: 1, padding: 0, relu: true }, "auxiliary.conv2");
  if (form === "cifar") y = builder.affineBatchNorm(y, "auxiliary.bn2");
  const active = graph.apply1(windowMean, [y], { size: 1, stride: 1, relu: true }, "auxiliary.relu");
  return builder.classifier(active, classes, "auxiliary.");
}

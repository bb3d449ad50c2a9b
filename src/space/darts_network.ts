/**
 * The networks of DARTS (arXiv 1806.09055, `cnn/model.py` of its public code): a stem, a stack of cells that each read the
 * two before, reduction cells that halve the image and double the channels. Supernets and derived networks share it. In
 * its CIFAR form the stem keeps the resolution; in its ImageNet form it takes three strided convolutions. Not responsible
 * for what a node of a cell is made of.
 * @module
 */
import type { Tensor } from "../graph/graph.ts";
import type { Builder } from "../nn/layers.ts";
import { type DepthPart, reductionCells } from "./reductions.ts";
import type { CellKind } from "./space.ts";

/** Which stem a network has. */
export type NetworkForm = "cifar" | "imagenet";

/** Both forms. */
export const NETWORK_FORMS = ["cifar", "imagenet"] as const;

/** Channels and cells of the published networks in each form. */
export const DARTS_SIZES: Readonly<Record<NetworkForm, { readonly channels: number; readonly cells: number }>> = {
  cifar: { channels: 36, cells: 20 },
  imagenet: { channels: 48, cells: 14 },
};

/** How often the stem of each form halves the image. */
export const STEM_HALVINGS: Readonly<Record<NetworkForm, number>> = { cifar: 0, imagenet: 3 };

/** Such a network. */
export interface DartsStack {
  /** Which stem. */
  readonly form: NetworkForm;
  /** Channels of the first cells; doubled at each reduction. */
  readonly channels: number;
  /** Number of cells. */
  readonly cells: number;
  /** Where reduction cells stand, as parts of the depth; at thirds if left out. */
  readonly reduceAt?: readonly DepthPart[];
  /** Whether the batch norms in front of the cells have scale and shift: not in supernets. The stem's always have. */
  readonly affine: boolean;
}

/** The kind of cell `cell` of `cells`. */
export function cellKind(cell: number, cells: number, reduceAt?: readonly DepthPart[]): CellKind {
  return reductionCells(cells, reduceAt).includes(cell) ? "reduce" : "normal";
}

/** The stride of the edges that leave node `from` of a cell: reduction cells halve what comes from their two inputs. */
export function strideOf(kind: CellKind, from: number): 1 | 2 {
  return kind === "reduce" && from < 2 ? 2 : 1;
}

/**
 * Builds the features that the classifier reads.
 * @param buildCell builds cell `cell` on its two inputs, whose channels are those of its nodes; returns its output.
 */
export function buildDartsFeatures(
  builder: Builder,
  { form, channels: first, cells, reduceAt, affine }: DartsStack,
  images: Tensor,
  buildCell: (inputs: readonly [Tensor, Tensor], cell: number, kind: CellKind) => Tensor,
): Tensor {
  const norm = (x: Tensor, name: string) => affine ? builder.affineBatchNorm(x, name) : builder.batchNorm(x, name);
  let [before, last] = form === "cifar" ? cifarStem(builder, first, images) : imagenetStem(builder, first, images);
  let channels = first, halved = form === "imagenet";
  for (let cell = 0; cell < cells; cell++) {
    const kind = cellKind(cell, cells, reduceAt), path = `cells.${cell}`;
    if (kind === "reduce") channels *= 2;
    const older = halved
      ? builder.factorizedReduce(before, `${path}.pre0`, channels)
      : builder.pointwise(before, `${path}.pre0`, channels, { relu: true });
    const newer = builder.pointwise(last, `${path}.pre1`, channels, { relu: true });
    const inputs = [norm(older, `${path}.pre0.bn`), norm(newer, `${path}.pre1.bn`)] as const;
    before = last;
    last = buildCell(inputs, cell, kind);
    halved = kind === "reduce";
  }
  return last;
}

/** Convolution and batch norm; both inputs of the first cell are its result. */
function cifarStem(builder: Builder, channels: number, images: Tensor): [Tensor, Tensor] {
  const stem = builder.affineBatchNorm(builder.conv3x3(images, "stem.conv", 3 * channels), "stem.bn");
  return [stem, stem];
}

/** A fourth of the size for the first input of the first cell, an eighth for the second. */
function imagenetStem(builder: Builder, channels: number, images: Tensor): [Tensor, Tensor] {
  const half = builder.affineBatchNorm(builder.conv3x3(images, "stem0.conv1", channels / 2, 2), "stem0.bn1");
  const stem0 = builder.affineBatchNorm(builder.conv3x3(half, "stem0.conv2", channels, 2, true), "stem0.bn2");
  const stem1 = builder.affineBatchNorm(builder.conv3x3(stem0, "stem1.conv", channels, 2, true), "stem1.bn");
  return [stem0, stem1];
}

/**
 * The networks of NAS-Bench-201 (arXiv 2001.00326): a stem of one convolution, three stages of cells with C, 2C and 4C
 * channels, a residual block that halves the image before each stage but the first, batch norm and ReLU, a classifier.
 * Not responsible for what a node of a cell is made of (`derived.ts`).
 * @module
 */
import { UsageError } from "../base/errors.ts";
import type { Tensor } from "../graph/graph.ts";
import type { Builder } from "../nn/layers.ts";
import { sum } from "../ops/add_n.ts";
import { windowMean } from "../ops/window_mean.ts";
import { type DepthPart, reductionCells, THIRDS } from "./reductions.ts";

/** Channels and cells of the benchmark: 16 channels at first, three stages of five cells. */
export const NAS_BENCH_SIZE = { channels: 16, cells: 15 } as const;

/** Size of such a network. */
export interface NasBenchSize {
  /** Channels of the first stage; doubled at each residual block. */
  readonly channels: number;
  /** Number of cells. */
  readonly cells: number;
  /** Where the stages but the first begin, as parts of the depth; at thirds if left out. */
  readonly reduceAt?: readonly DepthPart[];
}

/**
 * Checks what such a network demands of images besides the usual.
 * @throws {UsageError} naming their size.
 */
export function checkNasBenchImages(height: number, width: number, reduceAt: readonly DepthPart[] = THIRDS): void {
  const factor = 2 ** reduceAt.length;
  if (height % factor !== 0 || width % factor !== 0) {
    throw new UsageError(
      `Cannot use images of ${height}x${width} with a NAS-Bench-201 cell: both sides must be multiples of ${factor}, ` +
        `so resize the images`,
    );
  }
}

/**
 * Builds the features `[4C, N, H / 4, W / 4]` whose ReLU the classifier reads.
 * @param buildCell builds cell `cell` on its input
 */
export function buildNasBenchFeatures(
  builder: Builder,
  { channels, cells, reduceAt }: NasBenchSize,
  images: Tensor,
  buildCell: (x: Tensor, cell: number) => Tensor,
): Tensor {
  const halves = reductionCells(cells, reduceAt);
  let x = builder.affineBatchNorm(builder.conv3x3(images, "stem.conv", channels), "stem.bn");
  for (let cell = 0; cell < cells; cell++) {
    if (halves.includes(cell)) x = residualBlock(builder, x, 2 * x.type.shape[0], `reductions.${cell}`);
    x = buildCell(x, cell);
  }
  return builder.affineBatchNorm(x, "tail.bn");
}

/** Two convolutions, the first with stride 2, beside the mean of 2x2 pixels and a 1x1 convolution. */
function residualBlock(builder: Builder, x: Tensor, channels: number, path: string): Tensor {
  const first = builder.affineBatchNorm(builder.conv3x3(x, `${path}.conv1`, channels, 2, true), `${path}.bn1`);
  const second = builder.affineBatchNorm(builder.conv3x3(first, `${path}.conv2`, channels, 1, true), `${path}.bn2`);
  const pooled = builder.graph.apply1(windowMean, [x], { size: 2, stride: 2, relu: false }, `${path}.pool`);
  return sum(builder.graph, [builder.pointwise(pooled, `${path}.shortcut`, channels), second], path);
}

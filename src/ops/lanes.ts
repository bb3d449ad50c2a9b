/**
 * Kernels for subgroups of 8 lanes, which is what llvmpipe has: values go from lane to lane by shuffles, since loads and
 * stores, which it does lane by lane, are most of what a kernel costs there.
 * @module
 */
import type { GpuLimits } from "../gpu/device.ts";

/** Lanes of the subgroups that have kernels of their own. */
export const LANES = 8;

/** Whether the adapter's subgroups have {@linkcode LANES} lanes, always. */
export const hasLanes = ({ subgroupSize }: GpuLimits): boolean => subgroupSize === LANES;

/** Widest part of a row that one invocation holds in registers, in vec4s. */
export const WIDEST_TILE = 8;

/** How the lanes of a subgroup stand along the rows of an image, and what is left over takes more images. */
export interface LaneRows {
  /** vec4s of a row of `columns` that a lane has. */
  readonly TV: number;
  /** Lanes of a row. */
  readonly row: number;
  /** Subgroups, each a workgroup, that share the images of a channel. */
  readonly parts: number;
  /** Images that they do at once. */
  readonly atOnce: number;
}

/**
 * Lanes along rows of `columns` vec4s, above each of which lie `stride` others, for `n` images of each of `channels`
 * channels; at least `busy` subgroups in all if there are as many images.
 * @returns undefined where the adapter has no such subgroups, or rows are so wide that a lane's part of them is too.
 */
export function laneRows(
  sizes: { readonly columns: number; readonly stride: number; readonly n: number; readonly channels: number },
  busy: number,
  limits: GpuLimits,
): LaneRows | undefined {
  const { columns, stride, n, channels } = sizes;
  const TV = Math.ceil(columns / LANES), row = Math.ceil(columns / TV), images = Math.floor(LANES / row);
  if (!hasLanes(limits) || stride * TV > WIDEST_TILE) return undefined;
  const parts = Math.min(Math.ceil(n / images), Math.ceil(busy / channels));
  return { TV, row, parts, atOnce: parts * images };
}

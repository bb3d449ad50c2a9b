/**
 * Geometry of images for kernels that stream through whole channels as vec4s.
 * @module
 */
import type { GpuLimits } from "../gpu/device.ts";
import { rowPitch, type TensorType } from "../graph/tensor_type.ts";
import { hasLanes, LANES } from "./lanes.ts";

/** vec4s of a channel of an image, row padding included. */
export function channelVec4s(type: TensorType): number {
  const [, n, h, w] = type.shape;
  return n * h * rowPitch(w) / 4;
}

/** Whether something follows the elements of a row, which a kernel may have to keep zero. */
export const hasTails = (type: TensorType): boolean => type.shape[3] % 4 !== 0;

/** For kernels that have it as a parameter: vec4s of a row of `type` and, times 65536, elements in the last of them. */
export function rowWord(type: TensorType): number {
  const width = type.shape[3], vec4s = rowPitch(width) / 4;
  return vec4s + 65536 * (width - 4 * (vec4s - 1));
}

/**
 * Streaming kernels give 8 neighbouring invocations (a strand: one vector of a CPU adapter, one 128-byte line of a
 * GPU's load) a run of `SHARE` consecutive vec4s, which they walk 8 at a time. With runs interleaved over the whole
 * workgroup llvmpipe, which runs one strand after the other, reads every page once per strand: 2-2.5 times slower.
 */
export interface Strands {
  /** Workgroup size. */
  readonly SIZE: number;
  /** Consecutive vec4s of a strand; a multiple of 8. */
  readonly SHARE: number;
}

/** Lanes of a strand, and the vec4s that make one worth its start. */
const STRAND = LANES, WORTH = 192;

/** Strands of one workgroup that walks `length` vec4s alone. */
function oneWorkgroup(length: number): Strands {
  const SIZE = length < 256 ? 32 : 64;
  return { SIZE, SHARE: STRAND * Math.ceil(length / SIZE) };
}

/**
 * The same for a kernel that joins what its invocations add up: where the adapter's subgroups have 8 lanes, one of them
 * does it all and joins by shuffles (`SHUFFLED`), which spares llvmpipe workgroup memory and barriers.
 */
export function joinedStrands(length: number, limits: GpuLimits): Strands & { readonly SHUFFLED: boolean } {
  const SHUFFLED = hasLanes(limits);
  return {
    ...(SHUFFLED ? { SIZE: STRAND, SHARE: STRAND * Math.ceil(length / STRAND) } : oneWorkgroup(length)),
    SHUFFLED,
  };
}

/** Strands of as many workgroups as it takes to walk `length` vec4s. */
export function manyWorkgroups(length: number): Strands & { groups: number } {
  const { SIZE } = oneWorkgroup(length), strands = SIZE / STRAND;
  const wanted = Math.max(1, Math.round(length / strands / WORTH));
  const SHARE = STRAND * Math.ceil(length / wanted / SIZE);
  return { SIZE, SHARE, groups: Math.ceil(length / strands / SHARE) };
}

/**
 * Launch of an elementwise kernel over every channel: workgroup `(g, c)` does part `g` of channel `c`. Parameters: vec4s
 * of a channel and of a strand, and {@linkcode rowWord}.
 */
export function overChannels(type: TensorType): {
  constants: { readonly SIZE: number; readonly MASKED: boolean };
  params: { readonly length: number; readonly share: number; readonly row: number };
  workgroups: [number, number, number];
} {
  const c = type.shape[0], length = channelVec4s(type), { groups, SHARE, SIZE } = manyWorkgroups(length);
  return {
    constants: { SIZE, MASKED: hasTails(type) },
    params: { length, share: SHARE, row: rowWord(type) },
    workgroups: [groups, c, 1],
  };
}

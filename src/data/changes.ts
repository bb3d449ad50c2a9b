/**
 * Random changes of a picture beyond shifting and mirroring: random resized crop, colour jitter (both of torchvision)
 * and cutout (DeVries & Taylor 2017). The choices are drawn apart from being applied, so that a worker or another run
 * can apply the same ones. Not responsible for shifts and mirroring (`augment.ts`).
 * @module
 */
import type { Random } from "../base/random.ts";
import type { Augment } from "./augment.ts";
import type { Part } from "./decode.ts";

/** Which part of a picture is taken: see {@linkcode cropPart}. */
export interface Crop {
  /** Its share of the area, up to 1. */
  readonly scale: number;
  /** Its width over its height, 3/4 to 4/3. */
  readonly ratio: number;
  /** Where it lies in the room that is left, from left (0) to right (1). */
  readonly u: number;
  /** Where it lies in the room that is left, from top (0) to bottom (1). */
  readonly v: number;
}

/** Factors of brightness, contrast and saturation, applied in this order; 1 changes nothing. */
export interface Jitter {
  /** Multiplies each sample. */
  readonly brightness: number;
  /** Multiplies the distance from the mean grey. */
  readonly contrast: number;
  /** Multiplies the distance from the pixel's own grey. */
  readonly saturation: number;
}

/** The choices for one picture. */
export interface Change {
  /** The part that is taken; the whole square if left out. */
  readonly crop?: Crop;
  /** Colours; as they are if left out. */
  readonly jitter?: Jitter;
  /** Centre of the hole that cutout makes, as shares of width and height. */
  readonly hole?: { readonly x: number; readonly y: number };
}

/** Whether `augment` has anything that {@linkcode drawChange} draws. */
export function hasChanges({ resizedCrop = 1, jitter = 0, cutout = 0 }: Augment): boolean {
  return resizedCrop < 1 || jitter > 0 || cutout > 0;
}

/** Draws the choices for one picture from a stream of its own. */
export function drawChange(random: Random, { resizedCrop = 1, jitter = 0, cutout = 0 }: Augment): Change {
  const change: { -readonly [K in keyof Change]: Change[K] } = {};
  if (resizedCrop < 1) {
    const scale = resizedCrop + (1 - resizedCrop) * random.uniform();
    const ratio = Math.exp(Math.log(4 / 3) * (2 * random.uniform() - 1));
    change.crop = { scale, ratio, u: random.uniform(), v: random.uniform() };
  }
  if (jitter > 0) {
    const factor = (): number => 1 + jitter * (2 * random.uniform() - 1);
    change.jitter = { brightness: factor(), contrast: factor(), saturation: factor() };
  }
  if (cutout > 0) change.hole = { x: random.uniform(), y: random.uniform() };
  return change;
}

/** The part of a `width` x `height` picture that a crop takes; one that sticks out is cut to the picture. */
export function cropPart({ scale, ratio, u, v }: Crop, width: number, height: number): Part {
  const area = scale * width * height;
  const w = Math.min(1, Math.sqrt(area * ratio) / width), h = Math.min(1, Math.sqrt(area / ratio) / height);
  return { x: u * (1 - w), y: v * (1 - h), width: w, height: h };
}

/** What becomes of each byte by a function, rounded and kept in 0 to 255. */
function tableOf(f: (v: number) => number): Uint8ClampedArray {
  return Uint8ClampedArray.from({ length: 256 }, (_, v) => f(v)); // It rounds and clamps.
}

/** Changes the colours of `[channels, plane]` samples in place. Grey pictures have no saturation. */
export function applyJitter(
  data: Uint8Array,
  channels: number,
  plane: number,
  { brightness, contrast, saturation }: Jitter,
): void {
  const lighter = tableOf((v) => v * brightness), samples = channels * plane;
  let mean = 0;
  for (let i = 0; i < samples; i++) {
    const v = data[i] = lighter[data[i]];
    mean += (channels === 3 ? i < plane ? 0.299 : i < 2 * plane ? 0.587 : 0.114 : 1 / channels) * v;
  }
  mean /= plane;
  const stronger = tableOf((v) => mean + contrast * (v - mean));
  if (channels !== 3) {
    for (let i = 0; i < samples; i++) data[i] = stronger[data[i]];
    return;
  }
  const rest = 1 - saturation;
  for (let r = 0, g = plane, b = 2 * plane; r < plane; r++, g++, b++) {
    const red = stronger[data[r]], green = stronger[data[g]], blue = stronger[data[b]];
    const own = rest * (0.299 * red + 0.587 * green + 0.114 * blue) + 0.5;
    data[r] = Math.max(0, Math.min(255, own + saturation * red));
    data[g] = Math.max(0, Math.min(255, own + saturation * green));
    data[b] = Math.max(0, Math.min(255, own + saturation * blue));
  }
}

/** The pixels of a square hole of side `size` around a share of the picture, cut to the picture. */
export function holeOf(
  hole: { readonly x: number; readonly y: number },
  size: number,
  height: number,
  width: number,
): { top: number; bottom: number; left: number; right: number } {
  const y = Math.floor(hole.y * height) - Math.floor(size / 2), x = Math.floor(hole.x * width) - Math.floor(size / 2);
  return {
    top: Math.max(0, y),
    bottom: Math.min(height, y + size),
    left: Math.max(0, x),
    right: Math.min(width, x + size),
  };
}

/**
 * From the bytes of an image file to what a network sees: decoded, cropped, resized, turned as its camera says, and
 * in 1 or 3 channels. This is the one way that every image takes. Not responsible for reading files, pixels of each
 * kind of file (`codec.ts`), random choices and normalisation.
 * @module
 */
import { FailureError } from "../base/errors.ts";
import { applyJitter, type Change, cropPart } from "./changes.ts";
import { decode, type Header, memoryNeed, readHeader, withCodec } from "./codec.ts";
import { LARGE_MEMORY, MAIN_MEMORY, withMemory } from "./decode_memory.ts";
import type { Picture, Pixels } from "./pixels.ts";
import { type Rect, Resampler } from "./resample.ts";

/** What becomes of an image. */
export interface Preparation {
  /** Side of the square. */
  readonly size: number;
  /** 1 or 3. */
  readonly channels: number;
  /** Random changes; none if left out. */
  readonly change?: Change;
}

/** The rectangle that a network sees of an image: a part of its width and height, from 0 to 1. */
export type Part = Rect;

/**
 * A JPEG is decoded at a part of its size where at least this many times the square remains, as Pillow's `draft` does
 * when asked for that. Differs from decoding all of it by 0.1 to 0.2 of 255 on average.
 */
const REDUCED_SIDE = 4;

/**
 * What {@linkcode prepareImage} does, step by step, for those who prepare images for an exported model elsewhere: in
 * words, with the numbers, and how Pillow does the same.
 */
export function preparationSteps({ size, channels }: Preparation): string[] {
  const least = REDUCED_SIDE * size;
  return [
    "decode to 8 bits a sample, grey or RGB, the first frame of several: samples v of 16 bits become round(v / 257), " +
    "CMYK becomes (255 - C)(255 - K) / 255 and so on; colour profiles and gamma are not looked at",
    `a JPEG is decoded at 1/8, 1/4 or 1/2 of its size, the least where its shorter side s keeps s/8, s/4 or s/2 >= ` +
    `${least}, by libjpeg's scaled inverse DCT (Pillow: image.draft('RGB', (${least}, ${least})))`,
    "white under transparency: a sample v with alpha a becomes round((v a + 255 (255 - a)) / 255)",
    "crop the largest square in the middle, of the size before the JPEG was reduced; edges need not be whole pixels",
    `resize to ${size} x ${size} with a triangle filter, antialiased (Pillow: BILINEAR with that box); round`,
    channels === 1
      ? "colours become grey: round(0.299 R + 0.587 G + 0.114 B)"
      : "grey becomes three channels that are equal",
    "turn and mirror as EXIF's orientation (tag 0x0112 of JPEG, PNG and WebP) says, or XMP's (tiff:Orientation)",
  ];
}

/** How an image will be decoded, and the memory that it takes. */
export interface DecodePlan {
  /** What the file says. */
  readonly header: Header;
  /** What is taken of it. */
  readonly part: Part;
  /** The part of its width and height at which it is decoded: 1, or 1 by 2, 4 or 8 for a JPEG. */
  readonly reduction: number;
  /** Bytes at most. */
  readonly memory: number;
}

/** The largest square in the middle, as a {@linkcode Part} of a `width` x `height` image. */
export function centreSquare(width: number, height: number): Part {
  const side = Math.min(width, height), w = side / width, h = side / height;
  return { x: (1 - w) / 2, y: (1 - h) / 2, width: w, height: h };
}

function reductionOf({ format, width, height }: Header, part: Part, size: number): number {
  if (format.name !== "JPEG") return 1;
  const side = Math.min(part.width * width, part.height * height);
  return [8, 4, 2].find((by) => side / by >= REDUCED_SIDE * size) ?? 1;
}

/**
 * How an image will be decoded; the codec must be open. Throws FailureError for what is no image, a damaged header,
 * and an image that takes more memory than there is for it.
 */
export function planImage(bytes: Uint8Array, file: string, { size, change }: Preparation): DecodePlan {
  const header = readHeader(bytes, file), { width, height } = header;
  const part = change?.crop ? cropPart(change.crop, width, height) : centreSquare(width, height);
  const reduction = reductionOf(header, part, size), rows = Math.ceil(height / reduction);
  const memory = memoryNeed(header, bytes.length, reduction) + 12 * rows * size;
  checkMemory(file, header, memory);
  return { header, part, reduction, memory };
}

function checkMemory(file: string, { width, height }: Header, memory: number): void {
  if (memory <= LARGE_MEMORY) return;
  const gib = (bytes: number): string => (bytes / 2 ** 30).toFixed(1);
  throw new FailureError(
    `Cannot read '${file}' as decoding its ${width} x ${height} pixels may take ${gib(memory)} GiB and ` +
      `${gib(LARGE_MEMORY)} GiB are there for it: save it smaller, or as a baseline JPEG`,
  );
}

/**
 * Whether a picture with EXIF's orientation is to be mirrored (first) and then turned by how many quarters clockwise.
 * Exif 2.32, tag 0x0112.
 */
const TURNS: readonly { readonly mirror: boolean; readonly quarters: number }[] = [
  { mirror: false, quarters: 0 },
  { mirror: true, quarters: 0 },
  { mirror: false, quarters: 2 },
  { mirror: true, quarters: 2 },
  { mirror: true, quarters: 3 },
  { mirror: false, quarters: 1 },
  { mirror: true, quarters: 1 },
  { mirror: false, quarters: 3 },
];

/** Turns each plane of a square image, in place. */
function turn(data: Uint8Array, channels: number, size: number, orientation: number): void {
  const { mirror, quarters } = TURNS[orientation - 1] ?? TURNS[0];
  if (!mirror && quarters === 0) return;
  const plane = size * size, last = size - 1;
  for (let c = 0; c < channels; c++) {
    const source = data.slice(c * plane, (c + 1) * plane);
    for (let y = 0; y < size; y++) {
      for (let x = 0; x < size; x++) {
        let sx = x, sy = y;
        for (let q = 0; q < quarters; q++) [sx, sy] = [sy, last - sx];
        data[c * plane + y * size + x] = source[sy * size + (mirror ? last - sx : sx)];
      }
    }
  }
}

/**
 * A rectangle of an image, in its pixels, as a square of `size`, `[channels, size, size]`; the largest square in the
 * middle if none is given. Grey is Rec. 601 luma.
 */
export function toSquare(picture: Picture, size: number, channels: number, rect?: Rect): Uint8Array<ArrayBuffer> {
  const { width, height, channels: from, orientation } = picture, plane = size * size;
  const { x, y, width: w, height: h } = centreSquare(width, height);
  const out = new Uint8Array(Math.max(channels, from) * plane);
  const taken = rect ?? { x: x * width, y: y * height, width: w * width, height: h * height };
  new Resampler(width, height, taken, size, size).picture(picture, out);
  if (from === 1) { for (let c = 1; c < channels; c++) out.copyWithin(c * plane, 0, plane); }
  else if (channels === 1) {
    for (let i = 0; i < plane; i++) {
      out[i] = Math.round(0.299 * out[i] + 0.587 * out[plane + i] + 0.114 * out[2 * plane + i]);
    }
  }
  const result = out.slice(0, channels * plane);
  turn(result, channels, size, orientation);
  return result;
}

/** Decodes as planned, `[channels, size, size]`; the codec must be open. Throws FailureError for damaged files. */
export function renderImage(
  bytes: Uint8Array,
  file: string,
  { header, part, reduction }: DecodePlan,
  { size, channels, change }: Preparation,
): Uint8Array<ArrayBuffer> {
  // In pixels of the smaller image, whose size is rounded up.
  const width = header.width / reduction, height = header.height / reduction;
  const rect = { x: part.x * width, y: part.y * height, width: part.width * width, height: part.height * height };
  const out = decode(bytes, file, header, reduction, (picture) => toSquare(picture, size, channels, rect));
  if (change?.jitter) applyJitter(out, channels, size * size, change.jitter);
  return out;
}

/**
 * The square that a network sees of an image file's bytes, `[channels, size, size]`, 0 to 255. `file` names it in
 * errors. Throws FailureError for what cannot be read.
 */
export async function prepareImage(
  bytes: Uint8Array,
  file: string,
  preparation: Preparation,
): Promise<Uint8Array<ArrayBuffer>> {
  const plan = await withCodec(() => planImage(bytes, file, preparation));
  return await withMemory(
    MAIN_MEMORY,
    plan.memory,
    () => withCodec(() => renderImage(bytes, file, plan, preparation)),
  );
}

/** All pixels of an image file at its own size; `file` names it in errors. Throws FailureError. */
export async function decodeImage(bytes: Uint8Array, file: string): Promise<Pixels> {
  const header = await withCodec(() => readHeader(bytes, file));
  const memory = memoryNeed(header, bytes.length) + 3 * header.width * header.height;
  checkMemory(file, header, memory);
  const whole = ({ width, height, channels, orientation, rows }: Picture): Pixels => {
    return { width, height, channels, orientation, data: rows(0, 0, width, height) };
  };
  return await withMemory(MAIN_MEMORY, memory, () => withCodec(() => decode(bytes, file, header, 1, whole)));
}

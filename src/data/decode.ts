/**
 * From the bytes of an image file to what a network sees: decoded, cropped, resized, turned as its camera says, and
 * in 1 or 3 channels. Not responsible for reading files, random choices and normalisation.
 * @module
 */
import { decodeJpeg } from "./jpeg.ts";
import { imageError, type Pixels } from "./pixels.ts";
import { decodePng, PNG_SIGNATURE } from "./png.ts";
import { type Rect, Resampler } from "./resample.ts";

/** A kind of image file: its endings, its first bytes and its decoder. */
interface ImageFormat {
  readonly name: string;
  readonly endings: readonly string[];
  readonly magic: readonly number[];
  readonly decode: (bytes: Uint8Array, file: string) => Pixels;
}

/** Every kind of image file that is read. */
export const IMAGE_FORMATS: readonly ImageFormat[] = [
  { name: "PNG", endings: [".png"], magic: PNG_SIGNATURE, decode: decodePng },
  { name: "JPEG", endings: [".jpg", ".jpeg", ".jpe", ".jfif"], magic: [0xff, 0xd8, 0xff], decode: decodeJpeg },
];

/** The kind that a file's content says it is; undefined for none of {@linkcode IMAGE_FORMATS}. */
export function sniff(bytes: Uint8Array): ImageFormat | undefined {
  return IMAGE_FORMATS.find(({ magic }) => magic.every((byte, i) => bytes[i] === byte));
}

/** The kind that a file's name says it is; undefined for none of {@linkcode IMAGE_FORMATS}. */
export function formatOfName(name: string): ImageFormat | undefined {
  const lower = name.toLowerCase();
  return IMAGE_FORMATS.find(({ endings }) => endings.some((ending) => lower.endsWith(ending)));
}

/** Decodes a PNG or JPEG file; `file` names it in errors. Throws FailureError. */
export function decodeImage(bytes: Uint8Array, file: string): Pixels {
  const format = sniff(bytes);
  if (format === undefined) {
    const names = IMAGE_FORMATS.map((f) => f.name).join(" or ");
    throw imageError(file, `it must be ${names} and begins like neither: save it as one of them`);
  }
  return format.decode(bytes, file);
}

/** The rectangle that a network sees of an image: a part of its width and height, from 0 to 1. */
export type Part = Rect;

/** The largest square in the middle, as a {@linkcode Part} of a `width` x `height` image. */
export function centreSquare(width: number, height: number): Part {
  const side = Math.min(width, height), w = side / width, h = side / height;
  return { x: (1 - w) / 2, y: (1 - h) / 2, width: w, height: h };
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
 * The part of an image that a network sees as a square of `size`, `[channels, size, size]`; the largest square in the
 * middle if no part is given. Grey is Rec. 601 luma.
 */
export function toSquare(pixels: Pixels, size: number, channels: number, part?: Part): Uint8Array<ArrayBuffer> {
  const { width, height, channels: from, data, orientation } = pixels, plane = size * size;
  const { x, y, width: w, height: h } = part ?? centreSquare(width, height);
  const rect = { x: x * width, y: y * height, width: w * width, height: h * height };
  const resampler = new Resampler(width, height, rect, size, size);
  const out = new Uint8Array(Math.max(channels, from) * plane);
  for (let c = 0; c < from; c++) resampler.plane({ data, at: c, step: from, width, height }, out, c * plane);
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

/**
 * What every decoder forgives and ours does not: damage beside the pixels, mended in the bytes of the file. Whether the
 * pixels are whole the decoder says when it has read the mended file. Not responsible for decoding.
 * @module
 */
import { platform } from "../platform/platform.ts";
import { findGifFrame } from "./gif.ts";
import type { ImageFormat } from "./image_format.ts";

/** A number of a PNG file. */
const uint32 = (bytes: Uint8Array, at: number): number =>
  new DataView(bytes.buffer, bytes.byteOffset + at, 4).getUint32(0);

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  parts.reduce((at, part) => (out.set(part, at), at + part.length), 0);
  return out;
}

function pngChunk(type: string, body: Uint8Array): Uint8Array {
  const out = new Uint8Array(12 + body.length), view = new DataView(out.buffer);
  view.setUint32(0, body.length);
  new TextEncoder().encodeInto(type, out.subarray(4));
  out.set(body, 8);
  view.setUint32(8 + body.length, platform().crc32(out.subarray(4, 8 + body.length)));
  return out;
}

/** Colours from `first` to the end of a palette that its file does not say: greys, as in Pillow. */
function greys(first: number, count: number): Uint8Array {
  return Uint8Array.from({ length: 3 * Math.max(0, count - first) }, (_, i) => first + Math.floor(i / 3));
}

/** Chunks that say what the pixels are. */
const PNG_CHUNKS = ["IHDR", "PLTE", "tRNS", "eXIf", "IDAT"];

/**
 * A PNG file with nothing but its pixels and what they mean: no damaged notes, nothing after the pixels, an end, a colour
 * for each index, and check sums of the pixels (which have one of their own) that are right. Undefined where a header is
 * damaged.
 */
function mendPng(bytes: Uint8Array): Uint8Array | undefined {
  const parts = [bytes.subarray(0, 8)];
  let depth = 8, pixels = false;
  for (let at = 8, end = at; at + 8 < bytes.length; at = end) {
    const size = uint32(bytes, at), type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const body = bytes.subarray(at + 8, Math.min(bytes.length, at + 8 + size));
    end = at + 12 + size;
    const whole = end <= bytes.length && uint32(bytes, end - 4) === platform().crc32(bytes.subarray(at + 4, end - 4));
    if (type === "IEND" || (!whole && type !== "IDAT" && (pixels || end > bytes.length))) break;
    if (!whole && (type === "IHDR" || type === "PLTE")) return undefined;
    if (!PNG_CHUNKS.includes(type) || (!whole && type !== "IDAT")) continue;
    if (type === "IHDR") depth = body[8];
    pixels ||= type === "IDAT";
    const more = type === "PLTE" ? greys(body.length / 3, 1 << Math.min(8, depth)) : new Uint8Array();
    parts.push(pngChunk(type, more.length > 0 ? joined([body, more]) : body));
  }
  return pixels ? joined([...parts, pngChunk("IEND", new Uint8Array())]) : undefined;
}

/** A GIF file whose first frame has a colour for each index. */
function mendGif(bytes: Uint8Array): Uint8Array | undefined {
  const frame = findGifFrame(bytes);
  if (frame === undefined) return undefined;
  const { flags, table, colours } = frame, out = bytes.slice(0, table);
  out[flags] |= 0x87; // there is a table, of 256 colours
  const known = bytes.subarray(table, table + 3 * colours);
  return joined([out, known, greys(colours, 256), bytes.subarray(table + 3 * colours)]);
}

/** A mended copy of a file that cannot be decoded as it is; undefined where nothing is known to help. */
export function mended(bytes: Uint8Array, name: ImageFormat["name"]): Uint8Array | undefined {
  if (name === "PNG") return mendPng(bytes);
  if (name === "GIF") return mendGif(bytes);
  if (name === "JPEG") return joined([bytes, Uint8Array.of(0xff, 0xd9)]); // its end
  return undefined;
}

/** Bytes of a BMP file before its second header, and where fields are. */
const BMP_HEADER = 14, BMP_PIXELS = 10, BMP_PLANES = 26, BMP_DEPTH = 28, BMP_COLOURS = 46;

/** A BMP file whose header says nothing that cannot be; itself where it is right. */
export function mendBmp(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < BMP_HEADER + 40 || view.getUint32(BMP_HEADER, true) < 40) return bytes;
  const headers = BMP_HEADER + view.getUint32(BMP_HEADER, true), depth = view.getUint16(BMP_DEPTH, true);
  const most = depth <= 8 ? 1 << depth : 256, colours = view.getUint32(BMP_COLOURS, true);
  const planes = view.getUint16(BMP_PLANES, true), masks = view.getUint32(30, true) === 3 ? 12 : 0;
  const wrong = view.getUint32(BMP_PIXELS, true) < headers;
  if (planes === 1 && colours <= most && !wrong) return bytes;
  const out = bytes.slice(), to = new DataView(out.buffer);
  to.setUint16(BMP_PLANES, 1, true);
  if (colours > most) to.setUint32(BMP_COLOURS, 0, true);
  const table = depth > 8 ? 0 : 4 * (colours > most || colours === 0 ? most : colours);
  if (wrong) to.setUint32(BMP_PIXELS, headers + (headers === BMP_HEADER + 40 ? masks : 0) + table, true);
  return out;
}

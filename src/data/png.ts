/**
 * PNG files (https://www.w3.org/TR/png-3/) as 8-bit grey or RGB on white: every colour type and depth, interlaced or
 * not. `fast-png` undoes the row filters. What could make a small file take much memory or time is done here instead,
 * with bounds: the chunks are walked and checked, only those that matter go to the library, and their data is
 * inflated by zlib up to what the header allows. Not responsible for colour profiles and animation (first frame).
 * @module
 */
import { decode } from "fast-png";
import { constants, crc32, inflateSync } from "node:zlib";
import { checkSize, imageError, type Pixels, reason } from "./pixels.ts";

/** The first bytes of every PNG file. */
export const PNG_SIGNATURE: readonly number[] = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/** Samples a pixel, and the depths that a colour type may have. */
const COLOUR_TYPES: Record<number, { readonly samples: number; readonly depths: readonly number[] }> = {
  0: { samples: 1, depths: [1, 2, 4, 8, 16] }, // grey
  2: { samples: 3, depths: [8, 16] }, // RGB
  3: { samples: 1, depths: [1, 2, 4, 8] }, // palette
  4: { samples: 2, depths: [8, 16] }, // grey and alpha
  6: { samples: 4, depths: [8, 16] }, // RGB and alpha
};

/** First column and row of a pass of an interlaced image, and the steps to the next ones. */
const ADAM7: readonly (readonly [x: number, y: number, dx: number, dy: number])[] = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
];
const WHOLE = [[0, 0, 1, 1]] as const;

interface Header {
  readonly width: number;
  readonly height: number;
  readonly depth: number;
  readonly colour: number;
  readonly samples: number;
  readonly interlaced: boolean;
}

interface Chunks {
  readonly header: Header;
  readonly palette: Uint8Array | undefined;
  readonly transparency: Uint8Array | undefined;
  readonly data: Uint8Array;
}

function readHeader(body: Uint8Array, file: string): Header {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const width = view.getUint32(0), height = view.getUint32(4), depth = body[8], colour = body[9];
  checkSize(file, width, height);
  const type = COLOUR_TYPES[colour];
  if (type === undefined || !type.depths.includes(depth)) {
    throw imageError(file, `PNG has no colour type ${colour} with ${depth} bits: the file is damaged`);
  }
  if (body[10] !== 0 || body[11] !== 0 || body[12] > 1) {
    throw imageError(file, `its compression, filter and interlacing must be those of PNG: the file is damaged`);
  }
  return { width, height, depth, colour, samples: type.samples, interlaced: body[12] === 1 };
}

/** Walks the chunks; their lengths and check sums are those of the file or it is refused. */
function readChunks(bytes: Uint8Array, file: string): Chunks {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let header: Header | undefined, palette: Uint8Array | undefined, transparency: Uint8Array | undefined;
  const parts: Uint8Array[] = [];
  let total = 0;
  for (let at = PNG_SIGNATURE.length; at + 12 <= bytes.length;) {
    const length = view.getUint32(at), end = at + 12 + length;
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (end > bytes.length) throw imageError(file, `its chunk '${show(type)}' is cut off: the file is damaged`);
    const body = bytes.subarray(at + 8, at + 8 + length);
    if ((type[0] < "a") && crc32(bytes.subarray(at + 4, at + 8 + length)) !== view.getUint32(end - 4)) {
      throw imageError(file, `the check sum of its chunk '${show(type)}' is wrong: the file is damaged`);
    }
    if (header === undefined) {
      if (type !== "IHDR" || length !== 13) throw imageError(file, "PNG must begin with a header of 13 bytes");
      header = readHeader(body, file);
    } else if (type === "PLTE") palette = body;
    else if (type === "tRNS") transparency = body;
    else if (type === "IDAT") {
      parts.push(body);
      total += length;
    } else if (type === "IEND") break;
    at = end;
  }
  if (header === undefined) throw imageError(file, "its header is cut off: the file is damaged");
  const data = new Uint8Array(total);
  let at = 0;
  for (const part of parts) {
    data.set(part, at);
    at += part.length;
  }
  return { header, palette, transparency, data };
}

function show(type: string): string {
  return type.replace(/[^A-Za-z0-9]/g, "?");
}

/** Bytes of a row of `width` pixels, the filter byte included. */
function rowBytes({ depth, samples }: Header, width: number): number {
  return 1 + Math.ceil(width * depth * samples / 8);
}

/** A chunk as the library reads it; it does not look at check sums. */
function chunk(type: string, body: Uint8Array): Uint8Array {
  const out = new Uint8Array(12 + body.length);
  new DataView(out.buffer).setUint32(0, body.length);
  for (let i = 0; i < 4; i++) out[4 + i] = type.charCodeAt(i);
  out.set(body, 8);
  return out;
}

/** A zlib stream of blocks that are stored as they are. */
function stored(data: Uint8Array): Uint8Array {
  const blocks = Math.max(1, Math.ceil(data.length / 65535)), out = new Uint8Array(2 + 5 * blocks + data.length + 4);
  out.set([0x78, 0x01]);
  for (let i = 0, at = 2; i < blocks; i++) {
    const part = data.subarray(65535 * i, 65535 * (i + 1)), n = part.length;
    out.set([i === blocks - 1 ? 1 : 0, n & 255, n >> 8, ~n & 255, (~n >> 8) & 255], at);
    out.set(part, at + 5);
    at += 5 + n;
  }
  return out;
}

/** Lets the library undo the filters of `width` x `height` pixels; samples of fewer than 8 bits stay packed. */
function unfilter(header: Header, width: number, height: number, data: Uint8Array): Uint8Array | Uint16Array {
  const body = new Uint8Array(13), view = new DataView(body.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  // Palettes are applied here: to the library, indices are grey.
  body.set([header.depth, header.colour === 3 ? 0 : header.colour], 8);
  const parts = [
    Uint8Array.from(PNG_SIGNATURE),
    chunk("IHDR", body),
    chunk("IDAT", stored(data)),
    chunk("IEND", new Uint8Array()),
  ];
  const png = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    png.set(part, at);
    at += part.length;
  }
  const out = decode(png).data;
  return out instanceof Uint8ClampedArray ? new Uint8Array(out.buffer, out.byteOffset, out.length) : out;
}

/** Turns `count` pixels, their samples from `source[from]`, into 8-bit ones at `out[to]` and each `step` further. */
type PaintRow = (
  source: Uint8Array | Uint16Array,
  from: number,
  count: number,
  out: Uint8Array,
  to: number,
  step: number,
) => void;

/** Composes an 8-bit sample with an alpha of 0 to 255 on white. */
function onWhite(sample: number, alpha: number): number {
  return alpha === 255 ? sample : alpha === 0 ? 255 : Math.round((sample * alpha + 255 * (255 - alpha)) / 255);
}

/** The colours of a palette, on white where they are transparent. */
function paintPalette({ palette, transparency }: Chunks, file: string): PaintRow {
  if (palette === undefined || palette.length < 3) throw imageError(file, "it has no palette: the file is damaged");
  const table = palette.slice(0, 3 * Math.floor(palette.length / 3));
  for (let i = 0; i < Math.min(transparency?.length ?? 0, table.length / 3); i++) {
    for (let c = 0; c < 3; c++) table[3 * i + c] = onWhite(table[3 * i + c], transparency![i]);
  }
  return (source, from, count, out, to, step) => {
    for (let i = 0; i < count; i++, from++, to += step) {
      const at = 3 * source[from];
      if (at >= table.length) throw imageError(file, `its palette has no colour ${source[from]}: the file is damaged`);
      out[to] = table[at];
      out[to + 1] = table[at + 1];
      out[to + 2] = table[at + 2];
    }
  };
}

/** How pixels become 8-bit grey or RGB on white. */
function painter(chunks: Chunks, file: string): { channels: 1 | 3; paint: PaintRow } {
  const { header: { depth, colour, samples }, transparency } = chunks;
  if (colour === 3) return { channels: 3, paint: paintPalette(chunks, file) };
  const channels = samples < 3 ? 1 : 3, alpha = samples === 2 || samples === 4;
  // The one colour that is transparent, of an image without alpha.
  const key = !alpha && transparency !== undefined && transparency.length >= 2 * samples
    ? Array.from({ length: samples }, (_, c) => 256 * transparency[2 * c] + transparency[2 * c + 1])
    : undefined;
  const levels = 2 ** depth, to8 = Uint8Array.from({ length: levels }, (_, v) => Math.round(255 * v / (levels - 1)));
  const paint: PaintRow = (source, from, count, out, to, step) => {
    for (let i = 0; i < count; i++, from += samples, to += step) {
      for (let c = 0; c < channels; c++) out[to + c] = to8[source[from + c]];
      const a = alpha
        ? to8[source[from + channels]]
        : key !== undefined && key.every((v, c) => source[from + c] === v)
        ? 0
        : 255;
      if (a !== 255) { for (let c = 0; c < channels; c++) out[to + c] = onWhite(out[to + c], a); }
    }
  };
  return { channels, paint };
}

/** One sample of fewer than 8 bits per entry. */
function unpack(packed: Uint8Array, width: number, height: number, depth: number): Uint8Array {
  const out = new Uint8Array(width * height), row = Math.ceil(width * depth / 8), mask = 2 ** depth - 1;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const bit = x * depth;
      out[y * width + x] = (packed[y * row + (bit >> 3)] >> (8 - depth - (bit & 7))) & mask;
    }
  }
  return out;
}

/** Decodes a PNG file; `file` names it in errors. Transparent parts show white. Throws FailureError. */
export function decodePng(bytes: Uint8Array, file: string): Pixels {
  const chunks = readChunks(bytes, file), { header } = chunks, { width, height, depth, samples } = header;
  const passes = (header.interlaced ? ADAM7 : WHOLE).map(([x, y, dx, dy]) => {
    const columns = Math.max(0, Math.ceil((width - x) / dx)), rows = Math.max(0, Math.ceil((height - y) / dy));
    return { x, y, dx, dy, columns, rows, bytes: columns > 0 ? rows * rowBytes(header, columns) : 0 };
  });
  const wanted = passes.reduce((sum, pass) => sum + pass.bytes, 0);
  let raw: Uint8Array;
  try {
    // No deflate stream expands by more than a factor of 1032 (zlib's technical note).
    if (wanted > 1032 * chunks.data.length) throw new Error("too short for its size");
    raw = inflateSync(chunks.data, {
      maxOutputLength: wanted,
      chunkSize: Math.min(Math.max(wanted, 1024), 1 << 20),
      finishFlush: constants.Z_SYNC_FLUSH, // What is cut off shows in the length (and errors of zlib leak memory).
    });
  } catch (error) {
    throw imageError(file, `its pixels cannot be unpacked (${reason(error)}): the file is damaged`, error);
  }
  if (raw.length !== wanted) {
    throw imageError(file, `its pixels must take ${wanted} bytes and take ${raw.length}: the file is damaged`);
  }
  const { channels, paint } = painter(chunks, file);
  const plain = depth === 8 && samples === channels && header.colour !== 3 && chunks.transparency === undefined;
  const data = new Uint8Array(width * height * channels);
  let at = 0;
  for (const { x, y, dx, dy, columns, rows, bytes: size } of passes) {
    if (size === 0) continue;
    let source: Uint8Array | Uint16Array;
    try {
      source = unfilter(header, columns, rows, raw.subarray(at, at + size));
    } catch (error) {
      throw imageError(file, `its pixels cannot be decoded (${reason(error)}): the file is damaged`, error);
    }
    if (plain && !header.interlaced) return { width, height, channels, data: source as Uint8Array, orientation: 1 };
    if (depth < 8) source = unpack(source as Uint8Array, columns, rows, depth);
    for (let row = 0; row < rows; row++) {
      const to = ((y + row * dy) * width + x) * channels;
      paint(source, row * columns * samples, columns, data, to, dx * channels);
    }
    at += size;
  }
  return { width, height, channels, data, orientation: 1 };
}

/**
 * Image, CIFAR and tar files made in memory, for the tests of readers. Not responsible for anything else.
 * @module
 */
import "../platform/deno.ts";
import { encode } from "jpeg-js";
import { crc32, deflateSync } from "node:zlib";
import type { Picture, Pixels } from "./pixels.ts";

/** What {@linkcode encodePng} writes. */
export interface PngSpec {
  /** Columns. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
  /** Bits a sample. */
  readonly depth: number;
  /** PNG's colour type. */
  readonly colour: number;
  /** Adam7. */
  readonly interlaced?: boolean;
  /** Sample c of a pixel, 0 to 2^depth - 1. */
  readonly sample: (y: number, x: number, c: number) => number;
  /** Red, green and blue of each index. */
  readonly palette?: readonly number[];
  /** Body of the tRNS chunk. */
  readonly transparency?: readonly number[];
  /** Filter of all rows: 0 (none), 1 (left) or 2 (above). */
  readonly filter?: 0 | 1 | 2;
}

const SAMPLES: Record<number, number> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

/** A PNG chunk with its check sum. */
export function pngChunk(type: string, body: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(12 + body.length), view = new DataView(out.buffer);
  view.setUint32(0, body.length);
  for (let i = 0; i < 4; i++) out[4 + i] = type.charCodeAt(i);
  out.set(body, 8);
  view.setUint32(8 + body.length, crc32(out.subarray(4, 8 + body.length)));
  return out;
}

/** Byte arrays one after the other. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** The rows of one pass, filtered. */
function rows(spec: PngSpec, [x0, y0, dx, dy]: readonly number[]): Uint8Array {
  const { depth, colour, sample, filter = 0 } = spec, samples = SAMPLES[colour];
  const columns = Math.ceil((spec.width - x0) / dx), count = Math.ceil((spec.height - y0) / dy);
  if (columns <= 0 || count <= 0) return new Uint8Array();
  const size = Math.ceil(columns * samples * depth / 8), step = Math.max(1, samples * depth / 8);
  const out = new Uint8Array(count * (size + 1));
  let above = new Uint8Array(size);
  for (let row = 0; row < count; row++) {
    const line = new Uint8Array(size);
    for (let i = 0; i < columns * samples; i++) {
      const v = sample(y0 + row * dy, x0 + Math.floor(i / samples) * dx, i % samples);
      if (depth === 16) line.set([v >> 8, v & 255], 2 * i);
      else line[i * depth >> 3] |= v << (8 - depth - (i * depth & 7));
    }
    const at = row * (size + 1);
    out[at] = filter;
    for (let i = 0; i < size; i++) {
      const before = filter === 1 ? (i >= step ? line[i - step] : 0) : filter === 2 ? above[i] : 0;
      out[at + 1 + i] = line[i] - before;
    }
    above = line;
  }
  return out;
}

/** A PNG file. */
export function encodePng(spec: PngSpec): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(13), view = new DataView(header.buffer);
  view.setUint32(0, spec.width);
  view.setUint32(4, spec.height);
  header.set([spec.depth, spec.colour, 0, 0, spec.interlaced ? 1 : 0], 8);
  const passes = spec.interlaced
    ? [[0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2]]
    : [[0, 0, 1, 1]];
  const data = deflateSync(concat(...passes.map((pass) => rows(spec, pass))));
  return concat(
    Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
    pngChunk("IHDR", header),
    spec.palette === undefined ? new Uint8Array() : pngChunk("PLTE", Uint8Array.from(spec.palette)),
    spec.transparency === undefined ? new Uint8Array() : pngChunk("tRNS", Uint8Array.from(spec.transparency)),
    pngChunk("tEXt", new TextEncoder().encode("Comment\0made in a test")),
    pngChunk("IDAT", data.subarray(0, 7)), // In two parts, as large files have it.
    pngChunk("IDAT", data.subarray(7)),
    pngChunk("IEND", new Uint8Array()),
  );
}

/** An RGB PNG whose pixels follow from `seed`: smooth, and different for each seed. */
export function samplePng(seed: number, width = 24, height = 20): Uint8Array<ArrayBuffer> {
  const sample = (y: number, x: number, c: number): number => (seed * 53 + 5 * x + 3 * y + 40 * c + (x * y >> 3)) & 255;
  return encodePng({ width, height, depth: 8, colour: 2, sample });
}

/** Pixels in memory as a picture that hands out rows. */
export function pictureOf({ data, ...facts }: Pixels): Picture {
  const { width, channels } = facts;
  return {
    ...facts,
    rows(x, y, columns, count) {
      const lines = Array.from({ length: count }, (_, i) => {
        const at = ((y + i) * width + x) * channels;
        return data.subarray(at, at + columns * channels);
      });
      return concat(...lines);
    },
  };
}

const jpegs = new Map<string, Uint8Array<ArrayBuffer>>();

/** An RGB JPEG whose pixels follow from `seed`; made once (the encoder takes its time). */
export function sampleJpeg(seed: number, width = 24, height = 20, quality = 90): Uint8Array<ArrayBuffer> {
  const key = [seed, width, height, quality].join();
  const known = jpegs.get(key);
  if (known !== undefined) return known.slice();
  const data = new Uint8Array(4 * width * height);
  for (let i = 0; i < data.length; i++) {
    const x = (i >> 2) % width, y = Math.floor((i >> 2) / width);
    data[i] = i % 4 === 3 ? 255 : 128 + 100 * Math.sin(0.05 * (x + seed) * (1 + i % 4) + 0.04 * y);
  }
  const file = Uint8Array.from(encode({ width, height, data }, quality).data);
  jpegs.set(key, file);
  return file.slice();
}

/** The same JPEG with an EXIF segment that gives an orientation. */
export function withOrientation(jpeg: Uint8Array, orientation: number): Uint8Array<ArrayBuffer> {
  const tiff = [0x4d, 0x4d, 0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0];
  const body = [...new TextEncoder().encode("Exif\0\0"), ...tiff];
  return concat(jpeg.subarray(0, 2), Uint8Array.of(0xff, 0xe1, 0, body.length + 2, ...body), jpeg.subarray(2));
}

/** A tar archive. */
export function encodeTar(files: Readonly<Record<string, Uint8Array>>): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  for (const [name, data] of Object.entries(files)) {
    const header = new Uint8Array(512),
      put = (at: number, text: string): void => {
        header.set(new TextEncoder().encode(text), at);
      };
    put(0, name);
    put(100, "0000644\0");
    put(124, data.length.toString(8).padStart(11, "0") + "\0");
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    put(148, header.reduce((a, b) => a + b, 0).toString(8).padStart(6, "0") + "\0 ");
    parts.push(header, data, new Uint8Array((512 - data.length % 512) % 512));
  }
  return concat(...parts, new Uint8Array(1024));
}

/** `count` CIFAR records with `labelBytes` bytes before the pixels; labels count up modulo `classes`. */
export function cifarRecords(count: number, labelBytes: number, classes: number, seed = 0): Uint8Array<ArrayBuffer> {
  const size = labelBytes + 3072, out = new Uint8Array(count * size);
  for (let i = 0; i < out.length; i++) out[i] = (i * 31 + (i >> 8) + seed) & 255;
  for (let i = 0; i < count; i++) {
    out[i * size] = i % 20;
    out[i * size + labelBytes - 1] = i % classes;
  }
  return out;
}

/**
 * 20 x 12 pixels of (10 x + 20, 18 y + 30, 220 - 6 x - 4 y), by Pillow: progressive with halved colours, CMYK, and grey
 * with restart markers.
 */
export const PILLOW_JPEGS: Readonly<Record<"progressive" | "cmyk" | "restart", Uint8Array<ArrayBuffer>>> = {
  progressive: Uint8Array.fromBase64(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIsIxwcKDcpLDAxNDQ0Hyc5" +
      "PTgyPC4zNDL/2wBDAQkJCQwLDBgNDRgyIRwhMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjL/wgAR" +
      "CAAMABQDASIAAhEBAxEB/8QAFwAAAwEAAAAAAAAAAAAAAAAAAAQFBv/EABYBAQEBAAAAAAAAAAAAAAAAAAUCBP/aAAwDAQACEAMQAAABms2W" +
      "bxRTRBDf/8QAGRABAQADAQAAAAAAAAAAAAAAAQACAxIT/9oACAEBAAEFAjRGi8IwIwLgv//EABgRAAMBAQAAAAAAAAAAAAAAAAACBAER/9oA" +
      "CAEDAQE/AZK2Mrbh/8QAFxEAAwEAAAAAAAAAAAAAAAAAAAIEAf/aAAgBAgEBPwGmxjbGP//EABQQAQAAAAAAAAAAAAAAAAAAACD/2gAIAQEA" +
      "Bj8CX//EABoQAAEFAQAAAAAAAAAAAAAAAAABETFRYSH/2gAIAQEAAT8hzMxOYKpVEZg//9oADAMBAAIAAwAAABBcP//EABYRAQEBAAAAAAAA" +
      "AAAAAAAAAAARIf/aAAgBAwEBPxDEmP/EABcRAQADAAAAAAAAAAAAAAAAAAABESH/2gAIAQIBAT8Q3LUv/8QAGBABAAMBAAAAAAAAAAAAAAAA" +
      "ABAhMfH/2gAIAQEAAT8Qzc3mqhUhT//Z",
  ),
  cmyk: Uint8Array.fromBase64(
    "/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwAKBwcIBwYKCAgICwoKCw4YEA4NDQ4dFRYRGCMfJSQiHyIhJis3LyYpNCkhIjBBMTQ5Oz4+PiUuRElD" +
      "PEg3PT47/8AAFAgADAAUBEMRAE0RAFkRAEsRAP/EABcAAQEBAQAAAAAAAAAAAAAAAAAGBwX/xAAkEAABAgMJAQEAAAAAAAAAAAAABAUCAyEB" +
      "FRYxM0JTY6ETI//aAA4EQwBNAFkASwAAPwCFZdpw8IdfhXOCrOpsxoDLtGEOvwmHBVnUFsl0IRhDr8J+cq/S2oMJZdpsN2JeMsXCZFWoNAZd" +
      "ouxLxky4TIq1BbJdCEXYl4yenTIvpbUH/9k=",
  ),
  restart: Uint8Array.fromBase64(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIsIxwcKDcpLDAxNDQ0Hyc5" +
      "PTgyPC4zNDL/wAALCAAMABQBAREA/8QAFgAAAwAAAAAAAAAAAAAAAAAABAUG/8QAHhAAAQMFAQEAAAAAAAAAAAAAAwAEIgIFITEyEqH/2gAI" +
      "AQEAAD8AmwWDUEzBYNQR9Fgjx8VEBmHEUzAzDiKPoZg88r//2Q==",
  ),
};

/** Runs `body` in a folder with these files. */
export async function withFiles(
  files: Readonly<Record<string, Uint8Array | string>>,
  body: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "idarts-images-" });
  try {
    for (const [name, content] of Object.entries(files)) {
      const path = `${folder}/${name}`;
      Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
      Deno.writeFileSync(path, typeof content === "string" ? new TextEncoder().encode(content) : content);
    }
    await body(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** `count` images for each class: PNGs of several sizes, the last one a JPEG. */
export function classFiles(
  counts: Readonly<Record<string, number>>,
  prefix = "",
  seed = 0,
): Record<string, Uint8Array> {
  const files: Record<string, Uint8Array> = {};
  let i = seed;
  for (const [name, count] of Object.entries(counts)) {
    for (let k = 0; k < count; k++, i++) {
      const last = k === count - 1;
      files[`${prefix}${name}/${k}.${last ? "jpg" : "png"}`] = last ? sampleJpeg(i % 7) : samplePng(i, 20 + k, 30 - k);
    }
  }
  return files;
}

/**
 * A browser, and any other runtime that has the web's standards alone: files in memory, no threads of the program's own.
 * Importing it chooses it.
 * @module
 */
import { Gunzip } from "fflate";
import { MemoryFiles } from "./memory_files.ts";
import { type Platform, usePlatform } from "./platform.ts";

/** Bytes that go into the decompressor at a time: what comes out of them is looked at before more of it is made. */
const SLICE = 1 << 14;

/** The check sum of each byte, by the polynomial of ISO 3309. */
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let sum = byte;
  for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? 0xedb88320 ^ (sum >>> 1) : sum >>> 1;
  return sum;
});

function crc32(bytes: Uint8Array | string, before = 0): number {
  const all = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
  let sum = ~before;
  for (let i = 0; i < all.length; i++) sum = TABLE[(sum ^ all[i]) & 255] ^ (sum >>> 8);
  return ~sum >>> 0;
}

function gunzip(
  bytes: Uint8Array,
  { most, partial = false }: { readonly most: number; readonly partial?: boolean },
): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  let length = 0, further = 0;
  const stream = new Gunzip((part) => {
    length += part.length;
    if (length > most) throw Object.assign(new RangeError("too many bytes"), { code: "ERR_BUFFER_TOO_LARGE" });
    parts.push(part);
  });
  stream.onmember = () => further++;
  for (let at = 0; at < bytes.length; at += SLICE) {
    stream.push(bytes.subarray(at, at + SLICE), !partial && at + SLICE >= bytes.length);
  }
  const out = new Uint8Array(length);
  parts.reduce((at, part) => (out.set(part, at), at + part.length), 0);
  if (partial) return out;
  // The decompressor does not look at the check sum and the length that stand at the end.
  const end = new DataView(bytes.buffer, bytes.byteOffset + bytes.length - 8, 8);
  const whole = end.getUint32(0, true) === crc32(out) && end.getUint32(4, true) === length % 2 ** 32;
  if (further === 0 && !whole) throw new Error("the check sum does not match");
  return out;
}

let codec: WebAssembly.Module | URL = new URL("magick.wasm", import.meta.url);

/**
 * Says where the decoder of image files is (`magick.wasm` of the npm package `@imagemagick/magick-wasm`): its module,
 * or the address of its file. If this is not called it is looked for beside the program.
 */
export function useCodec(where: WebAssembly.Module | URL): void {
  codec = where;
}

/** The files of the page. */
export const PAGE_FILES: MemoryFiles = new MemoryFiles();

/** A browser. */
export const BROWSER: Platform = {
  name: "a browser",
  process: 0,
  files: PAGE_FILES,
  freeMemory: () => undefined,
  prepareDriver() {},
  threadsOf: () => false,
  gunzip,
  crc32,
  codecModule: async () => codec instanceof URL ? await WebAssembly.compileStreaming(fetch(codec)) : codec,
};

usePlatform(BROWSER);

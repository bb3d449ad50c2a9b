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

/** Paths of all files in a folder of the page, and in those below it; none where there is no such folder. */
export function listFiles(folder: string): string[] {
  try {
    return [...PAGE_FILES.list(folder)].flatMap(({ name, isDirectory }) =>
      isDirectory ? listFiles(`${folder}/${name}`) : [`${folder}/${name}`]
    ).sort();
  } catch (error) {
    if (PAGE_FILES.fault(error)?.code === "ENOENT") return [];
    throw error;
  }
}

/** The bytes of a file of the page, to be downloaded, say. Throws where there is none. */
export function readFile(path: string): Uint8Array<ArrayBuffer> {
  return PAGE_FILES.read(path);
}

/** Removes a folder of the page and what is in it; a run must not be going on there. */
export function removeFiles(folder: string): void {
  PAGE_FILES.removeAll(folder);
}

let codec: WebAssembly.Module | Uint8Array<ArrayBuffer> | URL | undefined;

/**
 * Says where the decoder of image files is (`magick.wasm` of the npm package `@imagemagick/magick-wasm`): its module,
 * or the address of its file. If this is not called it is looked for beside the program.
 */
export function useCodec(where: WebAssembly.Module | URL): void {
  codec = where;
}

/** The files of the page: those of {@linkcode addFiles}, and what runs write into their folders. */
export const PAGE_FILES: MemoryFiles = new MemoryFiles();

/** A file that a person chose or dropped, or bytes and the path that they are to have. */
export type PageFile = File | {
  /** Path below the folder. */
  readonly path: string;
  /** Content. */
  readonly blob: Blob;
};

/**
 * Puts files into a folder of the page, where `openData` finds them as it finds those of a disk. Files of a folder that
 * was chosen as a whole (`<input type="file" webkitdirectory>`) keep their path in it, its own name first.
 */
export async function addFiles(folder: string, files: Iterable<PageFile>): Promise<void> {
  for (const file of files) {
    const { webkitRelativePath: within = "" } = file as { webkitRelativePath?: string };
    const [path, blob] = "blob" in file ? [file.path, file.blob] : [within || file.name, file];
    PAGE_FILES.put(`${folder}/${path}`, new Uint8Array(await blob.arrayBuffer()));
  }
}

/** Bytes, not a module: of one as large as the decoder pages must make instances in the background, from its bytes. */
async function fetchBytes(address: URL): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`Cannot fetch the decoder of images from '${address}': status ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

/** A browser. */
export const BROWSER: Platform = {
  name: "a browser",
  process: 0,
  files: PAGE_FILES,
  freeMemory: () => undefined,
  cpuSeconds: () => undefined,
  prepareDriver() {},
  threadsOf: () => false,
  sharesShaders: false,
  gunzip,
  crc32,
  async codecModule() {
    codec ??= new URL("magick.wasm", import.meta.url); // not sooner: a program in a blob has no place
    return codec instanceof URL ? codec = await fetchBytes(codec) : codec;
  },
};

usePlatform(BROWSER);

/**
 * Reads the regular files of a tar archive in memory (POSIX.1-1988 ustar and what GNU and pax made of it). Nothing is
 * written anywhere, so names are only names. Not responsible for compression, long names, sparse files and links.
 * @module
 */
import { FailureError } from "../base/errors.ts";

/** A file of an archive. */
export interface TarFile {
  /** Its path as the archive has it. */
  readonly name: string;
  /** Its content, a view of the archive. */
  readonly data: Uint8Array;
}

const BLOCK = 512;

/** A field of octal digits, padded with blanks or zeros; NaN for anything else. */
function octal(field: Uint8Array): number {
  const text = String.fromCharCode(...field).replace(/\0.*$/s, "").trim();
  return /^[0-7]{1,11}$/.test(text) ? parseInt(text, 8) : NaN;
}

function text(field: Uint8Array): string {
  const end = field.indexOf(0);
  return String.fromCharCode(...(end < 0 ? field : field.subarray(0, end)));
}

/**
 * The regular files of the archive `bytes`, in its order; `file` names it in errors. Throws FailureError for a header
 * with a wrong check sum or size, and for an archive that ends within a file.
 */
export function* readTar(bytes: Uint8Array, file: string): Generator<TarFile> {
  const fail = (why: string): never => {
    throw new FailureError(`Cannot read '${file}' as a tar archive as ${why}: fetch it again`);
  };
  for (let at = 0; at < bytes.length;) {
    if (at + BLOCK > bytes.length) fail(`it ends within a header, after ${bytes.length} bytes`);
    const header = bytes.subarray(at, at + BLOCK);
    if (header.every((byte) => byte === 0)) return;
    let sum = 0;
    for (let i = 0; i < BLOCK; i++) sum += i >= 148 && i < 156 ? 32 : header[i];
    if (octal(header.subarray(148, 156)) !== sum) fail(`the check sum of its header at byte ${at} is wrong`);
    const size = octal(header.subarray(124, 136));
    if (Number.isNaN(size)) fail(`the size in its header at byte ${at} is no number`);
    const end = at + BLOCK + size;
    if (end > bytes.length) fail(`it is cut off: it must hold ${end} bytes and holds ${bytes.length}`);
    const type = header[156];
    if (type === 0 || type === 0x30) {
      const prefix = text(header.subarray(257, 262)) === "ustar" ? text(header.subarray(345, 500)) : "";
      const name = text(header.subarray(0, 100));
      yield { name: prefix === "" ? name : `${prefix}/${name}`, data: bytes.subarray(at + BLOCK, end) };
    }
    at = at + BLOCK * (1 + Math.ceil(size / BLOCK));
  }
}

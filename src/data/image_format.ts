/**
 * What an image file is: the only place that decides it, and by content, whatever the file is called. Not responsible
 * for decoding.
 * @module
 */
import { imageError } from "./pixels.ts";

/** A kind of image file that is read. */
export interface ImageFormat {
  /** What people call it. */
  readonly name: "PNG" | "JPEG" | "WebP" | "GIF" | "BMP";
  /** Endings that its files have, in lower case. */
  readonly endings: readonly string[];
  /** Whether a file that begins with these bytes (32, or all there are) is one. */
  readonly is: (head: Uint8Array) => boolean;
}

/** Whether `text` (Latin-1) stands at byte `at`. */
function has(head: Uint8Array, text: string, at = 0): boolean {
  for (let i = 0; i < text.length; i++) if (head[at + i] !== text.charCodeAt(i)) return false;
  return true;
}

/** Sizes that the second header of a BMP file has: it begins with two letters only. */
const BMP_HEADERS: readonly number[] = [12, 40, 52, 56, 64, 108, 124];

/** Every kind of image file that is read. */
const IMAGE_FORMATS: readonly ImageFormat[] = [
  { name: "PNG", endings: [".png"], is: (head) => has(head, "\x89PNG\r\n\x1a\n") },
  { name: "JPEG", endings: [".jpg", ".jpeg", ".jpe", ".jfif"], is: (head) => has(head, "\xff\xd8\xff") },
  { name: "WebP", endings: [".webp"], is: (head) => has(head, "RIFF") && has(head, "WEBP", 8) },
  { name: "GIF", endings: [".gif"], is: (head) => has(head, "GIF87a") || has(head, "GIF89a") },
  {
    name: "BMP",
    endings: [".bmp", ".dib"],
    is: (head) => has(head, "BM") && BMP_HEADERS.includes(head[14]) && has(head, "\0\0\0", 15),
  },
];

/** Their names, for messages: "PNG, JPEG, WebP, GIF or BMP". */
export const FORMAT_NAMES: string = IMAGE_FORMATS.map(({ name }) => name).join(", ").replace(/, (\w+)$/, " or $1");

/** Bytes of a file that {@linkcode sniff} and {@linkcode nameContent} look at. */
export const HEAD_BYTES = 32;

/** What else a file may be, for messages. */
const OTHERS: readonly (readonly [name: string, is: (head: Uint8Array) => boolean])[] = [
  ["HEIC, AVIF or a video", (head) => has(head, "ftyp", 4)],
  ["TIFF", (head) => has(head, "II*\0") || has(head, "MM\0*")],
  ["an icon", (head) => has(head, "\0\0\x01\0")],
  ["Photoshop", (head) => has(head, "8BPS")],
  ["a NumPy array", (head) => has(head, "\x93NUMPY")],
  ["JPEG XL", (head) => has(head, "\xff\x0a") || has(head, "JXL ", 4)],
  ["JPEG 2000", (head) => has(head, "jP  ", 4)],
  ["a PDF document", (head) => has(head, "%PDF")],
  ["a zip archive", (head) => has(head, "PK\x03\x04")],
  ["a gzip archive", (head) => has(head, "\x1f\x8b")],
  ["a pointer of git-lfs (run git lfs pull)", (head) => has(head, "version https://git-lfs")],
  ["a page or drawing in HTML, XML or SVG", (head) => /^(\xef\xbb\xbf)?\s*<[!?a-z]/i.test(latin1(head))],
];

function latin1(head: Uint8Array): string {
  return String.fromCharCode(...head.subarray(0, HEAD_BYTES));
}

/** The kind that a file's first bytes say it is; undefined for none of {@linkcode IMAGE_FORMATS}. */
export function sniff(bytes: Uint8Array): ImageFormat | undefined {
  return IMAGE_FORMATS.find(({ is }) => is(bytes));
}

/** Whether a file's name ends like that of an image that is read. */
export function isNamedImage(name: string): boolean {
  const lower = name.toLowerCase();
  return IMAGE_FORMATS.some(({ endings }) => endings.some((ending) => lower.endsWith(ending)));
}

/** What bytes that are no image are, for messages: "it is TIFF inside", say. */
export function nameContent(bytes: Uint8Array): string {
  if (bytes.length === 0) return "it is empty";
  const other = OTHERS.find(([, is]) => is(bytes));
  return other === undefined ? "its content is no image" : `it is ${other[0]} inside`;
}

/** The kind of a whole file. Throws FailureError for what is none of {@linkcode IMAGE_FORMATS}. */
export function formatOf(bytes: Uint8Array, file: string): ImageFormat {
  const format = sniff(bytes);
  if (format !== undefined) return format;
  throw imageError(file, `it must be ${FORMAT_NAMES}: ${nameContent(bytes)}, so save it as one of them`);
}

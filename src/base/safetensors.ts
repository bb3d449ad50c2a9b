/**
 * The safetensors format (https://huggingface.co/docs/safetensors): eight bytes of header length, a JSON header,
 * then the raw little-endian tensors. Same tensors, same bytes. A file is untrusted: whatever it holds, decoding
 * either returns tensors that lie inside the file or throws one FailureError that names the file.
 * Not responsible for reading or writing files.
 * @module
 */
import { FailureError } from "./errors.ts";

/** The typed array that holds each element type. */
const ARRAYS = {
  F64: Float64Array,
  F32: Float32Array,
  I32: Int32Array,
  U32: Uint32Array,
  U8: Uint8Array,
} as const satisfies Record<TensorType, unknown>;

/** The element types that are read and written. */
export type TensorType = "F64" | "F32" | "I32" | "U32" | "U8";

/** Any of the typed arrays a tensor's data can be. */
export type TensorData =
  | Float64Array
  | Float32Array
  | Int32Array
  | Uint32Array
  | Uint8Array;

/** A named array: its element type follows from the class of `data`, whose length is the product of `shape`. */
export interface TensorEntry {
  /** Extent of each axis, outermost first; `[]` for a scalar. */
  readonly shape: readonly number[];
  /** The elements, row-major. */
  readonly data: TensorData;
}

/** What a file holds: tensors by name, in the order of the bytes, and free-form strings. */
export interface TensorFile {
  /** The tensors by name. */
  readonly tensors: Map<string, TensorEntry>;
  /** The strings of `__metadata__` by key. */
  readonly metadata: Map<string, string>;
}

/** The longest header that is accepted, as in the reference implementation. */
const MAX_HEADER = 100_000_000;

/** The element type of a typed array, or undefined for one that the format does not take. */
export function tensorType(data: TensorData): TensorType | undefined {
  for (const key of Object.keys(ARRAYS) as TensorType[]) {
    if (data instanceof ARRAYS[key]) return key;
  }
  return undefined;
}

const byText = (a: string, b: string): number => a < b ? -1 : a > b ? 1 : 0;

/** A tensor with what the header says of it. */
interface Named extends TensorEntry {
  readonly name: string;
  readonly type: TensorType;
}

/**
 * Encodes tensors and metadata. The bytes depend on the content only: tensors lie by falling element size (so that
 * each is aligned), then by name; metadata by key; the header is padded with spaces to a multiple of 8.
 * Throws TypeError or RangeError for tensors that the format cannot hold.
 */
export function encodeTensors(
  tensors: Iterable<readonly [string, TensorEntry]>,
  metadata: Iterable<readonly [string, string]> = [],
): Uint8Array<ArrayBuffer> {
  const list = inOrder([...tensors].map(([name, entry]) => typed(name, entry)));
  const header = new TextEncoder().encode(headerText(list, [...metadata].sort((a, b) => byText(a[0], b[0]))));
  const length = Math.ceil(header.length / 8) * 8;
  if (length > MAX_HEADER) {
    throw new RangeError(
      `Cannot encode tensors as the header must be at most ${MAX_HEADER} bytes long: current length is ${length}`,
    );
  }
  const out = new Uint8Array(list.reduce((sum, { data }) => sum + data.byteLength, 8 + length));
  new DataView(out.buffer).setBigUint64(0, BigInt(length), true);
  out.fill(0x20, 8, 8 + length);
  out.set(header, 8);
  let at = 8 + length;
  for (const { data } of list) {
    out.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return out;
}

function typed(name: string, { shape, data }: TensorEntry): Named {
  const type = tensorType(data);
  if (type === undefined) {
    throw new TypeError(
      `Cannot encode tensor '${name}' as its data must be one of ${Object.keys(ARRAYS).join(", ")}: current value is ${
        Object.prototype.toString.call(data)
      }`,
    );
  }
  if (shape.reduce((a, b) => a * b, 1) !== data.length || !isCounts(shape)) {
    throw new RangeError(
      `Cannot encode tensor '${name}' as its shape must hold ${data.length} elements: current value is [${shape}]`,
    );
  }
  return { name, shape, data, type };
}

/** Tensors in the order of the bytes; their names are checked. */
function inOrder(tensors: Named[]): Named[] {
  const names = new Set<string>();
  tensors.sort((a, b) => b.data.BYTES_PER_ELEMENT - a.data.BYTES_PER_ELEMENT || byText(a.name, b.name));
  for (const { name } of tensors) {
    if (name === "__metadata__" || !name.isWellFormed() || names.has(name)) {
      throw new RangeError(
        `Cannot encode tensor '${name}' as names must be unique, well-formed and not '__metadata__'`,
      );
    }
    names.add(name);
  }
  return tensors;
}

function headerText(tensors: readonly Named[], notes: readonly (readonly [string, string])[]): string {
  const keys = new Set(notes.map(([key]) => key));
  if (keys.size < notes.length || !notes.flat().every((text) => text.isWellFormed())) {
    throw new RangeError(
      `Cannot encode metadata as keys must be unique and strings well-formed: current keys are ${[...keys].join(", ")}`,
    );
  }
  const body = notes.map(([key, note]) => `${JSON.stringify(key)}:${JSON.stringify(note)}`);
  let end = 0;
  const parts = tensors.map(({ name, shape, data, type }) => {
    const begin = end;
    end += data.byteLength;
    return `${JSON.stringify(name)}:{"dtype":"${type}","shape":[${shape}],"data_offsets":[${begin},${end}]}`;
  });
  return `{${[...(notes.length > 0 ? [`"__metadata__":{${body.join(",")}}`] : []), ...parts].join(",")}}`;
}

/**
 * The first object key that a JSON text holds twice in one object, or undefined. `JSON.parse` keeps the last one
 * silently. The text must be valid JSON. No recursion: depth is the sender's choice.
 */
export function duplicateKey(json: string): string | undefined {
  const stack: (Set<string> | null)[] = []; // the keys seen in each open object; null for an array
  for (let i = 0; i < json.length; i++) {
    const c = json[i];
    if (c === "{") stack.push(new Set());
    else if (c === "[") stack.push(null);
    else if (c === "}" || c === "]") stack.pop();
    else if (c === '"') {
      const start = i;
      for (i++; json[i] !== '"'; i++) if (json[i] === "\\") i++;
      let next = i + 1;
      while (/[ \t\r\n]/.test(json[next] ?? "")) next++;
      const keys = stack.at(-1);
      if (json[next] !== ":" || !keys) continue;
      const key = JSON.parse(json.slice(start, i + 1)) as string;
      if (keys.has(key)) return key;
      keys.add(key);
    }
  }
  return undefined;
}

/** A piece of untrusted text, short enough for a message. */
function quote(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value) ?? String(value);
  return `'${text.length > 60 ? text.slice(0, 60) + "..." : text}'`;
}

/** Whether `value` is an array of `count` (any, if undefined) whole numbers from 0. */
function isCounts(value: unknown, count?: number): value is number[] {
  return Array.isArray(value) &&
    (count === undefined || value.length === count) &&
    value.every((n) => Number.isSafeInteger(n) && n >= 0);
}

/** Whether `value` is a JSON object. */
function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Decodes a safetensors file; `file` names it in errors. Tensors are views of `bytes` where alignment allows (files
 * from {@linkcode encodeTensors} in a buffer of their own) and copies elsewhere. Throws FailureError for a header
 * that is too long, not UTF-8, not JSON or has a key twice, for unknown element types, shapes that do not match
 * their bytes, and offsets that overlap, leave holes or leave the file.
 */
export function decodeTensors(bytes: Uint8Array<ArrayBuffer>, file: string): TensorFile {
  const fail: Fail = (why, cause) => {
    throw new FailureError(
      `Cannot read '${file}' as safetensors as ${why}: the file is damaged or of another format`,
      cause === undefined ? undefined : { cause },
    );
  };
  const { start, header } = readHeader(bytes, fail), { __metadata__: notes, ...described } = header;
  const metadata = notes === undefined ? new Map<string, string>() : readMetadata(notes, fail);
  const spans = Object.entries(described).map(([name, value]) => readSpan(name, value, fail))
    .sort((a, b) => a.begin - b.begin || a.end - b.end || byText(a.name, b.name));
  checkSpans(spans, bytes.length - start, fail);
  const tensors = new Map(spans.map((span) => [span.name, { shape: span.shape, data: dataOf(bytes, start, span) }]));
  return { tensors, metadata };
}

/** Throws what is wrong with a file. */
type Fail = (why: string, cause?: unknown) => never;

/** Where a tensor lies in the data of a file, in bytes. */
interface Span {
  readonly name: string;
  readonly type: TensorType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/** The header of a file, and where its data start. */
function readHeader(bytes: Uint8Array, fail: Fail): { start: number; header: Record<string, unknown> } {
  if (bytes.length < 10) fail(`it must be at least 10 bytes long and has ${bytes.length}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = Number(view.getBigUint64(0, true)), most = Math.min(MAX_HEADER, bytes.length - 8), start = 8 + length;
  if (length > most) fail(`its header length must be at most ${most} and is ${length}`);
  let text = "", header: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes.subarray(8, start));
    header = JSON.parse(text);
  } catch (error) {
    fail("its header must be JSON in UTF-8", error);
  }
  if (!isObject(header)) return fail("its header must be a JSON object");
  const twice = duplicateKey(text);
  if (twice !== undefined) fail(`its header has the key ${quote(twice)} twice`);
  return { start, header };
}

function readMetadata(notes: unknown, fail: Fail): Map<string, string> {
  if (!isObject(notes)) return fail(`entry ${quote("__metadata__")} must be a JSON object`);
  return new Map(
    Object.entries(notes).map(([key, note]) =>
      typeof note === "string" ? [key, note] : fail(`metadata ${quote(key)} must be a string`)
    ),
  );
}

function readSpan(name: string, value: unknown, fail: Fail): Span {
  if (!isObject(value)) return fail(`entry ${quote(name)} must be a JSON object`);
  const { dtype, shape, data_offsets: offsets } = value, tensor = `tensor ${quote(name)}`;
  if (typeof dtype !== "string" || !Object.hasOwn(ARRAYS, dtype)) {
    return fail(`the dtype of ${tensor} must be one of ${Object.keys(ARRAYS).join(", ")} and is ${quote(dtype)}`);
  }
  if (!isCounts(shape)) return fail(`the shape of ${tensor} must be a list of whole numbers and is ${quote(shape)}`);
  if (!isCounts(offsets, 2)) {
    return fail(`the data_offsets of ${tensor} must be two whole numbers and are ${quote(offsets)}`);
  }
  const type = dtype as TensorType, [begin, end] = offsets;
  const size = shape.reduce((a, b) => a * b, 1) * ARRAYS[type].BYTES_PER_ELEMENT;
  if (!Number.isSafeInteger(size) || end - begin !== size) {
    return fail(
      `${tensor} of dtype ${type} and shape ${quote(shape)} must take ${size} bytes and takes ${end - begin}`,
    );
  }
  return { name, type, shape, begin, end };
}

/** Tensors follow each other without holes and take all `total` bytes of data. */
function checkSpans(spans: readonly Span[], total: number, fail: Fail): void {
  let at = 0;
  for (const { name, begin, end } of spans) {
    const tensor = `tensor ${quote(name)}`;
    if (end > total) fail(`${tensor} must end within the ${total} bytes of data and ends at ${end}`);
    if (begin !== at) fail(`${tensor} must begin where the one before it ends, at ${at}, and begins at ${begin}`);
    at = end;
  }
  if (at !== total) fail(`its tensors must take all ${total} bytes of data and take ${at}`);
}

function dataOf(bytes: Uint8Array<ArrayBuffer>, start: number, { type, begin, end }: Span): TensorData {
  const make = ARRAYS[type], offset = bytes.byteOffset + start + begin;
  return offset % make.BYTES_PER_ELEMENT === 0
    ? new make(bytes.buffer, offset, (end - begin) / make.BYTES_PER_ELEMENT)
    : new make(bytes.slice(start + begin, start + end).buffer);
}

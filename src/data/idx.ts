/**
 * The IDX format of MNIST and its kin (http://yann.lecun.com/exdb/mnist), plain or gzipped: two zero bytes, the
 * element type (8: unsigned byte), the number of axes, each extent as a big-endian 32-bit word, then the elements.
 * A file is untrusted: no more memory is taken than its header declares, and that is bounded.
 * Not responsible for which files make a data set.
 * @module
 */
import { platform } from "../platform/platform.ts";
import { FailureError } from "../base/errors.ts";
import { readBytes } from "../base/files.ts";

/** An array of bytes read from an IDX file. */
export interface IdxArray {
  /** Extent of each axis, outermost first. */
  readonly shape: readonly number[];
  /** The elements, row-major. */
  readonly data: Uint8Array;
}

/** The most elements that an IDX file may hold. */
const MAX_IDX_ELEMENTS = 2 ** 31;
/** No deflate stream expands by more than this factor (zlib's technical note). */
const MAX_EXPANSION = 1032;
/** Compressed bytes that surely hold the 20 bytes of the longest header. */
const HEAD_BYTES = 4096;

type Fail = (why: string, cause?: unknown) => never;

/**
 * Decodes the IDX array in `bytes`, gzipped or not; `file` names it in errors. Throws FailureError for a wrong
 * magic number, an element type other than unsigned bytes, an axis of extent 0, and too few or too many bytes.
 */
export function decodeIdx(bytes: Uint8Array, file: string): IdxArray {
  const fail: Fail = (why, cause) => {
    throw new FailureError(`Cannot read '${file}' as IDX as ${why}`, cause === undefined ? undefined : { cause });
  };
  const zipped = bytes[0] === 0x1f && bytes[1] === 0x8b;
  const shape = readHeader(zipped ? unzippedHead(bytes, fail) : bytes, fail);
  const count = shape.reduce((a, b) => a * b, 1), skip = 4 + 4 * shape.length, wanted = skip + count;
  const short = `it must hold ${wanted} bytes for shape [${shape.join(", ")}]`;
  if (zipped && wanted > bytes.length * MAX_EXPANSION) {
    fail(`${short} and ${bytes.length} bytes of gzip cannot hold that many: fetch it again`);
  }
  const whole = zipped ? unzipped(bytes, wanted, short, fail) : bytes;
  if (whole.length !== wanted) fail(`${short} and holds ${whole.length}: fetch it again`);
  return { shape, data: whole.subarray(skip) };
}

/** The shape that a header declares. */
function readHeader(head: Uint8Array, fail: Fail): number[] {
  if (head.length < 4) fail(`it must hold at least 4 bytes and holds ${head.length}: fetch it again`);
  const [zero, none, type, axes] = head;
  if (zero !== 0 || none !== 0 || axes < 1 || axes > 4) {
    const magic = [...head.subarray(0, 4)].map((b) => b.toString(16).padStart(2, "0")).join("");
    fail(`its magic number must be 0000 08 and 1 to 4 axes: current value is ${magic}`);
  }
  if (type !== 8) fail(`its elements must be unsigned bytes (type 8): current type is ${type}`);
  const skip = 4 + 4 * axes;
  if (head.length < skip) fail(`its header of ${skip} bytes is cut off: fetch it again`);
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const shape = Array.from({ length: axes }, (_, i) => view.getUint32(4 + 4 * i));
  const count = shape.reduce((a, b) => a * b, 1);
  if (count < 1 || count > MAX_IDX_ELEMENTS) {
    fail(`its shape must hold 1 to ${MAX_IDX_ELEMENTS} elements: current value is [${shape.join(", ")}]`);
  }
  return shape;
}

const DAMAGED = "its gzip data is cut off or damaged: fetch it again";

function unzippedHead(bytes: Uint8Array, fail: Fail): Uint8Array {
  try {
    return platform().gunzip(bytes.subarray(0, HEAD_BYTES), { most: HEAD_BYTES * MAX_EXPANSION, partial: true });
  } catch (error) {
    return fail(DAMAGED, error);
  }
}

/** @param wanted bytes beyond which it is given up */
function unzipped(bytes: Uint8Array, wanted: number, short: string, fail: Fail): Uint8Array {
  try {
    const whole = platform().gunzip(bytes, { most: wanted });
    return new Uint8Array(whole.buffer, whole.byteOffset, whole.length); // a Buffer's slice() does not copy
  } catch (error) {
    const long = (error as { code?: string }).code === "ERR_BUFFER_TOO_LARGE";
    return fail(long ? `${short} and holds more: fetch it again` : DAMAGED, error);
  }
}

/** Images of an IDX file: idx3 `[N,H,W]` (one channel) or idx4 `[N,C,H,W]`, as `[N,C,H,W]`. Throws FailureError. */
export function readIdxImages(path: string): IdxArray {
  const { shape, data } = decodeIdx(readBytes(path), path);
  if (shape.length !== 3 && shape.length !== 4) {
    throw new FailureError(
      `Cannot read '${path}' as images as its shape must be [N, H, W] or [N, C, H, W]: current value is [${
        shape.join(", ")
      }]`,
    );
  }
  const [n, ...rest] = shape;
  return { shape: rest.length === 2 ? [n, 1, ...rest] : shape, data };
}

/** Labels of an idx1 file, one byte each. Throws FailureError. */
export function readIdxLabels(path: string): IdxArray {
  const { shape, data } = decodeIdx(readBytes(path), path);
  if (shape.length !== 1) {
    throw new FailureError(
      `Cannot read '${path}' as labels as its shape must be [N]: current value is [${shape.join(", ")}]`,
    );
  }
  return { shape, data };
}

/**
 * JPEG files (ITU-T T.81) as 8-bit grey or RGB, decoded by `jpeg-js`: baseline and progressive, grey, YCbCr, CMYK and
 * YCCK. Before that the markers are walked, so that a small file that claims a huge image or countless passes over it
 * is refused. Not responsible for colour profiles, 12 bits, arithmetic coding and lossless JPEG.
 * @module
 */
import { decode } from "jpeg-js";
import { checkSize, imageError, type Pixels, reason } from "./pixels.ts";

/** The most scans of a progressive file; the most blocks that all of them together may go over. */
const MAX_SCANS = 100, MAX_VISITS: number = 2 ** 26;
/** Memory that the decoder may take, in MiB: about 22 bytes a pixel. */
const MAX_MEMORY_MIB = 1200;

interface Facts {
  readonly width: number;
  readonly height: number;
  readonly components: number;
  readonly orientation: number;
}

/** Start-of-frame markers: T.81, table B.1. Those that are decoded are 0 to 2. */
function isFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}

/** EXIF's orientation of an APP1 segment, 1 where there is none. */
function orientationOf(body: Uint8Array): number {
  if (body.length < 14 || String.fromCharCode(...body.subarray(0, 6)) !== "Exif\0\0") return 1;
  const tiff = new DataView(body.buffer, body.byteOffset + 6, body.length - 6);
  const little = tiff.getUint16(0) === 0x4949, at = tiff.getUint32(4, little);
  if (at + 2 > tiff.byteLength) return 1;
  const entries = tiff.getUint16(at, little);
  for (let i = 0, entry = at + 2; i < entries && entry + 12 <= tiff.byteLength; i++, entry += 12) {
    if (tiff.getUint16(entry, little) !== 0x0112) continue;
    const value = tiff.getUint16(entry + 8, little);
    return value >= 1 && value <= 8 ? value : 1;
  }
  return 1;
}

/** Walks the markers. Throws FailureError for what is not one JPEG image of the kinds that are decoded. */
function inspect(bytes: Uint8Array, file: string): Facts {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let facts: Facts | undefined, orientation = 1, scans = 0, blocks = 0;
  for (let at = 2; at + 4 <= bytes.length;) {
    if (bytes[at] !== 0xff) {
      const next = bytes.indexOf(0xff, at); // Over the data of a scan.
      if (next < 0) break;
      at = next;
      continue;
    }
    const marker = bytes[at + 1];
    if (marker === 0xff) {
      at++;
      continue;
    }
    if (marker === 0 || marker === 1 || (marker >= 0xd0 && marker <= 0xd8)) {
      at += 2;
      continue;
    }
    if (marker === 0xd9) break;
    const length = view.getUint16(at + 2), body = bytes.subarray(at + 4, at + 2 + length);
    if (length < 2 || body.length < length - 2) {
      throw imageError(file, `its segment ${marker.toString(16)} is cut off: the file is damaged`);
    }
    if (marker === 0xe1 && orientation === 1) orientation = orientationOf(body);
    if (marker === 0xda) scans++;
    if (isFrame(marker)) {
      if (marker > 0xc2 || body[0] !== 8) {
        throw imageError(file, "only baseline and progressive JPEG of 8 bits can be read: save it as such");
      }
      if (facts !== undefined) throw imageError(file, "JPEG must hold one image and it holds more: save it again");
      if (body.length < 6 || body.length < 6 + 3 * body[5]) {
        throw imageError(file, "its header is cut off: the file is damaged");
      }
      const height = view.getUint16(at + 5), width = view.getUint16(at + 7), components = body[5];
      checkSize(file, width, height);
      if (components !== 1 && components !== 3 && components !== 4) {
        throw imageError(file, `JPEG must have 1, 3 or 4 components: current number is ${components}`);
      }
      for (let c = 0; c < components; c++) {
        const factors = body[7 + 3 * c], h = factors >> 4, v = factors & 15;
        if (h < 1 || h > 4 || v < 1 || v > 4) {
          throw imageError(file, "its sampling is not of JPEG: the file is damaged");
        }
      }
      blocks = Math.ceil(width / 8) * Math.ceil(height / 8);
      facts = { width, height, components, orientation };
    }
    at += 2 + length;
  }
  if (facts === undefined || scans === 0) throw imageError(file, "its image is cut off: the file is damaged");
  if (scans > MAX_SCANS || scans * blocks > MAX_VISITS) {
    throw imageError(file, `${scans} scans are too many for a JPEG of its size: save it again`);
  }
  // Each block takes a bit at least.
  if (blocks > 8 * bytes.length) {
    throw imageError(file, `${bytes.length} bytes cannot hold ${facts.width} x ${facts.height} pixels: it is damaged`);
  }
  return { ...facts, orientation };
}

/** Decodes a JPEG file; `file` names it in errors. Throws FailureError. */
export function decodeJpeg(bytes: Uint8Array, file: string): Pixels {
  const { width, height, components, orientation } = inspect(bytes, file);
  let data: Uint8Array;
  try {
    const image = decode(bytes, {
      useTArray: true,
      formatAsRGBA: false,
      maxResolutionInMP: Infinity, // Looked at already.
      maxMemoryUsageInMB: MAX_MEMORY_MIB,
    });
    if (image.width !== width || image.height !== height) throw new Error("two sizes");
    data = image.data;
  } catch (error) {
    throw imageError(file, `its pixels cannot be decoded (${reason(error)}): the file is damaged`, error);
  }
  if (components > 1) return { width, height, channels: 3, data, orientation };
  const grey = new Uint8Array(width * height);
  for (let i = 0; i < grey.length; i++) grey[i] = data[3 * i];
  return { width, height, channels: 1, data: grey, orientation };
}

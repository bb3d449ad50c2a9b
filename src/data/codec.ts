/**
 * Image files of every kind to 8-bit grey or RGB on white, by ImageMagick in WebAssembly (`@imagemagick/magick-wasm`:
 * libjpeg-turbo, libpng, libwebp), which gives Pillow's pixels and the same ones on every machine. Bytes come in and
 * pixels go out; nothing else of ImageMagick is reached: the kind of the file is told to it, not guessed by it.
 * Not responsible for what an image file is (`image_format.ts`), cutting and resizing (`decode.ts`), and colour profiles.
 * @module
 */
import type * as Magick from "@imagemagick/magick-wasm";
import type { FailureError } from "../base/errors.ts";
import { platform } from "../platform/platform.ts";
import { formatOf, type ImageFormat } from "./image_format.ts";
import { gifFault } from "./gif.ts";
import { mendBmp, mended } from "./mend.ts";
import { stillWebP } from "./webp.ts";
import { checkSize, imageError, type Picture, type Pixels } from "./pixels.ts";

/** Memory of a decoder before its first image. */
const BASE_MEMORY: number = 2 ** 24;
/** The most passes over a JPEG, and the most blocks that all of them together may go over. */
const MAX_SCANS = 100, MAX_VISITS: number = 2 ** 28;
/** What the decoder calls the kinds of files. */
const CODERS: Record<ImageFormat["name"], string> = { PNG: "PNG", JPEG: "JPEG", WebP: "WEBP", GIF: "GIF", BMP: "BMP" };
/** Where a BMP file says how its pixels are packed; 0: as they are. */
const BMP_COMPRESSION = 30;
/** How the decoder words that a file ends too early. */
const CUT = /premature end|unexpectedendoffile|unable to read image data|insufficientimagedata|not enough image data/i;
/** What it words as a warning though the pixels are not those of the picture. */
const DAMAGE = /bad huffman code|corrupt jpeg data: premature end|invalid progressive/i;

/** The decoder, and how to drop the memory that it holds: it only ever grows. */
interface Library {
  readonly magick: typeof Magick;
  readonly wasm: WebAssembly.Module | Uint8Array<ArrayBuffer>;
  /** The library's own handle of its memory and functions, not in its types; where there is none a new one is made. */
  readonly holder: { _api: { readonly HEAPU8: Uint8Array } | undefined };
}

let library: Library | undefined;
let opening: Promise<void> | undefined;
let isOpen = false;

async function open(): Promise<void> {
  if (library === undefined) {
    const magick = await import("@imagemagick/magick-wasm"), wasm = await platform().codecModule();
    library = { magick, wasm, holder: magick.ImageMagick as unknown as Library["holder"] };
  }
  const { magick, wasm } = library;
  await magick.initializeImageMagick(wasm);
  magick.ResourceLimits.disk = 0n; // It would be more memory.
  isOpen = true;
}

/**
 * Makes the decoder ready: what else is exported here may be called then, until {@linkcode trimCodec} has dropped it.
 */
export async function openCodec(): Promise<void> {
  opening ??= open().catch((error) => {
    opening = undefined;
    throw error;
  });
  await opening;
}

/** Runs `use` when the decoder is ready, and before anybody drops it. */
export async function withCodec<T>(use: () => T): Promise<T> {
  do await openCodec(); while (!isOpen); // another one may have dropped it meanwhile
  return use();
}

/** Bytes that the decoder holds; 0 where it is not open. */
export function codecMemory(): number {
  return opening === undefined ? 0 : library?.holder._api?.HEAPU8.length ?? 0;
}

/** Drops a decoder that holds more than `most` bytes: it has to be opened again. */
export function trimCodec(most: number): void {
  if (library === undefined || codecMemory() <= most) return;
  library.holder._api = undefined;
  opening = undefined;
  isOpen = false;
}

/** What a file's header says. */
export interface Header {
  /** Kind of the file. */
  readonly format: ImageFormat;
  /** Columns. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
  /** Whether it holds the picture in several passes, so that all of it is in memory before a pixel is known. */
  readonly passes: boolean;
}

/** "IDAT: CRC error `' @ error/png.c/..." without where in the library it was found. */
function inWords(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/ ?`.*$/s, "").replace(/\s+/g, " ").replace(/[^\x20-\x7e]/g, "?").slice(0, 120);
}

/** The error for a file whose pixels are not all there. */
function undecodable(file: string, why: string, cause?: unknown): FailureError {
  return imageError(
    file,
    CUT.test(why)
      ? `it ends within its pixels (${why}): the file is cut off, so fetch it again`
      : `its pixels cannot be decoded (${why}): the file is damaged, so fetch or save it again`,
    cause,
  );
}

/** Runs `use`; what the library throws becomes a sentence, and a library that broke is not used again. */
function guarded<T>(file: string, use: (magick: typeof Magick) => T): T {
  if (library === undefined || !isOpen) throw new Error("The codec must be opened first");
  const { magick } = library;
  try {
    return use(magick);
  } catch (error) {
    if (!(error instanceof magick.MagickError)) {
      if (!(error instanceof WebAssembly.RuntimeError) && !(error instanceof RangeError)) throw error;
      trimCodec(0);
    }
    throw undecodable(file, inWords(error), error);
  }
}

function settingsFor(magick: typeof Magick, { name }: ImageFormat): Magick.MagickReadSettings {
  const settings = new magick.MagickReadSettings({
    format: CODERS[name] as Magick.MagickFormat,
    frameIndex: 0, // The first of several.
    frameCount: 1,
  });
  settings.setDefine("bmp:ignore-filesize", "true"); // Surplus bytes after the pixels.
  return settings;
}

/** A file as the decoder takes it. */
function forDecoder(bytes: Uint8Array, { name }: ImageFormat): Uint8Array {
  return name === "WebP" ? stillWebP(bytes) : name === "BMP" ? mendBmp(bytes) : bytes;
}

/** The whole picture of a GIF: its first frame may be a part of it. */
function screenOf(bytes: Uint8Array): { readonly width: number; readonly height: number } {
  return { width: bytes[6] + 256 * bytes[7], height: bytes[8] + 256 * bytes[9] };
}

/** Scans of a JPEG up to its end: phones put whole films behind it. */
function scansOf(bytes: Uint8Array): number {
  let scans = 0;
  for (let at = bytes.indexOf(0xff, 2); at >= 0;) {
    const marker = bytes[at + 1];
    if (marker === 0xd9) break;
    if (marker === 0xda) scans++;
    // Only these have a segment behind them: not stuffed bytes and restarts within a scan, nor fill bytes, nor the end.
    const segment = marker >= 0xc0 && marker < 0xff && !(marker >= 0xd0 && marker <= 0xd8);
    const length = segment ? 256 * (bytes[at + 2] ?? 0) + (bytes[at + 3] ?? 0) : 0;
    at = bytes.indexOf(0xff, segment ? at + 2 + Math.max(2, length) : at + 1);
  }
  return scans;
}

/** Refuses a JPEG that goes over its pixels so often that it would take minutes: a scan takes a few bytes. */
function checkScans(bytes: Uint8Array, file: string, width: number, height: number): void {
  const scans = scansOf(bytes);
  if (scans > MAX_SCANS || scans * Math.ceil(width / 8) * Math.ceil(height / 8) > MAX_VISITS) {
    throw imageError(file, `${scans} passes are too many for a JPEG of ${width} x ${height}: save it again`);
  }
}

/**
 * The most pixels that a byte of a file may stand for: deflate makes at most 1032 bytes of one, with 8 pixels in each;
 * a block of 64 pixels of a JPEG takes a bit. Other kinds have no such bound.
 */
const MOST_PIXELS: Partial<Record<ImageFormat["name"], number>> = { PNG: 8 * 1032, JPEG: 8 * 64 };

/** Reads a file's header. Throws FailureError for what is no image or says an impossible size. */
export function readHeader(bytes: Uint8Array, file: string): Header {
  const format = formatOf(bytes, file);
  const header = guarded(file, (magick) => {
    const info = (bytes: Uint8Array): Omit<Header, "format"> => {
      const { width, height, interlace } = magick.MagickImageInfo.create(bytes, settingsFor(magick, format));
      return { width, height, passes: interlace !== magick.Interlace.NoInterlace };
    };
    const file = forDecoder(bytes, format);
    try {
      return info(file);
    } catch (error) {
      const mend = error instanceof magick.MagickError ? mended(file, format.name) : undefined;
      if (mend === undefined) throw error;
      return info(mend);
    }
  });
  const screen = format.name === "GIF" ? screenOf(bytes) : header;
  const width = Math.max(header.width, screen.width), height = Math.max(header.height, screen.height);
  checkSize(file, width, height);
  if (width * height > bytes.length * (MOST_PIXELS[format.name] ?? Infinity)) {
    throw imageError(file, `its ${bytes.length} bytes cannot hold ${width} x ${height} pixels: the file is cut off`);
  }
  if (format.name === "JPEG") checkScans(bytes, file, width, height);
  return { format, width, height, passes: header.passes };
}

/**
 * Bytes that decoding takes at most: measured at 12 megapixels for every kind (docs/data.md), with a margin.
 * @param reduction as in {@linkcode decode}
 */
export function memoryNeed({ format: { name }, width, height, passes }: Header, bytes: number, reduction = 1): number {
  const pixels = width * height, each = name === "JPEG" ? 5 / reduction ** 2 + (passes ? 9 : 0) : 14;
  return BASE_MEMORY + 2 * bytes + pixels * each;
}

/** Composes 8-bit samples with their alpha, the last sample of each pixel, on white. */
function onWhite(data: Uint8Array, channels: number): Uint8Array {
  const step = channels + 1, count = data.length / step, out = new Uint8Array(count * channels);
  for (let i = 0, at = 0, to = 0; i < count; i++, at += step) {
    const alpha = data[at + channels], white = 255 * (255 - alpha);
    for (let c = 0; c < channels; c++, to++) {
      out[to] = alpha === 255 ? data[at + c] : Math.round((data[at + c] * alpha + white) / 255);
    }
  }
  return out;
}

/** An image, and why its pixels are not those of the picture, if they are not. */
interface Attempt {
  readonly image: Magick.IMagickImage;
  readonly fault?: Error;
}

function attempt(magick: typeof Magick, bytes: Uint8Array, settings: Magick.MagickReadSettings): Attempt {
  const image = magick.MagickImage.create();
  let fault: Error | undefined;
  (image as Magick.MagickImage).onWarning = ({ error }: Magick.WarningEvent) => {
    if (CUT.test(error.message) || DAMAGE.test(error.message)) fault ??= error;
    return 0;
  };
  try {
    image.read(bytes, settings);
  } catch (error) {
    image.dispose();
    throw error;
  }
  return { image, fault };
}

/** Reads all of a file; one that is damaged beside its pixels only is mended. */
function read(
  magick: typeof Magick,
  bytes: Uint8Array,
  { format, passes }: Header,
  reduction: number,
): Magick.IMagickImage {
  const settings = settingsFor(magick, format);
  if (reduction > 1) {
    const { width, height } = magick.MagickImageInfo.create(bytes, settings);
    settings.setDefine("jpeg:size", `${Math.floor(width / reduction)}x${Math.floor(height / reduction)}`);
  }
  let why: unknown;
  try {
    const { image, fault } = attempt(magick, bytes, settings);
    if (fault === undefined) return image;
    image.dispose();
    why = fault;
  } catch (error) {
    if (!(error instanceof magick.MagickError)) throw error;
    why = error;
  }
  // Whether passes over a JPEG are missing cannot be told, and what is wrong within its pixels no end mends.
  const jpeg = format.name === "JPEG", hopeless = jpeg && (passes || !CUT.test((why as Error).message));
  const mend = hopeless ? undefined : mended(bytes, format.name);
  if (mend === undefined) throw why;
  const { image, fault } = attempt(magick, mend, settings);
  if (fault === undefined) return image;
  image.dispose();
  throw fault;
}

/** How the picture is to be turned, 1 to 8: by EXIF, else by XMP (`tiff:Orientation`). */
function orientationOf(image: Magick.IMagickImage): number {
  const { orientation } = image, xmp = orientation >= 1 && orientation <= 8 ? null : image.getProfile("xmp");
  const said = xmp && /tiff:Orientation(?:\s*=\s*["']|>)\s*([1-8])\b/.exec(new TextDecoder().decode(xmp.data))?.[1];
  return said ? Number(said) : orientation >= 1 && orientation <= 8 ? orientation : 1;
}

/** Puts the first frame of a GIF where it lies on its screen, which is clear elsewhere. */
function toScreen(magick: typeof Magick, image: Magick.IMagickImage, { width, height }: Header): void {
  const { x, y } = image.page;
  if (x === 0 && y === 0 && image.width === width && image.height === height) return;
  image.resetPage();
  image.hasAlpha = true;
  image.extent(new magick.MagickGeometry(-x, -y, width, height), magick.MagickColors.Transparent);
}

/**
 * Decodes a file and hands its pixels to `use`; they are gone when that returns. Transparent parts show white.
 * @param reduction 1, 2, 4 or 8: a JPEG is decoded at that part of its width and height, rounded up (as Pillow's
 *   `Image.draft` does); 1 for others
 * @throws {FailureError} for files that are cut off or damaged
 */
export function decode<T>(
  bytes: Uint8Array,
  file: string,
  header: Header,
  reduction: number,
  use: (picture: Picture) => T,
): T {
  return guarded(file, (magick) => {
    const fault = header.format.name === "GIF" ? gifFault(bytes) : undefined;
    if (fault !== undefined) throw undecodable(file, fault);
    const image = read(magick, forDecoder(bytes, header.format), header, reduction);
    try {
      if (header.format.name === "GIF") toScreen(magick, image, header);
      // The fourth byte of a pixel says something only where the header says so.
      if (header.format.name === "BMP" && bytes[BMP_COMPRESSION] === 0) image.hasAlpha = false;
      const { width, height, colorSpace: space, hasAlpha } = image, { ColorSpace } = magick;
      const channels = space === ColorSpace.Gray || space === ColorSpace.LinearGray ? 1 : 3;
      if (space === ColorSpace.CMYK) image.colorSpace = ColorSpace.sRGB;
      const mapping = (channels === 1 ? "R" : "RGB") + (hasAlpha ? "A" : "");
      return image.getPixels((pixels) =>
        use({
          width,
          height,
          channels,
          orientation: orientationOf(image),
          rows(x, y, columns, count) {
            const data = pixels.toByteArray(x, y, columns, count, mapping);
            if (data === null) throw imageError(file, "its pixels cannot be had: the file is damaged");
            return hasAlpha ? onWhite(data, channels) : data;
          },
        })
      );
    } finally {
      image.dispose();
    }
  });
}

/** A PNG file of an image; its orientation is left out. */
export async function encodePng({ width, height, channels, data }: Pixels): Promise<Uint8Array<ArrayBuffer>> {
  return await withCodec(() =>
    guarded("image", (magick) => {
      const image = magick.MagickImage.create();
      try {
        const format = (channels === 1 ? "GRAY" : "RGB") as Magick.MagickFormat;
        image.read(data, new magick.MagickReadSettings({ format, width, height, depth: 8 }));
        return image.write("PNG" as Magick.MagickFormat, (file) => Uint8Array.from(file));
      } finally {
        image.dispose();
      }
    })
  );
}

/**
 * One image as a program has it, a file, the bytes of a file or raw pixels, on its way to the square that a network
 * sees. All of them take the way that the files of a data set take (`decode.ts`).
 * @module
 */
import { UsageError } from "../base/errors.ts";
import { prepareImage, toSquare } from "./decode.ts";
import { loadImage } from "./load.ts";
import { checkSize } from "./pixels.ts";

/** Raw pixels, as a canvas gives them (`ImageData`). */
export interface RgbaPixels {
  /** Red, green, blue and alpha (0: transparent) of each pixel, 0 to 255, rows from the top. */
  readonly data: Uint8Array | Uint8ClampedArray;
  /** Columns. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
}

/** An image of any size: the path of a file, the bytes of one (PNG, JPEG, ...) or a `File` or `Blob` of them, or raw pixels. */
export type ImageInput = string | Uint8Array | Blob | RgbaPixels;

/** The square that a network takes. */
export interface SquareShape {
  /** Side. */
  readonly size: number;
  /** 1 (grey) or 3 (red, green, blue). */
  readonly channels: number;
}

/**
 * The square of an image: the largest one in its middle, resized; transparent parts show white; grey where that is
 * taken.
 * @param name names the image in errors; files are named by their path
 * @returns `[channels, size, size]`, 0 to 255
 * @throws {FailureError} for what cannot be read.
 * @throws {UsageError} for pixels that are none.
 */
export async function prepareInput(image: ImageInput, shape: SquareShape, name: string): Promise<Uint8Array> {
  if (typeof image === "string") return await loadImage({ path: image, ...shape });
  if (image instanceof Blob) return await prepareImage(new Uint8Array(await image.arrayBuffer()), name, shape);
  if (image instanceof Uint8Array) return await prepareImage(image, name, shape);
  return fromPixels(image, shape, name);
}

function fromPixels({ data, width, height }: RgbaPixels, { size, channels }: SquareShape, name: string): Uint8Array {
  if (!Number.isSafeInteger(width) || !Number.isSafeInteger(height) || data?.length !== 4 * width * height) {
    throw new UsageError(
      `Cannot read '${name}' as its data must be 4 bytes (red, green, blue, alpha) for each of its ${width} x ` +
        `${height} pixels: current length is ${data?.length}`,
    );
  }
  checkSize(name, width, height);
  const rows = (x: number, y: number, columns: number, count: number): Uint8Array => {
    const out = new Uint8Array(3 * columns * count);
    for (let row = 0, to = 0; row < count; row++) {
      for (let from = 4 * ((y + row) * width + x), end = from + 4 * columns; from < end; from += 4) {
        const alpha = data[from + 3], white = 255 * (255 - alpha);
        for (let c = 0; c < 3; c++, to++) out[to] = Math.round((data[from + c] * alpha + white) / 255);
      }
    }
    return out;
  };
  return toSquare({ width, height, channels: 3, orientation: 1, rows }, size, channels);
}

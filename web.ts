/**
 * Searching, training and using networks in a browser: what the main entry does, on images in memory or on files that a
 * person chose, which never leave the page. Nothing here asks for Deno or Node. Folders of runs are in memory, too.
 *
 * `deno task web` makes one module of it, `idarts.js`, with the decoder of image files (`magick.wasm`) beside it.
 *
 * @example Search a cell on images in memory, train its network and make an ONNX file of it
 * ```ts
 * import { exportOnnx, search, train } from "@idarts/idarts/web";
 *
 * // 96 tiny images of two classes: bright above, or bright below.
 * const count = 96, side = 8, labels = Int32Array.from({ length: count }, (_, i) => i % 2);
 * const images = Uint8Array.from({ length: count * side * side }, (_, p) => {
 *   const image = Math.floor(p / (side * side)), lower = p % (side * side) >= side * side / 2;
 *   return (lower === (labels[image] === 1) ? 170 : 60) + (p * 7919) % 50;
 * });
 * const data = { images, labels, classNames: ["above", "below"], channels: 1, height: side, width: side };
 *
 * const small = { cells: 3, batchSize: 16, epochs: 1, stepsPerEpoch: 2, pad: 0 };
 * const { genotype } = await search({ ...small, space: "s3", initChannels: 2 }, data);
 * const { model } = await train({ ...small, initChannels: 4, auxiliaryWeight: 0 }, genotype, { train: data });
 * console.assert((await exportOnnx(model)).length > 10_000); // new Blob([...]) to download it
 * ```
 * @module
 */
import "./src/platform/browser.ts";

// Files
export { addFiles, listFiles, type PageFile, readFile, removeFiles, useCodec } from "./src/platform/browser.ts";
export { type Dataset, openData, type OpenDataOptions } from "./src/data/dataset.ts";
export { datasetOf, type LabelledImages } from "./src/data/labelled_images.ts";

// Searching
export { search, type SearchResult, type SearchRunOptions } from "./src/search/search.ts";
export type { SearchOptions } from "./src/search/options.ts";

// Training, measuring and using a network of a cell
export { train, type TrainData } from "./src/train/train.ts";
export type { TrainOptions } from "./src/train/options.ts";
export type { TrainResult, TrainRunOptions } from "./src/train/records.ts";
export { evaluateModel, type Prediction, Predictor } from "./src/train/inference.ts";
export type { ImageInput } from "./src/data/image_input.ts";
export { decodeModel, encodeModel, type Model } from "./src/train/model_file.ts";
export { exportOnnx } from "./src/export/onnx.ts";

// Cells
export { formatGenotypeJson, formatGenotypePython, type Genotype, parseGenotype } from "./src/space/genotype.ts";

// Device and errors
export { checkDevice } from "./src/search/device_check.ts";
export { type Gpu, openGpu } from "./src/gpu/device.ts";
export { FailureError, UsageError } from "./src/base/errors.ts";

/**
 * Differentiable architecture search on WebGPU with node normalisation and decorrelation discretisation (iDARTS,
 * arXiv 2108.11014), as a library. The command line is built on exactly this.
 *
 * @example Search a cell on images in memory, write it as papers do, and train a network of it
 * ```ts
 * import { cellSvg, formatGenotypePython, search, train } from "@idarts/idarts";
 *
 * // 96 tiny images of two classes: bright above, or bright below. `openData` reads real ones.
 * const count = 96, side = 8, labels = Int32Array.from({ length: count }, (_, i) => i % 2);
 * const images = Uint8Array.from({ length: count * side * side }, (_, p) => {
 *   const image = Math.floor(p / (side * side)), lower = p % (side * side) >= side * side / 2;
 *   return (lower === (labels[image] === 1) ? 170 : 60) + (p * 7919) % 50;
 * });
 * const data = { images, labels, classNames: ["above", "below"], channels: 1, height: side, width: side };
 *
 * // A search for real has no need of most of these.
 * const { genotype, report, epochs } = await search(
 *   { space: "s3", cells: 3, initChannels: 2, batchSize: 16, epochs: 2, stepsPerEpoch: 2, pad: 0 },
 *   data,
 * );
 *
 * console.log(formatGenotypePython(genotype)); // Genotype(normal=[('sep_conv_3x3', 0), ...
 * console.log(report.methods.map((m) => `${m.method}: ${m.skips} skip-connections`));
 * console.assert(epochs.length === 2 && genotype.normal.nodes.length === 4);
 * console.assert((await cellSvg(genotype)).startsWith("<svg"));
 *
 * const size = { initChannels: 4, cells: 3, batchSize: 16, epochs: 2, auxiliaryWeight: 0, pad: 0 };
 * const { model, best } = await train(size, genotype, {
 *   train: data, // and `test`, to be measured at the end, and `val`; without it a tenth is held out for validation
 * });
 * console.log(model.classNames, best?.accuracy); // for Predictor, evaluateModel, saveModel, exportOnnx
 * ```
 * @module
 */
import "./src/platform/deno.ts";

// Searching
export { search, type SearchResult, type SearchRunOptions } from "./src/search/search.ts";
export type { SearchOptions } from "./src/search/options.ts";
export { resolveSearchConfig, SEARCH_PRESETS, type SearchConfig } from "./src/search/config.ts";
export { rediscretize } from "./src/search/rediscretize.ts";

export { RunFolder } from "./src/run/run_folder.ts";
export { type OpenedRun, openRun } from "./src/train/open_run.ts";
export { runStudy } from "./src/study/run_study.ts";
export { runReport } from "./src/report/run_report.ts";

// Training, measuring and using a network of a cell
export { train, type TrainData } from "./src/train/train.ts";
export type { TrainOptions } from "./src/train/options.ts";
export { resolveTrainConfig, TRAIN_PRESETS, type TrainConfig } from "./src/train/config.ts";
export type { TrainResult, TrainRunOptions } from "./src/train/records.ts";
export { ensembleOf, mirroredOf } from "./src/train/ensemble.ts";
export { evaluateModel, type Prediction, Predictor } from "./src/train/inference.ts";
export type { ImageInput } from "./src/data/image_input.ts";
export { decodeModel, encodeModel, loadModel, type Model, saveModel } from "./src/train/model_file.ts";

// The best small network for some images in a time
export { auto } from "./src/auto/auto.ts";
export { resolveAutoConfig } from "./src/auto/config.ts";
export type { AutoOptions } from "./src/auto/options.ts";
export type { AutoResult } from "./src/auto/records.ts";

// Exporting
export { exportOnnx } from "./src/export/onnx.ts";
export { exportWeights } from "./src/export/weights.ts";

// Data
export { type Dataset, openData, type OpenDataOptions } from "./src/data/dataset.ts";
export { datasetOf, type LabelledImages } from "./src/data/labelled_images.ts";
export { fetchCifar } from "./src/data/fetch.ts";
export { fetchMnist } from "./src/data/fetch_mnist.ts";

// Spaces, cells and networks
export { type Space, SPACES } from "./src/space/space.ts";
export { parseSpace, type SpaceDefinition } from "./src/space/definition.ts";
export {
  formatGenotypeJson,
  formatGenotypePython,
  formatGenotypeText,
  type Genotype,
  parseGenotype,
} from "./src/space/genotype.ts";
export { randomGenotype } from "./src/space/random_genotype.ts";
export { PUBLISHED_GENOTYPES } from "./src/space/published.ts";
export { networkConfig } from "./src/train/train.ts";
export type { NetworkConfig } from "./src/space/derived.ts";
export { costOf } from "./src/space/cost.ts";
export { cellSvg } from "./src/report/cell_svg.ts";

// Discretisation
export { RULES } from "./src/discretize/registry.ts";
export { meanOverCells, type NodeEvidence, type Rule } from "./src/discretize/rule.ts";
export { type DiscretizationReport, discretize } from "./src/discretize/discretize.ts";

// Device and errors
export { checkDevice } from "./src/search/device_check.ts";
export { type Gpu, openGpu } from "./src/gpu/device.ts";
export { FailureError, UsageError } from "./src/base/errors.ts";

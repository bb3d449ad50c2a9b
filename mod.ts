/**
 * Differentiable architecture search on WebGPU with node normalisation and decorrelation discretisation (iDARTS,
 * arXiv 2108.11014), as a library. The command line is built on exactly this.
 *
 * @example Search a cell on images in memory, and write it as papers do
 * ```ts
 * import { cellSvg, formatGenotypePython, resolveSearchConfig, search } from "./mod.ts";
 *
 * // 96 tiny images of two classes: bright above, or bright below. `openData` reads real ones.
 * const count = 96, side = 8, labels = Int32Array.from({ length: count }, (_, i) => i % 2);
 * const images = Uint8Array.from({ length: count * side * side }, (_, p) => {
 *   const image = Math.floor(p / (side * side)), lower = p % (side * side) >= side * side / 2;
 *   return (lower === (labels[image] === 1) ? 170 : 60) + (p * 7919) % 50;
 * });
 * const data = {
 *   name: "halves", images, labels, count, channels: 1, height: side, width: side, classes: 2,
 *   classNames: ["above", "below"], mean: [0.45], std: [0.23], fingerprint: "halves-1",
 * };
 *
 * // The keys are those of the command line's flags. A run for real has no need of most of these.
 * const config = resolveSearchConfig([{
 *   source: "example",
 *   values: { space: "s3", cells: 3, "init-channels": 2, "batch-size": 16, epochs: 2, "steps-per-epoch": 2, pad: 0 },
 * }]);
 * const { genotype, report, epochs } = await search(config, data);
 *
 * console.log(formatGenotypePython(genotype)); // Genotype(normal=[('sep_conv_3x3', 0), ...
 * console.log(report.methods.map((m) => `${m.method}: ${m.skips} skip-connections`));
 * console.assert(epochs.length === 2 && genotype.normal.nodes.length === 4);
 * console.assert((await cellSvg(genotype)).startsWith("<svg"));
 * ```
 * @module
 */

// Searching
export * from "./src/search/search.ts";
export * from "./src/search/records.ts";
export * from "./src/search/config.ts";
export * from "./src/search/rediscretize.ts";
export * from "./src/search/programs.ts";
export * from "./src/search/memory.ts";
export * from "./src/search/run_folder.ts";

// Data
export * from "./src/data/dataset.ts";

// Spaces and genotypes
export * from "./src/space/space.ts";
export * from "./src/space/supernet.ts";
export * from "./src/space/genotype.ts";

// Discretisation
export * from "./src/discretize/discretize.ts";
export * from "./src/discretize/registry.ts";

// Reports
export * from "./src/report/cell_svg.ts";

// Device and errors
export * from "./src/gpu/device.ts";
export * from "./src/base/errors.ts";

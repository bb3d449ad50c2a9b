/**
 * Differentiable architecture search on WebGPU with node normalisation and decorrelation discretisation (iDARTS,
 * arXiv 2108.11014), as a library. The command line is built on exactly this.
 *
 * @example Search a cell on images in memory, write it as papers do, and train a network of it
 * ```ts
 * import { cellSvg, formatGenotypePython, search, train } from "./mod.ts";
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
 * console.log(model.classNames, best?.accuracy); // for predictImages, evaluateModel, saveModel, exportOnnx
 * ```
 * @module
 */

// Searching
export {
  search,
  type SearchProgress,
  type SearchResult,
  type SearchRunOptions,
  supernetConfig,
} from "./src/search/search.ts";
export type { EpochBase, RunOptions, RunProgress } from "./src/run/phase.ts";
export type { EpochRecord } from "./src/search/records.ts";
export { changedPicks, changesOf, type Settled, settledOf } from "./src/search/settled.ts";
export { type ObservedEpoch, type StopConfig, type StopReason, stopReason } from "./src/search/stopping.ts";
export type { NodeNormRecord } from "./src/search/engine.ts";
export { resolveSearchConfig, SEARCH_PRESETS, type SearchConfig } from "./src/search/config.ts";
export type { SearchOptions } from "./src/search/options.ts";
export type { TrainOptions } from "./src/train/options.ts";
export { rediscretize, type RediscretizeOptions } from "./src/search/rediscretize.ts";
export type { EnginePlan } from "./src/run/engine.ts";
export { checkMemory, largestBatch, type MemoryBudget, memoryBudget } from "./src/run/memory.ts";
export { type MetricRecord, METRICS_FILE, RunFolder, type RunFolderOptions } from "./src/run/run_folder.ts";
export type { Checkpoint } from "./src/run/checkpoint_file.ts";
export type { TensorData, TensorEntry } from "./src/base/safetensors.ts";

// Training, measuring and using a network of a cell
export {
  BEST_MODEL,
  LAST_MODEL,
  networkConfig,
  train,
  trainAugment,
  type TrainData,
  validationOf,
} from "./src/train/train.ts";
export type { BestEpoch, TrainProgress, TrainRecord, TrainResult, TrainRunOptions } from "./src/train/records.ts";
export { resolveTrainConfig, TRAIN_PRESETS, type TrainConfig } from "./src/train/config.ts";
export {
  evaluateModel,
  type InferenceOptions,
  type PixelImages,
  predictImages,
  type Prediction,
  type PredictOptions,
  Predictor,
} from "./src/train/inference.ts";
export type { Evaluation } from "./src/train/evaluation.ts";
export type { ImageInput, RgbaPixels } from "./src/data/image_input.ts";
export { decodeModel, encodeModel, loadModel, type Model, MODEL_FORMAT, saveModel } from "./src/train/model_file.ts";
export { planTraining, type TrainArenas, type TrainingConstants, type TrainPlan } from "./src/train/programs.ts";

// Exporting
export { exportOnnx, ONNX_INPUT, type OnnxOptions } from "./src/export/onnx.ts";
export { ONNX_OPSET } from "./src/export/onnx_file.ts";
export { exportWeights } from "./src/export/weights.ts";
export { type ExportOptions, PIXEL_SCALES, type PixelScale } from "./src/export/model_info.ts";

// Data
export {
  type Dataset,
  defaultAugment,
  type ImageStream,
  MNIST_FOLDER,
  openData,
  type OpenDataOptions,
  partsOf,
  type SkippedFile,
  type Split,
} from "./src/data/dataset.ts";
export { datasetOf, type LabelledImages } from "./src/data/labelled_images.ts";
export type { Augment } from "./src/data/augment.ts";
export type { Change, Crop, Jitter } from "./src/data/changes.ts";
export { type ImageJob, loadImage, type Reserve } from "./src/data/load.ts";
export { type Preparation, prepareImage } from "./src/data/decode.ts";
export { fetchCifar, type FetchOptions, type Remote } from "./src/data/fetch.ts";

// Spaces and genotypes
export {
  type Candidate,
  candidatesOf,
  CELL_KINDS,
  type CellKind,
  type CellShape,
  choosableOf,
  DARTS,
  type Edge,
  edgesOf,
  findSpace,
  NAS_BENCH_201,
  primitivesOf,
  S1,
  S2,
  S3,
  S4,
  type Skeleton,
  type SkeletonName,
  skeletonOf,
  type Space,
  SPACES,
} from "./src/space/space.ts";
export {
  checkSpace,
  type EdgePrimitives,
  parseSpace,
  resolveSpace,
  type SpaceDefinition,
  spaceOf,
} from "./src/space/definition.ts";
export { type DepthPart, reductionCells } from "./src/space/reductions.ts";
export {
  type CellGenotype,
  checkGenotype,
  type Choice,
  formatGenotypeJson,
  formatGenotypePython,
  formatGenotypeText,
  type Genotype,
  parseGenotype,
  parseGenotypeJson,
  parseGenotypePython,
} from "./src/space/genotype.ts";
export { randomGenotype } from "./src/space/random_genotype.ts";
export {
  DARTS_V1,
  DARTS_V2,
  IDARTS,
  PC_DARTS_CIFAR,
  PC_DARTS_IMAGE,
  PDARTS,
  PUBLISHED_GENOTYPES,
  PUBLISHED_ORIGINS,
} from "./src/space/published.ts";
export {
  type BuiltCandidate,
  type BuiltNode,
  NODE_NORMS,
  type NodeNorm,
  type SupernetConfig,
  weightCount,
} from "./src/space/supernet.ts";
export { NETWORK_FORMS, type NetworkConfig, type NetworkForm } from "./src/space/derived.ts";
export { type Budget, costOf, type LayerCost, type NetworkCost, parseCount, scaleNetwork } from "./src/space/cost.ts";

// Discretisation
export type { Architecture } from "./src/discretize/mixture.ts";
export {
  type DiscretizationInput,
  type DiscretizationReport,
  discretize,
  type EdgeCorrelation,
  type EdgeWeights,
  type NodeSummary,
} from "./src/discretize/discretize.ts";
export type { MethodReport, NodeChoice, ScoredCandidate, ScoredChoice, ScoredEdge } from "./src/discretize/choice.ts";
export type { Measurement, Removal, RemovalEvidence } from "./src/discretize/removals.ts";
export type { DecorrelationOptions } from "./src/discretize/scope.ts";
export type { Correlation, NodeStatistics } from "./src/discretize/statistics.ts";
export {
  type Evidence,
  meanOverCells,
  type NodeEvidence,
  type NodeRemovals,
  type Rule,
} from "./src/discretize/rule.ts";
export { findRule, RULES } from "./src/discretize/registry.ts";

// Reports
export { cellSvg, genotypeText } from "./src/report/cell_svg.ts";
export { reportHtml } from "./src/report/html_report.ts";
export { trainingReportHtml } from "./src/report/training_report.ts";
export type {
  CommandPart,
  CostPart,
  Environment,
  EvaluationPart,
  ReportInput,
  TrainingEpoch,
  TrainingPart,
  TrainingReportInput,
} from "./src/report/report_input.ts";
export type { Measured } from "./src/report/numbers.ts";

// Plans: what a search runs and costs, known without a device
export {
  type OptimizerConfig,
  planSearch,
  type ProgramName,
  type SearchArenas,
  type SearchPlan,
} from "./src/search/programs.ts";
export type { SecondOrderProgram } from "./src/nn/second_order.ts";
export { type KernelTimes, tune, tuned, type Tuning } from "./src/graph/tuning.ts";
export { type Place, type Plan, type PlannedNode, Pool } from "./src/graph/plan.ts";
export { Graph, type Node, type Tensor } from "./src/graph/graph.ts";
export { Arena, type Variable } from "./src/graph/variables.ts";
export type { Precision, TensorType } from "./src/graph/tensor_type.ts";
export type {
  Attributes,
  Binding,
  Dispatch,
  GradientContext,
  KernelContext,
  KernelPlan,
  KernelVariant,
  OnnxAttribute,
  OnnxContext,
  OpCase,
  OpSpec,
} from "./src/graph/op.ts";
export type {
  Access,
  BoundArray,
  BufferDeclaration,
  Buffers,
  Kernel,
  KernelInterface,
  Params,
  Presence,
  Scalar,
  Table,
} from "./src/gpu/kernel.ts";
export type { Element, StoredArray } from "./src/gpu/storage.ts";
export type { Constants, Source } from "./src/gpu/template.ts";
export { type Initializer, NetworkVariables } from "./src/nn/variables.ts";

// Device and errors
export { type ChooseVariant, type Gpu, type GpuLimits, openGpu, PORTABLE_LIMITS } from "./src/gpu/device.ts";
export {
  type Action,
  type ErrorDetails,
  FailureError,
  IdartsError,
  option,
  type OptionMention,
  type Remedy,
  Text,
  text,
  UsageError,
  type Wording,
} from "./src/base/errors.ts";

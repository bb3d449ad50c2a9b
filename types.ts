/**
 * Types of what results, records and options hold, for those who want to name them. Types alone: what can be called is in
 * the main module and in `./graph`.
 * @module
 */
export type { AutoData, AutoRunOptions } from "./src/auto/auto.ts";
export type { CandidateNetwork, Origin } from "./src/auto/candidates.ts";
export type { Interval, PairedDifference } from "./src/auto/interval.ts";
export type { Entry } from "./src/auto/ledger.ts";
export type { AutoEvent, AutoOutcome, Ensemble, SearchVerdict, Standing, WrongImage } from "./src/auto/records.ts";
export type { TrivialResult } from "./src/auto/trivial.ts";
export type { Action, IdartsError, Remedy, Text, Wording } from "./src/base/errors.ts";
export type { TensorData, TensorEntry } from "./src/base/safetensors.ts";
export type { Augment } from "./src/data/augment.ts";
export type { Change, Crop, Jitter } from "./src/data/changes.ts";
export type { ImageStream, SharedOut, SkippedFile, Split } from "./src/data/dataset.ts";
export type { FetchOptions, Remote } from "./src/data/fetch.ts";
export type { FetchMnistOptions, MnistFile } from "./src/data/fetch_mnist.ts";
export type { DataFormat, DataPlace, KnownData } from "./src/data/format.ts";
export type { RgbaPixels } from "./src/data/image_input.ts";
export type { DataOptions } from "./src/data/options.ts";
export type { CellsCertainty, Certainty, NodeCertainty, RuleCertainty } from "./src/discretize/certainty.ts";
export type {
  MethodReport,
  NodeChoice,
  NodeSelection,
  ScoredCandidate,
  ScoredChoice,
  ScoredEdge,
  ScoredNode,
  Selection,
} from "./src/discretize/choice.ts";
export type { DiscretizationInput, EdgeCorrelation, EdgeWeights, NodeSummary } from "./src/discretize/discretize.ts";
export type { Architecture } from "./src/discretize/mixture.ts";
export type { Measurement, Removal, RemovalEvidence } from "./src/discretize/removals.ts";
export type { Evidence, NodeRemovals } from "./src/discretize/rule.ts";
export type { DecorrelationOptions } from "./src/discretize/scope.ts";
export type { Correlation, NodeStatistics, StatisticsPart } from "./src/discretize/statistics.ts";
export type { ExportOptions, PixelScale } from "./src/export/model_info.ts";
export type { ParamValues } from "./src/gpu/kernel.ts";
export type { Tuning } from "./src/graph/tuning.ts";
export type { WeightMatrix } from "./src/ops/muon.ts";
export type { Span } from "./src/ops/sgd.ts";
export type { CommandPart } from "./src/report/report_input.ts";
export type { ReportedRuns, RunCommands, RunReportOptions } from "./src/report/run_report.ts";
export type { Checkpoint } from "./src/run/checkpoint_file.ts";
export type { MetricRecord } from "./src/run/metrics_file.ts";
export type { EpochBase, RunOptions, RunProgress } from "./src/run/phase.ts";
export type { RunFolderOptions } from "./src/run/run_folder.ts";
export type { DataRecord, RunRecord } from "./src/run/run_record.ts";
export type { DeviceCheck, DeviceCheckOptions, OperationCheck, StepCheck } from "./src/search/device_check.ts";
export type { RunKind } from "./src/run/run_record.ts";
export type { NodeNormRecord } from "./src/search/engine.ts";
export type { Outcome } from "./src/search/outcome_file.ts";
export type { EpochRecord } from "./src/search/records.ts";
export type { SearchRecord } from "./src/search/run_record.ts";
export type { SearchProgress } from "./src/search/search.ts";
export type { StopReason } from "./src/search/stopping.ts";
export type { LayerCost, NetworkCost } from "./src/space/cost.ts";
export type { NetworkForm } from "./src/space/darts_network.ts";
export type { Pooling } from "./src/space/derived.ts";
export type { EdgePrimitives } from "./src/space/definition.ts";
export type { CellGenotype, Choice } from "./src/space/genotype.ts";
export type { DepthPart } from "./src/space/reductions.ts";
export type { Candidate, CellKind, CellShape, Edge, Keep, Skeleton, SkeletonName } from "./src/space/space.ts";
export type { NodeNorm } from "./src/space/supernet.ts";
export type { EvaluationRecord } from "./src/train/evaluation_file.ts";
export type { EvaluateOptions, InferenceOptions, PixelImages, PredictOptions } from "./src/train/inference.ts";
export type { OpenedSearch, OpenedTraining } from "./src/train/open_run.ts";
export type { BestEpoch, Pace, TrainProgress, TrainRecord } from "./src/train/records.ts";
export type { GenotypeOrigin, TrainingRecord } from "./src/train/run_record.ts";
export type { RediscretizeOptions } from "./src/search/rediscretize.ts";
export type { OnnxOptions } from "./src/export/onnx.ts";
export type { AutoConfig } from "./src/auto/config.ts";
export type { Evaluation } from "./src/train/evaluation.ts";
export type { StudyEvent, StudyOutcome, StudyRunOptions } from "./src/study/run_study.ts";

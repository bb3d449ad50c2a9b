/**
 * What a kind of run is to the driver in `run.ts`: a small description of what is planned, fed, measured and found.
 * A search is one, a training another one. Everything else (folder, lock, checkpoints, memory, device loss, stopping,
 * resuming, progress) is the driver's.
 * @module
 */
import type { Named } from "../base/options.ts";
import type { Shape } from "../base/shape.ts";
import type { TensorEntry } from "../base/safetensors.ts";
import type { Dataset } from "../data/dataset.ts";
import type { Gpu } from "../gpu/device.ts";
import type { Tuning } from "../graph/tuning.ts";
import type { PlanTarget } from "../graph/plan.ts";
import type { Engine, EnginePlan, Tally } from "./engine.ts";
import type { RunFolder } from "./run_folder.ts";
import type { RunKind } from "./run_record.ts";

/** What every run has among its options. */
export interface RunConfig {
  /** Images per step. */
  readonly batchSize: number;
  /** A checkpoint is written every so many steps, besides after each epoch. */
  readonly checkpointSteps: number;
  /** Passes over the images. */
  readonly epochs: number;
  /** MiB of GPU memory that a plan may take; null: as much as there is. */
  readonly memoryLimit: number | null;
  /** Where all random numbers come from. */
  readonly seed: number;
  /** Which kernels run; a word: those for this kind of adapter. */
  readonly tuning: string | Tuning;
}

/** Values of options by key, without those that are unset: what a configuration file holds. */
export type OptionValues = Readonly<Record<string, string | number | boolean | Named>>;

/** What must stay the same for a run to go on. */
export interface Beginnings {
  /** What sort of run it is. */
  readonly kind: RunKind;
  /** The options, by key. */
  readonly options: OptionValues;
  /** Options that were written down, on top of the defaults. Throws UsageError that blames `source`. */
  readonly read: (values: Readonly<Record<string, unknown>>, source: string) => OptionValues;
  /** Keys of options that have no effect on what is computed: they may change. */
  readonly harmless: readonly string[];
  /** The images. */
  readonly data: Dataset;
  /** What else: a value that JSON holds, and what to say of another one ("this genotype: it is not the one"). */
  readonly parts?: Readonly<Record<string, { readonly value: unknown; readonly refusal: string }>>;
  /** Further fields of `config.json`. */
  readonly notes?: Readonly<Record<string, unknown>>;
}

/** Where a run is. */
export interface RunProgress {
  /** Epoch from 0. */
  readonly epoch: number;
  /** Epochs of the whole run. */
  readonly epochs: number;
  /** Steps done in this epoch. */
  readonly step: number;
  /** Steps of an epoch. */
  readonly stepsPerEpoch: number;
  /** Seconds per step, lately. */
  readonly secondsPerStep: number;
}

/** Resources and callbacks of a run; all optional. */
export interface RunOptions<Plan, Progress, Epoch> {
  /** Device to use; one is opened (and given back at the end) if left out. */
  readonly gpu?: Gpu;
  /**
   * Folder for configuration, metrics and checkpoints: a path, or a folder open for writing. A folder that holds a run
   * is gone on with, from its last checkpoint, to the same bits as if it had never stopped; another run than this one
   * is refused. Without a folder nothing is written.
   */
  readonly folder?: string | RunFolder;
  /** Stops the run after the current step, with a checkpoint; the call then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Told once it is known that the plan fits, before anything is allocated; again after a lost device. */
  readonly onStart?: (plan: Plan, gpu: Gpu, stepsPerEpoch: number) => void;
  /** Told every so often, when the losses were looked at. */
  readonly onProgress?: (progress: Progress) => void;
  /** Told after each epoch. */
  readonly onEpoch?: (record: Epoch) => void;
  /** Told after how many steps the signal stopped the run; the folder holds a checkpoint of that step. */
  readonly onStopped?: (step: number) => void;
  /** Told in one sentence what was repaired. */
  readonly warn?: (message: string) => void;
}

/** What is recorded after an epoch, whatever else a kind of run records. */
export interface EpochBase {
  /** Steps done since the start. */
  readonly step: number;
  /** Epochs done. */
  readonly epoch: number;
  /** Mean loss of the epoch's steps. */
  readonly trainLoss: number;
}

/** What is known when all epochs are done. */
export interface Finished<E, Epoch> {
  /** The device. */
  readonly gpu: Gpu;
  /** The state on it; may be destroyed early, to make room. */
  readonly engine: E;
  /** Steps done. */
  readonly step: number;
  /** Records of all epochs, those of earlier processes included. */
  readonly known: readonly Epoch[];
  /** Records of this process' epochs. */
  readonly epochs: readonly Epoch[];
  /** The tensors of the last checkpoint. */
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  /** Throws the signal's reason where it was raised. */
  readonly proceed: () => void;
}

/**
 * A kind of run: `Plan` is what is planned, `E` its engine, `Metric` the names of the engine's tallies, `Progress` what
 * observers are told in an epoch, `Epoch` what is recorded after one, `Result` what comes out.
 */
export interface Phase<
  Plan extends EnginePlan,
  Metric extends string,
  E extends Engine<Plan, string, Metric>,
  Progress extends RunProgress,
  Epoch extends EpochBase,
  Result,
> {
  /** Its options. */
  readonly config: RunConfig;
  /** What must stay the same for a run to go on. */
  readonly beginnings: Beginnings;
  /** Steps of an epoch. */
  readonly stepsPerEpoch: number;
  /** Tallies of an epoch's steps, and whose loss each is: "training", "validation". The first one is blamed first. */
  readonly losses: readonly (readonly [metric: Metric, name: string])[];
  /** Keys of the options to lower where a loss stops being finite. */
  readonly remedies: readonly string[];
  /** What the record of an epoch looks like. */
  readonly epochShape: Shape<Epoch>;
  /** Plans everything for a batch size. */
  plan(limits: PlanTarget, batch: number): Plan;
  /** Allocates a plan. */
  create(gpu: Gpu, plan: Plan): Promise<E>;
  /** Initial values. */
  initialise(engine: E): void;
  /** Submits step `at` of `epoch` (both from 0). Waits for its images and for compilation, not for the device. */
  step(engine: E, epoch: number, at: number): Promise<void>;
  /** What observers are told. */
  progress(at: RunProgress, tallies: Readonly<Record<Metric, Tally>>): Progress;
  /** Measures after `epoch` (from 0); changes nothing but tallies. */
  measure(engine: E, epoch: number, secondsPerStep: number): Promise<Epoch>;
  /** Told of the state after an epoch, before its checkpoint is written: to keep a model of it. */
  keep?(record: Epoch, tensors: ReadonlyMap<string, TensorEntry>, folder: RunFolder | undefined): void;
  /** What a checkpoint holds besides; JSON. */
  state?(): Readonly<Record<string, unknown>>;
  /** Takes what {@linkcode state} gave. */
  resume?(state: Readonly<Record<string, unknown>>, folder: RunFolder): void;
  /** Whether the records decide when it ends. */
  readonly watches: boolean;
  /** Whether it ends after `done` epochs; `known` are the records of all of them that are there. */
  ended(done: number, known: readonly Epoch[]): boolean;
  /** What came out. */
  finish(finished: Finished<E, Epoch>, folder: RunFolder | undefined): Promise<Result>;
}

/**
 * What a report is made from: the search, and whatever was done with its cell afterwards. All of it is what the files
 * of a run folder hold. Not responsible for reading them.
 * @module
 */
import type { Dataset } from "../data/dataset.ts";
import type { EpochRecord } from "../search/records.ts";
import type { Genotype } from "../space/genotype.ts";
import type { Measured } from "./numbers.ts";
import type { RunResult } from "../run/result_file.ts";
import type { Outcome } from "../search/outcome_file.ts";

/** What the report of a training without a search shows. */
export interface TrainingReportInput
  extends Pick<ReportInput, "title" | "environment" | "data" | "cost" | "evaluation" | "commands"> {
  /** What was trained. */
  readonly cell: {
    /** The cells. */
    readonly genotype: Genotype;
    /** What they are called. */
    readonly name: string;
  };
  /** Training of the network. */
  readonly training: TrainingPart;
}

/** Everything that the report of a search shows. Only the search is required. */
export interface ReportInput {
  /** Heading; one is made from the data's name if left out. */
  readonly title?: string;
  /** Where and with what it was run. */
  readonly environment: Environment;
  /** What was searched on. */
  readonly data: Pick<Dataset, "name" | "fingerprint" | "count" | "channels" | "height" | "width" | "classes">;
  /** The resolved configuration, keys in kebab-case as in `config.json`. */
  readonly config: Readonly<Record<string, unknown>>;
  /** The lines of `metrics.jsonl`; numbers that were not finite may be null. */
  readonly epochs: readonly EpochRecord[];
  /** What `discretization.json` holds. */
  readonly discretization: Outcome;
  /** What the search took. */
  readonly supernet?: Partial<RunResult> & { readonly adapter?: string };
  /** Training of the derived network. */
  readonly training?: TrainingPart;
  /** Size of the derived network. */
  readonly cost?: CostPart;
  /** How well the trained network does on images that it has not seen. */
  readonly evaluation?: EvaluationPart;
  /** The commands that made this run, in order, and what else can be done with it. */
  readonly commands?: readonly CommandPart[];
}

/** Where and with what a run was made. */
export interface Environment {
  /** Version of this package. */
  readonly version: string;
  /** Name of the WebGPU adapter. */
  readonly adapter: string;
  /** Name of the runtime, for example `Deno 2.9.6`. */
  readonly runtime?: string;
  /** The run folder. */
  readonly folder?: string;
}

/** A command line and what it is for. */
export interface CommandPart {
  /** For example `Repeat the search`. */
  readonly purpose: string;
  /** The line as a shell takes it. */
  readonly command: string;
}

/** Training of the derived network. */
export interface TrainingPart {
  /** One record per epoch. */
  readonly epochs: readonly TrainingEpoch[];
  /** The resolved configuration. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Wall-clock time. */
  readonly seconds?: number;
}

/** What is measured in an epoch of training. */
export interface TrainingEpoch {
  /** Epochs done. */
  readonly epoch: number;
  /** Mean loss of the steps. */
  readonly trainLoss: Measured;
  /** Accuracy of the steps, 0 to 1. */
  readonly trainAccuracy: Measured;
  /** Loss on the validation images. */
  readonly valLoss?: Measured;
  /** Accuracy on the validation images, 0 to 1. */
  readonly valAccuracy?: Measured;
  /** Learning rate. */
  readonly learningRate?: Measured;
}

/** Size of the derived network. */
export interface CostPart {
  /** Weights, without the auxiliary head. */
  readonly parameters: number;
  /** Multiply-accumulate operations for one image. */
  readonly macs: number;
  /** What counts as one, in a sentence. */
  readonly convention?: string;
  /** Bytes of activations. */
  readonly activationBytes?: number;
  /** Form of the network, for example `CIFAR`. */
  readonly form?: string;
  /** Channels of the first cells. */
  readonly channels?: number;
  /** Number of cells. */
  readonly cells?: number;
  /** Size of one image: channels, height, width. */
  readonly input?: readonly [number, number, number];
  /** Where it goes, in the order of the network. */
  readonly layers?: readonly { readonly name: string; readonly parameters: number; readonly macs: number }[];
}

/** The trained network on images that it has not seen. */
export interface EvaluationPart {
  /** Which images, for example `test`. */
  readonly split: string;
  /** Name of each class. */
  readonly classNames: readonly string[];
  /** Images by true class (rows) and predicted class (columns). */
  readonly confusion: readonly (readonly number[])[];
  /** Mean loss. */
  readonly loss?: Measured;
}

/**
 * Checks what types cannot say.
 * @throws {RangeError} for a rule that is not in the report, and a confusion matrix that does not fit the classes
 */
export function checkInput(
  { discretization, evaluation }: Partial<Pick<ReportInput, "discretization" | "evaluation">>,
): void {
  if (discretization !== undefined) checkChosen(discretization);
  if (evaluation !== undefined) checkEvaluation(evaluation);
}

function checkChosen({ chosen, methods }: ReportInput["discretization"]): void {
  if (!methods.some(({ method }) => method === chosen)) {
    throw new RangeError(
      `Cannot report on rule '${chosen}' as it must be one of ${methods.map(({ method }) => method).join(", ")}`,
    );
  }
}

function checkEvaluation({ classNames, confusion }: EvaluationPart): void {
  const classes = classNames.length;
  const fits = confusion.length === classes && confusion.every((row) => row.length === classes);
  if (!fits || confusion.some((row) => row.some((n) => !Number.isSafeInteger(n) || n < 0))) {
    throw new RangeError(
      `Cannot report on the evaluation as its confusion matrix must be ${classes} rows of ${classes} counts: ` +
        `current value is ${confusion.length} rows`,
    );
  }
}

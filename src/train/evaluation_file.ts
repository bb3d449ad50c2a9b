/**
 * `evaluation.json`: which model of a training is the result, and how well it does. Not responsible for writing it.
 * @module
 */
import {
  aMeasurement,
  aText,
  checkShape,
  listOf,
  mapping,
  nullable,
  optional,
  type Shape,
  shape,
  whole,
} from "../base/shape.ts";
import type { RunFolder } from "../run/run_folder.ts";
import type { Evaluation } from "./evaluation.ts";
import { BEST_SHAPE, type BestEpoch } from "./records.ts";

/** What `train` writes at its end. */
export const EVALUATION_FILE = "evaluation.json";

/** What it says. */
export interface EvaluationRecord {
  /** Name of the model's file. */
  readonly model: string;
  /** The best epoch; null: there were no images to choose one by. */
  readonly best?: BestEpoch | null;
  /** Name of each class. */
  readonly classNames: readonly string[];
  /** On the test images; null: there were none. */
  readonly test: Evaluation | null;
}

/** What an {@linkcode Evaluation} looks like, for so many classes. */
export function evaluationShape(classes: number): Shape<Evaluation> {
  return mapping<Evaluation>({
    count: whole(),
    loss: aMeasurement,
    accuracy: aMeasurement,
    perClass: listOf(nullable(aMeasurement), classes),
    confusion: listOf(listOf(whole(), classes), classes),
  });
}

/**
 * Reads it.
 * @throws {FailureError} where it is missing, damaged or of another program.
 */
export function readEvaluation(folder: RunFolder): EvaluationRecord {
  const what = `'${folder.file(EVALUATION_FILE)}'`, value = folder.readJson(EVALUATION_FILE);
  const { classNames } = checkShape(
    mapping<Pick<EvaluationRecord, "classNames">>({ classNames: listOf(aText) }),
    value,
    what,
  );
  const whole = mapping<EvaluationRecord>({
    model: shape("the name of a file", (name) => typeof name === "string" && /^[^/\\]+$/.test(name)),
    best: optional(nullable(BEST_SHAPE)),
    classNames: listOf(aText),
    test: nullable(evaluationShape(classNames.length)),
  });
  return checkShape(whole, value, what);
}

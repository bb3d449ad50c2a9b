/**
 * The files of a training in its run folder, beside those that `train` itself writes.
 * @module
 */
import { joinPath, writeAtomic } from "../base/files.ts";
import { cellSvg } from "../report/cell_svg.ts";
import type { RunFolder } from "../run/run_folder.ts";
import { isRecord } from "../run/run_record.ts";
import { formatGenotypeJson, formatGenotypeText, type Genotype } from "../space/genotype.ts";
import type { Evaluation } from "../train/evaluation.ts";

/** What `train` writes at its end. */
export const EVALUATION_FILE = "evaluation.json";

/** Writes the cells of a training: `genotype.json`, `genotype.txt` and `cells.svg`. Throws FailureError. */
export async function writeCells(folder: RunFolder, genotype: Genotype): Promise<void> {
  folder.writeFile("genotype.json", formatGenotypeJson(genotype));
  folder.writeFile("genotype.txt", formatGenotypeText(genotype) + "\n");
  folder.writeFile("cells.svg", await cellSvg(genotype));
}

/** What `evaluation.json` says, as far as it is used here. */
export interface EvaluationRecord {
  /** Name of the model's file. */
  readonly model: string;
  /** Name of each class. */
  readonly classNames: readonly string[];
  /** On the test images; null: there were none. */
  readonly test: Pick<Evaluation, "confusion" | "loss" | "accuracy" | "count"> | null;
}

/** Reads `evaluation.json`; undefined where it says something else. Throws FailureError. */
export function readEvaluation(folder: RunFolder): EvaluationRecord | undefined {
  const value = folder.readJson(EVALUATION_FILE);
  if (!isRecord(value) || typeof value.model !== "string" || /[/\\]/.test(value.model)) return undefined;
  const { model, classNames, test } = value;
  if (!Array.isArray(classNames) || !classNames.every((name) => typeof name === "string")) return undefined;
  if (test !== null && (!isRecord(test) || !isMatrix(test.confusion, classNames.length))) return undefined;
  return { model, classNames, test: test as unknown as EvaluationRecord["test"] };
}

function isMatrix(value: unknown, size: number): boolean {
  return Array.isArray(value) && value.length === size &&
    value.every((row) =>
      Array.isArray(row) && row.length === size && row.every((n) => Number.isSafeInteger(n) && n >= 0)
    );
}

/** Numbers of a finished run that nothing else in its folder says. */
export interface RunResult {
  /** Wall-clock time; left out for a run that was resumed. */
  readonly seconds?: number;
  /** Largest use of GPU memory. */
  readonly gpuBytes: number;
  /** Weights that were trained. */
  readonly parameters: number;
}

const RESULT_FILE = "result.json";

/** Writes `result.json`. Throws FailureError. */
export function writeResult(folder: string, result: RunResult): void {
  writeAtomic(joinPath(folder, RESULT_FILE), JSON.stringify(result, null, 2) + "\n");
}

/** Reads `result.json`; nothing where it is missing or damaged, as nothing depends on it. */
export function readResult(folder: RunFolder): Partial<RunResult> {
  let value: unknown;
  try {
    value = folder.readJson(RESULT_FILE);
  } catch {
    return {};
  }
  if (!isRecord(value)) return {};
  const numbers = Object.entries(value).filter(([, n]) => typeof n === "number" && Number.isFinite(n));
  return Object.fromEntries(numbers);
}

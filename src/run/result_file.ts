/**
 * `result.json`: numbers of a finished run that nothing else in its folder says.
 * @module
 */
import { joinPath, writeAtomic } from "../base/files.ts";
import type { RunFolder } from "./run_folder.ts";
import { isRecord } from "./run_record.ts";

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

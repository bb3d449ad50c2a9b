/**
 * `result.json`: numbers of a finished run that nothing else in its folder says.
 * @module
 */
import { platform } from "../platform/platform.ts";
import { joinPath, writeAtomic } from "../base/files.ts";
import type { RunFolder } from "./run_folder.ts";
import { isRecord } from "./run_record.ts";

/** What a run took; left out for one that was resumed. */
export interface RunTime {
  /** Wall-clock time. */
  readonly seconds: number;
  /** CPU time of all threads of the process, those of a software adapter among them; undefined where it is not known. */
  readonly cpuSeconds: number | undefined;
}

/** Begins to measure. @returns what was taken since then */
export function stopwatch(): () => RunTime {
  const began = performance.now(), before = platform().cpuSeconds();
  return () => {
    const seconds = (performance.now() - began) / 1000, cpu = platform().cpuSeconds();
    return { seconds, cpuSeconds: cpu === undefined || before === undefined ? undefined : cpu - before };
  };
}

/** Numbers of a finished run that nothing else in its folder says. */
export interface RunResult extends Partial<RunTime> {
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

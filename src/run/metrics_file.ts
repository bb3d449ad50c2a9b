/**
 * The lines of `metrics.jsonl`, one for each epoch of a run. Not responsible for writing them (`run_folder.ts`).
 * @module
 */
import { exists, readBytes } from "../base/files.ts";
import { checkShape, type Shape } from "../base/shape.ts";

/** Name of the file that holds the metrics of a run. */
export const METRICS_FILE = "metrics.jsonl";

/** One line of the metrics; numbers that are not finite become null. */
export interface MetricRecord {
  /** The optimisation step that it was taken after. */
  readonly step: number;
  /** Anything that JSON holds. */
  readonly [name: string]: unknown;
}

/** A line of the metrics, or undefined where it is none: what a kill leaves. */
export function parseMetric(line: string): MetricRecord | undefined {
  try {
    const value = JSON.parse(line) as MetricRecord | null;
    return Number.isSafeInteger(value?.step) ? value as MetricRecord : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The records of a run's epochs up to step `last`. What is no line of metrics is left out.
 * @throws {FailureError} naming the first line and its field that are not as they must be.
 */
export function readRecords<T>(folder: { file(name: string): string }, of: Shape<T>, last = Infinity): T[] {
  const path = folder.file(METRICS_FILE);
  if (!exists(path)) return [];
  return new TextDecoder().decode(readBytes(path)).split("\n").flatMap((line, i) => {
    const record = parseMetric(line);
    if (record === undefined || record.step > last) return [];
    return [checkShape(of, record, `line ${i + 1} of '${path}'`)];
  });
}

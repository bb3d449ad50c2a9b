/**
 * Refuses a search or a training that does not fit in memory before anything is allocated, and says what would fit.
 * @module
 */
import type { RunKind } from "./run_record.ts";
import { FailureError, option, type Text, text, UsageError } from "../base/errors.ts";
import type { Gpu } from "../gpu/device.ts";

const MIB = 2 ** 20;

/** The option that sets a limit. */
export const MEMORY_LIMIT_OPTION = {
  key: "memory-limit",
  kind: "int",
  min: 1,
  default: null,
  group: "Run",
  help: "refuse a plan of more MiB of GPU memory than this",
} as const;

/** Bytes that a plan may take, and what sets the limit. */
export interface MemoryBudget {
  /** The limit. */
  readonly bytes: number;
  /** For messages: an option, or the machine's memory. */
  readonly source: Text;
}

/**
 * Bytes that a plan may take: the user's limit, and on a software adapter the free memory of the machine where the
 * process may ask for it (`--allow-sys=systemMemoryInfo`). Undefined when nothing is known.
 */
export function memoryBudget(gpu: Pick<Gpu, "software">, limitMiB: number | null): MemoryBudget | undefined {
  if (limitMiB !== null) return { bytes: limitMiB * MIB, source: text`${option("memory-limit")}` };
  if (!gpu.software) return undefined;
  const asked = Deno.permissions.querySync({ name: "sys", kind: "systemMemoryInfo" });
  if (asked.state !== "granted") return undefined;
  return { bytes: Deno.systemMemoryInfo().available, source: text`free memory` };
}

/**
 * Refuses a plan that exceeds the budget.
 * @param bytes bytes of the plan with the batch size `batch`.
 * @param planned bytes of a plan with another batch size; may throw, which counts as too large.
 * @param purpose what cannot be done then, for the message.
 * @throws {FailureError} when the plan exceeds the budget; it names the largest batch that fits.
 */
export function checkMemory(
  bytes: number,
  budget: MemoryBudget | undefined,
  batch: number,
  planned: (batch: number) => number,
  purpose: RunKind = "search",
): void {
  if (!budget || bytes <= budget.bytes) return;
  const fits = largestBatch(batch, budget.bytes, planned), mib = (n: number) => `${Math.ceil(n / MIB)} MiB`;
  throw new FailureError(
    text`Cannot ${purpose} with ${option("batch-size")} ${batch}: it needs ${
      mib(bytes)
    } of GPU memory and ${budget.source} is ${mib(budget.bytes)}`,
    {
      option: "batch-size",
      value: batch,
      limit: fits,
      remedies: [
        fits > 0
          ? { kind: "at-most", option: "batch-size", value: fits }
          : { kind: "lower", options: ["init-channels", "cells"] },
      ],
    },
  );
}

/**
 * A plan that fits in memory.
 * @param plan plans everything for a batch size
 * @param purpose what cannot be done otherwise, for the message
 * @throws {FailureError} when it exceeds the budget; it names the largest batch that fits.
 */
export function planWithin<P extends { readonly bytes: number }>(
  gpu: Pick<Gpu, "software">,
  { batchSize, memoryLimit }: { readonly batchSize: number; readonly memoryLimit: number | null },
  plan: (batch: number) => P,
  purpose?: RunKind,
): P {
  const budget = memoryBudget(gpu, memoryLimit), planned = planAllowed(batchSize, plan);
  checkMemory(planned.bytes, budget, batchSize, (batch) => plan(batch).bytes, purpose);
  return planned;
}

/** Plans; where the adapter's limits do not allow the batch, the error names the largest one that they do. */
function planAllowed<P extends { readonly bytes: number }>(batchSize: number, plan: (batch: number) => P): P {
  try {
    return plan(batchSize);
  } catch (error) {
    if (!(error instanceof FailureError)) throw error;
    const fits = largestBatch(batchSize, Infinity, (batch) => plan(batch).bytes);
    if (fits === 0) throw error;
    throw new FailureError(error.sentence, {
      cause: error,
      option: "batch-size",
      value: batchSize,
      limit: fits,
      remedies: [{ kind: "at-most", option: "batch-size", value: fits }, "take smaller images"],
    });
  }
}

/** Largest batch size from 2 below `batch` whose plan takes at most `budget` bytes; 0 if none. */
export function largestBatch(batch: number, budget: number, planned: (batch: number) => number): number {
  const fits = (n: number): boolean => {
    try {
      return planned(n) <= budget;
    } catch (error) {
      if (error instanceof FailureError || error instanceof UsageError) return false;
      throw error;
    }
  };
  let low = 1, high = batch; // low fits (or is the sentinel 1), high does not
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (fits(middle)) low = middle;
    else high = middle;
  }
  return low >= 2 ? low : 0;
}

/**
 * Refuses a search or a training that does not fit in memory before anything is allocated, and says what would fit.
 * @module
 */
import { platform } from "../platform/platform.ts";
import type { RunKind } from "./run_record.ts";
import { FailureError, option, type Text, text, UsageError } from "../base/errors.ts";
import type { Gpu } from "../gpu/device.ts";
import type { Plan } from "../graph/plan.ts";
import type { Arena } from "../graph/variables.ts";

const MIB = 2 ** 20;

/** What is planned: a search, a training. */
export interface Planned {
  /** GPU bytes. */
  readonly bytes: number;
  /** The programs. */
  readonly plans: readonly Plan[];
  /** What outlives a step. */
  readonly state: readonly Arena[];
}

/** Bytes of a process that has opened Mesa's software driver and run a few shaders, and of each dispatch that it keeps. */
const PROCESS_BYTES = 220 * MIB, DISPATCH_BYTES = 50 * 1024;

/**
 * Bytes that a process takes besides its plan, an estimate from measurements (docs/performance.md): Deno, a software
 * driver, compiled shaders; a pipeline and a bind group for each dispatch; batches and the state of the run once on the
 * host and once on their way to the device or back. Images that a data set keeps in memory are not among them.
 */
export function hostBytes({ plans, state }: Planned): number {
  const dispatches = plans.reduce((sum, plan) => sum + plan.dispatches, 0);
  const inputs = Math.max(0, ...plans.map((plan) => [...plan.inputs.values()].reduce((a, b) => a + b, 0)));
  const kept = state.reduce((sum, arena) => sum + arena.bytes, 0);
  return PROCESS_BYTES + dispatches * DISPATCH_BYTES + 2 * (inputs + kept);
}

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
  /** Whether it is memory of the machine, which the process needs too ({@linkcode hostBytes}). */
  readonly shared: boolean;
}

/** Bytes that something planned takes out of a budget. */
export function neededBytes(planned: Planned, budget: MemoryBudget | undefined): number {
  return planned.bytes + (budget?.shared ? hostBytes(planned) : 0);
}

/**
 * Bytes that a plan may take: the user's limit, and on a software adapter the free memory of the machine where the
 * process may ask for it (`--allow-sys=systemMemoryInfo`). Undefined when nothing is known.
 */
export function memoryBudget(gpu: Pick<Gpu, "software">, limitMiB: number | null): MemoryBudget | undefined {
  if (limitMiB !== null) return { bytes: limitMiB * MIB, source: text`${option("memory-limit")}`, shared: false };
  if (!gpu.software) return undefined;
  const free = platform().freeMemory();
  return free === undefined ? undefined : { bytes: free, source: text`free memory`, shared: true };
}

/**
 * Refuses a plan that exceeds the budget.
 * @param planned what is planned with the batch size `batch`.
 * @param plan plans it with another batch size; may throw, which counts as too large.
 * @param purpose what cannot be done then, for the message.
 * @throws {FailureError} when the plan exceeds the budget; it names the largest batch that fits.
 */
export function checkMemory(
  planned: Planned,
  budget: MemoryBudget | undefined,
  batch: number,
  plan: (batch: number) => Planned,
  purpose: RunKind = "search",
): void {
  const needed = neededBytes(planned, budget), mib = (n: number) => `${Math.ceil(n / MIB)} MiB`;
  if (!budget || needed <= budget.bytes) return;
  const fits = largestBatch(batch, budget.bytes, (n) => neededBytes(plan(n), budget));
  const what = budget.shared ? `memory, ${mib(hostBytes(planned))} of it for the process,` : "GPU memory";
  throw new FailureError(
    text`Cannot ${purpose} with ${option("batch-size")} ${batch}: it needs ${
      mib(needed)
    } of ${what} and ${budget.source} is ${mib(budget.bytes)}`,
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
export function planWithin<P extends Planned>(
  gpu: Pick<Gpu, "software">,
  { batchSize, memoryLimit }: { readonly batchSize: number; readonly memoryLimit: number | null },
  plan: (batch: number) => P,
  purpose?: RunKind,
): P {
  const budget = memoryBudget(gpu, memoryLimit), planned = planAllowed(batchSize, plan);
  checkMemory(planned, budget, batchSize, plan, purpose);
  return planned;
}

/** Plans; where the adapter's limits do not allow the batch, the error names the largest one that they do. */
function planAllowed<P extends Planned>(batchSize: number, plan: (batch: number) => P): P {
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

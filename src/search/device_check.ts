/**
 * Whether a device can search: its shaders against f64 references, and steps of a small supernet, done twice to the same
 * bits. Not responsible for what the device is called and offers.
 * @module
 */
import { Random } from "../base/random.ts";
import type { Gpu } from "../gpu/device.ts";
import type { OpCase, OpSpec } from "../graph/op.ts";
import { elementCount } from "../graph/tensor_type.ts";
import { checkCase } from "../ops/check.ts";
import { OPERATIONS } from "../ops/registry.ts";
import { S3 } from "../space/space.ts";
import { type SupernetConfig, weightCount } from "../space/supernet.ts";
import { resolveSearchConfig } from "./config.ts";
import { type HostBatch, SearchEngine } from "./engine.ts";
import { planSearch, type SearchPlan } from "./programs.ts";

/** Cases of each operation that are run: the smallest ones. */
const CASES = 2;

/** Steps of the small supernet, each time. */
const STEPS = 2;

/** How an operation does. */
export interface OperationCheck {
  /** Its name. */
  readonly op: string;
  /** Number of cases that were run. */
  readonly cases: number;
  /** Largest error of an output or a gradient, relative to the largest magnitude in it. */
  readonly error: number;
  /** Wall-clock time, compilation included. */
  readonly milliseconds: number;
  /** What is wrong, a sentence for each case; empty when all is well. */
  readonly failures: readonly string[];
}

/** How steps of a small supernet do. */
export interface StepCheck {
  /** Mean training loss. */
  readonly loss: number;
  /** Weights of the supernet. */
  readonly weights: number;
  /** GPU memory of its plan. */
  readonly bytes: number;
  /** Wall-clock time of compilation. */
  readonly compileSeconds: number;
  /** Time of the first steps, in which drivers finish compiling. */
  readonly firstSeconds: number;
  /** Wall-clock time of a later step. */
  readonly stepMilliseconds: number;
  /** What is wrong, as a part of a sentence; null: nothing. */
  readonly problem: string | null;
}

/** What {@linkcode checkDevice} found. */
export interface DeviceCheck {
  /** Every operation that has a reference. */
  readonly operations: readonly OperationCheck[];
  /** The steps. */
  readonly step: StepCheck;
  /** The first thing that is wrong, as a part of a sentence; null: the device can be relied on. */
  readonly problem: string | null;
}

/** Callbacks of {@linkcode checkDevice}; all optional. */
export interface DeviceCheckOptions {
  /** Stops the check between two operations; the call then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Told what is checked now. */
  readonly onProgress?: (what: string) => void;
}

/**
 * Checks a device; takes seconds.
 * @example
 * ```ts
 * import { checkDevice, openGpu } from "../../mod.ts";
 * const gpu = await openGpu(), { problem, operations } = await checkDevice(gpu);
 * console.assert(problem === null && operations.every(({ error }) => error < 1e-3));
 * gpu.device.destroy();
 * ```
 */
export async function checkDevice(gpu: Gpu, options: DeviceCheckOptions = {}): Promise<DeviceCheck> {
  const operations: OperationCheck[] = [];
  for (const op of OPERATIONS) {
    options.signal?.throwIfAborted();
    if (!op.reference) continue;
    options.onProgress?.(op.name);
    operations.push(await checkOperation(gpu, op));
  }
  options.signal?.throwIfAborted();
  options.onProgress?.("a small supernet");
  const step = await checkStep(gpu), bad = operations.find(({ failures }) => failures.length > 0);
  const problem = bad
    ? `operation '${bad.op}' computes wrong (${bad.failures[0]})`
    : step.problem === null
    ? null
    : `a search step ${step.problem}`;
  return { operations, step, problem };
}

/** The smallest cases of an operation. */
function smallest(op: OpSpec): OpCase[] {
  const size = ({ inputs }: OpCase): number => inputs.reduce((sum, type) => sum + elementCount(type), 0);
  return (op.cases?.() ?? []).toSorted((a, b) => size(a) - size(b)).slice(0, CASES);
}

async function checkOperation(gpu: Gpu, op: OpSpec): Promise<OperationCheck> {
  const began = performance.now(), cases = smallest(op), failures: string[] = [];
  let error = 0;
  for (const testCase of cases) {
    const result = await checkCase(gpu, op, testCase);
    error = Math.max(error, result.forward, result.gradient ?? 0);
    failures.push(...result.failures.map((text) => `${testCase.name}: ${text}`));
  }
  return { op: op.name, cases: cases.length, error, milliseconds: performance.now() - began, failures };
}

/** The supernet of the check. */
const SMALL: SupernetConfig = {
  space: S3,
  channels: 4,
  cells: 3,
  classes: 10,
  inputChannels: 3,
  height: 16,
  width: 16,
  batch: 8,
  nodeNorm: "rms",
};

async function checkStep(gpu: Gpu): Promise<StepCheck> {
  const began = performance.now(), plan = planSearch(SMALL, resolveSearchConfig(), gpu.limits);
  const engine = await SearchEngine.create(gpu, plan);
  try {
    const first = await steps(engine, plan), warm = performance.now(), { compileSeconds } = engine.runtime;
    const second = await steps(engine, plan), done = performance.now();
    const problem = !Number.isFinite(first.loss)
      ? `has a loss of ${first.loss}`
      : first.bits !== second.bits
      ? "has other bits when it is repeated"
      : null;
    return {
      loss: first.loss,
      weights: weightCount(plan.variables),
      bytes: plan.bytes,
      compileSeconds,
      firstSeconds: (warm - began) / 1000 - compileSeconds,
      stepMilliseconds: (done - warm) / STEPS,
      problem,
    };
  } finally {
    engine.destroy();
  }
}

/** Some steps from the start, on noise. */
async function steps(engine: SearchEngine, plan: SearchPlan): Promise<{ loss: number; bits: string }> {
  const { batch, inputChannels, height, width, classes } = plan.config, random = new Random(0, "doctor");
  const host: HostBatch = {
    images: new Float32Array(inputChannels * batch * height * width).map(() => random.normal()),
    labels: Int32Array.from({ length: batch }, (_, i) => i % classes),
  };
  engine.initialise(0, 1e-3);
  for (let step = 1; step <= STEPS; step++) {
    await engine.step(host, host, {
      weightLr: 0.025,
      alphaLr: 3e-4,
      alphaStep: step,
      alphaBeta1: 0.5,
      alphaBeta2: 0.999,
    });
  }
  const { train } = await engine.tallies();
  const { alphas } = await engine.architecture();
  return { loss: train.loss, bits: `${train.loss} ${[...alphas.normal, ...alphas.reduce].join()}` };
}

/**
 * What everything that measures speed shares (`idarts bench` and the programs in `bench/`): clocks, noise to run on,
 * and programs of a few operations that run by themselves.
 * @module
 */
import process from "node:process";
import { Random } from "../base/random.ts";
import type { Gpu } from "../gpu/device.ts";
import type { Graph, Tensor } from "../graph/graph.ts";
import { type Plan, planProgram, Pool } from "../graph/plan.ts";
import type { HostInputs } from "../graph/buffers.ts";
import { Runtime } from "../graph/runtime.ts";
import type { SupernetConfig } from "../space/supernet.ts";
import { elementCount, image, pack } from "../graph/tensor_type.ts";

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

/** User and system time of this process so far, all threads: on a CPU adapter the driver's among them. */
function cpuMilliseconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** What a run took. */
export interface Span {
  /** By the clock, until it was done. */
  readonly milliseconds: number;
  /** Of these, until it was submitted: JavaScript's part, and waiting where a run before it was not done yet. */
  readonly hostMilliseconds: number;
  /** Of all processors together, which depends less on what else they do. */
  readonly cpuMilliseconds: number;
}

/** Submits `repeats` runs and waits once; what one of them took. */
export async function measure(
  run: () => Promise<void> | void,
  idle: () => Promise<unknown>,
  repeats = 1,
): Promise<Span> {
  const start = performance.now(), busy = cpuMilliseconds();
  for (let i = 0; i < repeats; i++) await run();
  const submitted = performance.now();
  await idle();
  return {
    milliseconds: (performance.now() - start) / repeats,
    hostMilliseconds: (submitted - start) / repeats,
    cpuMilliseconds: (cpuMilliseconds() - busy) / repeats,
  };
}

/** Milliseconds that runs should take which are waited for together, and most of them. */
const TOGETHER = 500, MOST_TOGETHER = 50;

/**
 * How many runs to wait for together where one took so long: waiting for each would measure how often the host looks
 * whether the device is done, every 10 ms or so, and leave the device without work meanwhile.
 */
export function repeatsFor({ milliseconds }: Span): number {
  return Math.max(1, Math.min(MOST_TOGETHER, Math.ceil(TOGETHER / milliseconds)));
}

/** The median of each figure. */
export function medianSpan(spans: readonly Span[]): Span {
  const of = (key: keyof Span) => median(spans.map((span) => span[key]));
  return {
    milliseconds: of("milliseconds"),
    hostMilliseconds: of("hostMilliseconds"),
    cpuMilliseconds: of("cpuMilliseconds"),
  };
}

/** Standard normal images and random labels, in storage order, for the programs of a search or a training. */
export function noiseBatch(
  { inputChannels, batch, height, width, classes }: Pick<
    SupernetConfig,
    "inputChannels" | "batch" | "height" | "width" | "classes"
  >,
): { images: Float32Array<ArrayBuffer>; labels: Int32Array<ArrayBuffer> } {
  const random = new Random(0, "bench"), type = image(inputChannels, batch, height, width);
  const pixels = new Float64Array(elementCount(type)).map(() => random.normal());
  return {
    images: pack(type, pixels) as Float32Array<ArrayBuffer>,
    labels: Int32Array.from({ length: batch }, () => random.below(classes)),
  };
}

/** A graph that is planned, compiled and allocated by itself. */
export interface Trial {
  /** Its plan. */
  readonly plan: Plan;
  /** Submits one run. */
  run(): void;
  /** Waits for what was submitted. The host looks only every few milliseconds: wait once for many runs. */
  idle(): Promise<void>;
  /** Elements of a result of the last run, in storage order (see `unpack`). */
  read(result: string): Promise<Float32Array<ArrayBuffer>>;
  /** Frees its buffers. */
  destroy(): void;
}

/**
 * Compiles `graph` and runs it once. Inputs that are not given are zero.
 * @throws {FailureError} when the device has not enough memory.
 */
export async function startTrial(
  gpu: Gpu,
  graph: Graph,
  results: Readonly<Record<string, Tensor>>,
  inputs: HostInputs = {},
): Promise<Trial> {
  const pool = new Pool(), plan = planProgram("trial", graph, results, gpu.limits, pool);
  const runtime = await Runtime.create(gpu, [plan], pool);
  runtime.run("trial", inputs);
  await runtime.idle();
  return {
    plan,
    run: () => runtime.run("trial"),
    idle: () => runtime.idle(),
    read: (result) => runtime.readResult("trial", result),
    destroy: () => runtime.destroy(),
  };
}

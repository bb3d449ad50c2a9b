/**
 * Which variant of a kernel is fast here: measured once for an adapter, kept in a file, and part of a run's
 * configuration from then on, since another variant adds up in another order and so gives other bits. Without a tuning
 * every adapter gets the variants that suit its kind (`GpuLimits.software`).
 * @module
 */
import { UsageError } from "../base/errors.ts";
import { showValue } from "../base/options.ts";
import { Random } from "../base/random.ts";
import type { Gpu } from "../gpu/device.ts";
import { Graph, type Node } from "./graph.ts";
import { kernelKey, type Plan, planProgram, type PlanTarget, Pool, variantsOf } from "./plan.ts";
import type { HostInputs } from "./buffers.ts";
import { Runtime } from "./runtime.ts";
import { Shaders } from "./shaders.ts";
import { elementCount, pack } from "./tensor_type.ts";

/** The variants that were the fastest ones on an adapter. */
export interface Tuning {
  /** The adapter, see {@linkcode adapterText}. */
  readonly name: string;
  /** Name of the chosen variant by operation, attributes and inputs. */
  readonly kernels: Readonly<Record<string, string>>;
}

/** The option that takes one. */
export const TUNING_OPTION = {
  key: "tuning",
  kind: "named",
  choices: ["off"],
  check: checkTuning,
  default: "off",
  group: "Run",
  help: "which of several kernels runs an operation: the ones for this kind of adapter, or measured ones",
} as const;

/**
 * The adapter that a tuning is of: its name and what it offers, since WebGPU does not tell the version of a driver.
 */
export function adapterText({ name, limits }: Gpu): string {
  const { maxStorageBuffersPerShaderStage: buffers, maxStorageBufferBindingSize: bytes } = limits;
  return `${name} with ${buffers} buffers of ${bytes} bytes`;
}

/** Most kernels in a file, and most characters of a name. */
const MOST_KERNELS = 100_000, LONGEST = 1000;

/**
 * Checks a value of unknown origin, for example parsed YAML; `source` names it in errors.
 * @throws {UsageError} saying what it must be
 */
export function checkTuning(value: unknown, source: string): Tuning {
  const fail = (what: string): never => {
    throw new UsageError(`Cannot use ${source} as ${what}`, { remedies: [{ kind: "tune" }] });
  };
  const isRecord = (v: unknown): v is Record<string, unknown> => typeof v === "object" && v !== null;
  const isText = (v: unknown): v is string =>
    typeof v === "string" && v.length > 0 && v.length <= LONGEST && !/[\p{Cc}\u2028\u2029]/u.test(v);
  if (!isRecord(value) || !isText(value.name) || !isRecord(value.kernels)) {
    return fail("a tuning has a name, which is that of an adapter, and kernels");
  }
  const entries = Object.entries(value.kernels);
  if (entries.length > MOST_KERNELS) fail(`it must have at most ${MOST_KERNELS} kernels: it has ${entries.length}`);
  const wrong = entries.find((pair) => !pair.every(isText));
  if (wrong) fail(`each of its kernels must have the name of a variant: ${showValue(wrong[0])} has not`);
  return { name: value.name, kernels: Object.fromEntries(entries) as Record<string, string> };
}

/** A device with kernels that are wanted on it. */
export type TunedGpu = Gpu & { readonly limits: PlanTarget };

/**
 * The device with the kernels of a tuning. One of another adapter is left aside, with a warning.
 * @param warn is told so in one sentence
 */
export function tuned(gpu: Gpu, tuning: string | Tuning, warn?: (message: string) => void): TunedGpu {
  if (typeof tuning === "string") return gpu;
  if (tuning.name !== adapterText(gpu)) {
    warn?.(
      `The tuning is of adapter '${tuning.name}' and this is '${adapterText(gpu)}': its kernels are left aside until ` +
        "one is measured here",
    );
    return gpu;
  }
  const names = new Map(Object.entries(tuning.kernels));
  return { ...gpu, limits: { ...gpu.limits, choose: (key, variants) => names.get(key) ?? variants[0] } };
}

/** What was measured of one kernel. */
export interface KernelTimes {
  /** Operation, attributes and inputs. */
  readonly key: string;
  /** Name of the chosen variant. */
  readonly chosen: string;
  /** Nanoseconds by variant, that without a tuning first. */
  readonly nanoseconds: ReadonlyMap<string, number>;
  /** How often the programs run it. */
  readonly uses: number;
}

/** A variant must be so much faster than the first one to be taken, since times are noisy. */
const WORTH_IT = 0.95;

/** Measured runs of each variant, after one that compiles. */
const ROUNDS = 5;

/**
 * Measures the variants of every kernel that `plans` run and `known` has not, one after the other.
 * @param onKernel told after each
 * @param signal stops after the current kernel
 * @throws the reason of `signal` when that was raised
 * @returns `known` and what was measured
 */
export async function tune(
  gpu: Gpu,
  plans: readonly Plan[],
  known: Tuning = { name: adapterText(gpu), kernels: {} },
  onKernel?: (times: KernelTimes, done: number, all: number) => void,
  signal?: AbortSignal,
): Promise<Tuning> {
  signal?.throwIfAborted();
  const uses = new Map<string, Node[]>();
  for (const { node } of plans.flatMap((plan) => plan.nodes)) {
    const context = contextOf(node, gpu);
    if (variantsOf(node.op, context).length < 2) continue;
    const key = kernelKey(node.op, context);
    if (!Object.hasOwn(known.kernels, key)) uses.set(key, [...uses.get(key) ?? [], node]);
  }
  const kernels: Record<string, string> = { ...known.kernels }, trials = new Map<string, Trial>();
  let done = 0;
  for (const [key, nodes] of uses) {
    signal?.throwIfAborted();
    if (!trials.has(key)) {
      const next = [...uses].slice(done, done + AT_ONCE);
      next.forEach(([key, [node]]) => trials.set(key, trialOf(gpu, node)));
      await new Shaders(gpu).compileAhead(next.flatMap(([key]) => trials.get(key)!.plans));
    }
    const nanoseconds = await measure(gpu, trials.get(key)!), [[first, reference]] = nanoseconds;
    trials.delete(key);
    const [best, least] = [...nanoseconds].reduce((a, b) => b[1] < a[1] ? b : a);
    const chosen = least < WORTH_IT * reference ? best : first;
    kernels[key] = chosen;
    onKernel?.({ key, chosen, nanoseconds, uses: nodes.length }, ++done, uses.size);
  }
  return { name: known.name, kernels };
}

function contextOf(node: Node, { limits }: Gpu) {
  const inputs = node.inputs.map((t) => t.type), outputs = node.outputs.map((t) => t.type);
  return { inputs, outputs, attrs: node.attrs, limits };
}

/** Kernels whose variants are compiled at once, on several threads; their pipelines stay in memory for as long. */
const AT_ONCE = 16;

/** A node as a program for each of its variants, by name. */
interface Trial {
  readonly graph: Graph;
  readonly plans: readonly Plan[];
  readonly pool: Pool;
}

function trialOf(gpu: Gpu, node: Node): Trial {
  const names = variantsOf(node.op, contextOf(node, gpu)).map((v) => v.name), pool = new Pool();
  const graph = new Graph(node.outputs.some((t) => t.type.dtype === "bf16") ? "bf16" : "f32");
  const outputs = graph.apply(node.op, node.inputs.map(({ type }, i) => graph.input(`x${i}`, type)), node.attrs);
  const results = Object.fromEntries(outputs.map((t, i) => [`y${i}`, t]));
  const plans = names.map((name) => planProgram(name, graph, results, { ...gpu.limits, choose: () => name }, pool));
  return { graph, plans, pool };
}

/** Nanoseconds by variant: the least of some rounds, in which the variants take turns. */
async function measure(gpu: Gpu, { graph, plans, pool }: Trial): Promise<Map<string, number>> {
  const runtime = await Runtime.create(gpu, plans, pool), times = new Map<string, number>(), host = noiseInputs(graph);
  try {
    for (let round = 0; round <= ROUNDS; round++) {
      for (const { name } of plans) {
        const time = await timeOf(runtime, name, host);
        if (round > 0) times.set(name, Math.min(time, times.get(name) ?? Infinity));
      }
    }
  } finally {
    runtime.destroy();
  }
  return times;
}

/** Runs before the clock is read, where the device cannot time itself: the host looks only every few milliseconds. */
const REPEATS = 32;

async function timeOf(runtime: Runtime, name: string, host: HostInputs): Promise<number> {
  if (runtime.gpu.features.includes("timestamp-query")) {
    return (await runtime.profile(name, host)).reduce((sum, { nanoseconds }) => sum + nanoseconds, 0);
  }
  runtime.run(name, host);
  await runtime.idle();
  const start = performance.now();
  for (let i = 0; i < REPEATS; i++) runtime.run(name);
  await runtime.idle();
  return (performance.now() - start) * 1e6 / REPEATS;
}

/** Noise for the inputs of a graph: between 0.5 and 1.5, since variances may be among them; whole numbers are zero. */
export function noiseInputs(graph: Graph): HostInputs {
  const random = new Random(0, "noise"), some = Float64Array.from({ length: 1021 }, () => 0.5 + random.uniform());
  return Object.fromEntries([...graph.inputs].map(([name, { type }]) => {
    const whole = type.dtype === "i32";
    return [name, pack(type, new Float64Array(elementCount(type)).map((_, i) => whole ? 0 : some[i % some.length]))];
  }));
}

/**
 * How fast an adapter is: what it reaches when it only computes or only copies, and what the operations of planned
 * programs reach beside that. Not responsible for which programs.
 * @module
 */
import type { Gpu } from "../gpu/device.ts";
import type { HostInputs } from "../graph/buffers.ts";
import { Graph, type Tensor } from "../graph/graph.ts";
import type { Plan } from "../graph/plan.ts";
import type { DispatchTime, Runtime } from "../graph/runtime.ts";
import { dense, image } from "../graph/tensor_type.ts";
import { hyperValues } from "../nn/hyper.ts";
import { noiseKey } from "../nn/noise_key.ts";
import { addN } from "../ops/add_n.ts";
import { multiplyAdd } from "../ops/multiply_add.ts";
import { measure, medianSpan, type Span, startTrial } from "./measure.ts";

/** What a program or an operation did in a time. */
export interface Rate {
  readonly milliseconds: number;
  readonly dispatches: number;
  readonly macs: number;
  readonly bytes: number;
}

/** GFLOP/s, two for each multiply-accumulate. */
export const gflops = ({ macs, milliseconds }: Rate): number => 2 * macs / milliseconds / 1e6;
/** GB/s of the ranges that dispatches bind. */
export const gigabytes = ({ bytes, milliseconds }: Rate): number => bytes / milliseconds / 1e6;

/** What the programs of a step take one by one. */
export interface ProgramTimes {
  readonly hostMilliseconds: number;
  /** Time and cost of every operation; undefined where the adapter cannot time them. */
  readonly operations: readonly [string, Rate][] | undefined;
}

/** Times programs one by one; `inputs` are those of the host, and no rates change the network. */
export async function measurePrograms(
  runtime: Runtime,
  programs: readonly Plan[],
  inputs: HostInputs,
  seed: number,
): Promise<ProgramTimes> {
  const timed = runtime.gpu.features.includes("timestamp-query"), dispatches: DispatchTime[] = [];
  let hostMilliseconds = 0;
  for (const each of programs) {
    const host = { ...inputs, hyper: HYPER, ...noiseKey(each, seed, 1) }, alone: Span[] = [];
    // One by one: a driver may let the next submission wait until the one before is done.
    while (alone.length < 3) alone.push(await measure(() => runtime.run(each.name, host), () => runtime.idle()));
    hostMilliseconds += medianSpan(alone).hostMilliseconds;
    if (!timed) continue;
    await runtime.profile(each.name, host); // the second one is told
    dispatches.push(...await runtime.profile(each.name, host));
  }
  return { hostMilliseconds, operations: timed ? byOperation(programs, dispatches) : undefined };
}

/** Rates that leave the network as it is. */
const HYPER = hyperValues({ alphaCorrection1: 1, alphaCorrection2: 1 });

/** What programs did in a time. */
export function rateOf(plans: readonly Plan[], milliseconds: number): Rate {
  const total = (of: (plan: Plan) => number) => plans.reduce((sum, plan) => sum + of(plan), 0);
  return {
    milliseconds,
    dispatches: total((p) => p.dispatches),
    macs: total((p) => p.macs),
    bytes: total((p) => p.traffic),
  };
}

/** Time and cost of every operation, the longest first. */
function byOperation(plans: readonly Plan[], times: readonly DispatchTime[]): [string, Rate][] {
  const spans = Map.groupBy(times, ({ op }) => op);
  const nodes = Map.groupBy(plans.flatMap((plan) => plan.nodes), ({ node }) => node.op.name);
  return [...spans].map(([op, dispatches]): [string, Rate] => {
    const total = (of: "macs" | "traffic") => nodes.get(op)!.reduce((sum, node) => sum + node[of], 0);
    const milliseconds = dispatches.reduce((sum, { nanoseconds }) => sum + nanoseconds, 0) / 1e6;
    return [op, { milliseconds, dispatches: dispatches.length, macs: total("macs"), bytes: total("traffic") }];
  }).sort(([, a], [, b]) => b.milliseconds - a.milliseconds);
}

/**
 * Elements that are computed with and that are copied, runs before the clock is read, since the host looks only every 10
 * ms or so whether the device is done, and rounds of arithmetic: as much as keeps a CPU, or a GPU, busy for long enough.
 */
const CPU_WORK = [1 << 16, 8 << 20, 8, 256], GPU_WORK = [1 << 22, 16 << 20, 64, 24];

/** What an adapter can do. */
export interface Ceilings {
  readonly gflops: number;
  readonly gigabytes: number;
}

/** What the adapter reaches when it does nothing but compute, or nothing but copy. */
export async function measureCeilings(gpu: Gpu): Promise<Ceilings> {
  const [computed, copied, repeats, rounds] = gpu.software ? CPU_WORK : GPU_WORK;
  const reach = async (add: (graph: Graph) => Tensor): Promise<Rate> => {
    const graph = new Graph(), trial = await startTrial(gpu, graph, { y: add(graph) });
    try {
      const spans: Span[] = [];
      for (let i = 0; i < 3; i++) spans.push(await measure(trial.run, trial.idle, repeats));
      return rateOf([trial.plan], medianSpan(spans).milliseconds);
    } finally {
      trial.destroy();
    }
  };
  const compute = await reach((graph) => graph.apply1(multiplyAdd, [graph.input("x", dense([computed]))], { rounds }));
  const copy = await reach((graph) => graph.apply1(addN, [graph.input("x", image(64, 1, 32, copied / 64 / 32))], null));
  return { gflops: gflops(compute), gigabytes: gigabytes(copy) };
}

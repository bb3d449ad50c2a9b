/**
 * `idarts bench`: what a step of a search costs on this machine, and how near each operation comes to what the adapter
 * can do. Nothing is kept.
 * @module
 */
import { type Command, Option as Flag } from "commander";
import { UsageError } from "../base/errors.ts";
import { defineOptions } from "../base/options.ts";
import { type Gpu, openGpu } from "../gpu/device.ts";
import type { HostInputs } from "../graph/buffers.ts";
import { Graph, type Tensor } from "../graph/graph.ts";
import type { Plan } from "../graph/plan.ts";
import type { DispatchTime, Runtime } from "../graph/runtime.ts";
import { dense, image } from "../graph/tensor_type.ts";
import { tuned } from "../graph/tuning.ts";
import { hyperValues } from "../nn/hyper.ts";
import { noiseKey } from "../nn/noise_key.ts";
import { addN } from "../ops/add_n.ts";
import { multiplyAdd } from "../ops/multiply_add.ts";
import { SEARCH_PRESETS } from "../search/config.ts";
import { SearchEngine } from "../search/engine.ts";
import { checkMemory, memoryBudget } from "../run/memory.ts";
import { planSearch, type SearchPlan } from "../search/programs.ts";
import { supernetConfig } from "../search/search.ts";
import { addOptions, addSearchOptions, type Parsed, parseShape, presetText, searchConfig } from "./flags.ts";
import { measure, medianSpan, noiseBatch, type Span, startTrial } from "./measure.ts";
import { commandLine, count, duration, magnitude, mebibytes, pairs, percent, table, Terminal } from "./terminal.ts";

const OPTIONS = defineOptions([
  {
    key: "shape",
    kind: "string",
    default: "3x32x32",
    group: "Bench",
    help: "channels x height x width of the images, which are noise",
  },
  { key: "classes", kind: "int", min: 2, max: 100000, default: 10, group: "Bench", help: "number of classes" },
  { key: "steps", kind: "int", min: 1, max: 10000, default: 5, group: "Bench", help: "steps of each program" },
]);

/** Declares the verb. */
export function benchCommand(program: Command): Command {
  const command = program.command("bench")
    .summary("how fast a search runs here, operation by operation")
    .description(
      "Runs steps of a search on noise and prints their median time, what the adapter reaches in arithmetic and in " +
        "copying at the same moment, and the share, GFLOP/s and GB/s of every operation (where the adapter can time " +
        "them). Takes the options of 'search'.",
    );
  addOptions(command, OPTIONS.options);
  command.addOption(new Flag("--json", "everything as one JSON line").helpGroup("Bench:"));
  addSearchOptions(command);
  command.addHelpText(
    "after",
    `
${presetText(SEARCH_PRESETS)}

Example:
  ${commandLine(["bench", "--init-channels", "8", "--cells", "5", "--batch-size", "32"], { read: [], write: [] })}

FLOPs are two for each multiply-accumulate of a convolution or linear layer; bytes are those of the ranges that
dispatches bind, once for each. Exit codes: 0 done, 1 it could not be done, 2 wrong use.`,
  );
  return command;
}

/** What a program or an operation did in a time. */
interface Rate {
  readonly milliseconds: number;
  readonly dispatches: number;
  readonly macs: number;
  readonly bytes: number;
}

const gflops = ({ macs, milliseconds }: Rate): number => 2 * macs / milliseconds / 1e6;
const gigabytes = ({ bytes, milliseconds }: Rate): number => bytes / milliseconds / 1e6;

/** Runs the verb. @returns the exit code */
export async function runBench(parsed: Parsed): Promise<number> {
  const terminal = new Terminal(parsed.json === true), config = searchConfig(parsed);
  if (parsed.data !== undefined) {
    throw new UsageError("Cannot use --data with bench, which runs on noise: give --shape");
  }
  const { shape, classes, steps } = OPTIONS.resolve([OPTIONS.flagLayer(parsed)]);
  const net = supernetConfig(config, { ...parseShape(shape), classes });
  const gpu = tuned(await openGpu(), config.tuning, (message) => terminal.warn(message));
  try {
    const plan = planSearch(net, config, gpu.limits);
    const planned = (batch: number) => planSearch({ ...net, batch }, config, gpu.limits);
    checkMemory(plan, memoryBudget(gpu, config.memoryLimit), net.batch, planned);
    terminal.progress(() => "measuring what the adapter can do ...");
    const ceilings = await measureCeilings(gpu);
    terminal.progress(() => "compiling ...");
    const began = performance.now(), engine = await SearchEngine.create(gpu, plan, config.seed);
    try {
      engine.initialise(config.seed, config.alphaInit);
      const inputs = noiseBatch(net), run = (): Promise<void> => engine.step(inputs, inputs, RATES);
      await run();
      await engine.runtime.idle();
      const { compileSeconds } = engine.runtime, firstSeconds = (performance.now() - began) / 1000 - compileSeconds;
      const spans: Span[] = [];
      for (let i = 0; i < steps; i++) {
        terminal.progress(() => `step ${i + 1} of ${steps} ...`);
        spans.push(await measure(run, () => engine.runtime.idle()));
      }
      const parts = await measurePrograms(engine.runtime, stepPlans(plan), inputs, config.seed);
      const span = medianSpan(spans), step = rateOf(stepPlans(plan), span.milliseconds);
      const measured = { gpu, plan, compileSeconds, firstSeconds, ceilings, step, span, ...parts };
      terminal.close();
      terminal.event(benchRecord(measured, { ...net, space: net.space.name }));
      [
        `A step of the search (${net.space.name}, ${net.cells} cells, ${net.channels} channels, ${net.batch} images of ` +
        `${shape}, ${config.precision})`,
        ...benchLines(measured, steps),
      ].forEach((line) => terminal.line(line));
      return 0;
    } finally {
      engine.destroy();
    }
  } finally {
    gpu.device.destroy();
  }
}

/** The programs of one step. */
function stepPlans({ plans, alphaStep }: SearchPlan): readonly Plan[] {
  const names = [...alphaStep.map(([name]) => name), "weight_step"];
  return plans.filter(({ name }) => names.includes(name));
}

/** What the programs of a step take one by one. */
interface ProgramTimes {
  readonly hostMilliseconds: number;
  /** Time and cost of every operation; undefined where the adapter cannot time them. */
  readonly operations: readonly [string, Rate][] | undefined;
}

async function measurePrograms(
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

/** All that was measured. */
interface Measured extends ProgramTimes {
  readonly gpu: Gpu;
  readonly plan: SearchPlan;
  readonly compileSeconds: number;
  readonly firstSeconds: number;
  /** What the adapter can do. */
  readonly ceilings: { readonly gflops: number; readonly gigabytes: number };
  /** A whole step. */
  readonly step: Rate;
  readonly span: Span;
}

function benchRecord(measured: Measured, config: unknown): Readonly<Record<string, unknown>> {
  const { gpu, plan, compileSeconds, firstSeconds, ceilings, step, span, hostMilliseconds, operations } = measured;
  return {
    ...{ event: "bench", adapter: gpu.name, config, gpuBytes: plan.bytes, compileSeconds, firstSeconds, ceilings },
    step: { ...step, ...span, hostMilliseconds },
    operations: Object.fromEntries(operations ?? []),
  };
}

function benchLines(measured: Measured, steps: number): string[] {
  const { gpu, plan, compileSeconds, firstSeconds, ceilings, step, hostMilliseconds, operations } = measured;
  const whole = operations?.reduce((sum, [, { milliseconds }]) => sum + milliseconds, 0) ?? 0;
  return [
    ...pairs([
      ["adapter", gpu.name],
      ["GPU memory", mebibytes(plan.bytes)],
      ["compilation", `${duration(compileSeconds)}, and ${duration(firstSeconds)} in the first step`],
      [
        "step",
        `${step.milliseconds.toFixed(0)} ms (median of ${steps}), ${
          percent(hostMilliseconds / step.milliseconds)
        } of it JavaScript`,
      ],
      ["in it", `${count(step.dispatches)} dispatches, ${magnitude(step.macs)} MACs, ${mebibytes(step.bytes)} bound`],
      ["reached", `${gflops(step).toFixed(1)} GFLOP/s, ${gigabytes(step).toFixed(1)} GB/s`],
      [
        "possible",
        `${ceilings.gflops.toFixed(1)} GFLOP/s in registers, ${ceilings.gigabytes.toFixed(1)} GB/s copied`,
      ],
    ]),
    "",
    ...(operations
      ? table(
        ["operation", "ms", "share", "dispatches", "GFLOP/s", "GB/s"],
        operations.map(([name, rate]) => [
          ...[name, rate.milliseconds.toFixed(1), percent(rate.milliseconds / whole), count(rate.dispatches)],
          rate.macs > 0 ? gflops(rate).toFixed(1) : "-",
          gigabytes(rate).toFixed(1),
        ]),
      )
      : ["This adapter cannot time single operations."]),
  ];
}

/** Rates of the step that is measured. */
const RATES = { weightLr: 0.025, alphaLr: 3e-4, alphaStep: 1, alphaBeta1: 0.5, alphaBeta2: 0.999 };
/** Rates that leave the network as it is. */
const HYPER = hyperValues({ alphaCorrection1: 1, alphaCorrection2: 1 });

function rateOf(plans: readonly Plan[], milliseconds: number): Rate {
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

/** Elements of the measured copy (64 MiB in all), and rounds of multiply-adds. */
const COPIED = 8 << 20, ROUNDS = 64;

/** What the adapter reaches when it does nothing but compute, or nothing but copy. */
async function measureCeilings(gpu: Gpu): Promise<{ gflops: number; gigabytes: number }> {
  const reach = async (add: (graph: Graph) => Tensor): Promise<Rate> => {
    const graph = new Graph(), trial = await startTrial(gpu, graph, { y: add(graph) });
    try {
      const spans: Span[] = [];
      for (let i = 0; i < 3; i++) spans.push(await measure(trial.run, trial.idle, REPEATS));
      return rateOf([trial.plan], medianSpan(spans).milliseconds);
    } finally {
      trial.destroy();
    }
  };
  const compute = await reach((graph) =>
    graph.apply1(multiplyAdd, [graph.input("x", dense([1 << 16]))], { rounds: ROUNDS })
  );
  const copy = await reach((graph) => graph.apply1(addN, [graph.input("x", image(64, 1, 32, COPIED / 64 / 32))], null));
  return { gflops: gflops(compute), gigabytes: gigabytes(copy) };
}

/** Runs before the clock is read: the host looks only every few milliseconds whether the device is done. */
const REPEATS = 8;

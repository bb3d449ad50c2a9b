/**
 * `idarts bench`: what a step of a search costs on this machine, and how near each operation comes to what the adapter
 * can do. Nothing is kept.
 * @module
 */
import { type Command, Option as Flag } from "commander";
import { UsageError } from "../base/errors.ts";
import { defineOptions } from "../base/options.ts";
import { type Gpu, openGpu } from "../gpu/device.ts";
import type { Plan } from "../graph/plan.ts";
import { tuned } from "../graph/tuning.ts";
import { SEARCH_PRESETS } from "../search/config.ts";
import { SearchEngine } from "../search/engine.ts";
import { checkMemory, memoryBudget } from "../run/memory.ts";
import { planSearch, type SearchPlan } from "../search/programs.ts";
import { supernetConfig } from "../search/search.ts";
import { addOptions, addSearchOptions, type Parsed, parseShape, presetText, searchConfig } from "./flags.ts";
import { measure, medianSpan, noiseBatch, type Span } from "../doctor/measure.ts";
import {
  type Ceilings,
  gflops,
  gigabytes,
  measureCeilings,
  measurePrograms,
  type ProgramTimes,
  type Rate,
  rateOf,
} from "../doctor/speed.ts";
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
        "them). Takes the options of 'search' but --data.",
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

/** All that was measured. */
interface Measured extends ProgramTimes {
  readonly gpu: Gpu;
  readonly plan: SearchPlan;
  readonly compileSeconds: number;
  readonly firstSeconds: number;
  /** What the adapter can do. */
  readonly ceilings: Ceilings;
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

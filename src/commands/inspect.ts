/**
 * `idarts inspect`: what a search would run and cost, before anything is allocated.
 * @module
 */
import { type Command, InvalidArgumentError, Option as Flag } from "commander";
import { FailureError, UsageError } from "../base/errors.ts";
import { MNIST_FOLDER } from "../data/dataset.ts";
import { openGpu, PORTABLE_LIMITS } from "../gpu/device.ts";
import { type Dialect, dialectOf, PLAIN_DIALECT } from "../gpu/shader_text.ts";
import type { Plan, PlanTarget } from "../graph/plan.ts";
import { tuned } from "../graph/tuning.ts";
import { SEARCH_PRESETS, type SearchConfig } from "../search/config.ts";
import { hostBytes, largestBatch, type MemoryBudget, memoryBudget, neededBytes } from "../run/memory.ts";
import { type FieldCosts, fieldCosts, PAPER_GPU_DAYS } from "../search/field_cost.ts";
import { planSearch, PROGRAM_NAMES, type ProgramName, type SearchPlan } from "../search/programs.ts";
import { supernetConfig } from "../search/search.ts";
import { alphaCount, edgesOf, primitivesOf, skeletonOf, type Space } from "../space/space.ts";
import { reductionCells } from "../space/reductions.ts";
import { weightCount } from "../space/supernet.ts";
import { addOptions, addSearchOptions, chooseMessage, type Parsed, presetText, searchConfig } from "./flags.ts";
import { fieldCostLines, fieldCostRecord } from "./field_cost_text.ts";
import { type ImageShape, SHAPE_OPTIONS, shapeOf } from "./image_shape.ts";
import { planLines, planRecord } from "./plan_text.ts";
import { shaderLines } from "./shader_lines.ts";
import { commandLine, count, magnitude, mebibytes, pairs, table, Terminal } from "./terminal.ts";
import { errorText, FLAG_WORDING } from "./wording.ts";

/** Largest batch size that is tried. */
const MAX_BATCH = 4096;

/** Declares the verb. */
export function inspectCommand(program: Command): Command {
  const command = program.command("inspect")
    .summary("space, plan, memory and cost of a search before running it")
    .description(
      "Plans a search without running it: the space, the programs with their dispatches, multiply-accumulates and " +
        "traffic, GPU memory by purpose, the largest batch that fits, and what it would cost in core-hours and GPU-days. Takes the options of 'search'. Needs no data " +
        "with --shape and --classes, and no GPU (without one it plans for the limits that every adapter has).",
    );
  addOptions(command, SHAPE_OPTIONS);
  command.addOption(
    new Flag(
      "--plan [program]",
      `print a program node by node (${PROGRAM_NAMES.join(", ")}; default: ${PROGRAM_NAMES[0]})`,
    )
      .helpGroup("Inspect:")
      .argParser((text: string) => {
        if ((PROGRAM_NAMES as readonly string[]).includes(text)) return text;
        throw new InvalidArgumentError(chooseMessage("--plan", text, PROGRAM_NAMES));
      }),
  );
  command.addOption(
    new Flag("--shader <name>", "print instead the expanded WGSL of a kernel, as this search runs it").helpGroup(
      "Inspect:",
    ),
  );
  command.addOption(new Flag("--json", "everything as one JSON line").helpGroup("Inspect:"));
  addSearchOptions(command);
  command.addHelpText(
    "after",
    `
${presetText(SEARCH_PRESETS)}

Examples:
  ${commandLine(["inspect", "--preset", "demo"], { read: [MNIST_FOLDER], write: [] })}
  ${commandLine(["inspect", "--shape", "3x32x32", "--classes", "10", "--plan"], { read: [], write: [] })}
  ${commandLine(["inspect", "--shape", "3x32x32", "--classes", "10", "--shader", "mixed_sum"], { read: [], write: [] })}

The largest batch that fits is told for --memory-limit (MiB), or for the free memory where the adapter is software and
Deno may ask for it (--allow-sys=systemMemoryInfo); otherwise for the adapter's limits alone.
Exit codes: 0 done, 1 it could not be done, 2 wrong use.`,
  );
  return command;
}

/** Where plans are made for. */
interface Target {
  readonly adapter: string | null;
  readonly software: boolean;
  readonly limits: PlanTarget;
  readonly dialect: Dialect;
}

/**
 * The plan of a search, for the largest batch that the adapter's limits allow where they do not allow the one wanted.
 * @throws {FailureError} where they allow none.
 */
function planFitting(
  config: SearchConfig,
  shape: ImageShape,
  limits: PlanTarget,
  terminal: Terminal,
): { readonly plan: SearchPlan; readonly config: SearchConfig } {
  const planned = (batchSize: number): SearchPlan => {
    const sized = { ...config, batchSize };
    return planSearch(supernetConfig(sized, shape), sized, limits);
  };
  try {
    return { plan: planned(config.batchSize), config };
  } catch (error) {
    if (!(error instanceof FailureError)) throw error;
    const batchSize = largestBatch(config.batchSize, Infinity, (batch) => planned(batch).bytes);
    if (batchSize === 0) throw error;
    const why = error.sentence.word(FLAG_WORDING);
    terminal.warn(`${why}; what follows is for --batch-size ${batchSize}, the largest that fits`);
    return { plan: planned(batchSize), config: { ...config, batchSize } };
  }
}

/** Runs the verb. @returns the exit code */
export async function runInspect(parsed: Parsed): Promise<number> {
  const terminal = new Terminal(parsed.json === true), wanted = searchConfig(parsed);
  const shape = await shapeOf(wanted, parsed, terminal);
  const target = await findTarget(terminal, wanted.tuning);
  const { plan, config } = planFitting(wanted, shape, target.limits, terminal), net = supernetConfig(config, shape);
  if (typeof parsed.shader === "string") {
    const lines = shaderLines(parsed.shader, plan.plans, target.limits, target.dialect);
    terminal.event({ event: "shader", name: parsed.shader, lines });
    lines.forEach((line) => terminal.line(line));
    return 0;
  }
  const budget = memoryBudget(target, config.memoryLimit);
  terminal.progress(() => "looking for the largest batch that fits ...");
  const largest = largestBatch(
    MAX_BATCH + 1,
    budget?.bytes ?? Infinity,
    (batch) => neededBytes(planSearch({ ...net, batch }, config, target.limits), budget),
  );
  terminal.close();
  const shown = parsed.plan === undefined ? undefined : findPlan(plan, parsed.plan);
  const costs = fieldCosts(net, config, shape.count);
  const inspected = { config, shape, target, plan, space: net.space, budget, largest, costs, shown };
  terminal.event(inspectRecord(inspected));
  inspectLines(inspected).forEach((line) => terminal.line(line));
  return 0;
}

/** What was found out. */
interface Inspected {
  readonly config: SearchConfig;
  readonly shape: ImageShape;
  readonly target: Target;
  readonly plan: SearchPlan;
  readonly space: Space;
  readonly budget: MemoryBudget | undefined;
  /** The largest batch that fits. */
  readonly largest: number;
  /** What the search takes elsewhere. */
  readonly costs: FieldCosts;
  /** The program that is printed node by node. */
  readonly shown: Plan | undefined;
}

/** Softmax weights of edges. */
const betaCount = ({ config, space }: Inspected): number =>
  config.edgeWeights ? skeletonOf(space).kinds.length * edgesOf(space).length : 0;

function inspectRecord(inspected: Inspected): Readonly<Record<string, unknown>> {
  const { config, target, plan, space, budget, largest, costs, shown } = inspected;
  return {
    event: "inspect",
    adapter: target.adapter,
    limits: target.limits,
    space: { name: space.name, nodes: space.nodes, primitives: space.primitives },
    parameters: weightCount(plan.variables),
    alphas: alphaCount(space),
    betas: betaCount(inspected),
    batchSize: config.batchSize,
    gpuBytes: plan.bytes,
    ...(target.software ? { processBytes: plan.bytes + hostBytes(plan) } : {}),
    memory: Object.fromEntries(memory(plan)),
    programs: plan.plans.map((each) => ({ ...programRecord(each), shared: plan.shared[each.name as ProgramName] })),
    budget: budget ?? null,
    largestBatch: largest,
    fits: budget === undefined || neededBytes(plan, budget) <= budget.bytes,
    cost: { ...fieldCostRecord(costs), paperGpuDays: PAPER_GPU_DAYS },
    ...(shown ? { plan: planRecord(shown) } : {}),
  };
}

function inspectLines(inspected: Inspected): string[] {
  const { config, shape, target, plan, space, budget, largest, costs, shown } = inspected, betas = betaCount(inspected);
  return [
    "Space",
    ...spaceLines(space, config),
    "",
    `Supernet for images of ${shape.channels}x${shape.height}x${shape.width} and ${shape.classes} classes`,
    ...pairs([
      [
        "cells",
        `${config.cells}, reductions at ${reductionCells(config.cells, space.reduceAt).join(" and ")} (from 0)`,
      ],
      ["weights", `${count(weightCount(plan.variables))}`],
      ["alphas", count(alphaCount(space))],
      ...(betas > 0 ? [["betas", count(betas)] as const] : []),
      ...(config.partialChannels > 1 ? [["channels mixed", `1 of ${config.partialChannels}`] as const] : []),
      ["node norm", config.nodeNorm],
      ["adapter", target.adapter ?? "none found: planned for the limits that every adapter has"],
    ]),
    "",
    `Programs (one search step is ${[...plan.alphaStep.map(([name]) => name), "weight_step"].join(", ")})`,
    ...table(
      ["program", "nodes", "shared away", "dispatches", "MACs", "traffic"],
      plan.plans.map((each) => {
        const { name, nodes, dispatches, macs, traffic } = programRecord(each);
        const shared = plan.shared[name as ProgramName]!;
        return [name, count(nodes), count(shared), count(dispatches), magnitude(macs), mebibytes(traffic)];
      }),
    ),
    "",
    "GPU memory",
    ...table(["purpose", "size"], [
      ...memory(plan).map(([name, bytes]) => [name, mebibytes(bytes)]),
      ["in all", mebibytes(plan.bytes)],
      ...(target.software ? [["with the process", `about ${mebibytes(plan.bytes + hostBytes(plan))}`]] : []),
    ]),
    "",
    budgetLine(config, plan, budget, largest),
    "",
    ...fieldCostLines(costs, config),
    ...(shown ? ["", ...planLines(shown)] : []),
  ];
}

/** The program that `--plan` asks for: its name, or true for the first one. */
function findPlan({ plans }: SearchPlan, asked: unknown): Plan {
  const found = asked === true ? plans[0] : plans.find(({ name }) => name === asked);
  if (found) return found;
  throw new UsageError(
    `Cannot print program '${asked}' as this search has ${plans.map((p) => p.name).join(", ")}: name one of them, or ` +
      `change --order`,
  );
}

async function findTarget(terminal: Terminal, tuning: SearchConfig["tuning"]): Promise<Target> {
  try {
    const gpu = tuned(await openGpu(), tuning, (message) => terminal.warn(message));
    gpu.device.destroy();
    return { adapter: gpu.name, software: gpu.software, limits: gpu.limits, dialect: dialectOf(gpu) };
  } catch (error) {
    if (!(error instanceof FailureError)) throw error;
    terminal.warn(errorText(error));
    return { adapter: null, software: false, limits: PORTABLE_LIMITS, dialect: PLAIN_DIALECT };
  }
}

/** GPU bytes by purpose; they add up to the plan's. */
function memory(plan: SearchPlan): [string, number][] {
  const { arenas, pool, bytes } = plan,
    size = (...names: (keyof typeof arenas)[]): number => names.reduce((sum, name) => sum + arenas[name].bytes, 0);
  const rows: [string, number][] = [
    ["activations and gradients", pool.bytes],
    ["weights, gradients, momentum", size("weights", "gradients", "momentum")],
    ["batch norm statistics", size("statistics", "running", "factors")],
    ["alphas and Adam", size("alphas", "alphaGradients", "alphaM", "alphaV")],
    ["similarities of nodes", size("grams", "norms")],
    ...(plan.ahead.length > 0
      ? [["weights one step ahead", plan.ahead.reduce((sum, { bytes }) => sum + bytes, 0)] as [string, number]]
      : []),
  ];
  return [...rows, ["batches, metrics, parameters", bytes - rows.reduce((sum, [, n]) => sum + n, 0)]];
}

function programRecord({ name, nodes, dispatches, macs, traffic }: Plan) {
  return { name, nodes: nodes.length, dispatches, macs, traffic };
}

function spaceLines(space: Space, config: SearchConfig): string[] {
  const edges = edgesOf(space);
  const perEdge = skeletonOf(space).kinds.flatMap((kind) =>
    edges.map(({ index }) => primitivesOf(space, kind, index).length)
  );
  return pairs([
    ["name", `${space.name}: ${space.summary}`],
    ["cell", `${space.nodes} nodes, ${edges.length} edges of up to ${Math.max(...perEdge)} operations`],
    ["operations", space.primitives.join(", ")],
    [
      "decided by",
      `${config.discretizer}, ${
        skeletonOf(space).everyEdge ? "" : `keep ${config.keep}, `
      }scope ${config.scope}, shrinkage ${config.shrinkage}`,
    ],
  ]);
}

function budgetLine(
  config: SearchConfig,
  plan: SearchPlan,
  budget: MemoryBudget | undefined,
  largest: number,
): string {
  const most = largest >= MAX_BATCH ? `${MAX_BATCH} or more` : largest === 0 ? "none" : count(largest);
  if (!budget) return `The largest batch that the limits of the adapter allow: ${most} (its memory is not known)`;
  const fits = neededBytes(plan, budget) <= budget.bytes ? "fits" : "does not fit";
  return `Batch ${config.batchSize} ${fits} in ${mebibytes(budget.bytes)} (${
    budget.source.word(FLAG_WORDING)
  }); the largest that does: ${most}`;
}

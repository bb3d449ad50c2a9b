/**
 * What a device reaches at shapes that people use: a step of a search and of a training, operation by operation, and
 * every variant of the kernels that have several. Not responsible for whether they compute right.
 * @module
 */
import type { Gpu } from "../gpu/device.ts";
import { type Plan, type PlannedNode, variantsOf } from "../graph/plan.ts";
import { typeText } from "../graph/tensor_type.ts";
import { tune } from "../graph/tuning.ts";
import { resolveSearchConfig } from "../search/config.ts";
import { SearchEngine } from "../search/engine.ts";
import { planSearch } from "../search/programs.ts";
import { DARTS_V2 } from "../space/published.ts";
import { DARTS } from "../space/space.ts";
import type { SupernetConfig } from "../space/supernet.ts";
import { resolveTrainConfig } from "../train/config.ts";
import { TrainEngine } from "../train/engine.ts";
import { planTraining } from "../train/programs.ts";
import { measure, medianSpan, noiseBatch, type Span } from "./measure.ts";
import { costliest, settingsOf, shapesOf } from "./shapes.ts";
import { measurePrograms, type Rate, rateOf } from "./speed.ts";

/** A step of a program. */
export interface StepTiming {
  /** What it is a step of. */
  readonly name: string;
  /** Seconds of compilation, and of the first step, in which drivers finish compiling. */
  readonly compileSeconds: number;
  readonly firstSeconds: number;
  /** GPU bytes of the plan. */
  readonly gpuBytes: number;
  /** A whole step. */
  readonly step: Rate;
  /** CPU milliseconds of all threads in a step. */
  readonly cpuMilliseconds: number;
  /** Time and cost of every operation; null where the adapter cannot time them. */
  readonly operations: readonly (readonly [string, Rate])[] | null;
}

/** The variants of a kernel at one shape. */
export interface VariantTiming {
  readonly op: string;
  /** Types of its inputs, and the attributes that change what it does. */
  readonly shape: string;
  /** Multiply-accumulates of a run, and bytes that it binds. */
  readonly macs: number;
  readonly bytes: number;
  /** Nanoseconds by variant, the one that this kind of adapter gets first. */
  readonly nanoseconds: Readonly<Record<string, number>>;
  /** The fastest one. */
  readonly fastest: string;
}

/** Sizes that suit a CPU, and a GPU. */
const CPU_SIZE = { channels: 8, cells: 5, batch: 16, side: 28 },
  GPU_SIZE = { channels: 16, cells: 8, batch: 64, side: 32 };
const sizeOf = ({ software }: Gpu) => software ? CPU_SIZE : GPU_SIZE;
const STEPS = 5;

/** The supernet that is timed. */
function supernet(gpu: Gpu): SupernetConfig {
  const { channels, cells, batch, side } = sizeOf(gpu);
  return {
    ...{ space: DARTS, channels, cells, batch, height: side, width: side, inputChannels: 3, classes: 10 },
    ...{ nodeNorm: "rms", precision: "bf16" },
  };
}

const searchPlan = (gpu: Gpu) => planSearch(supernet(gpu), resolveSearchConfig(), gpu.limits);

function trainPlan(gpu: Gpu) {
  const { channels, cells, batch, side } = sizeOf(gpu),
    common = { inputChannels: 3, classes: 10, height: side, width: side };
  const network = { ...common, genotype: DARTS_V2, form: "cifar" as const, channels, cells };
  return planTraining(network, batch, resolveTrainConfig(), gpu.limits);
}

interface Stepping {
  readonly name: string;
  readonly engine: SearchEngine | TrainEngine;
  readonly programs: readonly Plan[];
  readonly inputs: Parameters<typeof measurePrograms>[2];
  run(): Promise<void>;
}

async function timeStep(gpuBytes: number, { name, engine, programs, inputs, run }: Stepping): Promise<StepTiming> {
  const { runtime } = engine, began = performance.now(), spans: Span[] = [];
  await run();
  await runtime.idle();
  const { compileSeconds } = runtime, firstSeconds = (performance.now() - began) / 1000 - compileSeconds;
  while (spans.length < STEPS) spans.push(await measure(run, () => runtime.idle()));
  const { milliseconds, cpuMilliseconds } = medianSpan(spans);
  const { operations = null } = await measurePrograms(runtime, programs, inputs, 0);
  const step = rateOf(programs, milliseconds);
  return { name, compileSeconds, firstSeconds, gpuBytes, step, cpuMilliseconds, operations };
}

/** Times a step of a search: alpha and weights. */
export async function timeSearch(gpu: Gpu): Promise<StepTiming> {
  const config = supernet(gpu), plan = searchPlan(gpu), engine = await SearchEngine.create(gpu, plan);
  const names = [...plan.alphaStep.map(([name]) => name), "weight_step"];
  const programs = plan.plans.filter(({ name }) => names.includes(name)), inputs = noiseBatch(config);
  const rates = { weightLr: 0.025, alphaLr: 3e-4, alphaStep: 1, alphaBeta1: 0.5, alphaBeta2: 0.999 };
  try {
    engine.initialise(0, 1e-3);
    const { channels, cells, batch, height } = config;
    const name = `search: darts, ${cells} cells, ${channels} channels, batch ${batch}, ${height}x${height}x3`;
    return await timeStep(plan.bytes, {
      name,
      engine,
      programs,
      inputs,
      run: () => engine.step(inputs, inputs, rates),
    });
  } finally {
    engine.destroy();
  }
}

/** Times a step of a training, auxiliary classifier and drop path included. */
export async function timeTraining(gpu: Gpu): Promise<StepTiming> {
  const plan = trainPlan(gpu), engine = await TrainEngine.create(gpu, plan), { network, batch } = plan;
  const programs = plan.plans.filter(({ name }) => name === "train_step"),
    batchInputs = noiseBatch({ ...network, batch });
  const inputs = { ...batchInputs, drop_mask: engine.dropMask, auxiliary_weight: Float32Array.of(0.4, 0, 0, 0) };
  try {
    engine.initialise(0);
    const { channels, cells, height } = network;
    const name = `training: DARTS_V2, ${cells} cells, ${channels} channels, batch ${batch}, ${height}x${height}x3`;
    return await timeStep(plan.bytes, { name, engine, programs, inputs, run: () => engine.step(batchInputs, 0.025) });
  } finally {
    engine.destroy();
  }
}

const shapeText = ({ node: { inputs, attrs } }: PlannedNode): string =>
  [inputs.map((t) => typeText(t.type)).join(" "), settingsOf(attrs)].filter((text) => text !== "").join("; ");

/**
 * Times every variant of the kernels of a search and of a training that have several, each at the shape that costs most.
 * @param until when to stop, by `performance.now()`
 * @returns what was measured, and how many kernels were left out for want of time
 */
export async function timeVariants(
  gpu: Gpu,
  until: number,
  onKernel?: (done: number, all: number) => void,
): Promise<{ variants: VariantTiming[]; leftOut: number }> {
  const plans = [...searchPlan(gpu).plans, ...trainPlan(gpu).plans].filter(({ name }) => /_step$/.test(name));
  const shapes = shapesOf(
    plans.flatMap((plan) => plan.nodes),
    (node) => `${node.node.op.name} ${shapeText(node)}`,
    gpu.software,
  );
  const several = ({ node }: PlannedNode): boolean => {
    const inputs = node.inputs.map((t) => t.type), outputs = node.outputs.map((t) => t.type);
    return variantsOf(node.op, { inputs, outputs, attrs: node.attrs, limits: gpu.limits }).length > 1;
  };
  const nodes = costliest(shapes).map(({ node }) => node).filter(several), variants: VariantTiming[] = [];
  for (const [done, node] of nodes.entries()) {
    if (performance.now() > until) return { variants, leftOut: nodes.length - done };
    onKernel?.(done + 1, nodes.length);
    await tune(gpu, [{ ...plans[0], nodes: [node] }], undefined, ({ nanoseconds, chosen }) => {
      const { macs, traffic: bytes } = node, shape = shapeText(node), op = node.node.op.name;
      variants.push({ op, shape, macs, bytes, nanoseconds: Object.fromEntries(nanoseconds), fastest: chosen });
    });
  }
  return { variants, leftOut: 0 };
}

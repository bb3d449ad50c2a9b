/**
 * Checks operations on the real device: forward against the f64 reference, gradients against central differences
 * of the reference, every buffer guarded by sentinels and poisoned with NaN, padding checked to be zero.
 * The tests run it over the registry, `doctor` over a few cases.
 * @module
 */
import { Random } from "../base/random.ts";
import type { Gpu } from "../gpu/device.ts";
import { gradients } from "../graph/autodiff.ts";
import { Graph, type Tensor } from "../graph/graph.ts";
import type { OpCase, OpSpec } from "../graph/op.ts";
import { validate } from "../graph/passes.ts";
import { type ChooseVariant, planProgram, Pool } from "../graph/plan.ts";
import type { HostInputs } from "../graph/buffers.ts";
import { Runtime } from "../graph/runtime.ts";
import type { TunedGpu } from "../graph/tuning.ts";
import {
  elementCount,
  pack,
  type Precision,
  storedAs,
  storedElements,
  type TensorType,
  unpack,
} from "../graph/tensor_type.ts";
import { addN, sum } from "./add_n.ts";

/** What a check found. */
export interface CheckResult {
  /** Largest error of an output, relative to the largest magnitude of that output. */
  readonly forward: number;
  /** Largest error of a gradient, relative to the largest magnitude of that gradient; null: nothing to compare. */
  readonly gradient: number | null;
  /** Human-readable failures; empty when all is well. */
  readonly failures: readonly string[];
}

function makeInputs(name: string, testCase: OpCase): Float64Array[] {
  const made: Float64Array[] = [],
    stored = (type: TensorType, values: Float64Array) => unpack(type, pack(type, values));
  testCase.inputs.forEach((type, index) => {
    const derived = testCase.derive?.(index, made);
    if (derived) return made.push(stored(type, derived));
    const random = new Random(7, `${name}/${testCase.name}`, index);
    const fill = testCase.fill ??
      ((_i: number, _e: number, normal: number) => normal);
    const values = new Float64Array(elementCount(type)).map((_, e) =>
      fill(index, e, random.normal(), random.uniform())
    );
    return made.push(stored(type, values));
  });
  return made;
}

function relativeError(actual: Float64Array, expected: Float64Array): number {
  let worst = 0, scale = 1e-30;
  expected.forEach((e, i) => {
    scale = Math.max(scale, Math.abs(e));
    const error = Math.abs(actual[i] - e);
    worst = Math.max(worst, Number.isNaN(error) ? Infinity : error);
  });
  return worst === 0 ? 0 : worst / scale;
}

function paddingIsZero(type: TensorType, storage: Float32Array<ArrayBuffer>): boolean {
  const actual = storedElements(type, storage), again = storedElements(type, pack(type, unpack(type, storage)));
  return again.every((v, i) => Object.is(v, actual[i]) || v === actual[i]);
}

interface Run {
  readonly outputs: Map<string, Float32Array<ArrayBuffer>>;
  readonly guardsIntact: boolean;
}

async function execute(
  gpu: TunedGpu,
  graph: Graph,
  results: Record<string, Tensor>,
  inputs: HostInputs,
): Promise<Run> {
  validate(graph);
  const pool = new Pool(false),
    plan = planProgram("check", graph, results, gpu.limits, pool);
  const runtime = await Runtime.create(gpu, [plan], pool, { guard: true });
  try {
    runtime.run("check", inputs);
    const outputs = new Map<string, Float32Array<ArrayBuffer>>();
    for (const key of Object.keys(results)) {
      outputs.set(key, await runtime.readResult("check", key));
    }
    return { outputs, guardsIntact: await runtime.guardsIntact() };
  } finally {
    runtime.destroy();
  }
}

/** Least tolerances (forward, gradient) where images are stored as bf16, which has 8 significant bits. */
const BF16_TOLERANCES = [6e-3, 2e-2];

/** A case on a device: what is given to it and what should come of it. */
interface Trial {
  readonly gpu: TunedGpu;
  /** What the reference says of it. */
  readonly known: Known;
  readonly op: OpSpec;
  readonly testCase: OpCase;
  readonly precision: Precision;
  /** Inputs as the host writes them. */
  readonly host: Record<string, Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer>>;
  /** Human-readable failures so far. */
  readonly failures: string[];
}

/** Compares what lies in `storage` with `expected`; says `what` is wrong. @returns the relative error */
function compare(
  { failures }: Trial,
  what: string,
  type: TensorType,
  storage: Float32Array<ArrayBuffer>,
  expected: Float64Array,
  tolerance: number,
): number {
  const error = relativeError(unpack(type, storage), expected);
  if (!(error <= tolerance)) failures.push(`${what} is off by ${error.toExponential(2)}`);
  if (!paddingIsZero(type, storage)) failures.push(`${what} has padding that is not zero`);
  return error;
}

async function checkForward(trial: Trial, least: number): Promise<number> {
  const { gpu, op, testCase, precision, host, failures, known: { expected } } = trial,
    { graph, outputs } = caseGraph(op, testCase, precision);
  const results = Object.fromEntries(outputs.map((t, i) => [`y${i}`, t])), tolerance = testCase.tolerance ?? 1e-5;
  const most = Math.max(least * (testCase.roundings ?? 1), tolerance);
  const forward = await execute(gpu, graph, results, host);
  if (!forward.guardsIntact) failures.push("forward wrote outside of its buffers");
  const errors = outputs.map(({ type }, i) =>
    compare(trial, `output ${i}`, type, forward.outputs.get(`y${i}`)!, expected[i], most)
  );
  return Math.max(0, ...errors);
}

async function checkGradients(trial: Trial, least: number): Promise<number> {
  const { gpu, op, testCase, precision, host, failures, known } = trial;
  const { outputs } = caseGraph(op, testCase, precision), through = throughOf(testCase, outputs);
  through.forEach((o) => host[`g${o}`] = pack(outputs[o].type, known.cotangent(o)));
  const tolerance = Math.max(least, testCase.gradTolerance ?? 1e-4);
  let worst = 0;
  for (const { graph, results } of gradientGraphs(op, testCase, precision)) {
    const backward = await execute(gpu, graph, results, host);
    if (!backward.guardsIntact) failures.push("backward wrote outside of its buffers");
    for (const key of Object.keys(results)) {
      const index = Number(key.slice(1)), type = testCase.inputs[index], storage = backward.outputs.get(key)!;
      const error = compare(
        trial,
        `gradient of input ${index}`,
        type,
        storage,
        known.gradient(index, through),
        tolerance,
      );
      worst = Math.max(worst, error);
    }
  }
  return worst;
}

/** What the reference says of a case, computed once for all devices and kernels that it is checked on. */
class Known {
  /** Logical elements of the inputs. */
  readonly values: readonly Float64Array[];
  /** Those of the outputs. */
  readonly expected: readonly Float64Array[];
  readonly #gradients = new Map<number, Float64Array>();

  constructor(readonly op: OpSpec, readonly testCase: OpCase) {
    this.values = makeInputs(op.name, testCase);
    this.expected = this.#reference(this.values);
  }

  #reference(inputs: readonly Float64Array[]): Float64Array[] {
    return this.op.reference!(inputs, this.testCase.inputs, this.testCase.attrs);
  }

  /** The gradient that output `index` gets. */
  cotangent(index: number): Float64Array {
    const random = new Random(8, `${this.op.name}/${this.testCase.name}`, index);
    return this.expected[index].map(() => Math.fround(random.normal()));
  }

  /** The gradient of input `index`, given those of the outputs `through`. */
  gradient(index: number, through: readonly number[]): Float64Array {
    const found = this.#gradients.get(index);
    if (found) return found;
    const cotangents = new Map(through.map((o) => [o, this.cotangent(o)]));
    const numeric = finiteDifferences(this.values, index, (inputs) => {
      const y = this.#reference(inputs);
      return through.reduce((s, o) => s + y[o].reduce((a, v, e) => a + v * cotangents.get(o)![e], 0), 0);
    });
    this.#gradients.set(index, numeric);
    return numeric;
  }
}

/** A case of an operation, with images stored as `precision`, to be checked on devices and with kernels of any kind. */
export class CaseCheck {
  readonly #known: Known;

  /** Computes what should come out. */
  constructor(readonly op: OpSpec, f32Case: OpCase, readonly precision: Precision = "f32") {
    this.#known = new Known(op, { ...f32Case, inputs: f32Case.inputs.map((type) => storedAs(type, precision)) });
  }

  /** Runs it on a device. */
  async on(gpu: TunedGpu): Promise<CheckResult> {
    const { op, precision } = this, known = this.#known, { testCase, values } = known, failures: string[] = [];
    const [least, gradLeast] = precision === "bf16" ? BF16_TOLERANCES : [0, 0];
    const host = Object.fromEntries(testCase.inputs.map((type, i) => [`x${i}`, pack(type, values[i])]));
    const trial: Trial = { gpu, op, testCase, precision, known, host, failures };
    const forward = await checkForward(trial, least);
    const gradient = op.gradient ? await checkGradients(trial, gradLeast) : null;
    return { forward, gradient, failures };
  }
}

/** Variants of kernels that were offered and tried, on whatever device. */
export class TriedVariants {
  readonly #offered = new Set<string>();
  readonly #tried = new Set<string>();

  /** Takes what was not tried yet; `taken` is told of it, by operation. */
  choosing(taken: Map<string, string>): ChooseVariant {
    return (key, names) => {
      names.forEach((name) => this.#offered.add(`${key}: ${name}`));
      const chosen = names.find((name) => !this.#tried.has(`${key}: ${name}`)) ?? names[0];
      this.#tried.add(`${key}: ${chosen}`);
      taken.set(key.slice(0, key.indexOf(" ")), chosen);
      return chosen;
    };
  }

  /** How many were tried. */
  get size(): number {
    return this.#tried.size;
  }

  /** Whether there are others; some may be for another device. */
  get left(): boolean {
    return this.#tried.size < this.#offered.size;
  }
}

/** What came of a case with some variants. */
export interface VariantCheck {
  readonly result: CheckResult;
  /** The variants, by operation. */
  readonly taken: ReadonlyMap<string, string>;
}

/** Runs a case on a device with variants that were not tried before, until nothing new comes; once at least. */
export async function* checkVariants(check: CaseCheck, gpu: Gpu, tried: TriedVariants): AsyncGenerator<VariantCheck> {
  let before: number;
  do {
    before = tried.size;
    const taken = new Map<string, string>();
    const result = await check.on({ ...gpu, limits: { ...gpu.limits, choose: tried.choosing(taken) } });
    yield { result, taken };
  } while (tried.size > before && tried.left);
}

/** Runs one case of one operation, with images stored as `precision`. */
export async function checkCase(
  gpu: TunedGpu,
  op: OpSpec,
  f32Case: OpCase,
  precision: Precision = "f32",
): Promise<CheckResult> {
  return await new CaseCheck(op, f32Case, precision).on(gpu);
}

/** An operation on host inputs `x0`, `x1`, ... */
function caseGraph(op: OpSpec, { name, inputs, attrs }: OpCase, precision: Precision) {
  const graph = new Graph(precision), inPlace = op.inPlace?.(inputs, attrs) ?? {};
  const leaves = inputs.map((type, i) => {
    const leaf = graph.input(`x${i}`, type);
    // An operation that overwrites its input gets a copy, since host inputs stay as they are.
    return Object.values(inPlace).includes(i) ? graph.apply1(addN, [leaf], null) : leaf;
  });
  return { graph, leaves, outputs: graph.apply(op, leaves, attrs, name) };
}

/** All graphs that a case is checked by, the forward one first. */
export function caseGraphs(op: OpSpec, f32Case: OpCase, precision: Precision): Graph[] {
  const testCase = { ...f32Case, inputs: f32Case.inputs.map((type) => storedAs(type, precision)) };
  const { graph } = caseGraph(op, testCase, precision);
  return [graph, ...(op.gradient ? gradientGraphs(op, testCase, precision).map(({ graph }) => graph) : [])];
}

/** Outputs that get a cotangent. */
function throughOf({ through }: OpCase, outputs: readonly Tensor[]): readonly number[] {
  return through ?? outputs.flatMap((t, i) => t.type.dtype !== "i32" ? [i] : []);
}

/** A graph whose results `d0`, `d1`, ... are gradients for inputs. */
export interface GradientGraph {
  readonly graph: Graph;
  readonly results: Readonly<Record<string, Tensor>>;
}

/**
 * The gradients of a case, given those of the outputs as host inputs `g0`, `g1`, ...: all in one graph, and those of
 * single inputs where they take other operations when nobody asks for the rest.
 */
export function gradientGraphs(op: OpSpec, testCase: OpCase, precision: Precision = "f32"): GradientGraph[] {
  const all = testCase.wrt ?? testCase.inputs.flatMap((t, i) => t.dtype !== "i32" ? [i] : []);
  const known = new Set<string>();
  return [all, ...all.map((index) => [index])].flatMap((wrt) => {
    const { graph, leaves, outputs } = caseGraph(op, testCase, precision);
    const through = throughOf(testCase, outputs), ends = through.map((o) => outputs[o]);
    const seeds = through.map((o) => graph.input(`g${o}`, outputs[o].type));
    const grads = gradients(graph, ends, seeds, wrt.map((i) => leaves[i]), (ts, label) => sum(graph, ts, label));
    const results: Record<string, Tensor> = {};
    grads.forEach((g, i) => {
      if (!g) throw new Error(`Input ${wrt[i]} of case '${testCase.name}' of ${op.name} has no gradient`);
      results[`d${wrt[i]}`] = g;
    });
    if (wrt !== all && graph.nodes.every((node) => known.has(node.op.name))) return [];
    graph.nodes.forEach((node) => known.add(node.op.name));
    return [{ graph, results }];
  });
}

function finiteDifferences(
  inputs: readonly Float64Array[],
  index: number,
  loss: (inputs: readonly Float64Array[]) => number,
): Float64Array {
  const work = inputs.map((x) => x.slice()), x = work[index], h = 1e-5;
  return x.slice().map((value, e) => {
    x[e] = value + h;
    const above = loss(work);
    x[e] = value - h;
    const below = loss(work);
    x[e] = value;
    return (above - below) / (2 * h);
  });
}

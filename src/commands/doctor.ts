/**
 * `idarts doctor`: whether this machine can search. The adapter and its limits, permissions, a self-test of the
 * shaders against f64 references, and one search step of a small supernet, done twice to the same bits.
 * @module
 */
import { type Command, Option as Flag } from "commander";
import { FailureError } from "../base/errors.ts";
import { Random } from "../base/random.ts";
import { softwareReason } from "../gpu/adapter.ts";
import { type Gpu, LIMIT_NAMES, openGpu, PORTABLE_LIMITS } from "../gpu/device.ts";
import type { OpCase, OpSpec } from "../graph/op.ts";
import { elementCount } from "../graph/tensor_type.ts";
import { checkCase } from "../ops/check.ts";
import { OPERATIONS } from "../ops/registry.ts";
import { resolveSearchConfig } from "../search/config.ts";
import { type HostBatch, SearchEngine } from "../search/engine.ts";
import { planSearch, type SearchPlan } from "../search/programs.ts";
import { S3 } from "../space/space.ts";
import { type SupernetConfig, weightCount } from "../space/supernet.ts";
import type { Parsed } from "./flags.ts";
import { VERSION } from "../base/version.ts";
import { commandLine, count, duration, mebibytes, pairs, table, Terminal } from "./terminal.ts";

/** Cases of each operation that are run: the smallest ones. */
const CASES = 2;

/** Declares the verb. */
export function doctorCommand(program: Command): Command {
  return program.command("doctor")
    .summary("whether this machine can search: adapter, limits, self-test")
    .description(
      "Tells which WebGPU adapter is used and what it offers, checks the shaders against references in double " +
        "precision, and runs a search step of a small supernet twice. Needs no permissions.",
    )
    .addOption(new Flag("--json", "everything as one JSON line"))
    .addHelpText(
      "after",
      `
Example:
  ${commandLine(["doctor"], { read: [], write: [] })}

Exit codes: 0 all is well, 1 something is not (said in one sentence), 2 wrong use.`,
    );
}

interface OpResult {
  readonly op: string;
  readonly cases: number;
  readonly error: number;
  readonly milliseconds: number;
  readonly failures: readonly string[];
}

/** Runs the verb. @returns the exit code */
export async function runDoctor(parsed: Parsed): Promise<number> {
  const terminal = new Terminal(parsed.json === true);
  try {
    const gpu = await openGpu(), info = await adapterInfo();
    const permissions = permissionHints(gpu);
    [
      `idarts ${VERSION}, Deno ${Deno.version.deno}, ${Deno.build.os} ${Deno.build.arch}`,
      ...pairs([
        ["adapter", gpu.name],
        ...Object.entries(info),
        ["features", gpu.features.join(", ") || "none of those that help"],
        ["kernels", kernelText(gpu)],
      ]),
      "",
      "Limits",
      ...table(
        ["limit", "offered", "needed at least"],
        LIMIT_NAMES.map((name) => [name, count(gpu.limits[name]), count(PORTABLE_LIMITS[name])]),
      ),
      "",
      "Permissions",
      ...pairs(permissions),
      "",
    ].forEach((line) => terminal.line(line));
    const ops = await checkOperations(gpu, terminal), step = await checkStep(gpu, terminal);
    terminal.event({
      event: "doctor",
      version: VERSION,
      deno: Deno.version.deno,
      adapter: { name: gpu.name, ...info, software: gpu.software },
      limits: gpu.limits,
      features: gpu.features,
      operations: ops,
      step,
    });
    gpu.device.destroy();
    const bad = ops.find(({ failures }) => failures.length > 0);
    if (bad) {
      throw new FailureError(
        `Cannot rely on adapter '${gpu.name}' as operation '${bad.op}' computes wrong (${bad.failures[0]}): ` +
          "update its driver or use another adapter",
      );
    }
    if (step.problem) {
      throw new FailureError(
        `Cannot rely on adapter '${gpu.name}' as a search step ${step.problem}: update its driver or use another adapter`,
      );
    }
    terminal.line("All is well.");
    return 0;
  } finally {
    terminal.close();
  }
}

/** What the adapter says of itself, and whether it is taken for a GPU. */
async function adapterInfo(): Promise<Record<string, string>> {
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) return {};
  const { vendor, architecture, description } = adapter.info, reason = softwareReason(adapter);
  const software = reason === undefined ? "no: a GPU does the work" : `yes: the CPU does the work, slowly (${reason})`;
  return Object.fromEntries(
    Object.entries({ driver: description, vendor, architecture, software }).filter(([, text]) => text),
  );
}

/** Which kernels suit it. */
function kernelText({ limits: { software, subgroupSize } }: Gpu): string {
  if (!software) return "for GPUs";
  return `for CPUs${subgroupSize > 0 ? `, with subgroups of ${subgroupSize} lanes` : ", without subgroups"}`;
}

/** What Deno lets this process do, and what each permission is for. */
function permissionHints(gpu: Gpu): [string, string][] {
  const granted = (query: Deno.PermissionDescriptor): string =>
    Deno.permissions.querySync(query).state === "granted" ? "yes" : "no ";
  const rows: [string, string][] = [
    ["--allow-read=<data>,<runs>", `${granted({ name: "read" })}  images, and runs to go on with`],
    ["--allow-write=<runs>", `${granted({ name: "write" })}  run folders`],
  ];
  if (gpu.software) {
    const memory = granted({ name: "sys", kind: "systemMemoryInfo" });
    rows.push(["--allow-sys=systemMemoryInfo", `${memory}  to refuse what does not fit in memory (optional)`]);
  }
  return rows;
}

/** The smallest cases of an operation. */
function smallest(op: OpSpec): OpCase[] {
  const size = ({ inputs }: OpCase): number => inputs.reduce((sum, type) => sum + elementCount(type), 0);
  return (op.cases?.() ?? []).toSorted((a, b) => size(a) - size(b)).slice(0, CASES);
}

async function checkOperations(gpu: Gpu, terminal: Terminal): Promise<OpResult[]> {
  const results: OpResult[] = [];
  for (const op of OPERATIONS) {
    if (!op.reference) continue;
    terminal.progress(() => `checking ${op.name} ...`);
    const began = performance.now(), cases = smallest(op);
    let error = 0;
    const failures: string[] = [];
    for (const testCase of cases) {
      const result = await checkCase(gpu, op, testCase);
      error = Math.max(error, result.forward, result.gradient ?? 0);
      failures.push(...result.failures.map((text) => `${testCase.name}: ${text}`));
    }
    results.push({ op: op.name, cases: cases.length, error, milliseconds: performance.now() - began, failures });
  }
  const header = ["operation", "cases", "largest error", "time", "result"];
  const rows = results.map((r) => [
    r.op,
    String(r.cases),
    r.error.toExponential(1),
    `${r.milliseconds.toFixed(0)} ms`,
    r.failures.length === 0 ? "ok" : "WRONG",
  ]);
  const total = results.reduce((sum, r) => sum + r.milliseconds, 0) / 1000;
  [
    `Shaders against f64 references, forward and backward (compilation included; ${duration(total)} in all)`,
    ...table(header, rows),
    "",
  ].forEach((line) => terminal.line(line));
  return results;
}

interface StepResult {
  readonly loss: number;
  readonly weights: number;
  readonly bytes: number;
  readonly compileSeconds: number;
  /** Time of the first steps, in which drivers finish compiling. */
  readonly firstSeconds: number;
  readonly stepMilliseconds: number;
  /** What is wrong with it, if anything is. */
  readonly problem: string | null;
}

async function checkStep(gpu: Gpu, terminal: Terminal): Promise<StepResult> {
  terminal.progress(() => "compiling a small supernet ...");
  const config = resolveSearchConfig();
  const net: SupernetConfig = {
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
  const began = performance.now(), plan = planSearch(net, config, gpu.limits);
  const engine = await SearchEngine.create(gpu, plan);
  try {
    const first = await steps(engine, plan), warm = performance.now(), { compileSeconds } = engine.runtime;
    const second = await steps(engine, plan), done = performance.now();
    const problem = !Number.isFinite(first.loss)
      ? `has a loss of ${first.loss}`
      : first.bits !== second.bits
      ? "has other bits when it is repeated"
      : null;
    const result = {
      loss: first.loss,
      weights: weightCount(plan.variables),
      bytes: plan.bytes,
      compileSeconds,
      firstSeconds: (warm - began) / 1000 - compileSeconds,
      stepMilliseconds: (done - warm) / STEPS,
      problem,
    };
    [
      "A small supernet (space s3, 3 cells, 4 channels, 8 images of 3x16x16)",
      ...pairs([
        ["size", `${count(result.weights)} weights, ${mebibytes(result.bytes)} of GPU memory`],
        ["compilation", `${duration(result.compileSeconds)}, and ${duration(result.firstSeconds)} in the first steps`],
        ["search step", `${result.stepMilliseconds.toFixed(0)} ms`],
        ["same bits", problem === null ? "yes" : "NO"],
      ]),
      "",
    ].forEach((line) => terminal.line(line));
    return result;
  } finally {
    engine.destroy();
  }
}

const STEPS = 2;

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

/**
 * The ceilings of an adapter, measured on the spot, and where a program stands below them (roofline, Williams et al.
 * 2009): `bench/networks.ts --roofline` prints it.
 * @module
 */
import type { Gpu } from "../src/gpu/device.ts";
import type { Plan, PlannedNode } from "../src/graph/plan.ts";
import type { DispatchTime } from "../src/graph/runtime.ts";
import { workOf } from "../src/search/field_cost.ts";

/** The most that kernels of ours reached which do one thing only. */
export interface Ceilings {
  /** 10^9 multiplications and additions a second, in registers. */
  readonly gigaflops: number;
  /** 10^9 bytes a second, read and written, of buffers that the caches hold. */
  readonly gigabytes: number;
  /** Nanoseconds of a dispatch that does next to nothing. */
  readonly launch: number;
}

/**
 * Turns of the arithmetic kernel's loop, rounds in each and sums, which registers hold within a turn: llvmpipe stores what
 * a loop changes after each.
 */
const TURNS = 128, ROUNDS = 32, SUMS = 12;
/** Invocations of the arithmetic kernel, and vectors of four words that the copying one reads and writes. */
const INVOCATIONS = 4096, VECTORS = 16384;

const range = (count: number, of: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => of(i)).join("\n");

/** Sums that multiply and add; what they start and go on with is read, so that nothing is known beforehand. */
const arithmetic = (step: (sum: string) => string): string => `
@group(0) @binding(0) var<storage, read_write> data: array<f32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  let factor = data[id.x]; let term = data[id.x + 1u];
  ${range(SUMS, (i) => `var s${i} = data[id.x + ${i}u];`)}
  for (var turn = 0u; turn < ${TURNS}u; turn++) {
    ${range(SUMS * ROUNDS, (i) => `s${i % SUMS} = ${step(`s${i % SUMS}`)};`)}
  }
  data[id.x] = ${Array.from({ length: SUMS }, (_, i) => `s${i}`).join(" + ")};
}`;

const COPY = `
@group(0) @binding(0) var<storage, read_write> data: array<vec4u>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  data[id.x + ${VECTORS}u] = data[id.x] + 1u;
}`;

const NOTHING = `
@group(0) @binding(0) var<storage, read_write> data: array<u32>;
@compute @workgroup_size(1) fn main() { data[0] = 1u; }`;

/** The least nanoseconds of a kernel, of many dispatches. */
async function leastOf(device: GPUDevice, code: string, workgroups: number): Promise<number> {
  const REPEATS = 50, module = device.createShaderModule({ code });
  const pipeline = await device.createComputePipelineAsync({ layout: "auto", compute: { module, entryPoint: "main" } });
  const { STORAGE, QUERY_RESOLVE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage, size = 16 * REPEATS;
  const data = device.createBuffer({ size: 32 * VECTORS, usage: STORAGE });
  const resolved = device.createBuffer({ size, usage: QUERY_RESOLVE | COPY_SRC });
  const mapped = device.createBuffer({ size, usage: MAP_READ | COPY_DST });
  const querySet = device.createQuerySet({ type: "timestamp", count: 2 * REPEATS });
  const group = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: [{ binding: 0, resource: { buffer: data } }],
  });
  const encoder = device.createCommandEncoder();
  for (let i = 0; i < REPEATS; i++) {
    const timestampWrites = { querySet, beginningOfPassWriteIndex: 2 * i, endOfPassWriteIndex: 2 * i + 1 };
    const pass = encoder.beginComputePass({ timestampWrites });
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(workgroups);
    pass.end();
  }
  encoder.resolveQuerySet(querySet, 0, 2 * REPEATS, resolved, 0);
  encoder.copyBufferToBuffer(resolved, 0, mapped, 0, size);
  device.queue.submit([encoder.finish()]);
  await mapped.mapAsync(GPUMapMode.READ);
  const stamps = new BigUint64Array(mapped.getMappedRange());
  const least = Math.min(...Array.from({ length: REPEATS }, (_, i) => Number(stamps[2 * i + 1] - stamps[2 * i])));
  for (const each of [data, resolved, mapped, querySet]) each.destroy();
  return least;
}

/** Measures the ceilings of an adapter (a second or two). */
export async function measureCeilings({ device }: Gpu): Promise<Ceilings> {
  const forms = [(sum: string) => `fma(${sum}, factor, term)`, (sum: string) => `${sum} * factor + term`];
  const rates = [];
  for (const form of forms) {
    const nanoseconds = await leastOf(device, arithmetic(form), INVOCATIONS / 64);
    rates.push(2 * SUMS * ROUNDS * TURNS * INVOCATIONS / nanoseconds);
  }
  return {
    gigaflops: Math.max(...rates),
    gigabytes: 32 * VECTORS / await leastOf(device, COPY, VECTORS / 64),
    launch: await leastOf(device, NOTHING, 1),
  };
}

/** How many times less Winograd's kernels multiply than the direct sum: F(2x4, 3x3), and F(2x2, 3x3) for weights. */
function savingOf({ dispatches }: PlannedNode): number {
  const names = dispatches.map(({ kernel }) => kernel.name);
  if (names.some((name) => name.startsWith("winograd_weight"))) return 2.25;
  return names.some((name) => name.startsWith("winograd")) ? 3 : 1;
}

/** A kind of operation in a program. */
interface Row {
  readonly name: string;
  ms: number;
  launches: number;
  flops: number;
  bytes: number;
  /** Milliseconds at the ceilings. */
  least: number;
}

/**
 * The table of a program: what its operations took, reached, and would take at the ceilings (the longest of their
 * multiplications and additions, their bytes and their launches; what Winograd's kernels add and shuffle is not counted).
 */
export function roofline(name: string, plan: Plan, times: readonly DispatchTime[], ceilings: Ceilings): string {
  const rows = new Map<string, Row>(), work = workOf(plan), { gigaflops, gigabytes, launch } = ceilings;
  let at = 0;
  plan.nodes.forEach((node, i) => {
    const { op } = node.node, launches = node.dispatches.length, saving = savingOf(node);
    const key = saving > 1 ? `${op.name}, Winograd` : op.name;
    const row = rows.get(key) ?? { name: key, ms: 0, launches: 0, flops: 0, bytes: 0, least: 0 };
    const nanoseconds = times.slice(at, at += launches).reduce((sum, time) => sum + time.nanoseconds, 0);
    const flops = 2 * work[i].macs / saving, { bytes } = work[i];
    row.ms += nanoseconds / 1e6;
    row.launches += launches;
    row.flops += flops;
    row.bytes += bytes;
    row.least += Math.max(flops / gigaflops, bytes / gigabytes, launches * launch) / 1e6;
    rows.set(key, row);
  });
  const all = [...rows.values()].sort((a, b) => b.ms - a.ms);
  const sum = (of: (row: Row) => number): number => all.reduce((total, row) => total + of(row), 0);
  const total: Row = {
    name: "all",
    ...{
      ms: sum((r) => r.ms),
      launches: sum((r) => r.launches),
      flops: sum((r) => r.flops),
      bytes: sum((r) => r.bytes),
    },
    least: sum((r) => r.least),
  };
  const lines = [...all.slice(0, 16), total].map(({ name, ms, launches, flops, bytes, least }) =>
    `| ${name} | ${launches} | ${ms.toFixed(2)} | ${(flops / ms / 1e6).toFixed(1)} | ` +
    `${(bytes / ms / 1e6).toFixed(1)} | ${least.toFixed(2)} | ${(ms - least).toFixed(2)} |`
  );
  return [
    `${name}: ceilings of ${gigaflops.toFixed(0)} GFLOP/s, ${gigabytes.toFixed(1)} GB/s, ` +
    `${(launch / 1000).toFixed(0)} us a dispatch`,
    "| operation | dispatches | ms | GFLOP/s | GB/s | ms at the ceilings | ms lost |",
    "| --- | --- | --- | --- | --- | --- | --- |",
    ...lines,
  ].join("\n");
}

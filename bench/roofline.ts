/**
 * Where a program stands below the ceilings of its adapter (roofline, Williams et al. 2009): `bench/networks.ts
 * --roofline` prints it.
 * @module
 */
import type { Ceilings } from "../src/doctor/speed.ts";
import type { Plan, PlannedNode } from "../src/graph/plan.ts";
import type { DispatchTime } from "../src/graph/runtime.ts";
import { rooflineSeconds, workOf } from "../src/search/field_cost.ts";

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
 * The table of a program: what its operations took, reached, and would take at the ceilings (the longer of their
 * multiplications and additions and their bytes; what Winograd's kernels add and shuffle is not counted).
 */
export function roofline(name: string, plan: Plan, times: readonly DispatchTime[], ceilings: Ceilings): string {
  const rows = new Map<string, Row>(), work = workOf(plan), { gflops, gigabytes } = ceilings;
  const rates = { name, teraflops: gflops / 1000, gigabytes };
  let at = 0;
  plan.nodes.forEach((node, i) => {
    const { op } = node.node, launches = node.dispatches.length, saving = savingOf(node);
    const key = saving > 1 ? `${op.name}, Winograd` : op.name;
    const row = rows.get(key) ?? { name: key, ms: 0, launches: 0, flops: 0, bytes: 0, least: 0 };
    const nanoseconds = times.slice(at, at += launches).reduce((sum, time) => sum + time.nanoseconds, 0);
    const macs = work[i].macs / saving, { bytes } = work[i];
    row.ms += nanoseconds / 1e6;
    row.launches += launches;
    row.flops += 2 * macs;
    row.bytes += bytes;
    row.least += 1000 * rooflineSeconds([{ macs, bytes }], rates);
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
    `${name}: ceilings of ${gflops.toFixed(0)} GFLOP/s and ${gigabytes.toFixed(1)} GB/s`,
    "| operation | dispatches | ms | GFLOP/s | GB/s | ms at the ceilings | ms lost |",
    "| --- | --- | --- | --- | --- | --- | --- |",
    ...lines,
  ].join("\n");
}

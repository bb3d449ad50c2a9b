/**
 * What a search step costs, as planned: dispatches, multiply-accumulates, bytes that the dispatches bind, bytes of GPU
 * memory. Needs no device and no clock, so that it can be compared between commits: `tests/step_costs_test.ts` holds
 * every commit against `bench/step_costs.json`.
 *
 *     deno run --allow-read=. --allow-write=bench bench/step_costs.ts    writes bench/step_costs.json anew
 */
import "../src/platform/deno.ts";
import { type GpuLimits, PORTABLE_LIMITS } from "../src/gpu/device.ts";
import { resolveSearchConfig } from "../src/search/config.ts";
import { planSearch } from "../src/search/programs.ts";
import { DARTS } from "../src/space/space.ts";
import type { SupernetConfig } from "../src/space/supernet.ts";

const base = { space: DARTS, classes: 10, inputChannels: 3, nodeNorm: "rms", precision: "bf16" } as const;

/** The two supernets that the benchmarks measure. */
export const SIZES: readonly SupernetConfig[] = [
  { ...base, channels: 8, cells: 5, batch: 32, height: 28, width: 28 },
  { ...base, channels: 16, cells: 8, batch: 16, height: 32, width: 32 },
];

/** Costs by what they are of. */
export type StepCosts = Readonly<Record<string, number>>;

/** Limits of CPU adapters: WebGPU's portable ones, and what llvmpipe offers besides. */
const ADAPTERS: Readonly<Record<string, GpuLimits>> = {
  portable: { ...PORTABLE_LIMITS, software: true },
  llvmpipe: { ...PORTABLE_LIMITS, software: true, maxStorageBuffersPerShaderStage: 32, subgroupSize: 8 },
};

/** Costs of both sizes on both adapters. */
export function stepCosts(): Record<string, StepCosts> {
  const optimizer = resolveSearchConfig(), cases = SIZES.flatMap((c) => Object.keys(ADAPTERS).map((a) => ({ c, a })));
  return Object.fromEntries(cases.map(({ c: config, a: adapter }) => {
    const { plans, bytes } = planSearch(config, optimizer, ADAPTERS[adapter]);
    const steps = plans.filter(({ name }) => name === "weight_step" || name === "alpha_step");
    const costs = steps.flatMap(({ name, dispatches, macs, traffic }) => [
      [`${name} dispatches`, dispatches],
      [`${name} macs`, macs],
      [`${name} bytes`, traffic],
    ]);
    return [`C=${config.channels}, ${adapter}`, Object.fromEntries([...costs, ["memory bytes", bytes]])];
  }));
}

if (import.meta.main) Deno.writeTextFileSync("bench/step_costs.json", JSON.stringify(stepCosts(), null, 1) + "\n");

/**
 * The rates of a core that `inspect` counts with: those with which the roofline of `src/search/field_cost.ts` fits the
 * measured steps of docs/performance.md ("How a step grows") best, by the least squares of the logarithms.
 *
 *     deno run bench/core_rates.ts
 */
import { BOUNDLESS_LIMITS } from "../src/gpu/device.ts";
import { resolveSearchConfig } from "../src/search/config.ts";
import { rooflineSeconds, workOf } from "../src/search/field_cost.ts";
import { planSearch } from "../src/search/programs.ts";
import { DARTS } from "../src/space/space.ts";

/** Channels, cells, batch; CPU seconds of a weight step and of an alpha step on one driver thread. */
const MEASURED = [
  [8, 5, 8, 0.25, 0.18],
  [8, 5, 16, 0.39, 0.30],
  [8, 5, 32, 0.73, 0.54],
  [8, 5, 64, 1.50, 1.09],
  [4, 5, 32, 0.38, 0.28],
  [16, 5, 32, 1.66, 1.12],
  [32, 5, 32, 4.37, 3.10],
  [8, 3, 32, 0.49, 0.35],
  [8, 8, 32, 1.14, 1.03],
  [8, 11, 32, 1.66, 1.38],
] as const;

const base = { space: DARTS, classes: 10, inputChannels: 3, nodeNorm: "rms", precision: "bf16" } as const;
const target = { ...BOUNDLESS_LIMITS, software: true, subgroupSize: 8, maxStorageBuffersPerShaderStage: 32 };
const steps = MEASURED.flatMap(([channels, cells, batch, ...seconds]) => {
  const config = { ...base, channels, cells, batch, height: 28, width: 28 };
  const { plans } = planSearch(config, resolveSearchConfig(), target);
  return (["weight_step", "alpha_step"] as const).map((name, i) => {
    return { work: workOf(plans.find((plan) => plan.name === name)!), seconds: seconds[i] };
  });
});

let best = { error: Infinity, worst: 0, teraflops: 0, gigabytes: 0 };
for (let teraflops = 0.01; teraflops < 0.1; teraflops *= 1.02) {
  for (let gigabytes = 1; gigabytes < 10; gigabytes *= 1.02) {
    const errors = steps.map((step) =>
      Math.log(rooflineSeconds(step.work, { name: "core", teraflops, gigabytes }) / step.seconds)
    );
    const error = Math.sqrt(errors.reduce((sum, e) => sum + e ** 2, 0) / errors.length);
    if (error < best.error) {
      best = { error, worst: Math.max(...errors.map(Math.abs)), teraflops, gigabytes };
    }
  }
}
console.log(
  `${(1000 * best.teraflops).toFixed(1)} GFLOP/s and ${best.gigabytes.toFixed(2)} GB/s: off by ` +
    `${(100 * (Math.exp(best.error) - 1)).toFixed(0)} % in the mean, ${
      (100 * (Math.exp(best.worst) - 1)).toFixed(0)
    } % at most`,
);

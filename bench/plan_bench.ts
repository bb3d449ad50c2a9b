/**
 * Time of planning a search (building, differentiating, planning all programs), which needs no device.
 *
 *     deno bench --no-prompt bench/plan_bench.ts
 *
 * @module
 */
import "../src/platform/deno.ts";
import { PORTABLE_LIMITS } from "../src/gpu/device.ts";
import { resolveSearchConfig } from "../src/search/config.ts";
import { planSearch } from "../src/search/programs.ts";
import { SIZES } from "./step_costs.ts";

for (const size of SIZES) {
  Deno.bench({
    name: `plan C=${size.channels}, ${size.cells} cells, batch ${size.batch}`,
    n: 5,
    warmup: 2,
    fn: () => void planSearch(size, resolveSearchConfig(), { ...PORTABLE_LIMITS, software: true }),
  });
}

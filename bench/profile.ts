/**
 * Where the time of a program goes, by shader or by operation: what `bench/supernet.ts` and `bench/networks.ts` print with
 * `--profile`, `--shapes` and `--roofline`.
 * @module
 */
import { measureCeilings } from "../src/doctor/speed.ts";
import type { Gpu } from "../src/gpu/device.ts";
import type { Plan } from "../src/graph/plan.ts";
import type { DispatchTime } from "../src/graph/runtime.ts";
import { roofline } from "./roofline.ts";

/** Profiles of which the least time of each dispatch counts. */
const PROFILES = 5;
/** Rows that are printed at the most. */
const MOST_ROWS = 40;

/** Whether the flags ask for it. */
export function isProfiled(flags: ReadonlySet<string>): boolean {
  return ["--profile", "--shapes", "--roofline"].some((flag) => flags.has(flag));
}

/** Prints where the time of a program goes, to stderr, in the way that the flags ask for. */
export async function printProfile(
  gpu: Gpu,
  name: string,
  plan: Plan,
  profile: () => Promise<DispatchTime[]>,
  flags: ReadonlySet<string>,
): Promise<void> {
  const times = await leastOf(profile);
  if (flags.has("--roofline")) return console.error(roofline(name, plan, times, await measureCeilings(gpu)));
  const rows = new Map<string, { ms: number; count: number }>();
  let total = 0;
  for (const { shader, operands, nanoseconds } of times) {
    const key = flags.has("--shapes") ? `${shader} ${operands}` : shader, row = rows.get(key) ?? { ms: 0, count: 0 };
    row.ms += nanoseconds / 1e6;
    row.count++;
    total += nanoseconds / 1e6;
    rows.set(key, row);
  }
  console.error(`${name}: ${total.toFixed(1)} ms in ${times.length} dispatches`);
  for (const [shader, { ms, count }] of [...rows].sort((a, b) => b[1].ms - a[1].ms).slice(0, MOST_ROWS)) {
    const share = (100 * ms / total).toFixed(1).padStart(5);
    console.error(`  ${shader.padEnd(24)} ${ms.toFixed(2).padStart(9)} ms ${share} % ${String(count).padStart(5)} x`);
  }
}

/** The least time of each dispatch in several profiles. */
async function leastOf(profile: () => Promise<DispatchTime[]>): Promise<DispatchTime[]> {
  let least = await profile();
  for (let i = 1; i < PROFILES; i++) {
    const other = await profile();
    least = least.map((time, k) => time.nanoseconds <= other[k].nanoseconds ? time : other[k]);
  }
  return least;
}

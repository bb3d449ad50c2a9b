/**
 * The key of a program's noise: which numbers it draws in a step. It is a function of the seed, the program and the
 * step, so a run that resumes draws what one that never stopped would have drawn.
 * @module
 */
import { hashName } from "../base/random.ts";
import type { Plan } from "../graph/plan.ts";
import type { HostInputs } from "../graph/buffers.ts";

/** Name of the graph input `i32[4]` that programs with noise read. */
export const NOISE_INPUT = "noise";

/** What `plan` has to be told before it runs step `step`: nothing where it has no noise. */
export function noiseKey(plan: Pick<Plan, "name" | "inputs">, seed: number, step: number): HostInputs {
  if (!plan.inputs.has(NOISE_INPUT)) return {};
  return { [NOISE_INPUT]: Int32Array.of(step, hashName(plan.name), seed, Math.floor(seed / 2 ** 32)) };
}

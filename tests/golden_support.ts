/**
 * What tests against golden tensors share: the files, and the comparison.
 * @module
 */
import assert from "node:assert/strict";
import { decodeTensors } from "../src/base/safetensors.ts";
import type { Outcomes } from "../src/doctor/golden_networks.ts";
import { projected } from "../src/doctor/golden_values.ts";

/** A golden file. */
export interface GoldenFile {
  readonly metadata: ReadonlyMap<string, string>;
  readonly tensor: (name: string) => { shape: readonly number[]; data: Float32Array };
  readonly names: readonly string[];
}

/** Reads tests/golden/`file`. */
export function readGoldenFile(file: string): GoldenFile {
  const { tensors, metadata } = decodeTensors(Deno.readFileSync(`tests/golden/${file}`), file);
  return {
    metadata,
    tensor: (name) => {
      assert.ok(tensors.has(name), `${file} holds no '${name}'`);
      return tensors.get(name) as { shape: number[]; data: Float32Array };
    },
    names: [...tensors.keys()],
  };
}

/** Largest difference over the largest expected value; fails above `tolerance`. */
export function compare(
  name: string,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
): number {
  assert.equal(actual.length, expected.length, `${name} has another size`);
  let worst = 0, scale = 1e-12;
  for (let i = 0; i < expected.length; i++) {
    scale = Math.max(scale, Math.abs(expected[i]));
    const error = Math.abs(actual[i] - expected[i]);
    worst = Math.max(worst, Number.isNaN(error) ? Infinity : error);
  }
  assert.ok(worst / scale <= tolerance, `${name} is off by ${(worst / scale).toExponential(2)}`);
  return worst / scale;
}

/** Golden tensors that the outcome of a step is compared with. */
const OF_A_STEP = /^(logits|logits_auxiliary|logits_eval|loss|grad\..*)$/;

/**
 * Compares what the device made with the tensors of a golden file; both must have the same ones.
 * @param only some tensors, with another tolerance than 1e-5 for losses and 1e-4 for everything else
 */
export function compareOutcomes(
  outcomes: Outcomes,
  golden: GoldenFile,
  only?: { readonly names: readonly string[]; readonly tolerance: number },
): void {
  const wanted = only?.names ?? golden.names.filter((name) => OF_A_STEP.test(name));
  assert.deepEqual([...outcomes.keys()].sort(), [...wanted].sort());
  for (const [name, { shape, values }] of outcomes) {
    const { shape: stored, data } = golden.tensor(name), whole = data.length === values.length;
    assert.ok(whole || stored.join() === `${shape[0]}`, `${name} has another shape`);
    const actual = whole ? values : projected(name.replace(/^grad\./, ""), shape, values);
    compare(name, actual, data, only?.tolerance ?? (name === "loss" ? 1e-5 : 1e-4));
  }
}

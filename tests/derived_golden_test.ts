/**
 * Derived networks against PyTorch in both forms: logits and losses of both classifiers, gradients of every weight
 * through drop path, label smoothing and affine batch norms, and inference with running statistics. The files come
 * from tests/golden/make_derived_golden.py, which computes in f64.
 */
import "../src/platform/deno.ts";
import assert from "node:assert/strict";
import { BF16_LOGITS, networkOutcomes } from "../src/doctor/golden_networks.ts";
import { openGpu } from "../src/gpu/device.ts";
import type { NetworkForm } from "../src/space/derived.ts";
import { parseGenotypePython } from "../src/space/genotype.ts";
import { IDARTS } from "../src/space/published.ts";
import { compareOutcomes, readGoldenFile } from "./golden_support.ts";

const gpu = await openGpu();

for (
  const [what, name, form] of [
    ["every operation, in the CIFAR form", "cifar", "cifar"],
    ["every operation, in the ImageNet form", "imagenet", "imagenet"],
    ["iDARTS' cell", "idarts", "cifar"],
  ] as const satisfies readonly (readonly [string, string, NetworkForm])[]
) {
  Deno.test(`the derived network agrees with PyTorch: ${what}`, async () => {
    const golden = readGoldenFile(`derived_${name}.safetensors`), { metadata } = golden;
    assert.equal(metadata.get("form"), form);
    if (name === "idarts") assert.deepEqual(parseGenotypePython(metadata.get("genotype")!, name), IDARTS);
    const outcomes = new Map(await networkOutcomes(gpu, metadata)), half = outcomes.get(BF16_LOGITS)!;
    outcomes.delete(BF16_LOGITS);
    compareOutcomes(outcomes, golden);
    compareOutcomes(new Map([["logits_eval", half]]), golden, { names: ["logits_eval"], tolerance: 1e-2 });
  });
}

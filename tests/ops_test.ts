/** Every case of every operation in the registry, on the real device. */
import assert from "node:assert/strict";
import { openGpu } from "../src/gpu/device.ts";
import { checkCase } from "../src/ops/check.ts";
import { OPERATIONS } from "../src/ops/registry.ts";

/** What WebGPU guarantees, and the kernels that a GPU gets. */
const portable = await openGpu({ limits: { maxStorageBuffersPerShaderStage: 8, software: false } });
const gpu = await openGpu();

for (const op of OPERATIONS) {
  if (op.testedBy) {
    Deno.test(`${op.name} is tested by ${op.testedBy}`, () => {
      const tester = OPERATIONS.find((o) => o.name === op.testedBy);
      assert.ok(
        tester?.gradient && tester.cases?.().length,
        "the tester must be differentiable and have cases",
      );
    });
    continue;
  }
  for (const testCase of op.cases!()) {
    for (const device of [gpu, portable]) {
      const where = device === portable ? ", 8 storage buffers, kernels for GPUs" : "";
      Deno.test(`${op.name}: ${testCase.name}${where}`, async () => {
        const { failures } = await checkCase(device, op, testCase);
        assert.deepEqual(failures, []);
      });
    }
    if (testCase.inputs.some((type) => type.layout === "image")) {
      Deno.test(`${op.name}: ${testCase.name}, images as bf16`, async () => {
        const { failures } = await checkCase(gpu, op, testCase, "bf16");
        assert.deepEqual(failures, []);
      });
    }
  }
}

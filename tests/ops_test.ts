/** Every case of every operation in the registry, on the real device. */
import assert from "node:assert/strict";
import { openGpu } from "../src/gpu/device.ts";
import { Graph } from "../src/graph/graph.ts";
import { planProgram, Pool } from "../src/graph/plan.ts";
import { Runtime } from "../src/graph/runtime.ts";
import { image, unpack } from "../src/graph/tensor_type.ts";
import { checkCase } from "../src/ops/check.ts";
import { maxPool } from "../src/ops/pool.ts";
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
    const known = new Set<string>(), tried = new Set<string>();
    /** Takes what was not tried yet, on either device. */
    const choose = (key: string, names: readonly string[]): string => {
      names.forEach((name) => known.add(`${key}: ${name}`));
      const chosen = names.find((name) => !tried.has(`${key}: ${name}`)) ?? names[0];
      tried.add(`${key}: ${chosen}`);
      return chosen;
    };
    for (const device of [gpu, portable]) {
      const where = device === portable ? ", 8 storage buffers, kernels for GPUs" : "";
      Deno.test(`${op.name}: ${testCase.name}, every variant${where}`, async () => {
        let before: number; // how many were tried; the other device's may never be, where its test failed
        do {
          before = tried.size;
          const { failures } = await checkCase({ ...device, limits: { ...device.limits, choose } }, op, testCase);
          assert.deepEqual(failures, [], [...tried].join("; "));
        } while (tried.size > before && tried.size < known.size);
      });
    }
    if (testCase.inputs.some((type) => type.layout === "image")) {
      Deno.test(`${op.name}: ${testCase.name}, images as bf16`, async () => {
        for (const device of [gpu, portable]) {
          const { failures } = await checkCase(device, op, testCase, "bf16");
          assert.deepEqual(failures, [], device === portable ? "kernels for GPUs" : "");
        }
      });
    }
  }
}

Deno.test("a NaN stays one where images are stored as bf16, whatever its bits", async () => {
  const graph = new Graph("bf16"), type = image(1, 1, 3, 4), pool = new Pool();
  const y = graph.apply1(maxPool, [graph.input("x", type)], { stride: 1 });
  const plan = planProgram("nan", graph, { y }, gpu.limits, pool);
  const runtime = await Runtime.create(gpu, [plan], pool);
  try {
    for (const bits of [0x7fffffff, 0x7fc00000, 0xffffffff, 0xffc00000]) {
      const x = new Float32Array(12);
      new Uint32Array(x.buffer)[0] = bits;
      runtime.run("nan", { x });
      const [first, second, third] = unpack(y.type, await runtime.readResult("nan", "y"));
      assert.deepEqual([first, second, third], [NaN, NaN, 0], bits.toString(16));
    }
  } finally {
    runtime.destroy();
  }
});

/** Every case of every operation in the registry, on the real device. */
import assert from "node:assert/strict";
import { openGpu } from "../src/gpu/device.ts";
import { Graph } from "../src/graph/graph.ts";
import { planProgram, Pool } from "../src/graph/plan.ts";
import { Runtime } from "../src/graph/runtime.ts";
import { image, unpack } from "../src/graph/tensor_type.ts";
import { checkCase, gradientGraphs } from "../src/ops/check.ts";
import { maxPool } from "../src/ops/pool.ts";
import { OPERATIONS } from "../src/ops/registry.ts";

/** What WebGPU guarantees, and the kernels that a GPU gets. */
const portable = await openGpu({ limits: { maxStorageBuffersPerShaderStage: 8, software: false } });
const gpu = await openGpu();
/** The same without what only Mesa's software driver offers. */
const plain = { ...gpu, features: [], limits: { ...gpu.limits, subgroupSize: 0 } };

for (const op of OPERATIONS) {
  if (op.testedBy) {
    Deno.test(`${op.name} is tested by ${op.testedBy}`, () => {
      const tester = OPERATIONS.find((o) => o.name === op.testedBy);
      assert.ok(tester?.gradient && tester.cases?.().length, "the tester must be differentiable and have cases");
      const graphs = tester.cases().flatMap((testCase) => gradientGraphs(tester, testCase));
      assert.ok(graphs.some(({ graph }) => graph.nodes.some((node) => node.op === op)), "no case runs it");
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
        for (const [name, device] of Object.entries({ gpu, plain, portable })) {
          assert.deepEqual((await checkCase(device, op, testCase, "bf16")).failures, [], name);
        }
      });
    }
  }
}

Deno.test("NaN, infinity and large numbers are stored as bf16 for what they are, whatever their bits and place", async () => {
  const graph = new Graph("bf16"), type = image(1, 1, 3, 4), pool = new Pool();
  const y = graph.apply1(maxPool, [graph.input("x", type)], { stride: 1 });
  const plan = planProgram("numbers", graph, { y }, gpu.limits, pool);
  const runtime = await Runtime.create(gpu, [plan], pool);
  const run = async (x: Float32Array<ArrayBuffer>) => {
    runtime.run("numbers", { x });
    return [...unpack(y.type, await runtime.readResult("numbers", "y"))];
  };
  try {
    for (const bits of [0x7fffffff, 0x7fc00000, 0xffffffff, 0xffc00000]) {
      for (const place of [0, 1, 2, 3]) {
        const x = new Float32Array(12);
        new Uint32Array(x.buffer)[place] = bits;
        const expected = [0, 1, 2, 3].map((i) => Math.abs(i - place) < 2 ? NaN : 0);
        assert.deepEqual((await run(x)).slice(0, 4), expected, `${bits.toString(16)} at ${place}`);
      }
    }
    for (const value of [Infinity, -Infinity, 2 ** 127, -(2 ** 127), -1.5, -(2 ** -126)]) {
      assert.deepEqual(await run(new Float32Array(12).fill(value)), Array(12).fill(value));
    }
  } finally {
    runtime.destroy();
  }
});

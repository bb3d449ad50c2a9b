/** Every case of every operation in the registry, on the real device. */
import "../src/platform/deno.ts";
import assert from "node:assert/strict";
import { openForms } from "../src/doctor/forms.ts";
import { Graph } from "../src/graph/graph.ts";
import { planProgram, Pool } from "../src/graph/plan.ts";
import { Runtime } from "../src/graph/runtime.ts";
import { image, unpack } from "../src/graph/tensor_type.ts";
import { CaseCheck, checkCase, checkVariants, gradientGraphs, TriedVariants } from "../src/ops/check.ts";
import { maxPool } from "../src/ops/pool.ts";
import { OPERATIONS } from "../src/ops/registry.ts";

/** The adapter's own kernels, those that a GPU gets, and those without what only Mesa's software driver offers. */
const [{ gpu }, { gpu: portable }, { gpu: plain } = { gpu: portable }] = await openForms();

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
    const tried = new TriedVariants();
    for (const device of [gpu, portable]) {
      const where = device === portable ? ", 8 storage buffers, kernels for GPUs" : "";
      Deno.test(`${op.name}: ${testCase.name}, every variant${where}`, async () => {
        for await (const { result, taken } of checkVariants(new CaseCheck(op, testCase), device, tried)) {
          assert.deepEqual(result.failures, [], [...taken].join("; "));
        }
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

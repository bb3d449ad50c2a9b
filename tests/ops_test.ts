/** Every case of every operation in the registry, on the real device; convolutions are in `convolutions_test.ts`. */
import assert from "node:assert/strict";
import { Graph } from "../src/graph/graph.ts";
import { planProgram, Pool } from "../src/graph/plan.ts";
import { Runtime } from "../src/graph/runtime.ts";
import { image, unpack } from "../src/graph/tensor_type.ts";
import { maxPool } from "../src/ops/pool.ts";
import { OPERATIONS } from "../src/ops/registry.ts";
import { gpu, isConvolution, testOperations } from "./ops_support.ts";

testOperations(OPERATIONS.filter((op) => !isConvolution(op)));

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

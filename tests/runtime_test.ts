/** When programs are compiled. */
import assert from "node:assert/strict";
import { openGpu } from "../src/gpu/device.ts";
import { Graph } from "../src/graph/graph.ts";
import { planProgram, Pool } from "../src/graph/plan.ts";
import { Runtime } from "../src/graph/runtime.ts";
import { dense } from "../src/graph/tensor_type.ts";
import { multiplyAdd } from "../src/ops/multiply_add.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.device.destroy());

/** Two programs of one pool: `once` and `twice` halve their input 16 or 32 times, and add. */
function programs() {
  const pool = new Pool();
  const plans = ["once", "twice"].map((name, i) => {
    const graph = new Graph(), y = graph.apply1(multiplyAdd, [graph.input("x", dense([4]))], { rounds: i + 1 });
    return planProgram(name, graph, { y }, gpu.limits, pool);
  });
  return { plans, pool };
}

Deno.test("a program can be run when it is prepared, and shares shaders with those before", async () => {
  const { plans, pool } = programs(), x = new Float32Array([1, 2, 3, 4]);
  let compiled = 0;
  const device = new Proxy(gpu.device, {
    get(target, key) {
      if (key === "createShaderModule") compiled++;
      const value = Reflect.get(target, key);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const runtime = await Runtime.create({ ...gpu, device }, plans, pool, { prepared: ["once"] });
  try {
    assert.equal(compiled, 1);
    assert.throws(() => runtime.run("twice", { x }), /Cannot run program 'twice': it is not prepared/);
    runtime.run("once", { x });
    const once = await runtime.readResult("once", "y");
    await runtime.prepare();
    assert.equal(compiled, 1, "both are the same shader");
    runtime.run("twice", { x });
    assert.notDeepEqual(await runtime.readResult("twice", "y"), once);
    runtime.run("once", { x });
    assert.deepEqual(await runtime.readResult("once", "y"), once);
  } finally {
    runtime.destroy();
  }
});

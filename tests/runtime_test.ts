/** When programs are compiled, and what the host may write. */
import assert from "node:assert/strict";
import { openGpu } from "../src/gpu/device.ts";
import { Graph } from "../src/graph/graph.ts";
import { planProgram, Pool } from "../src/graph/plan.ts";
import { Runtime } from "../src/graph/runtime.ts";
import { dense, elementCount } from "../src/graph/tensor_type.ts";
import { multiplyAdd } from "../src/ops/multiply_add.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.device.destroy());

/** Two programs of one pool: `once` and `twice` multiply their input and add to it, 32 or 64 times. */
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

Deno.test("a program takes an input that nothing reads, one that does not exist it refuses", async () => {
  const graph = new Graph(), pool = new Pool(), unread = graph.input("images", dense([2, 4]));
  const y = graph.apply1(multiplyAdd, [graph.input("x", dense([4]))], { rounds: 1 });
  const plan = planProgram("idle", graph, { y }, gpu.limits, pool);
  assert.deepEqual([...plan.inputs], [["images", 32], ["x", 16]]);
  const runtime = await Runtime.create(gpu, [plan], pool);
  try {
    const x = new Float32Array([1, 2, 3, 4]);
    runtime.run("idle", { x });
    const alone = await runtime.readResult("idle", "y");
    runtime.run("idle", { x, images: new Float32Array(elementCount(unread.type)).fill(NaN) });
    assert.deepEqual(await runtime.readResult("idle", "y"), alone);
    assert.throws(() => runtime.run("idle", { x, image: x }), /Cannot write input 'image': no program has it/);
  } finally {
    runtime.destroy();
  }
});

import assert from "node:assert/strict";
import { type GiveBack, MemoryBudget } from "./memory_budget.ts";

Deno.test("memory budget: parts are granted in order, never more than there is", async () => {
  const budget = new MemoryBudget(100), order: string[] = [];
  const take = async (name: string, bytes: number): Promise<GiveBack> => {
    const release = await budget.take(bytes);
    order.push(name);
    return release;
  };
  const a = await take("a", 60), b = await take("b", 40);
  assert.equal(budget.free, 0);
  const large = take("large", 90), small = take("small", 5); // It waits its turn, or large would never have one.
  b();
  b(); // Once is enough.
  await Promise.resolve();
  assert.deepEqual([order, budget.free], [["a", "b"], 40]);
  a(20);
  a(30); // What was given back is gone.
  await Promise.resolve();
  assert.deepEqual([order, budget.free], [["a", "b"], 80]);
  a();
  const rest = [await large, await small];
  assert.deepEqual([order, budget.free], [["a", "b", "large", "small"], 5]);
  rest.forEach((release) => release());
  assert.equal(budget.free, 100);
  await assert.rejects(budget.take(101), RangeError);
});

import "../platform/deno.ts";
import assert from "node:assert/strict";
import { FailureError, text } from "../base/errors.ts";
import type { Plan } from "../graph/plan.ts";
import type { Arena } from "../graph/variables.ts";
import { checkMemory, hostBytes, planWithin } from "./memory.ts";

/** A plan of 1 MiB an image, which the adapter allows up to `most` images. */
const plan = (most: number) => (batch: number) => {
  if (batch > most) throw new FailureError(`Cannot plan ${batch}`, { remedies: ["take another adapter"] });
  return { bytes: batch * 2 ** 20, batch, plans: [], state: [] };
};
const within = (batchSize: number, memoryLimit: number | null, most: number) =>
  planWithin({ software: false }, { batchSize, memoryLimit }, plan(most));

Deno.test("memory: a batch that the adapter's limits do not allow is answered by the largest one that they do", () => {
  assert.equal(within(64, null, 64).batch, 64);
  assert.throws(() => within(64, null, 56), (error: FailureError) => {
    assert.equal(error.message, "Cannot plan 64: use batchSize 56 or less or take smaller images");
    assert.deepEqual([error.option, error.value, error.limit], ["batch-size", 64, 56]);
    return true;
  });
  assert.throws(() => within(64, null, 1), /^FailureError: Cannot plan 64: take another adapter$/);
});

Deno.test("memory: a batch beyond the budget is answered by the largest one within it", () => {
  assert.equal(within(48, 48, 64).batch, 48);
  assert.throws(() => within(64, 48, 64), (error: FailureError) => {
    assert.equal(
      error.message,
      "Cannot search with batchSize 64: it needs 64 MiB of GPU memory and memoryLimit is 48 MiB; use batchSize 48 or less",
    );
    return true;
  });
  assert.throws(() => within(64, 1, 64), /use a smaller initChannels or cells$/);
});

Deno.test("memory: what the machine has free must do for the process too", () => {
  const budget = (mib: number) => ({ bytes: mib * 2 ** 20, source: text`free memory`, shared: true });
  const own = hostBytes({ bytes: 0, plans: [], state: [] }) / 2 ** 20;
  checkMemory(plan(64)(64), budget(64 + own), 64, plan(64));
  assert.throws(() => checkMemory(plan(64)(64), budget(60 + own), 64, plan(64)), {
    message: `Cannot search with batchSize 64: it needs ${64 + own} MiB of memory, ${own} MiB of it for the process, ` +
      `and free memory is ${60 + own} MiB; use batchSize 60 or less`,
  });
});

Deno.test("memory: the process' own share grows with dispatches, batches and what outlives a step", () => {
  const program = (dispatches: number, inputs: [string, number][]) =>
    ({ dispatches, inputs: new Map(inputs) }) as unknown as Plan;
  const state = [{ bytes: 5000 }, { bytes: 7000 }] as unknown as Arena[], empty = { bytes: 1e9, plans: [], state: [] };
  const plans = [program(30, [["images", 4000], ["labels", 100]]), program(70, [["images", 4000]])];
  assert.equal(hostBytes({ bytes: 0, plans, state }) - hostBytes(empty), 100 * 50 * 1024 + 2 * (4100 + 12000));
});

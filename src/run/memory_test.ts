import assert from "node:assert/strict";
import { FailureError } from "../base/errors.ts";
import { planWithin } from "./memory.ts";

/** A plan of 1 MiB an image, which the adapter allows up to `most` images. */
const plan = (most: number) => (batch: number) => {
  if (batch > most) throw new FailureError(`Cannot plan ${batch}`, { remedies: ["take another adapter"] });
  return { bytes: batch * 2 ** 20, batch };
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

import assert from "node:assert/strict";
import { FailureError } from "../base/errors.ts";
import { candidatesOf, S3 } from "../space/space.ts";
import { addBatch, correlate, emptyStatistics, type NodeStatistics } from "./statistics.ts";
import { gramOf } from "./testing.ts";

const empty = (): NodeStatistics => emptyStatistics("normal", 3, 0, candidatesOf(S3, "normal", 0));
const z = [[1, 2, 3, 5], [0, 1, 0, 1], [4, 1, 1, 0], [-1, 1, -2, 2]];
const w = [.1, .2, .3, .4];

Deno.test("batches add up to the statistics of all samples", () => {
  const whole = empty(), parts = empty();
  addBatch(whole, gramOf(z, w), 4);
  for (const [from, to] of [[0, 1], [1, 4]]) {
    const part = z.map((row) => row.slice(from, to));
    addBatch(parts, Float32Array.from(gramOf(part, w)), to - from);
  }
  assert.equal(parts.count, 4);
  parts.gram.forEach((value, i) => assert(Math.abs(value - whole.gram[i]) < 1e-5));
  const { matrix, deviations, dead } = correlate(whole);
  assert(Math.abs(deviations[0] - Math.sqrt(2.1875)) < 1e-12);
  assert(Math.abs(matrix[1] - .375 / Math.sqrt(2.1875 * .25)) < 1e-12);
  assert.deepEqual(dead, [false, false, false, false]);
});

Deno.test("sums in f64 keep what f32 would lose", () => {
  const statistics = empty();
  const batch = new Float32Array(36).fill(1);
  addBatch(statistics, new Float64Array(36).fill(2 ** 24), 2 ** 24);
  addBatch(statistics, batch, 1);
  assert.equal(statistics.gram[0], 2 ** 24 + 1);
});

Deno.test("statistics that cannot be are refused by node and cell", () => {
  const check = (
    change: (s: NodeStatistics) => void,
    kind: typeof FailureError | RangeErrorConstructor,
    text: RegExp,
  ) => {
    const statistics = empty();
    addBatch(statistics, gramOf(z, w), 4);
    change(statistics);
    assert.throws(() => correlate(statistics), (error) => error instanceof kind && text.test(error.message));
  };
  check(
    (s) => s.gram[1] = NaN,
    FailureError,
    /node 0 of cell 3 \(normal\).*skip_connect on edge 0 and sep_conv_3x3 on edge 0 must be finite.*NaN/,
  );
  check((s) => s.gram[4] = Infinity, FailureError, /skip_connect on edge 0 and the node's sum/);
  check((s) => s.count = 5, RangeError, /must be the count 5: current value is 4/);
  assert.throws(() => correlate(empty()), /must be positive: current value is 0/);
  assert.throws(() => addBatch(empty(), [1, 2], 1), /must have 36 numbers: current value is 2/);
  assert.throws(() => correlate({ ...empty(), gram: new Float64Array(9) }), /6 x 6 numbers/);
});

import assert from "node:assert/strict";
import { image } from "../graph/tensor_type.ts";
import { pyramidPool } from "./pyramid_pool.ts";

Deno.test("pyramid pool: parts are those of PyTorch's AdaptiveAvgPool2d(4), of sizes that do not divide too", () => {
  const type = image(1, 1, 7, 8), x = Float64Array.from({ length: 56 }, (_, i) => 100 * Math.floor(i / 8) + i % 8);
  const [[whole, ...parts]] = pyramidPool.reference!([x], [type], { parts: 4 });
  const rows = [50, 200, 400, 550], columns = [0.5, 2.5, 4.5, 6.5]; // rows 0-1, 1-3, 3-5, 5-6; columns in pairs
  assert.ok(Math.abs(whole - 303.5) < 1e-4);
  parts.forEach((mean, i) => assert.ok(Math.abs(mean - rows[Math.floor(i / 4)] - columns[i % 4]) < 1e-3, `part ${i}`));
  assert.equal(parts.length, 16);
});

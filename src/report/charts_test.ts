import assert from "node:assert/strict";
import { lineChart } from "./charts.ts";
import { solidLook } from "./palette.ts";

/** What the vertical axis of a chart of these values says. */
async function ticks(format: string, ...values: readonly number[]): Promise<string[]> {
  const points = values.map((y, i) => [i + 1, y] as const);
  const chart = await lineChart({ label: "", x: "epoch", format, series: [{ name: "a", look: solidLook(0), points }] });
  const texts = [...String(chart).matchAll(/<text text-anchor="end"[^>]*>([^<]*)</g)].map(([, text]) => text);
  return texts.filter((text) => text !== "2"); // the last epoch
}

Deno.test("charts: no two ticks say the same, however little changes", async () => {
  assert.deepEqual(await ticks(".2f", 0, 1), ["0.00", "0.20", "0.40", "0.60", "0.80", "1.00"]);
  assert.deepEqual(await ticks(".0%", 0.2, 0.9), ["20%", "30%", "40%", "50%", "60%", "70%", "80%", "90%"]);
  assert.deepEqual(await ticks(".2f", 3, 3), ["3.00"]);
  for (const format of [".1f", ".2f", ".3f", ".0%"]) {
    for (const range of [2, 0.9, 0.51, 0.3, 0.14, 0.07, 0.03, 0.0042, 0.0013, 0.00011]) {
      const found = await ticks(format, 1.1171, 1.1171 + range);
      assert.ok(found.length > 2, `${format} ${range}`);
      assert.equal(new Set(found).size, found.length, `${format}, range ${range}: ${found}`);
    }
  }
});

/** A step must not come to cost more than the committed figures without anybody noticing; time is never compared. */
import "../src/platform/deno.ts";
import assert from "node:assert/strict";
import { type StepCosts, stepCosts } from "../bench/step_costs.ts";

const AGAIN = "deno run --allow-read=. --allow-write=bench bench/step_costs.ts";

Deno.test("a search step costs what bench/step_costs.json says", () => {
  const known: Record<string, StepCosts> = JSON.parse(Deno.readTextFileSync("bench/step_costs.json"));
  const now = stepCosts(), changes: string[] = [];
  for (const [size, costs] of Object.entries(now)) {
    for (const [what, cost] of Object.entries(costs)) {
      const ratio = cost / known[size][what];
      if (ratio !== 1) changes.push(`${size} ${what}: ${ratio.toFixed(3)} times as many`);
    }
  }
  assert.deepEqual(changes, [], `if this is meant, or better: ${AGAIN}`);
});

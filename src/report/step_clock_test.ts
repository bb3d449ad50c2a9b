import assert from "node:assert/strict";
import { StepClock } from "./step_clock.ts";

Deno.test("progress line: the time left is known from the first line on, and none is left after the last", () => {
  const clock = new StepClock(2), measured = { stepsPerEpoch: 2, secondsPerStep: 1.5 };
  const first = clock.line({ ...measured, epoch: 0, step: 1 }, "train 1.0");
  assert.equal(first, "epoch 1/2 [#####...............] step 1/2, 4.5 s left, 1.5 s/step, train 1.0");
  assert.match(clock.line({ ...measured, epoch: 1, step: 1 }, ""), /step 1\/2, \d+ ms left, /);
  assert.match(clock.line({ ...measured, epoch: 1, step: 2 }, ""), /\[#{20}\] step 2\/2, all steps done, /);
});

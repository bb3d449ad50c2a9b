import assert from "node:assert/strict";
import { drawDropMask } from "./engine.ts";
import { dropShare, learningRate } from "./schedule.ts";

Deno.test("schedules: warm-up, cosine, line, powers, and drop path", () => {
  const base = { lr: 1, lrMin: 0.1, lrDecay: 0.5, warmupEpochs: 2, epochs: 10, dropPath: 0.2 };
  const rate = (schedule: "cosine" | "linear" | "exponential", step: number) =>
    Math.round(learningRate({ ...base, schedule }, step, 4) * 1e6) / 1e6;
  assert.deepEqual([0, 3, 7, 8].map((s) => rate("cosine", s)), [0.125, 0.5, 1, 1]);
  assert.deepEqual([24, 40].map((s) => rate("cosine", s)), [0.55, 0.1]);
  assert.equal(rate("cosine", 7.6), 1, "where a clock has a say, the warm-up ends between two steps");
  assert.deepEqual([24, 40].map((s) => rate("linear", s)), [0.55, 0.1]);
  assert.deepEqual([8, 12, 16].map((s) => rate("exponential", s)), [1, 0.5, 0.25]);
  assert.deepEqual([0, 20, 40].map((s) => dropShare(base, s, 4)), [0, 0.1, 0.2]);
});

Deno.test("drop path: the mask is a function of seed and step with the right share and scale", () => {
  const draw = (seed: number, step: number, share: number) => {
    const out = new Float32Array(4000);
    drawDropMask(out, 100, 40, seed, step, share);
    return out;
  };
  const mask = draw(1, 7, 0.25);
  assert.deepEqual(draw(1, 7, 0.25), mask);
  assert.notDeepEqual(draw(1, 8, 0.25), mask);
  assert.notDeepEqual(draw(2, 7, 0.25), mask);
  assert.deepEqual([...new Set(mask)].sort(), [0, Math.fround(4 / 3)]);
  const mean = mask.reduce((a, b) => a + b, 0) / mask.length;
  assert.ok(Math.abs(mean - 1) < 0.03, `${mean}`);
  assert.ok(draw(1, 7, 0).every((v) => v === 1));
});

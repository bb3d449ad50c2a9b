import assert from "node:assert/strict";
import { UsageError } from "../base/errors.ts";
import type { Dataset } from "../data/dataset.ts";
import { clockBudget, parseTime, stepBudget } from "./budget.ts";
import { limitsOf, resolveAutoConfig } from "./config.ts";
import { pairedDifference, shareInterval } from "./interval.ts";
import { rungsFor, schedule, survivors } from "./schedule.ts";
import { trialPlan } from "./trial.ts";
import { type TrivialResult, trivialResults } from "./trivial.ts";

Deno.test("times are read, and what is none is refused with the remedy", () => {
  assert.deepEqual(["90s", "90", "2m", "1h30m", "1.5h", "2 h"].map((text) => parseTime(text, "time")), [
    90,
    90,
    120,
    5400,
    5400,
    7200,
  ]);
  for (const text of ["", "soon", "-3m", "0", "m", "1000d", "5m5h"]) {
    assert.throws(() => parseTime(text, "time"), UsageError);
  }
});

Deno.test("sizes become weights", () => {
  assert.deepEqual(limitsOf(resolveAutoConfig({ size: "1MB", macs: "20M", latency: "20ms" })), {
    ...{ size: { parameters: 240_000, macs: 20e6 }, bytes: 1e6, latency: 0.02 },
  });
  assert.deepEqual(limitsOf(resolveAutoConfig({})), {});
  for (const latency of ["fast", "20", "0ms"]) assert.throws(() => resolveAutoConfig({ latency }), UsageError);
  assert.throws(() => resolveAutoConfig({ latency: "20ms", steps: 100 }), /Cannot use latency together with steps/);
  assert.throws(() => resolveAutoConfig({ time: "10s" }), /it must be 30 s at the least: current value is '10s'/);
  assert.throws(() => resolveAutoConfig({ size: "30KB" }), UsageError);
  assert.throws(() => resolveAutoConfig({ time: "tomorrow" }), UsageError);
});

Deno.test("a schedule never gives out more than there is, halves to one, and searches where there is time", () => {
  for (const seconds of [40, 100, 140, 280, 590, 1790, 28_000]) {
    for (const splits of [1, 3]) {
      const budget = clockBudget(seconds, () => 0), plan = schedule(seconds, budget, "auto", splits);
      assert.ok(plan.search + plan.rungs * plan.rung < 0.6 * seconds, "the rest is the winner's");
      assert.equal(plan.searched > 0, seconds >= 400);
      assert.ok(plan.known >= 1 && plan.known + plan.searched <= 10);
      let left = plan.known + plan.searched;
      for (let rung = 1; rung < plan.rungs; rung++) left = survivors(left);
      assert.ok(left <= 2, "after the last rung the best is clear");
      assert.equal(plan.rungs, rungsFor(plan.known + plan.searched));
    }
  }
  assert.equal(schedule(30, clockBudget(30, () => 0), "on", 1).searched, 1);
});

Deno.test("budgets: seconds go by, steps are told of", () => {
  let now = 5;
  const clock = clockBudget(100, () => 20 + now);
  assert.equal(clock.left(), 75);
  now = 50;
  assert.equal(clock.left(), 30);
  const steps = stepBudget(100);
  steps.took(30);
  assert.deepEqual([steps.left(), steps.stepCost(7), steps.overhead(3)], [70, 1, 0]);
});

Deno.test("a trial takes the steps that it was given, never more", () => {
  for (const steps of [1, 4, 7, 30, 100, 1000]) {
    for (const images of [10, 100, 5000]) {
      const { batch, stepsPerEpoch, epochs, warmup } = trialPlan(steps, images, false);
      assert.ok(stepsPerEpoch * epochs <= steps && stepsPerEpoch * (epochs + 1) > steps);
      assert.ok(batch >= 2 && batch * stepsPerEpoch <= Math.max(images, batch) && warmup <= epochs / 4);
    }
  }
});

Deno.test("the difference of two networks on the same images", () => {
  const of = (text: string): boolean[] => [...text].map((c) => c === "1");
  const { difference, interval: [low, high] } = pairedDifference(
    of("1".repeat(60) + "0".repeat(40)),
    of("1".repeat(30) + "0".repeat(70)),
  );
  assert.ok(Math.abs(difference - 0.3) < 1e-12 && low > 0.19 && high < 0.41);
  const same = pairedDifference(of("1010"), of("1010"));
  assert.ok(same.difference === 0 && same.interval[0] < 0 && same.interval[1] > 0);
  assert.deepEqual(shareInterval(0, 0), [0, 1]);
  assert.deepEqual(shareInterval(0, 20)[0], 0);
});

Deno.test("trivial answers: what is separable by one pixel is learnt, what is not is guessed", async () => {
  const make = (count: number, tell: boolean): Dataset => {
    const labels = Int32Array.from({ length: count }, (_, i) => i % 4 === 3 ? 1 : 0), size = 16;
    const images = Uint8Array.from({ length: count * size }, (_, p) => (p * 7919 + (p >> 3) * 31) % 97);
    if (tell) labels.forEach((label, i) => images[i * size + 5] = label === 1 ? 255 : 128);
    return {
      ...{ name: "dots", images, labels, count, channels: 1, height: 4, width: 4, classes: 2 },
      ...{ classNames: ["a", "b"], mean: [0.2], std: [0.1], fingerprint: "" },
    };
  };
  const of = (tell: boolean): Promise<TrivialResult[]> =>
    trivialResults(make(200, tell), make(200, tell), make(80, tell), 0);
  const [largest, near, forest] = await of(true);
  assert.deepEqual([largest.correct, largest.count], [60, 80]);
  assert.ok(near.correct >= 72 && forest.correct >= 76, `${near.correct}, ${forest.correct}`);
  const blind = await of(false);
  assert.equal(blind[0].correct, 60);
  assert.deepEqual(
    (await of(true)).map((r) => r.correct),
    [largest, near, forest].map((r) => r.correct),
  );
});

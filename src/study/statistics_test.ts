import assert from "node:assert/strict";
import { difference, estimate, studentT95, verdictOf } from "./statistics.ts";

const near = (value: number | null, wanted: number, tolerance = 1e-3): void =>
  assert.ok(value !== null && Math.abs(value - wanted) <= tolerance, `${value} is not ${wanted}`);

Deno.test("student's t: the values of the tables", () => {
  const table = [[1, 12.706], [2, 4.303], [3, 3.182], [4, 2.776], [9, 2.262], [30, 2.042], [120, 1.980]] as const;
  for (const [df, t] of table) near(studentT95(df), t);
  near(studentT95(1e9), 1.96);
  near(studentT95(2.5), 3.57465, 1e-5); // of SciPy
  assert.throws(() => studentT95(0.5), RangeError);
});

Deno.test("estimates: mean, standard error and interval; fewer than two values have none", () => {
  const { n, mean, error, interval } = estimate([1, 2, 3, 4]);
  assert.equal(n, 4);
  near(mean, 2.5);
  near(error, 0.6455);
  near(interval![0], 2.5 - 3.1824 * 0.6455);
  near(interval![1], 2.5 + 3.1824 * 0.6455);
  assert.deepEqual(estimate([7]), { n: 1, mean: 7, error: null, interval: null });
  assert.deepEqual(estimate([]), { n: 0, mean: null, error: null, interval: null });
});

Deno.test("differences: Welch's degrees of freedom; equal values; what is called what", () => {
  const d = difference([20, 22, 19, 20, 22], [28, 27, 26, 25]);
  near(d.mean, -5.9);
  near(d.error, Math.sqrt(1.8 / 5 + 5 / 3 / 4));
  near(d.interval![1] - d.interval![0], 2 * 2.387 * d.error!, 0.01); // df 6.69
  assert.equal(verdictOf(d), "lower");
  assert.equal(verdictOf(difference([3, 4, 5], [1, 1, 1.1])), "higher");
  assert.equal(verdictOf(difference([3, 4, 5], [3, 4, 6])), "not told apart");
  assert.equal(verdictOf(difference([3], [1, 2])), "too few");
  assert.equal(verdictOf(difference([1, 1], [2, 2])), "too few", "equal values say nothing about their spread");
  assert.equal(
    verdictOf(estimate([0.83 - 0.82, 0.12 - 0.11])),
    "too few",
    "nor do values that rounding alone tells apart",
  );
  assert.equal(estimate([0.9012, 0.9012, 0.9012]).interval, null);
  assert.equal(verdictOf(estimate([1e-6, 1.1e-6, 1.05e-6])), "higher", "small ones do");
});

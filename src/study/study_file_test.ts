/** Studies that are too large are refused by their size alone, before anything is made of them. */
import assert from "node:assert/strict";
import { parseStudy } from "./study_file.ts";

const numbers = (count: number): string => `[${Array.from({ length: count }, (_, i) => i).join(",")}]`;

Deno.test("study file: grids and trainings beyond the limit are counted, not made", () => {
  const refused = (text: string, pattern: RegExp): void => {
    assert.throws(() => parseStudy("x.yaml", text), pattern);
  };
  // Each of these would be made for minutes or hours.
  refused(
    `search: { weight-lr: ${numbers(30_000)}, seed: ${numbers(30_000)} }`,
    /grid must have at most 10000 searches: current number is 900000000,/,
  );
  refused(
    `search: { seed: ${numbers(1000)} }\ntrain: { seed: ${numbers(50_000)} }`,
    /must have at most 20000 trainings: 1000 cells .* are 50000000 trainings,/,
  );
  refused(
    `search: { space: [s1, s2], seed: [0] }\ntrain: { seed: ${numbers(11)} }\nrandom: 1000`,
    /2002 cells .* are 22022 trainings/,
  );
});

Deno.test("study file: random cells count once for each space and data set, whatever else varies", () => {
  const { settings } = parseStudy(
    "x.yaml",
    `search: { space: [s1, s2], node-norm: [rms, none], epochs: ${numbers(21).replace("0,", "")} }
train: {}
random: 1000`,
  );
  assert.equal(settings.length, 80);
  assert.deepEqual([...new Set(settings.map(({ control }) => control))], [0, 40]);
  assert.deepEqual(settings.map(({ control }) => control), Array.from({ length: 80 }, (_, i) => i < 40 ? 0 : 40));
});

/** Studies that are too large are refused by their size alone, before anything is made of them. */
import "../platform/deno.ts";
import assert from "node:assert/strict";
import { parseStudy } from "./study_file.ts";
import { searchTasks } from "./tasks.ts";

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

Deno.test("study file: ways to keep share their search, and spaces that keep every edge have but one", () => {
  const { settings, decisions } = parseStudy(
    "x.yaml",
    "search: { space: [s2, nas-bench-201], discretizer: [zca, perturbation], keep: [operations, edges] }",
  );
  assert.deepEqual(decisions, ["zca.operations", "zca", "perturbation.operations", "perturbation"]);
  assert.deepEqual(settings.map((each) => each.decisions), [decisions, ["zca", "perturbation"]]);
  assert.deepEqual(settings.map(({ configs: [{ keep, discretizer }] }) => [keep, discretizer]), [["edges", "zca"], [
    "edges",
    "zca",
  ]]);
  const only = parseStudy("x.yaml", "search: { space: s2, keep: operations }");
  assert.deepEqual([only.decisions, only.settings[0].configs[0].keep], [["semipartial.operations"], "operations"]);
  const [edges, operations] = [parseStudy("x.yaml", "search: { space: s2 }"), only].map(searchTasks);
  assert.deepEqual(edges.map(({ name }) => name), operations.map(({ name }) => name), "the same search serves both");
  const watched = ["edges", "operations"].map((keep) =>
    searchTasks(parseStudy("x.yaml", `search: { space: s2, keep: ${keep}, stop-skips: 2 }`))[0].name
  );
  assert.notEqual(watched[0], watched[1], "what is picked decides when it stops");
  assert.throws(
    () => parseStudy("x.yaml", "search: { space: nas-bench-201, keep: operations }"),
    /operations with space nas-bench-201, whose cells keep one operation on every edge/,
  );
  assert.throws(() => parseStudy("x.yaml", "search: { keep: pairs }"), /must be one of edges, operations/);
});

Deno.test("study file: one search is read off after several epochs, what measures only at its end", () => {
  const text =
    "search: { node-norm: [rms, none], epochs: 20, after-epochs: [1, 20], discretizer: [zca, perturbation] }";
  const study = parseStudy("x.yaml", text), { settings } = study;
  assert.deepEqual(settings.map(({ label, after, source, control }) => [label, after, source, control]), [
    ["node-norm rms, after-epochs 1", 1, 0, 0],
    ["node-norm rms, after-epochs 20", undefined, 0, 0],
    ["node-norm none, after-epochs 1", 1, 2, 0],
    ["node-norm none, after-epochs 20", undefined, 2, 0],
  ]);
  assert.deepEqual(settings.map(({ decisions }) => decisions.length), [1, 2, 1, 2]);
  const whole = parseStudy("x.yaml", text.replace("after-epochs: [1, 20], ", ""));
  assert.deepEqual(searchTasks(study), searchTasks(whole), "the searches are those that it has without");
  for (const bad of ["0", "21", "1.5", "soon"]) {
    assert.throws(
      () => parseStudy("x.yaml", `search: { epochs: 20, after-epochs: ${bad} }`),
      /'after-epochs' .* from 1 to the epochs of its search, 20: current value is/,
    );
  }
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

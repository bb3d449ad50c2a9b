import assert from "node:assert/strict";
import { UsageError } from "./errors.ts";
import { defineOptions, describeOption, editDistance, MAX_YAML_BYTES, nearest, parseYamlOptions } from "./options.ts";

const SET = defineOptions([
  {
    key: "epochs",
    kind: "int",
    min: 1,
    max: 1000,
    default: 50,
    help: "Epochs",
    group: "Search",
  },
  {
    key: "alpha-lr",
    kind: "number",
    exclusiveMin: 0,
    default: 3e-4,
    help: "Step size",
    group: "Search",
  },
  {
    key: "seed",
    kind: "int",
    min: 0,
    default: null,
    help: "Seed",
    group: "Run",
  },
  {
    key: "out",
    kind: "string",
    default: "runs/a",
    help: "Folder",
    group: "Run",
  },
  {
    key: "second-order",
    kind: "boolean",
    default: false,
    help: "Unrolled",
    group: "Search",
  },
  {
    key: "select",
    kind: "choice",
    choices: ["alpha", "perturb"],
    default: "alpha",
    help: "Rule",
    group: "Search",
  },
]);

const usage = (part: RegExp | string) => (error: unknown): boolean => {
  assert.ok(error instanceof UsageError, String(error));
  if (typeof part === "string") assert.equal(error.message, part);
  else assert.match(error.message, part);
  assert.doesNotMatch(error.message, /\n/);
  assert.ok(error.message.length < 400);
  return true;
};

const file = (values: Record<string, unknown>) => ({
  source: "x.yaml",
  values,
});
const flags = (values: Record<string, unknown>) => ({
  values,
  flags: true,
});

Deno.test("options: later layers win and the result is typed", () => {
  const got = SET.resolve([
    { source: "preset 'small'", values: { epochs: 5, "alpha-lr": 1 } },
    file({ "alpha-lr": 2, select: "perturb" }),
    flags({ "alpha-lr": "3e-3", "second-order": true, seed: undefined }),
  ]);
  // Types: these lines do not compile unless inference works.
  const alphaLr: number = got.alphaLr;
  const select: "alpha" | "perturb" = got.select;
  const seed: number | null = got.seed;
  const secondOrder: boolean = got.secondOrder;
  assert.deepEqual(got, {
    epochs: 5,
    alphaLr: 3e-3,
    seed: null,
    out: "runs/a",
    secondOrder: true,
    select: "perturb",
  });
  assert.deepEqual([alphaLr, select, seed, secondOrder], [
    3e-3,
    "perturb",
    null,
    true,
  ]);
  assert.deepEqual(SET.toRecord(got), {
    epochs: 5,
    "alpha-lr": 3e-3,
    out: "runs/a",
    "second-order": true,
    select: "perturb",
  });
  assert.deepEqual(SET.resolve([file(SET.toRecord(got))]), got);
});

Deno.test("options: an object of the library has camelCase keys, and numbers that are numbers", () => {
  const resolve = (given: object) => SET.resolve([SET.objectLayer(given)]);
  assert.deepEqual(resolve({ alphaLr: 1, out: undefined }), SET.resolve([flags({ "alpha-lr": "1" })]));
  const all = SET.resolve([flags({ "alpha-lr": "2" })]);
  assert.deepEqual(resolve(all), all, "a resolved object is one too");
  assert.throws(() => resolve({ alphaLrr: 1 }), usage("Cannot use option 'alphaLrr': did you mean 'alphaLr'?"));
  assert.throws(() => resolve({ "alpha-lr": 1 }), usage("Cannot use option 'alpha-lr': did you mean 'alphaLr'?"));
  assert.throws(() => resolve({ constructor: 1 }), usage(/there is no such option: remove it$/));
  assert.throws(() => resolve({ alphaLr: "1" }), usage(/^Cannot use alphaLr as it must be a number above 0/));
});

Deno.test("options: a preset is a layer; one that does not exist names the nearest one", () => {
  const presets = { small: { epochs: 5, alphaLr: 1 } };
  assert.deepEqual(SET.resolve([SET.presetLayer(presets, "small")]), SET.resolve([file({ epochs: 5, "alpha-lr": 1 })]));
  assert.throws(() => SET.presetLayer(presets, "smal"), usage(/^Cannot use preset as it must be one of small: /));
  assert.throws(() => SET.presetLayer(presets, "smal"), usage(/did you mean 'small'\?/));
  assert.throws(() => SET.presetLayer(presets, "constructor"), usage(/^Cannot use preset/));
});

Deno.test("options: the words of a choice may be others", () => {
  const mine = SET.withChoices("select", ["alpha", "mine"]), select = (value: string) => file({ select: value });
  assert.equal(String(mine.resolve([select("mine")]).select), "mine");
  assert.throws(() => mine.resolve([select("perturb")]), usage(/must be one of alpha, mine/));
  assert.throws(() => SET.resolve([select("mine")]), usage(/must be one of alpha, perturb/));
});

Deno.test("options: unknown keys name the nearest one", () => {
  assert.throws(
    () => SET.resolve([file({ "alpha-lrr": 1 })]),
    usage("Cannot use key 'alpha-lrr' of x.yaml: did you mean 'alpha-lr'?"),
  );
  assert.throws(() => SET.resolve([flags({ "epoch": "1" })]), usage("Cannot use epoch: did you mean 'epochs'?"));
  assert.throws(
    () => SET.resolve([file({ "completely-different": 1 })]),
    usage("Cannot use key 'completely-different' of x.yaml as there is no such key: remove it"),
  );
  assert.throws(() => SET.resolve([file({ alphaLr: 1 })]), usage(/did you mean 'alpha-lr'/));
  for (const key of ["__proto__", "constructor", "toString", "k".repeat(1e5)]) {
    const values = JSON.parse(`{${JSON.stringify(key)}:1}`);
    assert.throws(() => SET.resolve([file(values)]), usage(/Cannot use key/));
  }
});

Deno.test("options: wrong values name the source, the rule and the value", () => {
  const cases: [Record<string, unknown>, RegExp | string][] = [
    [
      { epochs: 0 },
      "Cannot use key 'epochs' of x.yaml as it must be a whole number from 1 to 1000: current value is 0",
    ],
    [{ epochs: 1001 }, /from 1 to 1000/],
    [{ epochs: 1.5 }, /whole number/],
    [{ epochs: "5" }, /current value is '5'/],
    [{ epochs: null }, /current value is null/],
    [{ epochs: NaN }, /current value is NaN/],
    [{ "alpha-lr": 0 }, /a number above 0: current value is 0/],
    [{ "alpha-lr": Infinity }, /current value is Infinity/],
    [{ out: 3 }, /must be text: current value is 3/],
    [{ out: ["a"] }, /current value is a list/],
    [{ out: { a: 1 } }, /current value is a mapping/],
    [{ out: new Date(0) }, /current value is a date/],
    [{ "second-order": "true" }, /true or false: current value is 'true'/],
    [{ select: "beta" }, /one of alpha, perturb: current value is 'beta'/],
    [{ select: "x".repeat(1e5) }, /'x{60}\.\.\.'/],
  ];
  for (const [values, part] of cases) {
    assert.throws(() => SET.resolve([file(values)]), usage(part));
  }
  for (
    const text of [
      "",
      " ",
      "abc",
      "0x10",
      "1_0",
      "1e",
      "Infinity",
      "1,5",
      "1e999",
    ]
  ) {
    assert.throws(
      () => SET.resolve([flags({ "alpha-lr": text })]),
      usage(/^Cannot use alphaLr as it must be a number above 0/),
    );
  }
  assert.equal(SET.resolve([flags({ "alpha-lr": ".5" })]).alphaLr, 0.5);
  assert.equal(SET.resolve([flags({ "second-order": "false" })]).secondOrder, false);
  assert.equal(SET.resolve([file({ seed: 3 }), file({ seed: null })]).seed, null);
});

Deno.test("options: what a parser returns becomes a layer", () => {
  const layer = SET.flagLayer({
    alphaLr: "1",
    config: "x.yaml",
    epochs: undefined,
  });
  assert.deepEqual(layer.values, { "alpha-lr": "1", epochs: undefined });
  assert.equal(SET.resolve([layer]).alphaLr, 1);
  assert.equal(
    describeOption({
      key: "a",
      kind: "number",
      exclusiveMin: 0,
      max: 1,
      default: 1,
      help: "",
      group: "",
    }),
    "a number above 0 and up to 1",
  );
  assert.equal(
    describeOption({
      key: "a",
      kind: "int",
      max: 1,
      default: 1,
      help: "",
      group: "",
    }),
    "a whole number up to 1",
  );
});

Deno.test("options: a list that contradicts itself is refused", () => {
  const base = { kind: "int", default: 1, help: "", group: "" } as const;
  assert.throws(() => defineOptions([{ ...base, key: "aB" }]), TypeError);
  assert.throws(() => defineOptions([{ ...base, key: "no-x" }]), TypeError);
  assert.throws(() => defineOptions([{ ...base, key: "a" }, { ...base, key: "a" }]), TypeError);
  assert.throws(() => defineOptions([{ ...base, key: "a", min: 2 }]), /default must be a whole number from 2/);
});

Deno.test("options: edit distance and the nearest word", () => {
  const cases: [string, string, number][] = [
    ["", "", 0],
    ["", "abc", 3],
    ["kitten", "sitting", 3],
    ["flaw", "lawn", 2],
    ["same", "same", 0],
  ];
  for (const [a, b, d] of cases) {
    assert.equal(editDistance(a, b), d);
    assert.equal(editDistance(b, a), d);
  }
  assert.equal(nearest("epchos", ["alpha-lr", "epochs"]), "epochs");
  assert.equal(nearest("zzz", ["alpha-lr", "epochs"]), undefined);
});

Deno.test("options: YAML files are read by the core schema", () => {
  assert.deepEqual(
    parseYamlOptions("x.yaml", "# comment\nalpha-lr: 3e-4\nepochs: 0x10\nout: 2020-01-01\nselect: yes\n"),
    { "alpha-lr": 3e-4, epochs: 16, out: "2020-01-01", select: "yes" },
  );
  assert.deepEqual(parseYamlOptions("x.yaml", ""), {});
  assert.deepEqual(parseYamlOptions("x.yaml", "# nothing\n"), {});
  const cases: [string, RegExp][] = [
    ["epochs: 1\nepochs: 2\n", /valid YAML: duplicated mapping key in line 2/],
    ["a: [1", /valid YAML/],
    ["\ta: 1", /valid YAML/],
    ["a: !!js/function 'x'", /unknown tag/],
    ["a: *missing", /unidentified alias/],
    ["- 1", /it is a list/],
    ["hello", /it is 'hello'/],
    ["a: 1\n---\nb: 2\n", /valid YAML/],
    ["a: \x00", /valid YAML/],
    ["[".repeat(200_000), /valid YAML|nested too deeply/],
    [" ".repeat(MAX_YAML_BYTES + 1), /at most 1048576 bytes/],
  ];
  for (const [text, part] of cases) {
    assert.throws(() => parseYamlOptions("x.yaml", text), usage(part));
    assert.throws(() => parseYamlOptions("x.yaml", text), /^UsageError: Cannot read 'x.yaml' as/);
  }
});

Deno.test("options: alias bombs and prototype keys do no harm", () => {
  let bomb = "a0: &a0 [x, x]\n";
  for (let i = 1; i < 40; i++) {
    bomb += `a${i}: &a${i} [*a${i - 1}, *a${i - 1}]\n`;
  }
  assert.throws(() => SET.resolve([file(parseYamlOptions("x.yaml", bomb))]), usage(/no such key|did you mean/));
  let nested: unknown = ["x"];
  for (let i = 0; i < 60; i++) nested = [nested, nested];
  assert.throws(() => SET.resolve([file({ out: nested })]), usage(/current value is a list/));
  assert.throws(
    () => SET.resolve([file(parseYamlOptions("x.yaml", "__proto__: {epochs: 3}"))]),
    usage(/Cannot use key '__proto__'/),
  );
  assert.equal(({} as Record<string, unknown>).epochs, undefined);
  assert.equal(
    SET.resolve([file(parseYamlOptions("x.yaml", "epochs: &e 3\nseed: *e"))])
      .seed,
    3,
  );
});

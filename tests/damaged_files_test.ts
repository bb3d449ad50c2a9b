/**
 * Files of a run that were damaged or written by others: whatever is in them, they are read whole or refused in one
 * sentence that names file and field. Models are in `train_test.ts`.
 */
import "../src/platform/deno.ts";
import assert from "node:assert/strict";
import { FailureError } from "../src/base/errors.ts";
import { writeReport } from "../src/commands/report_files.ts";
import { discretize } from "../src/discretize/discretize.ts";
import { candidatesOf, S3 } from "../src/space/space.ts";
import { gramOf } from "../src/discretize/testing.ts";
import { readRecords } from "../src/run/metrics_file.ts";
import { readLedger } from "../src/auto/ledger.ts";
import { PLAIN_RESIDUAL } from "../src/auto/candidates.ts";
import { readAutoResult } from "../src/auto/result_file.ts";
import { RunFolder } from "../src/run/run_folder.ts";
import { resolveSearchConfig, SEARCH_OPTIONS } from "../src/search/config.ts";
import { readOutcome } from "../src/search/outcome_file.ts";
import { EPOCH_SHAPE, type EpochRecord, summariseWeights } from "../src/search/records.ts";
import { readEvaluation } from "../src/train/evaluation_file.ts";
import { EPOCH_SHAPE as TRAIN_EPOCH_SHAPE, type TrainRecord } from "../src/train/records.ts";

const draw = (length: number, seed: number) => Float64Array.from({ length }, (_, i) => Math.sin(seed + 1.7 * i * i));
const alphas = { normal: draw(42, 1), reduce: draw(42, 2) };
const statistics = (["normal", "reduce"] as const).flatMap((kind, cell) =>
  [0, 1, 2, 3].map((node) => {
    const candidates = candidatesOf(S3, kind, node), z = candidates.map((_, i) => [...draw(40, 10 * node + i)]);
    return { kind, cell, node, candidates, count: 40, gram: gramOf(z, candidates.map(() => 0.3)) };
  })
);
const report = discretize({ space: S3, alphas, statistics });
const outcome = { chosen: "semipartial", images: 64, stopped: { rule: "epochs", epoch: 1, text: "all" }, ...report };
const epoch: EpochRecord = {
  ...{
    step: 4,
    epoch: 1,
    trainLoss: 2,
    trainAccuracy: 0.5,
    valLoss: null,
    valAccuracy: null,
    evalLoss: 2,
    evalAccuracy: 0.4,
  },
  weightLr: 0.1,
  ...summariseWeights(report),
  nodes: [0, 1].flatMap((cell) =>
    [0, 1, 2, 3].map((node) =>
      ({ cell, kind: cell === 0 ? "normal" : "reduce", node, before: 1 + node, after: 1 }) as const
    )
  ),
  imbalance: { before: 4, after: 1 },
  skips: { semipartial: 1 },
  genotypes: { semipartial: report.methods[0].text },
  secondsPerStep: 1,
};
const trained: TrainRecord = {
  ...{ step: 4, epoch: 1, trainLoss: 2, trainAccuracy: 0.5, auxiliaryLoss: null, valLoss: 1, valAccuracy: 0.5 },
  ...{ best: true, lr: 0.1, dropPath: 0, secondsPerStep: 1 },
};
const evaluation = {
  model: "best.safetensors",
  best: { epoch: 1, accuracy: 0.5, loss: 1 },
  classNames: ["a", "b"],
  test: { count: 4, loss: 1, accuracy: 0.5, perClass: [1, null], confusion: [[2, 0], [2, 0]] },
};
const config = {
  ...{ format: "idarts-run/1", version: "0.1.0", adapter: "a" },
  data: { name: "mnist", fingerprint: "00", count: 8, channels: 1, height: 8, width: 8, classes: 2 },
  config: SEARCH_OPTIONS.toRecord(resolveSearchConfig({ space: "s3", epochs: 1 })),
};

const path = Deno.makeTempDirSync({ prefix: "damaged-" }), folder = RunFolder.view(write("config.json", config));

function write(name: string, value: unknown): string {
  Deno.writeTextFileSync(`${path}/${name}`, typeof value === "string" ? value : JSON.stringify(value));
  return path;
}

/** `value` with each of its parts replaced by things that may not be there. */
function* damages(value: unknown, at = ""): Generator<readonly [string, unknown]> {
  const wrong = [null, undefined, -1, 0.5, "x", {}, [null]];
  for (const each of wrong) yield [`${at} = ${JSON.stringify(each)}`, each];
  if (typeof value !== "object" || value === null) return;
  // The parts of a list are alike: the last one stands for them.
  const all = Object.keys(value), keys = Array.isArray(value) ? all.slice(-1) : all;
  for (const key of keys) {
    for (const [what, part] of damages((value as Record<string, unknown>)[key], `${at}.${key}`)) {
      const copy: Record<string, unknown> = Array.isArray(value) ? [...value] as never : { ...value };
      copy[key] = part;
      yield [what, copy];
    }
  }
}

/** Reads `value` with every damage; @returns how many were refused, of how many */
function fuzz(name: string, value: unknown, read: () => unknown): [refused: number, tried: number] {
  let refused = 0, tried = 0;
  for (const [what, damaged] of damages(value)) {
    write(name, JSON.stringify(damaged) ?? "");
    tried++;
    try {
      read();
    } catch (error) {
      assert.ok(error instanceof FailureError, `${name} ${what}: ${error}`);
      assert.match(error.message, new RegExp(`^Cannot (use|read) (line 1 of )?'.*${name}'`), what);
      assert.doesNotMatch(error.message, /\n|undefined|\[object/, what);
      refused++;
    }
  }
  write(name, value);
  return [refused, tried];
}

Deno.test("damaged files: what a run writes is read as it is", () => {
  write("discretization.json", outcome);
  assert.deepEqual(readOutcome(path), JSON.parse(JSON.stringify(outcome)));
  write("metrics.jsonl", `${JSON.stringify(epoch)}\n{"step":`);
  assert.deepEqual(readRecords(folder, EPOCH_SHAPE), [epoch]);
  assert.deepEqual(readRecords(folder, EPOCH_SHAPE, 3), []);
  write("evaluation.json", evaluation);
  assert.deepEqual(readEvaluation(folder), evaluation);
  write("metrics.jsonl", trained);
  assert.deepEqual(readRecords(folder, TRAIN_EPOCH_SHAPE), [trained]);
});

Deno.test("damaged files: every part of them that is wrong is refused by file and field", () => {
  for (
    const [name, value, read] of [
      ["discretization.json", outcome, () => readOutcome(path)],
      ["evaluation.json", evaluation, () => readEvaluation(folder)],
      ["metrics.jsonl", epoch, () => readRecords(folder, EPOCH_SHAPE)],
      ["metrics.jsonl", trained, () => readRecords(folder, TRAIN_EPOCH_SHAPE)],
    ] as const
  ) {
    const [refused, tried] = fuzz(name, value, read);
    assert.ok(refused > 0.5 * tried && tried > 80, `${name}: ${refused} of ${tried}`);
  }
});

const network = { ...{ channels: 8, cells: 3, parameters: 900, macs: 5000 }, genotype: report.methods[0].genotype };
const candidates = [
  { name: "IDARTS 8x3", origin: "published", ...network },
  { name: "plain 8x3", origin: "plain", ...network, genotype: PLAIN_RESIDUAL },
];
const plan = { batch: 32, stepsPerEpoch: 3, epochs: 2, warmup: 0, lr: 0.1, again: false };
const wrong = [{ index: 3, label: 0, predicted: 1, rightProbability: 0.25 }];
const trivial = [{ name: "the largest class", correct: 2, count: 4, seconds: 0.1 }];
/** Entries of a ledger, one of each kind. */
const entries = [
  { id: "rate", plan: null, result: 8e9 },
  { id: "comparison", plan: { splits: 1, held: 60 } },
  { id: "schedule", plan: { known: 2, searched: 1, search: 22.5, rungs: 2, rung: 30 } },
  { id: "candidates", plan: candidates },
  { id: "start", plan: null, result: { steps: 12 } },
  { id: "trivial", plan: null, result: trivial },
  { id: "speed/plain 8x3", plan: null, result: 0.01 },
  { id: "latency/plain 8x3", plan: null, result: { failed: "it was lost" } },
  {
    id: "rung 0/plain 8x3/split 0",
    plan,
    result: {
      ...{ epochs: 2, steps: 6, seconds: 1.5, secondsPerStep: 0.1, secondsPerImage: 0.001, right: "1101" },
      loss: null,
    },
  },
  { id: "rung 0/IDARTS 8x3/split 0", plan, result: { failed: "its loss is no number" } },
  { id: "search", plan: null, result: { cells: [{ rule: "alpha", genotype: network.genotype }], steps: 40 } },
  { id: "searched", plan: candidates },
  { id: "final", plan: { ...plan, members: 2, mirrored: true }, result: { epochs: 2, steps: 6, kept: true } },
  { id: "final 2", plan: null, result: { epochs: 2, steps: 6, kept: true, shares: [0.5, 1] } },
  { id: "test", plan: 4, result: { evaluation: evaluation.test, wrong } },
  { id: "end", plan: null, result: { seconds: 60.5 } },
];
const ledger = {
  format: "idarts-ledger/1",
  spent: 60.5,
  notes: ["It rained"],
  made: { fingerprint: "ab", options: { seed: 0 } },
  leader: "01234567-89ab",
  entries,
};
const result = {
  ...{ format: "idarts-auto-result/1", version: "0.1.0", adapter: "a" },
  leaderboard: candidates.map((candidate) => ({
    ...{ candidate, rungs: 1, steps: 6, seconds: 1.5, right: "1101", accuracy: 0.75, interval: [0.3, 0.95], loss: 0.5 },
  })),
  ...{ trivial, held: 4, splits: 1, winner: "plain 8x3", trainedOn: true },
  ensemble: { members: 2, mirrored: true, parameters: 102_000, macs: 10_000_000, latency: 0.02 },
  search: { searched: "a", other: "b", difference: -0.25, interval: [-0.5, 0.1] },
  test: { ...evaluation.test, interval: [0.2, 0.8] },
  ...{ wrong, steps: 12, seconds: 60.5, notes: [] },
};

Deno.test("damaged files: what auto wrote is read as it is, and refused by file and field where it is wrong", () => {
  write("ledger.json", ledger);
  assert.deepEqual({ format: ledger.format, ...readLedger(folder) }, JSON.parse(JSON.stringify(ledger)));
  write("result.json", result);
  const { format: _, version: __, adapter: ___, ...outcome } = result;
  assert.deepEqual(readAutoResult(folder), JSON.parse(JSON.stringify(outcome)));
  for (const entry of entries) {
    const [refused, tried] = fuzz("ledger.json", { ...ledger, entries: [entry] }, () => readLedger(folder));
    assert.ok(refused > 0.6 * tried && tried > 30, `${entry.id}: ${refused} of ${tried}`);
  }
  const [refused, tried] = fuzz("result.json", result, () => readAutoResult(folder));
  assert.ok(refused > 0.7 * tried && tried > 300, `${refused} of ${tried}`);
});

Deno.test("damaged files: what auto wrote, the sentence names the place", () => {
  const says = (name: string, value: unknown, read: () => unknown, sentence: string): void => {
    write(name, value);
    assert.throws(read, (error: Error) => {
      assert.ok(error instanceof FailureError, String(error));
      assert.equal(
        error.message,
        `Cannot use '${path}/${name}' as ${sentence}: the file is damaged or of another program`,
      );
      return true;
    });
  };
  const ledgerSays = (change: unknown, sentence: string): void =>
    says("ledger.json", { ...ledger, ...change as object }, () => readLedger(folder), sentence);
  ledgerSays({ format: "x" }, "its format must be one of idarts-ledger/1 and is 'x'");
  ledgerSays(
    { entries: [{ id: "test", plan: "all" }] },
    "its entries[0].plan must be a whole number from 1 and is 'all'",
  );
  ledgerSays({ entries: [{ id: "a" }] }, "its entries[0].plan must be there and is missing");
  ledgerSays(
    { entries: [{ ...entries[8], result: { ...entries[8].result as object, right: "1102" } }] },
    "its entries[0].result.right must be a text of a 0 or 1 for each image and is '1102'",
  );
  ledgerSays(
    { entries: [entries[0], entries[0]] },
    "it must be one of each entry (there are two 'rate') and is a mapping",
  );
  const resultSays = (change: unknown, sentence: string): void =>
    says("result.json", { ...result, ...change as object }, () => readAutoResult(folder), sentence);
  resultSays({ winner: "me" }, "its winner must be one of IDARTS 8x3, plain 8x3 and is 'me'");
  resultSays({ seconds: -1 }, "its seconds must be a number from 0 and is -1");
  resultSays(
    { test: { ...result.test, confusion: [[1, 2]] } },
    "its test.confusion must be a list of 2 and is a list of 1",
  );
});

Deno.test("damaged files: the sentence names the place", async () => {
  const says = async (name: string, value: unknown, pattern: RegExp) => {
    const before = Deno.readTextFileSync(`${path}/${name}`);
    write(name, value);
    await assert.rejects(writeReport(folder), (error: Error) => {
      assert.ok(error instanceof FailureError, String(error));
      assert.match(error.message, pattern);
      return true;
    });
    write(name, before);
  };
  write("discretization.json", outcome);
  write("metrics.jsonl", epoch);
  const metrics = (line: unknown) => `${JSON.stringify(epoch)}\n${JSON.stringify(line)}\n`;
  await says(
    "discretization.json",
    { methods: [null] },
    /discretization.json' as its chosen must be a text and is missing/,
  );
  await says("discretization.json", { ...outcome, methods: [null] }, /its methods\[0\] must be a mapping and is null/);
  await says(
    "discretization.json",
    { ...outcome, chosen: "nobody" },
    /its chosen must be one of semipartial, .* is 'nobody'/,
  );
  const cell = { ...report.methods[0], genotype: { ...report.methods[0].genotype, normal: { nodes: [] } } };
  await says(
    "discretization.json",
    { ...outcome, methods: [cell] },
    /its methods\[0\].genotype must be a genotype \(.*nodes/,
  );
  await says(
    "metrics.jsonl",
    metrics({ step: 1 }),
    /line 2 of '.*metrics.jsonl' as its epoch must be a whole .* missing/,
  );
  await says(
    "metrics.jsonl",
    metrics({ ...epoch, skips: { a: "b" } }),
    /its skips\['a'\] must be a whole number from 0 and/,
  );
  assert.match(Deno.readTextFileSync(await writeReport(folder)), /semipartial/);
});

Deno.test.afterAll(() => Deno.removeSync(path, { recursive: true }));

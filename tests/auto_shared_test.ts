/**
 * `auto` by several processes on one folder: whoever does what, also where one that leads or helps dies over it, the bits
 * are those of one process alone. Decisions are given, so that nothing depends on time.
 * @module
 */
import "../src/platform/deno.ts";
import assert from "node:assert/strict";
import { auto, AUTO_MODEL } from "../src/auto/auto.ts";
import { knownCandidates } from "../src/auto/candidates.ts";
import type { AutoRunOptions } from "../src/auto/context.ts";
import type { Entry } from "../src/auto/ledger.ts";
import type { AutoResult } from "../src/auto/records.ts";
import { trialPlan } from "../src/auto/trial.ts";
import { trialId } from "../src/auto/trials.ts";
import { exists } from "../src/base/files.ts";
import { datasetOf } from "../src/data/labelled_images.ts";
import { encodeModel } from "../src/train/model_file.ts";
import { openGpu } from "../src/gpu/device.ts";
import { RunFolder } from "../src/run/run_folder.ts";
import { DATA, HOST } from "./auto_support.ts";

/** Three candidates, two of which take part in a second rung, and the winner's training: few steps each. */
const data = await datasetOf(DATA.train), some = { data, constraints: {}, affordable: () => 1e11 };
const CANDIDATES = knownCandidates(3, some);
const DECISIONS: readonly Entry[] = [
  { id: "rate", plan: null, result: 1e9 },
  { id: "comparison", plan: { splits: 1, held: 60 } },
  { id: "schedule", plan: { known: 3, searched: 0, search: 0, rungs: 2, rung: 36 } },
  { id: "candidates", plan: CANDIDATES },
  ...CANDIDATES.flatMap((candidate) => [
    { id: `speed/${candidate.name}`, plan: null, result: 1 },
    ...[0, 1].map((rung) => {
      const plan = trialPlan(12, 192, rung > 0);
      return { id: trialId(rung, candidate, 0), plan, result: { epochs: plan.epochs } };
    }),
  ]),
  { id: "final", plan: trialPlan(12, 192, true), result: { epochs: trialPlan(12, 192, true).epochs } },
  { id: "test", plan: 60 },
];
const gpu = await openGpu(), fresh = (): string => `${Deno.makeTempDirSync()}/run`;
const options: AutoRunOptions = { gpu, host: HOST, repeat: DECISIONS };
const run = (more: AutoRunOptions): Promise<AutoResult> => auto({ search: "off" }, DATA, { ...options, ...more });
const ALONE = fresh(), alone = await run({ folder: ALONE });

/** What must not differ, whoever did it. */
const bits = ({ leaderboard, winner, notes, steps, model, test }: AutoResult): unknown => ({
  ...{ winner, notes, steps, test, model: encodeModel(model) },
  leaderboard: leaderboard.map(({ seconds: _, latency: __, ...rest }) => rest),
});

Deno.test("two processes on one folder come to the same result, that of one alone", async () => {
  const folder = fresh(), told: string[][] = [[], []], second = await openGpu();
  try {
    const results = await Promise.all(
      [gpu, second].map((gpu, i) => run({ gpu, folder, onEvent: ({ event }) => told[i].push(event) })),
    );
    for (const result of results) assert.deepEqual(bits(result), bits(alone));
    assert.deepEqual(told.map((events) => events[0]).sort(), ["helps", "plan"]);
    assert.deepEqual([...Deno.readDirSync(`${folder}/workers`), ...Deno.readDirSync(`${folder}/work`)], []);
  } finally {
    second.device.destroy();
  }
});

Deno.test("one that leads dies, then one that helps; the next one helps, leads, and comes to the same bits", async () => {
  const folder = fresh(), decisions = `${Deno.makeTempDirSync()}/decisions.json`;
  Deno.writeTextFileSync(decisions, JSON.stringify(DECISIONS));
  const dies = async (event: string, count: number): Promise<void> => {
    const script = new URL("./auto_support.ts", import.meta.url).pathname;
    const args = ["run", "--quiet", "--no-prompt", "--no-check", "--allow-read=.", "--allow-write=.cache"];
    const { code, stderr } = await new Deno.Command("deno", {
      args: [...args, script, folder, decisions, event, String(count)],
      stderr: "piped",
    }).output();
    assert.equal(code, 9, new TextDecoder().decode(stderr));
  };
  const workers = (): string[] => [...Deno.readDirSync(`${folder}/workers`)].map(({ name }) => name);
  await dies("trial", 4); // of the second rung one trial is done, the other one decided on
  assert.equal(workers().length, 1);
  const lock = RunFolder.open(folder);
  await dies("progress", 1);
  assert.equal(workers().length, 2);
  const [left] = [...Deno.readDirSync(`${folder}/work`)].map(({ name }) => name), told: string[] = [];
  assert.ok(left.startsWith("rung-1") && exists(`${folder}/work/${left}/checkpoint.safetensors`), left);
  const result = await run({
    folder,
    onEvent: ({ event }) => (told.push(event), event === "helped" && lock.close()),
  });
  assert.deepEqual(bits(result), bits(alone));
  assert.deepEqual(told, ["helps", "helped", "resumed", "trial", "final"]);
  assert.deepEqual(workers(), []);
  assert.deepEqual(Deno.readFileSync(`${folder}/${AUTO_MODEL}`), Deno.readFileSync(`${ALONE}/${AUTO_MODEL}`));
});

Deno.test("who would help with another run is refused, and what is being done stays as it is", async () => {
  const list = (): string[] => [...Deno.readDirSync(ALONE)].map(({ name }) => name).sort(), before = list();
  using _lock = RunFolder.open(ALONE);
  await assert.rejects(
    auto({ search: "off", seed: 1 }, DATA, { ...options, folder: ALONE }),
    /Cannot change seed of the run in/,
  );
  assert.deepEqual(list(), before);
});

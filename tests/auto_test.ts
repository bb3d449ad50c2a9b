/**
 * `auto` as a whole, planned by steps so that nothing depends on time: it finds a network that has learnt, goes on after a
 * stop to the same bits, takes the decisions of another run again, and survives what goes wrong.
 * @module
 */
import assert from "node:assert/strict";
import { auto, AUTO_MODEL, AUTO_ONNX, type AutoData } from "../src/auto/auto.ts";
import { LEDGER_FILE, readLedger } from "../src/auto/ledger.ts";
import type { AutoEvent } from "../src/auto/records.ts";
import { UsageError } from "../src/base/errors.ts";
import { Random } from "../src/base/random.ts";
import type { LabelledImages } from "../src/data/labelled_images.ts";
import { openGpu } from "../src/gpu/device.ts";
import { RunFolder } from "../src/run/run_folder.ts";

const SIDE = 8, CLASSES = ["flat", "slanted", "upright"];

/** Stripes of three directions under noise: easy for a convolution, hard for the nearest neighbour. */
function stripes(count: number, seed: number): LabelledImages {
  const random = new Random(seed, "tests/stripes"), labels = Int32Array.from({ length: count }, (_, i) => i % 3);
  const images = new Uint8Array(count * SIDE * SIDE);
  labels.forEach((label, n) => {
    const shift = random.below(4);
    for (let y = 0; y < SIDE; y++) {
      for (let x = 0; x < SIDE; x++) {
        const along = label === 0 ? y : label === 1 ? x + y : x, bright = (along + shift) % 4 < 2;
        images[(n * SIDE + y) * SIDE + x] = Math.round((bright ? 150 : 70) + 70 * random.uniform());
      }
    }
  });
  return { images, labels, classNames: CLASSES, channels: 1, height: SIDE, width: SIDE, name: "stripes" };
}

/** Steps of the run with everything in it. */
const STEPS = 220;

const DATA: AutoData<LabelledImages> = { train: stripes(240, 1), test: stripes(90, 2) };
const gpu = await openGpu();

Deno.test("a network is found that has learnt, and what the folder holds is whole", async () => {
  const path = await Deno.makeTempDir(), events: AutoEvent[] = [];
  const result = await auto({ steps: STEPS, search: "on" }, DATA, {
    ...{ gpu, folder: path },
    onEvent: (event) => events.push(event),
  });
  const { leaderboard, trivial, winner, test, held, splits, search } = result;
  assert.ok(test!.accuracy > 0.9, `${test!.accuracy} of the test images`);
  assert.equal(test!.count, 90);
  assert.ok(test!.interval[0] <= test!.accuracy && test!.accuracy <= test!.interval[1]);
  assert.deepEqual(leaderboard.map(({ candidate }) => candidate.name).includes(winner), true);
  assert.deepEqual(new Set(leaderboard.map(({ candidate }) => candidate.origin)).has("plain"), true);
  assert.deepEqual([held, splits], [144, 3]); // 48 held out are few: three splits
  assert.ok(leaderboard.every(({ right }) => right.length === held));
  assert.ok(leaderboard[0].rungs >= leaderboard.at(-1)!.rungs);
  assert.equal(trivial.length, 3);
  assert.equal(trivial[0].correct, held / 3, "the largest class");
  assert.ok(search && search.interval[0] <= search.difference && search.difference <= search.interval[1]);
  assert.ok(events.some(({ event }) => event === "search") && events.some(({ event }) => event === "final"));
  const names = [...Deno.readDirSync(path)].map(({ name }) => name);
  for (const name of [AUTO_MODEL, AUTO_ONNX, "result.json", "config.json", LEDGER_FILE]) {
    assert.ok(names.includes(name));
  }
  assert.ok(result.steps <= STEPS, `${result.steps} steps of ${STEPS}`);

  const again = await auto({ steps: STEPS, search: "on" }, DATA, { gpu, folder: path });
  assert.deepEqual(again.test, test, "a finished run decides and measures nothing anew");
});

Deno.test("stopped in the middle, the same call goes on to the same bits", async () => {
  const options = { steps: 60, search: "off" } as const,
    whole = await Deno.makeTempDir(),
    cut = await Deno.makeTempDir();
  await auto(options, DATA, { gpu, folder: whole });
  const reason = new Error("enough"), controller = new AbortController();
  let trials = 0;
  const stopped = auto(options, DATA, {
    ...{ gpu, folder: cut, signal: controller.signal },
    onEvent: ({ event }) => event === "trial" && ++trials === 1 && controller.abort(reason),
  });
  await assert.rejects(stopped, (error) => error === reason);
  assert.ok([...Deno.readDirSync(cut)].some(({ name }) => name === AUTO_MODEL), "there is a network already");
  await auto(options, DATA, { gpu, folder: cut });
  assert.deepEqual(Deno.readFileSync(`${cut}/${AUTO_MODEL}`), Deno.readFileSync(`${whole}/${AUTO_MODEL}`));

  const repeated = await Deno.makeTempDir(), { entries } = readLedger(RunFolder.view(whole));
  await auto({ ...options, steps: 999 }, DATA, { gpu, folder: repeated, repeat: entries });
  assert.deepEqual(Deno.readFileSync(`${repeated}/${AUTO_MODEL}`), Deno.readFileSync(`${whole}/${AUTO_MODEL}`));
  await assert.rejects(auto({ ...options, seed: 1 }, DATA, { gpu, folder: whole }), (error: Error) => {
    return error instanceof UsageError && error.message.includes("Cannot change seed");
  });
});

Deno.test("no network exceeds the constraints, and impossible ones are refused", async () => {
  const { leaderboard } = await auto({ steps: 30, search: "off", params: "20k" }, DATA, { gpu });
  assert.ok(leaderboard.length > 0 && leaderboard.every(({ candidate }) => candidate.parameters <= 20_000));
  await assert.rejects(auto({ steps: 60, params: "10" }, DATA, { gpu }), UsageError);
});

Deno.test("eight images a class are enough to go the whole way", async () => {
  const { splits, held, leaderboard } = await auto({ steps: 40, search: "off" }, { train: stripes(24, 3) }, { gpu });
  assert.deepEqual([splits, held], [3, 15]);
  assert.ok(
    leaderboard[0].interval[1] - leaderboard[0].interval[0] > 0.2,
    "few images say little, and the interval says so",
  );
});

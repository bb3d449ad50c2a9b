/**
 * `auto` as a whole, most of it planned by steps so that nothing depends on time: it finds a network that has learnt,
 * goes on after a stop to the same bits, takes the decisions of another run again, and survives what goes wrong.
 * @module
 */
import "../src/platform/deno.ts";
import assert from "node:assert/strict";
import { auto, AUTO_MODEL, AUTO_ONNX } from "../src/auto/auto.ts";
import { resolveAutoConfig } from "../src/auto/config.ts";
import { type Entry, LEDGER_FILE, readDecisions, readLedger } from "../src/auto/ledger.ts";
import type { AutoOptions } from "../src/auto/options.ts";
import type { AutoEvent, FinalTraining } from "../src/auto/records.ts";
import type { TrialPlan } from "../src/auto/trial.ts";
import { mayMirror, mostMembers, type MostOf } from "../src/auto/winner.ts";
import { FailureError, UsageError } from "../src/base/errors.ts";
import { exists } from "../src/base/files.ts";
import { openGenotype } from "../src/commands/sources.ts";
import type { Dataset } from "../src/data/dataset.ts";
import { datasetOf, type LabelledImages } from "../src/data/labelled_images.ts";
import { openGpu } from "../src/gpu/device.ts";
import { RunFolder } from "../src/run/run_folder.ts";
import { exportOnnx } from "../src/export/onnx.ts";
import { evaluateModel } from "../src/train/inference.ts";
import { mirroredOf } from "../src/train/ensemble.ts";
import { encodeModel, loadModel } from "../src/train/model_file.ts";
import { DATA, stripes } from "./auto_support.ts";

const gpu = await openGpu();

/** A folder that does not exist yet. */
const fresh = (): string => `${Deno.makeTempDirSync()}/run`;
const modelOf = (path: string): Uint8Array => Deno.readFileSync(`${path}/${AUTO_MODEL}`);
const decisionsOf = (path: string): readonly Entry[] => readDecisions(RunFolder.view(path));

Deno.test("a network is found that has learnt, and what the folder holds is whole", async () => {
  const path = fresh(), events: AutoEvent[] = [], onEvent = (event: AutoEvent) => void events.push(event);
  const options = { steps: 150, search: "on" } as const;
  const result = await auto(options, DATA, { gpu, folder: path, onEvent });
  const { leaderboard, trivial, winner, test, held, splits, search, steps } = result;
  assert.ok(test!.accuracy > 0.85, `${test!.accuracy} of the test images`);
  assert.equal(test!.count, 60);
  assert.ok(test!.interval[0] <= test!.accuracy && test!.accuracy <= test!.interval[1]);
  assert.ok(leaderboard.some(({ candidate }) => candidate.name === winner));
  assert.deepEqual(new Set(leaderboard.map(({ candidate }) => candidate.origin)), new Set(["plain", "searched"]));
  assert.ok(leaderboard.every(({ latency }) => latency! > 0), "each was measured one image at a time");
  assert.deepEqual([held, splits], [60, 1]); // there are validation images
  assert.ok(leaderboard.every(({ right }) => right.length === held));
  assert.deepEqual([trivial.length, trivial[0].correct], [3, 20], "the largest class");
  assert.ok(search && search.interval[0] <= search.difference && search.difference <= search.interval[1]);
  assert.deepEqual(events.map(({ event }) => event), ["plan", "trivial", "trial", "search", "trial", "final"]);
  for (const name of [AUTO_MODEL, AUTO_ONNX, "result.json", "config.json", LEDGER_FILE]) {
    assert.ok(exists(`${path}/${name}`), name);
  }
  assert.ok(steps <= options.steps, `${steps} steps of ${options.steps}`);
  assert.deepEqual(openGenotype(path).network, result.model.network, "what 'cost' counts");

  Deno.removeSync(`${path}/trials`, { recursive: true }); // of a run that has ended nothing is done again
  const again = await auto(options, DATA, { gpu, folder: path, onEvent });
  assert.deepEqual(again.leaderboard, leaderboard);
  assert.deepEqual([again.test, again.seconds], [test, result.seconds], "a finished run measures nothing anew");
  assert.deepEqual(events.slice(6).map(({ event }) => event), ["resumed"], "nothing is told twice");
  await assert.rejects(auto({ ...options, seed: 1 }, DATA, { gpu, folder: path }), (error: Error) => {
    return error instanceof UsageError && error.message.includes("Cannot change seed");
  });
});

Deno.test("stopped in the middle, the same call goes on to the same bits, and so does one that repeats it", async () => {
  const options = { steps: 40, search: "off" } as const, whole = fresh(), cut = fresh(), told: string[] = [];
  const { notes } = await auto(options, DATA, { gpu, folder: whole });
  for (const stopAt of ["trial", "final"]) {
    const reason = new Error("enough"), controller = new AbortController();
    const stopped = auto(options, DATA, {
      ...{ gpu, folder: cut, signal: controller.signal },
      onEvent: ({ event }) => (told.push(event), event === stopAt && controller.abort(reason)),
    });
    await assert.rejects(stopped, (error) => error === reason);
    assert.ok(exists(`${cut}/${AUTO_MODEL}`), "there is a network already");
    assert.throws(() => decisionsOf(cut), /must have come to its end/);
  }
  const { spent } = readLedger(RunFolder.view(cut));
  const file = `${cut}/config.json`, record = Deno.readTextFileSync(file), { config, ...rest } = JSON.parse(record);
  Deno.writeTextFileSync(file, JSON.stringify({ ...rest, config: { ...config, seed: 5 } })); // edited by hand
  await assert.rejects(auto({ ...options, seed: 5 }, DATA, { gpu, folder: cut }), (error: Error) => {
    assert.match(error.message, /as its ledger.json was made with seed 0 and '.*config.json' says 5: put it back or/);
    return error instanceof UsageError;
  });
  Deno.writeTextFileSync(file, record);
  for (const { name } of Deno.readDirSync(`${cut}/trials`)) { // trials whose networks are gone are done again
    if (name.startsWith("rung")) Deno.removeSync(`${cut}/trials/${name}`, { recursive: true });
  }
  const end = await auto(options, DATA, { gpu, folder: cut });
  assert.deepEqual(modelOf(cut), modelOf(whole));
  assert.deepEqual(end.notes, notes);
  assert.ok(end.seconds >= spent && spent > 0, "the time of all processes counts");
  assert.deepEqual(told, ["plan", "trivial", "trial", "resumed", "trial", "final"]);

  const repeated = fresh(), repeat = decisionsOf(whole);
  await auto({ ...options, steps: 999 }, DATA, { gpu, folder: repeated, repeat });
  assert.deepEqual(modelOf(repeated), modelOf(whole));
  await assert.rejects(auto({ ...options, steps: 999 }, DATA, { gpu, folder: repeated }), /these decisions to repeat/);

  // The clock let the learning rate come down within three epochs.
  const shares = [0.25, 0.75, 1],
    paced = repeat.map((entry) =>
      entry.id === "final" ? { ...entry, result: { ...entry.result as object, epochs: 3, shares } } : entry
    );
  const path = fresh(), early = await auto(options, DATA, { gpu, folder: path, repeat: paced });
  assert.deepEqual([early.model.notes.epoch, early.model.notes.epochs], [3, 3]);
  assert.ok(!early.notes.some((note) => note.includes("cut short")), early.notes.join());
  const known = decisionsOf(path).find(({ id }) => id === "final")!.result as FinalTraining;
  assert.deepEqual(known.shares, shares);

  // Of two candidates one diverges: the other one wins.
  const broken = repeat.map((entry) => {
    const { id, plan, result } = entry;
    if (id.startsWith("rung 0/plain")) return { ...entry, plan: { ...plan as TrialPlan, lr: 50 } };
    return id === "final" ? { ...entry, result: { ...result as object, epochs: 2 } } : entry; // the clock cut it short
  });
  const one = await auto(options, DATA, { gpu, repeat: broken });
  assert.equal(one.model.notes.epoch, 2);
  assert.match(one.notes.join(), /training was cut short after \d+ steps/);
  assert.deepEqual(one.leaderboard.map(({ candidate }) => candidate.origin), ["published"]);
  assert.match(one.notes.join(), /plain \d+x\d is out: .*loss/);
});

Deno.test("several networks answer together, to the same bits after a stop in the second", async () => {
  const options = { steps: 40, search: "off" } as const, single = fresh(), whole = fresh(), cut = fresh();
  const first = await auto(options, DATA, { gpu, folder: single });
  assert.deepEqual([first.ensemble, first.model.network.members], [undefined, undefined]);
  const repeat = decisionsOf(single).flatMap((entry) => { // as if there had been time for three
    if (entry.id !== "final") return [entry];
    const { result } = entry, members = [2, 3].map((member) => ({ id: `final ${member}`, plan: null, result }));
    return [{ ...entry, plan: { ...entry.plan as TrialPlan, members: 3 } }, ...members];
  });
  const events: AutoEvent[] = [], onEvent = (event: AutoEvent) => void events.push(event);
  const { ensemble, model, winner, leaderboard, steps, test } = await auto(options, DATA, {
    ...{ gpu, folder: whole, repeat, onEvent },
  });
  const { candidate } = leaderboard.find(({ candidate: { name } }) => name === winner)!;
  const { parameters, macs } = candidate, trained = events.at(-1) as Extract<AutoEvent, { event: "final" }>;
  const { latency, ...size } = ensemble!;
  assert.deepEqual(size, { members: 3, parameters: 3 * parameters, macs: 3 * macs });
  assert.ok(latency! > 0);
  assert.equal(model.network.members, 3);
  assert.deepEqual([trained.event, trained.members, trained.kept], ["final", 3, true]);
  assert.equal(steps - first.steps, 2 * trained.steps / 3, "steps of all members count");
  const loaded = loadModel(`${whole}/${AUTO_MODEL}`), data = await datasetOf(DATA.test!);
  assert.deepEqual((await evaluateModel(loaded, data, { gpu })).confusion, test!.confusion);
  const [one, two, three] = [0, 1, 2].map((member) => {
    const name = [...model.tensors.keys()].find((each) => each.startsWith(`weights/members.${member}.`))!;
    return [...model.tensors.get(name)!.data];
  });
  for (const other of [two, three]) assert.notDeepEqual(other, one, "each begins with weights of its own");

  const reason = new Error("enough"), controller = new AbortController();
  const stopped = auto(options, DATA, {
    ...{ gpu, folder: cut, repeat, signal: controller.signal },
    onProgress: (what, share) => what.includes("(2 of 3)") && share > 0.5 && controller.abort(reason),
  });
  await assert.rejects(stopped, (error) => error === reason);
  const told: AutoEvent[] = [];
  await auto(options, DATA, { gpu, folder: cut, repeat, onEvent: (event) => void told.push(event) });
  assert.deepEqual(modelOf(cut), modelOf(whole));
  assert.deepEqual(told.map(({ event }) => event), ["resumed", "final"]);

  // The clock left too little for the second one.
  const late = repeat.map((entry) => entry.id === "final 2" ? { ...entry, result: { failed: "it was late" } } : entry);
  const alone = await auto(options, DATA, { gpu, repeat: late });
  assert.deepEqual(encodeModel(alone.model), modelOf(single));
  assert.match(alone.notes.at(-1)!, /^Network 2 of the ensemble was not trained: it was late$/);

  // Together three took longer than an image may, two did not.
  const timed = repeat.map((entry) => entry.id.startsWith("latency/") ? { ...entry, result: 0.001 } : entry);
  const latencies = [[2, 0.015], [3, 0.03]].map(([n, result]) => ({ id: `latency/${n} networks`, plan: null, result }));
  const limited = { time: "1h", search: "off", latency: "20ms" } as const;
  const quick = await auto(limited, DATA, { gpu, repeat: [...timed, ...latencies] });
  assert.deepEqual([quick.ensemble!.members, quick.ensemble!.latency], [2, 0.015]);
  assert.match(quick.notes.at(-1)!, /^3 networks together take longer than an image may: 2 answer$/);

  const runner: MostOf = { candidate, standing: { latency: 0.01 }, models: [first.model] };
  const most = (limits: AutoOptions): number => mostMembers(resolveAutoConfig(limits), runner);
  assert.deepEqual([{}, { members: 1 }, { params: `${3 * parameters}` }, { macs: `${2 * macs - 1}` }].map(most), [
    4,
    1,
    3,
    1,
  ]);
  assert.deepEqual([{ latency: "25ms" }, { latency: "9ms" }].map(most), [2, 1]);
  const bytes = exportOnnx(model).length;
  assert.deepEqual([bytes + 40_000, bytes - 1].map((size) => most({ size: `${size / 1000}KB` })), [3, 2]);
});

Deno.test("the answer to the mirror image counts where images may be flipped and the network may cost that", async () => {
  const options = { steps: 20, search: "off" } as const, single = fresh();
  const first = await auto(options, DATA, { gpu, folder: single }), [{ candidate }] = first.leaderboard;
  assert.equal(first.model.network.mirrored, undefined, "numbers alone do not say that they may be flipped");
  const repeat = decisionsOf(single).map((entry) =>
    entry.id === "final" ? { ...entry, plan: { ...entry.plan as TrialPlan, mirrored: true } } : entry
  );
  const { ensemble, model } = await auto(options, DATA, { gpu, repeat }), { latency, ...size } = ensemble!;
  assert.deepEqual(size, { members: 1, mirrored: true, parameters: candidate.parameters, macs: 2 * candidate.macs });
  assert.ok(latency! > 0);
  assert.deepEqual(encodeModel(model), encodeModel(mirroredOf(first.model)));

  const slow = { id: "latency/1 network, mirrored", plan: null, result: 0.03 }, bytes = exportOnnx(first.model).length;
  assert.ok(exportOnnx(model).length < 1.25 * bytes, "its weights are there once");
  const timed = repeat.map((entry) => entry.id.startsWith("latency/") ? { ...entry, result: 0.001 } : entry);
  const limited = { time: "1h", search: "off" } as const;
  const late = await auto({ ...limited, latency: "20ms" }, DATA, { gpu, repeat: [...timed, slow] });
  const large = await auto({ ...limited, size: `${(bytes + 10) / 1000}KB` }, DATA, { gpu, repeat });
  for (const [{ notes, model }, why] of [[late, "slower"], [large, "larger"]] as const) {
    assert.deepEqual(encodeModel(model), modelOf(single));
    assert.ok(notes.includes(`Mirror images do not count: the network would be ${why} than it may be`), notes.join());
  }

  const set = await datasetOf(DATA.train), train = { ...set, format: "cifar" }; // images that may be flipped
  assert.equal((await auto({ ...options, steps: 40 }, { train }, { gpu })).model.network.mirrored, true);
  const may = (limits: AutoOptions, data: Dataset, members = 1): boolean =>
    mayMirror(resolveAutoConfig(limits), data, { candidate, standing: { latency: 0.01 } }, members);
  assert.deepEqual([may({}, train), may({}, set), may({ mirror: "off" }, train)], [true, false, false]);
  const limits = [{ macs: `${2 * candidate.macs}` }, { macs: `${2 * candidate.macs - 1}` }, { latency: "20ms" }];
  assert.deepEqual([...limits, { latency: "19ms" }].map((each) => may(each, train)), [true, false, true, false]);
  assert.deepEqual([2, 3].map((members) => may({ latency: "40ms" }, train, members)), [true, false]);
});

Deno.test("there is a network as soon as one has gone through an epoch; one that failed is not tried again by who repeats", async () => {
  const options = { steps: 150, search: "off" } as const, early = fresh(), whole = fresh();
  const reason = new Error("enough"), controller = new AbortController(), events: AutoEvent[] = [];
  const stopped = auto(options, DATA, {
    ...{ gpu, folder: early, signal: controller.signal, onEvent: (event: AutoEvent) => void events.push(event) },
    onProgress: (what, share) => what.startsWith("training ") && share > 0.5 && controller.abort(reason),
  });
  await assert.rejects(stopped, (error) => error === reason);
  assert.ok(events.every(({ event }) => event !== "trial"));
  assert.equal(loadModel(`${early}/${AUTO_MODEL}`).network.height, DATA.train.height);

  const { leaderboard, winner } = await auto(options, DATA, { gpu, folder: whole });
  const { candidate: { name } } = leaderboard.find(({ candidate }) => candidate.name !== winner)!;
  const repeat = decisionsOf(whole).map((entry) =>
    entry.id === `rung 0/${name}/split 0` ? { ...entry, result: { failed: "the device was lost" } } : entry
  );
  const again = await auto(options, DATA, { gpu, repeat });
  assert.deepEqual([again.winner, again.leaderboard.map(({ candidate }) => candidate.name)], [winner, [winner]]);
  assert.ok(again.notes.includes(`${name} is out: the device was lost`), again.notes.join());
});

Deno.test("few images, one alone in its class, of a size that cannot be halved twice, and a device that is lost", async () => {
  const train = stripes(25, 4, 10, (i) => i === 24 ? 2 : i % 2), options = { steps: 60, search: "off" } as const;
  const weak = await openGpu(); // which is lost on the way
  const { splits, held, leaderboard, test, model } = await auto(options, { train }, {
    gpu: weak,
    onEvent: ({ event }) => event === "trial" && weak.device.destroy(),
  });
  assert.deepEqual([splits, held, test], [3, 15, null]);
  const plain = leaderboard.find(({ candidate }) => candidate.origin === "plain")!;
  assert.ok(plain && plain.candidate.genotype.skeleton === undefined);
  assert.ok(plain.interval[1] - plain.interval[0] > 0.2, "few images say little, and the interval says so");
  assert.equal(model.network.height, 10);
});

Deno.test("where the time is over at once there is a network nevertheless, and it can be had again", async () => {
  const path = fresh(), again = fresh(), began = performance.now() - 29_000;
  const { images, ...rest } = await datasetOf(stripes(192, 1)); // of which one is decoded when it is needed
  const load = (index: number) => Promise.resolve(images.slice(64 * index, 64 * index + 64));
  const train: Dataset = { ...rest, images: new Uint8Array(), stream: { load, close: () => {} } };
  const data = { train, test: await datasetOf(DATA.test!) };
  const { leaderboard, notes, test, model } = await auto({ time: "30s" }, data, { gpu, folder: path, began });
  assert.deepEqual([leaderboard.length, leaderboard[0].steps, test!.count], [1, 1, 60]);
  assert.equal(leaderboard[0].right.length, 32, "as few are held out as there is time for");
  const [untried, cut, behind, ...others] = notes;
  assert.match(untried, /^IDARTS \d+x\d was not tried: in its share of the time it would have learnt next to nothing$/);
  assert.equal(cut, "There was no time to train the winner on");
  assert.match(behind, / was right about 100.0 % of the held-out images, plain 8x3 about .* after 1 step: /);
  assert.deepEqual(others, []);
  assert.equal(model.notes.epoch, 1);
  await auto({}, data, { gpu, folder: again, repeat: path });
  assert.deepEqual(modelOf(again), modelOf(path));
});

Deno.test("networks that are too slow are out", async () => {
  const began = performance.now() - 24_000, options = { time: "30s", latency: "0.0001ms", search: "off" } as const;
  await assert.rejects(auto(options, DATA, { gpu, began }), (error: Error) => {
    assert.match(
      error.message,
      /within 30s: plain \dx3 is out: an image takes it [\d.]+ ms, and 0.000100 ms are allowed/,
    );
    return error instanceof FailureError;
  });
});

Deno.test("what cannot be done is refused before anything is written", async () => {
  const path = fresh(), { train } = DATA, options = { steps: 40 };
  const refuses = async (set: Parameters<typeof auto>, message: RegExp): Promise<void> => {
    await assert.rejects(auto(set[0], set[1], { gpu, folder: path, ...set[2] }), message);
    assert.ok(!exists(path), "nothing is left");
  };
  await refuses([{ ...options, params: "10" }, DATA], /Cannot build a network for images of 8x8 within/);
  await refuses([options, { train: stripes(3, 1) }], /there must be 4 training images or more: there are 3/);
  const blank = { ...train as LabelledImages, images: new Uint8Array(192 * 64).fill(7) };
  await refuses([options, { train: blank }], /must differ: in each channel all pixels/);
  await refuses([options, { train, test: stripes(9, 1, 12) }], /Cannot use images of 1x12x12/);
  const signal = AbortSignal.abort(new Error("no"));
  await refuses([options, DATA, { signal }], /^Error: no$/);

  const other = Deno.makeTempDirSync();
  Deno.writeTextFileSync(`${other}/letter.txt`, "mine");
  await assert.rejects(auto(options, DATA, { gpu, folder: other }), /must be empty: it holds 'letter.txt'/);
  Deno.writeTextFileSync(`${other}/config.json`, JSON.stringify({ format: "idarts-training/1" }));
  await assert.rejects(auto(options, DATA, { gpu, folder: other }), UsageError);
  assert.deepEqual([...Deno.readDirSync(other)].map(({ name }) => name).sort(), ["config.json", "letter.txt", "lock"]);
});

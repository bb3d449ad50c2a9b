import "../platform/deno.ts";
import assert from "node:assert/strict";
import { FailureError, UsageError } from "../base/errors.ts";
import { writeAtomic } from "../base/files.ts";
import type { Dataset } from "../data/dataset.ts";
import { datasetOf } from "../data/labelled_images.ts";
import { subsetInMemory, subsetOf } from "../data/subset.ts";
import { RunFolder } from "../run/run_folder.ts";
import { PUBLISHED_GENOTYPES } from "../space/published.ts";
import { clockBudget, parseTime, stepBudget } from "./budget.ts";
import { limitsOf, resolveAutoConfig } from "./config.ts";
import { pairedDifference, shareInterval } from "./interval.ts";
import {
  type CandidateNetwork,
  halvesTwice,
  knownCandidates,
  type Origin,
  PLAIN_RESIDUAL,
  searchedCandidates,
  withChance,
} from "./candidates.ts";
import { ClockPace, samePace } from "./pace.ts";
import type { Standing } from "./records.ts";
import { ranked, standingOf, trivialVerdict, verdictOf } from "./standing.ts";
import { END, type Entry, Ledger, LEDGER_FILE, readDecisions, readLedger, TimeOver } from "./ledger.ts";
import { rungsFor, schedule, survivors } from "./schedule.ts";
import { alphaRate } from "./search_cells.ts";
import { fewerOf, splitsOf } from "./splits.ts";
import { trialPlan } from "./trial.ts";
import { learntWithin, type TrivialResult, trivialResults } from "./trivial.ts";
import { membersFor } from "./winner.ts";

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

Deno.test("the winner's schedule ends when the time does, whatever the machine does on the way", () => {
  const paced = (secondsOf: (epoch: number) => number, expected: number): { shares: number[]; left: number } => {
    let left = 100;
    const pace = new ClockPace(() => left, expected);
    for (let epoch = 0; (pace.shares.at(-1) ?? 0) < 1; epoch++) {
      pace.shares.push(pace.next(epoch, pace.shares.at(-1) ?? 0));
      left -= secondsOf(epoch);
    }
    return { shares: pace.shares, left };
  };
  const steady = paced(() => 1, 1).shares;
  assert.ok(steady.every((share, i) => Math.abs(share - (i + 1) / 99) < 1e-9), "equal epochs, equal shares");
  const cases = [[() => 1, 3], [() => 3, 1], [(i: number) => i < 30 ? 1 : 3, 1], [
    (i: number) => i < 20 ? 3 : 1,
    3,
  ]] as const;
  for (const [secondsOf, expected] of [...cases, [(i: number) => i % 7 === 3 ? 5 : 1, 1]] as const) {
    const { shares, left } = paced(secondsOf, expected), last = secondsOf(shares.length - 1);
    assert.ok(left >= 0 && left < 2 * last + 5, `${left} s are left`);
    const steps = shares.map((share, i) => share - (shares[i - 1] ?? 0));
    assert.ok(Math.min(...steps) > 0 && Math.max(...steps) < 0.2, "it goes on and never jumps");
  }
  assert.deepEqual(paced(() => 50, 500).shares, [1], "too little time for one: it is the last");
  assert.deepEqual([0, 1, 2].map((epoch) => samePace([0.5, 0.75]).next(epoch, 0)), [0.5, 0.75, 1]);
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

Deno.test("a trial takes the steps that it was given, never more, in epochs of some use", () => {
  for (const steps of [1, 4, 7, 30, 100, 1000, 20_000]) {
    for (const images of [10, 100, 5000]) {
      const { batch, stepsPerEpoch, epochs, warmup } = trialPlan(steps, images, false);
      assert.ok(stepsPerEpoch * epochs <= steps && stepsPerEpoch * (epochs + 1) > steps);
      assert.ok(batch >= 2 && batch <= images && warmup <= epochs / 4);
      assert.ok(stepsPerEpoch <= Math.max(60, steps / 50), "little is lost where the time is over");
      const quick = trialPlan(steps, images, false, 0.002), seconds = 0.002 * quick.stepsPerEpoch;
      assert.ok(seconds <= Math.max(0.6, 0.002 * steps / 50) && (steps < 2000 || seconds > 0.4), "nor between epochs");
      const slow = trialPlan(steps, images, false, 1);
      assert.ok(
        slow.stepsPerEpoch <= Math.max(2, steps / 25),
        "where steps are slow the last one's loss is a small part",
      );
      const usual = trialPlan(steps, images, false, 0.05);
      if (steps >= 1500) assert.deepEqual(usual, trialPlan(steps, images, false));
      assert.ok(
        usual.epochs <= 7 || 0.05 * usual.stepsPerEpoch > 1.5,
        "epochs are long beside what is kept after each",
      );
    }
  }
});

Deno.test("images are mixed where a training sees each of them often", () => {
  const mixed = ([steps, images]: number[]): boolean => trialPlan(steps, images, false).cutmix !== undefined;
  assert.ok([[6000, 636], [4000, 2000], [800, 490]].every(mixed), "small sets");
  assert.ok(![[4000, 60_000], [2000, 4600], [500, 490]].some(mixed), "large ones, and short trainings");
});

Deno.test("several networks are trained where each sees every image often, as many as may be", () => {
  const members = ([steps, images, most]: number[]): number => membersFor(steps, images, most);
  assert.deepEqual([[7800, 636, 4], [50_000, 636, 4], [50_000, 636, 2], [50_000, 636, 1]].map(members), [3, 4, 2, 1]);
  assert.deepEqual([[4, 636, 4], [4600, 2000, 4], [20_000, 60_000, 4]].map(members), [1, 1, 1]);
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

Deno.test("who is not clearly behind is ranked in the order of entry, who got further before all", () => {
  const standing = (name: string, rungs: number, right: string): Standing => {
    const candidate = { name, origin: "plain", channels: 8, cells: 3 } as CandidateNetwork;
    const result = { epochs: 1, steps: 1, secondsPerStep: 1, secondsPerImage: 1, right, loss: 1, seconds: 1 };
    return { ...standingOf(candidate, 0, [result], undefined), rungs };
  };
  const answers = (right: number): string => "1".repeat(right) + "0".repeat(100 - right);
  const names = (...of: Standing[]): string[] => ranked(of).map(({ candidate }) => candidate.name);
  // Where only one of two is right 8 times of 100 the standard error is 2.8 of 100, where once 1.4.
  assert.deepEqual(names(standing("a", 1, answers(70)), standing("b", 1, answers(71))), ["a", "b"]);
  assert.deepEqual(names(standing("a", 1, answers(70)), standing("b", 1, answers(78))), ["b", "a"]);
  assert.deepEqual(
    names(standing("a", 1, answers(60)), standing("b", 1, answers(70)), standing("c", 1, answers(71))),
    ["b", "c", "a"],
  );
  assert.deepEqual(names(standing("a", 1, answers(90)), standing("b", 2, answers(50))), ["b", "a"]);
  assert.deepEqual(names(standing("a", 1, "01"), standing("b", 1, answers(90))), ["b", "a"], "other images");
});

Deno.test("whether the search paid is asked after equal effort, on the same images", () => {
  const standing = (name: string, origin: Origin, ...rights: string[]): Standing =>
    rights.reduce<Standing | undefined>((before, right, rung) => {
      const result = { epochs: 1, steps: 1, secondsPerStep: 1, secondsPerImage: 1, right, loss: 1, seconds: 1 };
      return standingOf({ name, origin, channels: 8, cells: 3 } as CandidateNetwork, rung, [result], before);
    }, undefined)!;
  const plain = standing("plain", "plain", "1100", "1111"), searched = standing("cell", "searched", "1110");
  const verdict = verdictOf([plain, searched])!;
  assert.deepEqual([verdict.searched, verdict.other, verdict.rung, verdict.difference], ["cell", "plain", 1, 0.25]);
  const further = verdictOf([plain, standing("cell", "searched", "1110", "0111")])!;
  assert.deepEqual([further.rung, further.difference], [2, -0.25]);
  assert.equal(verdictOf([plain]), null);
  assert.equal(verdictOf([plain, standing("cell", "searched", "111")]), null, "other images");
});

Deno.test("where a trivial answer is right more often than the winner, that is said", () => {
  const winner = { candidate: { name: "plain 8x3" }, accuracy: 0.5, steps: 70 } as Standing;
  const trivial = [["the largest class", 1], ["a forest", 3], ["neighbours", 2]] as const;
  const results = trivial.map(([name, correct]) => ({ name, correct, count: 4, seconds: 1 }));
  const said = trivialVerdict(winner, results, 280)!;
  assert.match(said, /^a forest was right about 75.0 % .* plain 8x3 about 50.0 % .* after 70 steps: /);
  assert.deepEqual([[results[2]], []].map((some) => trivialVerdict(winner, some, 0)), [undefined, undefined]);
  assert.equal(trivialVerdict(winner, results, 281), undefined, "it has learnt much since");
});

Deno.test("a search moves its architecture as far in many steps as in few, within bounds", () => {
  assert.deepEqual([4, 400, 1000, 2000, 1e6].map(alphaRate), [0.15, 0.15, 0.06, 0.03, 0.02]);
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

/** Images of 4x4 whose first pixel is their number. */
const numbered = (count: number, classes: number, side = 4): Promise<Dataset> =>
  datasetOf({
    images: Uint8Array.from({ length: count * side * side }, (_, p) => p % (side * side) ? p % 7 : p / side / side),
    labels: Int32Array.from({ length: count }, (_, i) => i % classes),
    classNames: Array.from({ length: classes }, (_, i) => `class ${i}`),
    ...{ channels: 1, height: side, width: side, name: "numbered" },
  });
const numbersOf = ({ images, count }: Dataset): number[] => Array.from({ length: count }, (_, i) => images[i * 16]);

Deno.test("several splits hold no image out twice, and train on all others", async () => {
  const train = await numbered(24, 3), folds = await splitsOf({ train }, 5);
  assert.deepEqual(folds.map(({ train, held }) => [train.count, held.count]), Array(3).fill([19, 5]));
  const held = folds.flatMap((fold) => numbersOf(fold.held));
  assert.equal(new Set(held).size, 15);
  for (const fold of folds) {
    assert.equal(new Set([...numbersOf(fold.train), ...numbersOf(fold.held)]).size, 24);
    numbersOf(fold.held).forEach((n, at) => assert.equal(fold.held.labels[at], n % 3, "labels stay with their images"));
  }
  const [few, ...none] = await fewerOf(folds, 1, 2);
  assert.deepEqual([numbersOf(few.held), none.length], [numbersOf(folds[0].held).slice(0, 2), 0]);
  for (const count of [4, 5, 7, 13]) {
    for (const { train, held } of await splitsOf({ train: await numbered(count, 2) }, 0)) {
      assert.ok(train.count >= 2 && held.count >= 1 && train.count + held.count === count);
    }
  }
  await assert.rejects(splitsOf({ train: await numbered(3, 3) }, 0), /there must be 4 training images or more/);
  const val = await numbered(30, 2), [one] = await splitsOf({ train, val }, 0);
  assert.deepEqual(numbersOf(one.held).sort((a, b) => a - b), Array.from({ length: 30 }, (_, i) => i));
  assert.deepEqual([one.train.count, one.held.mean], [24, train.mean], "normalised as in training");
});

Deno.test("no copy of an image that is held out is trained on, and each is held out once", async () => {
  const numbers = await numbered(24, 2), firsts = Int32Array.from({ length: 24 }, (_, i) => i % 4 < 2 ? i % 2 : i);
  const folds = await splitsOf({ train: { ...numbers, firsts } }, 1); // all that are 0 or 1 modulo 4 are copies of 0 and 1
  const contents = (data: Dataset): Set<number> => new Set(numbersOf(data).map((n) => firsts[n]));
  for (const { train, held } of folds) assert.equal(contents(train).intersection(contents(held)).size, 0);
  assert.equal(new Set(folds.flatMap(({ held }) => numbersOf(held))).size, 3 * folds[0].held.count);
  const same = { ...numbers, firsts: Int32Array.from({ length: 24 }, (_, i) => i % 2) };
  await assert.rejects(splitsOf({ train: same }, 1), /its images are copies of those that are held out: add different/);
});

Deno.test("parts of a streamed data set: streamed, or in memory and in order", async () => {
  const whole = await numbered(100, 2), { images, ...rest } = whole, wanted = Uint32Array.of(70, 3, 99, 12);
  let closed = 0;
  const streamed: Dataset = {
    ...rest,
    images: new Uint8Array(),
    stream: {
      load: async (index) => {
        await new Promise((resolve) => setTimeout(resolve, index % 5)); // they come in another order
        return index === 13 ? null : images.slice(index * 16, (index + 1) * 16);
      },
      close: () => void closed++,
    },
  };
  const part = await subsetOf(streamed, wanted, "part"), loaded = await subsetInMemory(streamed, wanted, "part");
  assert.deepEqual([numbersOf(loaded), [...loaded.labels], loaded.stream], [[70, 3, 99, 12], [0, 1, 1, 0], undefined]);
  assert.equal((await part.stream!.load(2))![0], 99);
  part.stream!.close();
  assert.deepEqual([closed, part.count, part.fingerprint], [1, 4, loaded.fingerprint]);
  const readable = await subsetInMemory(streamed, Uint32Array.of(1, 13, 4), "part");
  assert.deepEqual([numbersOf(readable), [...readable.labels], readable.count], [[1, 4], [1, 0], 2]);
  await assert.rejects(
    subsetInMemory(streamed, Uint32Array.of(13), "part"),
    /Cannot read any of 1 images of 'numbered'/,
  );
});

Deno.test("a ledger decides once, keeps what happened, and is repeated with what the clock said", async () => {
  const path = Deno.makeTempDirSync();
  using folder = RunFolder.create(path);
  folder.writeJson("config.json", {});
  let now = 3;
  const seconds = (spent: number): number => spent + now, never = (): never => assert.fail("asked again");
  const first = new Ledger(folder, seconds);
  assert.deepEqual([first.goesOn, first.plan("a", () => [1]), first.plan("nothing", () => null)], [false, [1], null]);
  assert.equal(await first.measured("speed", () => Promise.resolve(7)), 7);
  first.note("It rained");
  first.note("It rained");
  now = 9;
  first.touch();
  const second = new Ledger(folder, seconds);
  assert.deepEqual([second.goesOn, second.spent, second.notes], [true, 9, ["It rained"]]);
  assert.deepEqual([second.plan("a", never), second.plan("nothing", never)], [[1], null]);
  assert.deepEqual([second.knows("a"), second.knows("speed")], [false, true]);
  assert.throws(() => readDecisions(folder), UsageError);
  await second.result(END, () => Promise.resolve({ seconds: 9 }));

  const again = new Ledger(undefined, seconds, readDecisions(folder));
  assert.deepEqual([again.plan("a", never), again.plan("nothing", never)], [[1], null]);
  assert.equal(await again.measured("speed", never), 7);
  assert.throws(() => again.repeated("a"), TimeOver, "it came to nothing then");
  assert.throws(() => again.plan("further", never), TimeOver, "the time was over then");

  const good = readLedger(folder), entries = [...good.entries, good.entries[0]] as Entry[];
  for (const bad of [{ spent: -1 }, { notes: [5] }, { entries: 1 }, { entries }, { format: "x" }]) {
    writeAtomic(folder.file(LEDGER_FILE), JSON.stringify({ format: "idarts-ledger/1", ...good, ...bad }));
    assert.throws(() => readLedger(folder), (error: Error) => {
      return error instanceof FailureError && error.message.includes(LEDGER_FILE);
    });
  }
});

Deno.test("images of every size get a plain residual network, and small ones a refusal", async () => {
  const of = async (side: number) =>
    knownCandidates(1, { data: await numbered(4, 2, side), constraints: {}, affordable: () => 0 })[0];
  for (
    const [side, skeleton] of [[8, "nas-bench-201"], [28, "nas-bench-201"], [4, "nas-bench-201"], [30, undefined], [
      5,
      undefined,
    ]] as const
  ) {
    const { origin, genotype } = await of(side);
    assert.deepEqual([origin, genotype.skeleton], ["plain", skeleton], `${side}`);
  }
  await assert.rejects(of(3), /Cannot build a network for images of 3x3/);
});

Deno.test("where few plain sizes are worth their time, few published cells take part", async () => {
  const data = await numbered(4, 2, 8);
  const origins = (affordable: number): string[] =>
    knownCandidates(6, { data, constraints: {}, affordable: () => affordable }).map(({ origin }) => origin);
  assert.deepEqual(origins(0), ["plain", "published"]);
  assert.deepEqual(origins(1e15), ["plain", "plain", "published", "plain", "published", "published"]);
});

Deno.test("searched cells of the plain network's space get its sizes, others those of published cells", async () => {
  const data = await numbered(4, 2, 8),
    cells = [
      ...["a", "b"].map((rule) => ({ rule, genotype: PLAIN_RESIDUAL })),
      { rule: "c", genotype: PUBLISHED_GENOTYPES.IDARTS },
    ];
  const names = (affordable: number): string[] =>
    searchedCandidates(cells, 3, { data, constraints: {}, affordable: () => affordable }).map(({ name }) => name);
  assert.deepEqual(names(0), ["searched a+b 8x3", "searched c 8x3"]);
  assert.deepEqual(names(1e15), ["searched a+b 48x9", "searched c 36x8"]);
  assert.deepEqual([28, 30, 4, 6].map((side) => halvesTwice({ height: side, width: 28 })), [true, false, true, false]);
});

Deno.test("only candidates that can learn something in their first trial are tried beside the first", async () => {
  const data = await numbered(4, 2, 8), all = knownCandidates(6, { data, constraints: {}, affordable: () => 1e15 });
  const [plain, , published] = all, steps = 300, batch = 2; // half of the images
  const tried = (affordable: number): string[] => withChance(all, { data, affordable }).map(({ name }) => name);
  assert.deepEqual(tried(0), [plain.name]);
  assert.deepEqual(tried(1e15), all.map(({ name }) => name));
  const enough = 3 * published.macs * steps * batch; // its separable convolutions take three times as long
  assert.ok(tried(enough).includes(published.name) && !tried(enough - 1).includes(published.name));
});

Deno.test("of plain networks that see few images again, only the largest that can be trained well is tried", async () => {
  const plainOf = async (count: number, images: number): Promise<string[]> => {
    const data = await numbered(count, 2, 8), sizes = { data, constraints: {} };
    const limited = { ...sizes, constraints: { size: { parameters: 190_000 } }, affordable: () => 1e15 };
    const { macs } = knownCandidates(6, limited).find(({ name }) => name === "plain 16x3")!;
    const known = knownCandidates(6, { ...sizes, affordable: () => images * macs });
    return known.filter(({ origin }) => origin === "plain").map(({ name }) => name);
  };
  assert.deepEqual(await plainOf(5000, 29_000), ["plain 8x3"]);
  assert.deepEqual(await plainOf(5000, 30_000), ["plain 16x3"]);
  assert.deepEqual(await plainOf(400, 30_000), ["plain 16x3", "plain 8x3"]);
});

Deno.test("where fewer weights are allowed, channels of dense convolutions stay a multiple of eight where they can", async () => {
  const data = await numbered(4, 2, 8);
  const smallest = (parameters: number): string =>
    knownCandidates(1, { data, constraints: { size: { parameters } }, affordable: () => 0 })[0].name;
  const largest = (parameters: number): string =>
    knownCandidates(1, { data, constraints: { size: { parameters } }, affordable: () => 1e15 })[0].name;
  assert.deepEqual([largest(1e6), largest(100_000), smallest(100_000)], ["plain 24x9", "plain 8x9", "plain 8x3"]);
  assert.match(smallest(20_000), /^plain [246]x3$/);
});

Deno.test("trivial answers learn from as many images as there is time for", () => {
  const held = { channels: 3, height: 32, width: 32, count: 1000 };
  const learnt = [0, 2, 4, 1e6].map((seconds) => learntWithin(seconds, held));
  assert.deepEqual([learnt[0], learnt[3]], [100, 4000]);
  assert.ok(learnt[1] > 100 && Math.abs(learnt[2] - 2 * learnt[1]) <= 1, learnt.join());
  assert.ok(learntWithin(2, { ...held, count: 10_000 }) < learnt[1]);
});

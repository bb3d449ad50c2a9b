import assert from "node:assert/strict";
import { deflateSync } from "node:zlib";
import { FailureError, UsageError } from "../base/errors.ts";
import { Batcher } from "./batches.ts";
import { type Dataset, defaultAugment, openData, type OpenDataOptions, partsOf } from "./dataset.ts";
import { DecodeMemory, MEMORY } from "./decode_memory.ts";
import { DecodePool, DecodeThreads } from "./decode_threads.ts";
import { prepareImage } from "./decode.ts";
import { loadImage } from "./load.ts";
import { splitHalves } from "./split.ts";
import { subsetOf } from "./subset.ts";
import type { GiveBack } from "./memory_budget.ts";
import { classFiles as classes, concat, encodePng, pngChunk, sampleJpeg, samplePng, withFiles } from "./testing.ts";

interface Opened {
  readonly data: Dataset;
  readonly said: string[];
}

async function openAll(folder: string, options: Partial<OpenDataOptions> = {}): Promise<Opened> {
  const said: string[] = [];
  const data = await openData(folder, { split: "train", imageSize: 16, warn: (text) => said.push(text), ...options });
  for (const text of said) assert.doesNotMatch(text, /\n/);
  return { data, said };
}

const failure = (part: RegExp) => (error: unknown): boolean => {
  assert.ok(error instanceof FailureError || error instanceof UsageError, String(error));
  assert.match(error.message, part);
  return true;
};

Deno.test("images: a folder per class is shared out by class, the same each time", async () => {
  await withFiles(classes({ cat: 10, ant: 5, bee: 5 }), async (folder) => {
    const { data, said } = await openAll(folder);
    assert.deepEqual(said.filter((s) => !/in more than one class/.test(s)), []);
    assert.deepEqual(data.classNames, ["ant", "bee", "cat"]);
    assert.deepEqual([data.count, data.channels, data.height, data.width], [16, 3, 16, 16]);
    const test = (await openAll(folder, { split: "test" })).data;
    const count = (d: Dataset): number[] => [0, 1, 2].map((c) => d.labels.filter((l) => l === c).length);
    assert.deepEqual(count(data), [4, 4, 8]);
    assert.deepEqual(count(test), [1, 1, 2]);
    assert.deepEqual([test.mean, test.std], [data.mean, data.std]);
    assert.equal((await openAll(folder)).data.fingerprint, data.fingerprint);
    assert.notEqual(test.fingerprint, data.fingerprint);
    // The pixels are those of the files: all images of both parts together are the files'.
    const sums = (d: Dataset): number[] =>
      Array.from({ length: d.count }, (_, i) => d.images.subarray(i * 768, (i + 1) * 768).reduce((a, v) => a + v, 0));
    const files = ["cat", "ant", "bee"].flatMap((name) =>
      [...Deno.readDirSync(`${folder}/${name}`)].map((f) => Deno.readFileSync(`${folder}/${name}/${f.name}`))
    );
    const wanted: number[] = [];
    for (const bytes of files) {
      wanted.push((await prepareImage(bytes, "f", { size: 16, channels: 3 })).reduce((a, v) => a + v, 0));
    }
    const sorted = (list: number[]): number[] => list.sort((a, b) => a - b);
    assert.deepEqual(sorted([...sums(data), ...sums(test)]), sorted(wanted));
    await assert.rejects(openAll(folder, { split: "val" }), failure(/has no folder 'val'/));
    assert.deepEqual(partsOf(folder), ["train", "test"]);
  });
});

Deno.test("images: train, val and test folders are taken as they are", async () => {
  const files = { ...classes({ a: 3, b: 2 }, "train/"), ...classes({ a: 1, b: 2 }, "val/", 20) };
  await withFiles({ ...files, ...classes({ a: 2, b: 2 }, "test/", 40) }, async (folder) => {
    assert.deepEqual(partsOf(folder), ["train", "val", "test"]);
    assert.equal((await openAll(folder)).data.count, 5);
    assert.equal((await openAll(folder, { split: "val" })).data.count, 3);
    assert.equal((await openAll(folder, { split: "test" })).data.count, 4);
    Deno.removeSync(`${folder}/test`, { recursive: true });
    assert.equal((await openAll(folder, { split: "test" })).data.count, 3); // val stands in.
    assert.deepEqual(partsOf(folder), ["train", "val"]);
    Deno.mkdirSync(`${folder}/val/c`);
    await assert.rejects(openAll(folder), failure(/class 'c' of '.*val' as the training part has no such folder/));
  });
});

Deno.test("images: what is left out is counted and listed", async () => {
  const grey = encodePng({ width: 9, height: 9, depth: 8, colour: 0, sample: (y, x) => 20 * y + x });
  const files = {
    ...classes({ a: 6, b: 6 }),
    "a/empty.png": "",
    "a/text.png": "hello",
    "a/tiff.png": "II*\0 and so on",
    "a/says-png.png": sampleJpeg(1),
    "a/says-jpg.jpg": samplePng(1),
    "b/cut.png": samplePng(5).subarray(0, 200),
    "b/notes.txt": "x",
    "beside.png": grey,
    "readme.txt": "about them",
    "b/deep/er/grey.png": grey,
    "b/.hidden.png": "no image",
    "__MACOSX/x.png": "no image",
  };
  await withFiles(files, async (folder) => {
    const { data, said } = await openAll(folder, { testFraction: 0.1 });
    const train = data.skipped!.map(({ file }) => file).sort();
    assert.ok(train.length === 5 || train.length === 4); // The damaged one may be in the test part.
    assert.deepEqual(train.filter((f) => f.startsWith("a/")), ["a/empty.png", "a/text.png", "a/tiff.png"]);
    const left = said.find((s) => /^Left out \d+ of/.test(s))!;
    assert.match(left, /^Left out [45] of 20 image files and folders of '.*': /);
    assert.match(left, /'a\/tiff.png' \(it is TIFF inside\)/);
    assert.match(left, /'__MACOSX\/' \(macOS made it\)/);
    assert.match(left, /'a\/text.png' \(its content is no image\)/);
    assert.ok(
      said.some((s) => /^Left out 1 files of '.*' that are no images of a kind that is read: 1 \.txt$/.test(s)),
    );
    assert.ok(
      said.some((s) =>
        /^Left out 1 images of '.*' that lie in no class: 'beside.png'; put each into the folder/.test(s)
      ),
    );
    const test = (await openAll(folder, { split: "test", testFraction: 0.1 })).data;
    assert.equal(data.count + test.count, 15);
  });
});

Deno.test("images: suspicious sets get a sentence, impossible ones an error", async () => {
  const twice = { ...classes({ a: 9, b: 2 }, "train/"), ...classes({ a: 1, b: 1 }, "test/", 30) };
  await withFiles(
    { ...twice, "test/b/copy.png": samplePng(0, 20, 30), "train/b/copy.png": samplePng(1, 21, 29) },
    async (folder) => {
      const { said } = await openAll(folder);
      assert.ok(
        said.some((s) => /more than one part \(\d\), which flatters tests: .*'test\/b\/copy.png'/.test(s)),
        said.join(),
      );
      assert.ok(said.every((s) => !/copies of others in their class/.test(s)), said.join());
      assert.ok(said.some((s) => /more than one class \(\d\): .*'train\/b\/copy.png'/.test(s)), said.join());
      assert.ok(said.some((s) => /unequal: 'a' has 9 training images, 'b' has 3,/.test(s)), said.join());
      Deno.removeSync(`${folder}/test/b`, { recursive: true });
      const without = (await openAll(folder, { split: "test" })).said;
      assert.ok(without.some((s) => /The test part of '.*' has no image of 1 classes: b/.test(s)), without.join());
    },
  );
  const cases: [Record<string, Uint8Array | string>, RegExp][] = [
    [classes({ only: 4 }), /at least 2 folders, one for each class: current number is 1/],
    [{ ...classes({ a: 3 }), "b/x.txt": "" }, /class 'b' of '.*' as it has no training image that can be read/],
    [
      { ...classes({ a: 5 }), "b/x.png": samplePng(0).subarray(0, 99), "b/y.png": samplePng(1).subarray(0, 98) },
      /class 'b'/,
    ],
    [
      { "a/x.png": samplePng(0).subarray(0, 99), "b/x.png": samplePng(0).subarray(0, 99) },
      /no class has two|can be read/,
    ],
    [
      { "x.txt": "" },
      /must be a folder of IDX files .*; or .*CIFAR.*; or a folder with one sub-folder .*: it looks like none/,
    ],
  ];
  for (const [files, part] of cases) {
    await withFiles(files, async (folder) => {
      await assert.rejects(openAll(folder), failure(part));
    });
  }
  await withFiles(classes({ a: 3, b: 3 }), async (folder) => {
    await assert.rejects(openAll(folder, { imageSize: 7 }), failure(/imageSize must be from 8 to 1024/));
    await assert.rejects(openAll(folder, { testFraction: 1 }), failure(/testFraction must be between 0 and 1/));
    await assert.rejects(openAll(folder, { limit: 99 }), failure(/number must be from 1 to 4: lower the limit/));
    const { data } = await openAll(folder);
    const options = { batch: 5, seed: 0, stream: "s", shuffle: true, last: "drop" } as const;
    assert.throws(() => new Batcher(data, options), failure(/at most the number of images, 4/));
  });
});

Deno.test("images: copies of a file stay on one side, grey sets have one channel", async () => {
  const files: Record<string, Uint8Array> = {};
  for (let i = 0; i < 40; i++) {
    const seed = Math.floor(i / 2); // Each image twice.
    const sample = (y: number, x: number): number => (seed * 11 + 3 * x + y) & 255;
    files[`${seed % 2}/${i}.png`] = encodePng({ width: 10, height: 10, depth: 8, colour: 0, sample });
  }
  await withFiles(files, async (folder) => {
    const train = (await openAll(folder)).data, test = (await openAll(folder, { split: "test" })).data;
    assert.deepEqual([train.channels, train.mean.length, test.channels], [1, 1, 1]);
    assert.deepEqual([train.shared, test.shared], Array(2).fill({ train: 32, test: 8 }));
    const { said } = await openAll(folder);
    assert.ok(
      said.some((s) =>
        /^Images of '.*' are copies of others in their class \(20\); they stay on one side of every split: '0\/0.png' = '0\/1.png'/
          .test(s)
      ),
    );
    assert.deepEqual([train.count, test.count], [32, 8]);
    const first = (d: Dataset): Set<number> => new Set(Array.from({ length: d.count }, (_, i) => d.images[i * 256]));
    assert.equal(first(train).intersection(first(test)).size, 0);
    for (const data of [train, (await openAll(folder, { memoryBudget: 0 })).data]) {
      const half = splitHalves(data, 3, 0.5), part = await subsetOf(data, half.val, "val");
      const seen = (list: Uint32Array): Set<number> => new Set(Array.from(list, (i) => train.images[i * 256]));
      assert.deepEqual([half.train.length, half.val.length, seen(half.train).intersection(seen(half.val)).size], [
        16,
        16,
        0,
      ]);
      assert.deepEqual(
        [...part.firsts!],
        Array.from(half.val, (i) => half.val.findIndex((j) => data.firsts![j] === data.firsts![i])),
      );
    }
    assert.equal((await openAll(folder, { colours: "rgb" })).data.channels, 3);
  });
});

Deno.test("images: a streamed set gives the batches of one in memory, in any order, and again", async () => {
  await withFiles({ ...classes({ a: 12, b: 13 }) }, async (folder) => {
    const memory = (await openAll(folder)).data, streamed = (await openAll(folder, { memoryBudget: 0 })).data;
    assert.deepEqual(streamed.images, new Uint8Array());
    assert.deepEqual([streamed.count, streamed.labels, streamed.mean], [memory.count, memory.labels, memory.mean]);
    assert.notEqual(streamed.fingerprint, memory.fingerprint);
    const options = {
      batch: 6,
      seed: 3,
      stream: "s",
      shuffle: true,
      last: "drop",
      augment: { pad: 2, flip: true },
    } as const;
    const fill = async (batcher: Batcher, epoch: number, step: number): Promise<[number[], number[]]> => {
      const images = new Float32Array(batcher.imageElements), labels = new Int32Array(6);
      await batcher.ready(epoch, step);
      assert.equal(batcher.fill(epoch, step, images, labels), 6);
      return [[...images], [...labels]];
    };
    const one = new Batcher(memory, options), two = new Batcher(streamed, options);
    for (const [epoch, step] of [[0, 0], [0, 1], [0, 2], [1, 0], [5, 2], [0, 1]]) {
      assert.deepEqual(await fill(two, epoch, step), await fill(one, epoch, step));
    }
    // Crops are taken from the file there, so that pixels differ; a resumed run has the same ones.
    const augment = { ...defaultAugment(streamed), cutout: 4 };
    const third = new Batcher(streamed, { ...options, augment }),
      fourth = new Batcher(streamed, { ...options, augment });
    for (const step of [0, 1, 2]) await fill(third, 0, step);
    assert.deepEqual(await fill(fourth, 1, 1), await fill(third, 1, 1));
    const images = new Float32Array(two.imageElements);
    assert.throws(() => two.fill(9, 0, images, new Int32Array(6)), /waited for first: call ready/);
    streamed.stream!.close();
  });
});

Deno.test("images: a streamed file that cannot be read is told of and ignored", async () => {
  await withFiles(
    { ...classes({ a: 5, b: 5 }, "train/"), "train/b/x.png": samplePng(3).subarray(0, 150) },
    async (folder) => {
      const said: string[] = [];
      const { data } = await openAll(folder, { memoryBudget: 0, testFraction: 0.01, warn: (text) => said.push(text) });
      const batcher = new Batcher(data, { batch: data.count, seed: 0, stream: "s", shuffle: true, last: "drop" });
      const images = new Float32Array(batcher.imageElements), labels = new Int32Array(data.count);
      for (const epoch of [0, 1]) {
        await batcher.ready(epoch, 0);
        const bad = data.count - batcher.fill(epoch, 0, images, labels);
        assert.equal(labels.filter((l) => l === -1).length, bad);
        assert.equal(bad, 1);
      }
      assert.equal(
        said.filter((s) => /^Left 'train\/b\/x.png' out of its batches as it ends within/.test(s)).length,
        1,
        said.join(),
      );
      data.stream!.close();
    },
  );
});

Deno.test("pool: more jobs than threads, errors, closing, and none at all", async () => {
  await withFiles({ ...classes({ a: 4 }), "a/x.png": "" }, async (folder) => {
    for (const size of [0, 1, 3]) {
      const threads = new DecodeThreads(new DecodeMemory(2 ** 31, size)),
        pool = new DecodePool(threads),
        job = (name: string) => ({ path: `${folder}/a/${name}`, size: 8, channels: 3 });
      assert.equal(threads.threaded, size > 0);
      const jobs = Array.from({ length: 40 }, (_, i) => pool.run(job(`${i % 3}.png`)));
      const results = await Promise.all(jobs);
      results.forEach((data, i) => assert.deepEqual(data, results[i % 3]));
      await assert.rejects(pool.run(job("x.png")), failure(/it is empty/));
      await assert.rejects(pool.run(job("none.png")), failure(/does not exist/));
      if (size > 0) {
        const closed = Array.from({ length: 20 }, () => pool.run(job("1.png")));
        pool.close();
        for (const result of await Promise.allSettled(closed)) assert.equal(result.status, "rejected");
      }
      assert.equal((await pool.run(job("3.jpg"))).length, 192); // It starts again.
      pool.close();
    }
  });
});

Deno.test("pool: where threads cannot start it says so and goes on without", async () => {
  await withFiles(classes({ a: 4 }), async (folder) => {
    const Threads = globalThis.Worker;
    globalThis.Worker = class extends EventTarget {
      onerror?: (event: ErrorEvent) => void;
      constructor() {
        super();
        queueMicrotask(() => this.onerror?.(new ErrorEvent("error", { message: "no threads here", cancelable: true })));
      }
      postMessage() {}
      terminate() {}
    } as unknown as typeof Worker;
    try {
      const threads = new DecodeThreads(new DecodeMemory(2 ** 31, 2)), pool = new DecodePool(threads);
      const path = `${folder}/a/1.png`;
      assert.deepEqual([threads.threaded, pool.trouble], [true, undefined]);
      const jobs = Array.from({ length: 9 }, () => pool.run({ path, size: 8, channels: 3 }));
      const wanted = await loadImage({ path, size: 8, channels: 3 });
      for (const data of await Promise.all(jobs)) assert.deepEqual(data, wanted);
      assert.equal(pool.trouble, "Images are decoded on one thread as the others failed (no threads here)");
      assert.equal(threads.threaded, false);
      pool.close();
    } finally {
      globalThis.Worker = Threads;
    }
  });
});

/** A clear RGBA PNG: little to read, and much to decode. */
function largePng(side: number): Uint8Array {
  const header = new Uint8Array(13), view = new DataView(header.buffer);
  view.setUint32(0, side);
  view.setUint32(4, side);
  header.set([8, 6, 0, 0, 0], 8);
  const rows = deflateSync(new Uint8Array((4 * side + 1) * side)), signature = samplePng(0).subarray(0, 8);
  return concat(signature, pngChunk("IHDR", header), pngChunk("IDAT", rows), pngChunk("IEND", new Uint8Array()));
}

/** Memory that takes down how much of it was given out at once. */
class CountedMemory extends DecodeMemory {
  peak = 0;
  threadsAtMost = 0;
  #threads = 0;

  override takeShare(): () => void {
    const leave = super.takeShare();
    this.threadsAtMost = Math.max(this.threadsAtMost, ++this.#threads);
    this.peak = Math.max(this.peak, this.held);
    return () => (this.#threads--, leave());
  }

  override async takeLarge(bytes: number): Promise<GiveBack> {
    const giveBack = await super.takeLarge(bytes);
    this.peak = Math.max(this.peak, this.held);
    return giveBack;
  }
}

Deno.test("pool: images that need more than a thread's share wait for memory, and their threads are replaced", async () => {
  await withFiles({ "large.png": largePng(1500), "small.png": samplePng(1) }, async (folder) => {
    const memory = new CountedMemory(2 ** 28, 4), pool = new DecodePool(new DecodeThreads(memory));
    const job = (name: string) => ({ path: `${folder}/${name}.png`, size: 8, channels: 1 });
    const alone = await loadImage(job("small")), jobs = Array.from({ length: 6 }, (_, i) => i % 3 ? "small" : "large");
    const results = await Promise.all(jobs.map((name) => pool.run(job(name))));
    results.forEach((data, i) => assert.deepEqual([...data], i % 3 ? [...alone] : Array(64).fill(255), jobs[i]));
    pool.close();
    assert.ok(memory.peak > 3 * memory.share && memory.peak <= 2 ** 28, String(memory.peak));
    assert.equal(memory.held, memory.share, "only the main thread has something");
  });
});

Deno.test("pool: data sets that are read at once share threads and memory, and each closes its own jobs", async () => {
  const heavy = concat(largePng(1400), new Uint8Array(1e7)); // more to read than a share holds
  await withFiles({ "large.png": largePng(1500), "small.png": samplePng(1), "heavy.png": heavy }, async (folder) => {
    const memory = new CountedMemory(2 ** 28, 4), threads = new DecodeThreads(memory);
    const pools = [new DecodePool(threads), new DecodePool(threads), new DecodePool(threads)];
    const run = (pool: DecodePool): Promise<Uint8Array>[] =>
      Array.from({ length: 9 }, (_, i) => `${folder}/${i % 2 ? "small" : i % 4 ? "heavy" : "large"}.png`)
        .map((path) => pool.run({ path, size: 8, channels: 1 }));
    const [one, two, gone] = pools.map(run);
    await gone[0];
    pools[2].close();
    const lost = (await Promise.allSettled(gone)).filter(({ status }) => status === "rejected");
    assert.ok(lost.length > 0, "what waited is rejected");
    for (const results of [await Promise.all(one), await Promise.all(two)]) {
      results.forEach((data, i) => i % 2 || assert.deepEqual([...data], Array(64).fill(255)));
    }
    assert.ok(memory.peak > 3 * memory.share && memory.peak <= 2 ** 28, String(memory.peak));
    assert.ok(memory.threadsAtMost <= 4, "threads are those of the process, not of each data set");
    pools.forEach((pool) => pool.close());
    await new Promise((resolve) => setTimeout(resolve)); // what a stopped thread waited for comes, and goes back at once
    assert.equal(memory.held, memory.share);
  });
});

Deno.test("images: two data sets that stream at once stay within the memory of the process", async () => {
  await withFiles(classes({ a: 12, b: 12 }), async (folder) => {
    const open = () => openData(folder, { split: "train", imageSize: 16, memoryBudget: 0 });
    const [one, two] = [await open(), await open()];
    let most = 0;
    const load = async (data: Dataset, index: number): Promise<void> => {
      await data.stream!.load(index);
      most = Math.max(most, MEMORY.held);
    };
    await Promise.all(
      [one, two].flatMap((data) => Array.from({ length: data.count }, (_, index) => load(data, index))),
    );
    assert.ok(most > MEMORY.share && most <= MEMORY.share * (1 + MEMORY.threads), `${most} of ${MEMORY.share}`);
    one.stream!.close();
    assert.ok(await two.stream!.load(0), "the other one goes on");
    two.stream!.close();
    assert.equal(MEMORY.held, MEMORY.share);
  });
});

Deno.test("images: opening stops at once by a signal, and gives everything back", async () => {
  await withFiles(classes({ a: 40, b: 40 }), async (folder) => {
    for (const after of [0, 3]) {
      const controller = new AbortController(), reason = new Error("enough"), { signal } = controller;
      if (after === 0) controller.abort(reason);
      let most = 0;
      const onProgress = (done: number): void => {
        most = done;
        if (done === after) controller.abort(reason);
      };
      const opening = openData(folder, { split: "train", imageSize: 8 + after, signal, onProgress });
      await assert.rejects(opening, (error) => error === reason);
      assert.ok(most < 40, `${most} were decoded`);
      assert.equal(MEMORY.held, MEMORY.share);
    }
    const signal = new AbortController().signal, options = { split: "train", imageSize: 8 } as const;
    const { fingerprint } = await openData(folder, { ...options, signal });
    assert.equal(fingerprint, (await openData(folder, options)).fingerprint);
  });
});

import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { FailureError } from "../base/errors.ts";
import { openData } from "./dataset.ts";
import { channelStats } from "./statistics.ts";
import { encodeTar, samplePng, withFiles } from "./testing.ts";

/** An IDX file with the given elements. */
function idx(shape: number[], data: Iterable<number>): Uint8Array {
  const head = new Uint8Array(4 + 4 * shape.length);
  head.set([0, 0, 8, shape.length]);
  shape.forEach((n, i) => new DataView(head.buffer).setUint32(4 + 4 * i, n));
  return new Uint8Array([...head, ...data]);
}

function* counting(n: number): Generator<number> {
  for (let i = 0; i < n; i++) yield (i * 37) % 256;
}

/** Runs `test` with a folder of four small files, made plain or gzipped. */
async function withFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "idarts-data-" });
  try {
    const put = (name: string, bytes: Uint8Array): void => Deno.writeFileSync(`${folder}/${name}`, bytes);
    put("train-images-idx3-ubyte.gz", gzipSync(idx([6, 4, 3], counting(72))));
    put("train-labels.idx1-ubyte", idx([6], [0, 0, 1, 1, 2, 2]));
    put("t10k-images.idx3-ubyte", idx([3, 4, 3], counting(36)));
    put("t10k-labels-idx1-ubyte.gz", gzipSync(idx([3], [2, 1, 0])));
    await test(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

const failure = (part: RegExp) => (error: unknown): boolean => {
  assert.ok(error instanceof FailureError, String(error));
  assert.match(error.message, part);
  assert.doesNotMatch(error.message, /\n/);
  return true;
};

Deno.test("data: a folder opens with statistics of its training images", async () => {
  await withFolder(async (folder) => {
    const train = await openData(folder, { split: "train" });
    assert.equal(train.count, 6);
    assert.deepEqual([train.channels, train.height, train.width], [1, 4, 3]);
    assert.deepEqual(train.images, Uint8Array.from(counting(72)));
    assert.deepEqual([...train.labels], [0, 0, 1, 1, 2, 2]);
    assert.deepEqual(train.classNames, ["0", "1", "2"]);
    const values = [...counting(72)].map((v) => v / 255);
    const mean = values.reduce((a, b) => a + b) / 72;
    const std = Math.sqrt(values.reduce((a, v) => a + (v - mean) ** 2, 0) / 72);
    assert.ok(Math.abs(train.mean[0] - mean) < 1e-12);
    assert.ok(Math.abs(train.std[0] - std) < 1e-12);
    const test = await openData(folder, { split: "test" });
    assert.equal(test.count, 3);
    assert.deepEqual([...test.labels], [2, 1, 0]);
    assert.deepEqual(test.mean, train.mean);
    assert.equal(test.classes, 3);
  });
});

Deno.test("data: a limit spreads over the file and keeps the statistics", async () => {
  await withFolder(async (folder) => {
    const all = await openData(folder, { split: "train" });
    const some = await openData(folder, { split: "train", limit: 3 });
    assert.deepEqual([...some.labels], [0, 1, 2]);
    assert.deepEqual(some.images.subarray(12, 24), all.images.subarray(24, 36));
    assert.deepEqual(some.mean, all.mean);
    assert.equal(some.classes, 3);
    for (const limit of [7, 0, 1.5, NaN]) {
      await assert.rejects(
        openData(folder, { split: "train", limit }),
        failure(/number must be from 1 to 6: lower the limit/),
      );
    }
  });
});

Deno.test("data: the fingerprint follows the content", async () => {
  await withFolder(async (folder) => {
    const print = async (limit?: number): Promise<string> =>
      (await openData(folder, { split: "train", limit })).fingerprint;
    const first = await print();
    assert.match(first, /^[0-9a-f]{64}$/);
    assert.equal(await print(), first);
    assert.notEqual(await print(5), first);
    Deno.writeFileSync(`${folder}/train-labels.idx1-ubyte`, idx([6], [0, 0, 1, 1, 2, 1]));
    assert.notEqual(await print(), first);
  });
});

Deno.test("data: classes.txt names the classes and bounds the labels", async () => {
  await withFolder(async (folder) => {
    Deno.writeTextFileSync(`${folder}/classes.txt`, "cat\r\ndog\nant bear\n\n");
    const { classNames } = await openData(folder, { split: "train" });
    assert.deepEqual(classNames, ["cat", "dog", "ant bear"]);
    Deno.writeTextFileSync(`${folder}/classes.txt`, "cat\ndog\n");
    await assert.rejects(
      openData(folder, { split: "train" }),
      failure(/labels must be below 2, .*classes.txt': current highest is 2/),
    );
  });
});

Deno.test("data: files that are missing or do not fit get a sentence", async () => {
  const broken: [string, Uint8Array | null, "train" | "test", RegExp][] = [
    [
      "train-images-idx3-ubyte.gz",
      null,
      "test",
      /must hold 'train-images-idx3-ubyte' \(or \.gz\)/,
    ],
    ["train-labels.idx1-ubyte", null, "train", /Cannot open the train labels/],
    ["t10k-images.idx3-ubyte", null, "test", /Cannot open the test images/],
    [
      "train-labels.idx1-ubyte",
      idx([5], [0, 1, 0, 1, 0]),
      "train",
      /each of the 6 images.*current count is 5/,
    ],
    [
      "train-labels.idx1-ubyte",
      idx([6], [0, 0, 0, 0, 0, 0]),
      "train",
      /at least 2 classes/,
    ],
    [
      "t10k-labels-idx1-ubyte.gz",
      idx([3], [0, 3, 0]),
      "test",
      /below 3, .* current value of label 1 is 3/,
    ],
    [
      "t10k-images.idx3-ubyte",
      idx([3, 3, 4], counting(36)),
      "test",
      /must be \[1, 4, 3\] .*current shape is \[1, 3, 4\]/,
    ],
    ["train-images-idx3-ubyte.gz", new Uint8Array(9), "train", /IDX/],
  ];
  for (const [name, bytes, split, part] of broken) {
    await withFolder(async (folder) => {
      Deno.removeSync(`${folder}/${name}`);
      if (bytes !== null) Deno.writeFileSync(`${folder}/${name}`, bytes);
      await assert.rejects(openData(folder, { split }), failure(part));
    });
  }
  await withFolder(async (folder) => {
    await assert.rejects(
      openData("mnist", { split: "train", mnistFolder: `${folder}/none` }),
      failure(/^Cannot open data set 'mnist' as the folder '[^']*none' does not exist: fetch it with fetchMnist$/),
    );
    await assert.rejects(
      openData(`${folder}/none`, { split: "train" }),
      failure(/none' does not exist: check the path/),
    );
    await assert.rejects(openData("", { split: "train" }), failure(/does not exist/));
  });
});

Deno.test("data: 'mnist' reads the folder it is told and has ten classes", async () => {
  await withFolder(async (folder) => {
    const data = await openData("mnist", {
      split: "test",
      mnistFolder: folder,
    });
    assert.equal(data.name, "mnist");
    assert.equal(data.classes, 10);
  });
});

Deno.test("data: statistics are per channel", () => {
  const images = new Uint8Array([0, 0, 255, 255, 0, 0, 0, 255]); // 2 images, 2 channels, 2 pixels
  const { mean, std } = channelStats(images, 2, 2);
  assert.deepEqual(mean, [0, 0.75]);
  assert.equal(std[0], 0);
  assert.ok(Math.abs(std[1] - Math.sqrt(0.1875)) < 1e-12);
});

const FASHION = "/usr/share/datasets/fashion-mnist";
let present = false;
try {
  present = Deno.statSync(FASHION).isDirectory;
} catch { /* not on this machine, or not permitted */ }

Deno.test({
  name: "data: Fashion-MNIST as published",
  ignore: !present,
  async fn() {
    const train = await openData(FASHION, { split: "train", limit: 1000 });
    assert.equal(train.name, "fashion-mnist");
    assert.deepEqual([train.count, train.channels, train.height, train.width], [
      1000,
      1,
      28,
      28,
    ]);
    // The values that everyone's code for this data set holds.
    assert.ok(Math.abs(train.mean[0] - 0.2860) < 5e-5, String(train.mean));
    assert.ok(Math.abs(train.std[0] - 0.3530) < 5e-5, String(train.std));
    assert.equal(train.classNames[9], "Ankle boot");
    const test = await openData(FASHION, { split: "test" });
    assert.equal(test.count, 10000);
    assert.deepEqual([...test.labels.subarray(0, 8)], [9, 2, 1, 1, 6, 1, 4, 6]);
  },
});

Deno.test("data: archives of images are to be unpacked", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "idarts-archives-" });
  try {
    const zip = new TextEncoder().encode("PK\x03\x04 and so on"), tar = encodeTar({ "cats/1.png": samplePng(1) });
    const cases: [name: string, bytes: Uint8Array, part: RegExp][] = [
      ["pets.zip", zip, /'.*pets\.zip' as it is a zip archive: unpack it and name its folder$/],
      [
        "pets.tar",
        tar,
        /is an archive without the files of CIFAR .*: if it holds a folder of images, unpack it and name/,
      ],
      [
        "pets.tar.gz",
        gzipSync(tar),
        /is an archive without the files of CIFAR .*: if it holds a folder of images, unpack/,
      ],
      ["pets", tar, /'.*pets' as it is a tar archive: unpack it and name its folder$/],
      [
        "medical.npz",
        zip,
        /'.*medical\.npz' as it is an archive of NumPy arrays: save its images as files, those of each/,
      ],
      ["train.parquet", new TextEncoder().encode("PAR1..."), /as it is a Parquet table: save its images as files/],
      ["table", new TextEncoder().encode("PAR1..."), /as it is a Parquet table: save its images as files/],
    ];
    for (const [name, bytes, part] of cases) {
      Deno.writeFileSync(`${folder}/${name}`, bytes);
      await assert.rejects(openData(`${folder}/${name}`, { split: "train" }), part);
    }
    const holds = async (files: Record<string, Uint8Array>, part: RegExp): Promise<void> => {
      await withFiles(files, (at) => assert.rejects(openData(at, { split: "train" }), part));
    };
    await holds({ "train.zip": zip, "test.zip": zip }, /as it holds 'test.zip', a zip archive: unpack it and name its/);
    const table = new TextEncoder().encode("PAR1...");
    await holds({ "data/train-0.parquet": table }, /number is 1: it holds 'train-0.parquet', a Parquet table: save/);
    await holds(
      { "data_batch_1": zip, "batches.meta": zip },
      /as it is CIFAR as Python's pickles: take the binary version$/,
    );
    await holds({ "cifar-10-batches-py/data_batch_1": zip }, /number is 1: it is CIFAR as Python's pickles: take the/);
    Deno.mkdirSync(`${folder}/none`);
    await assert.rejects(openData(`${folder}/none`, { split: "train" }), /none' as it is empty$/);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { FailureError, UsageError } from "../base/errors.ts";
import { defaultAugment, openData } from "./dataset.ts";
import { channelStats } from "./statistics.ts";
import { cifarRecords, concat, encodeTar } from "./testing.ts";
import { readTar } from "./tar.ts";

async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "idarts-cifar-" });
  try {
    await body(folder);
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

const NAMES = "airplane automobile bird cat deer dog frog horse ship truck".split(" ");

function cifar10(): Record<string, Uint8Array> {
  const files: Record<string, Uint8Array> = { "batches.meta.txt": new TextEncoder().encode(NAMES.join("\n") + "\n\n") };
  for (let i = 1; i <= 5; i++) files[`data_batch_${i}.bin`] = cifarRecords(10, 1, 10, i);
  return { ...files, "test_batch.bin": cifarRecords(7, 1, 10, 9) };
}

function cifar100(): Record<string, Uint8Array> {
  const names = Array.from({ length: 100 }, (_, i) => `class ${i}`).join("\n");
  const fine = { "fine_label_names.txt": new TextEncoder().encode(names) };
  return { ...fine, "train.bin": cifarRecords(120, 2, 100), "test.bin": cifarRecords(30, 2, 100, 5) };
}

Deno.test("cifar: folder and archive open alike", async () => {
  for (
    const [files, prefix, name] of [[cifar10(), "cifar-10-batches-bin/", "cifar10"], [
      cifar100(),
      "./x/",
      "cifar100",
    ]] as const
  ) {
    await withFolder(async (folder) => {
      const tar = encodeTar(Object.fromEntries(Object.entries(files).map(([n, data]) => [prefix + n, data])));
      Deno.writeFileSync(`${folder}/c.tar.gz`, gzipSync(tar));
      Deno.writeFileSync(`${folder}/c.tar`, tar);
      Deno.mkdirSync(`${folder}/plain`);
      for (const [n, data] of Object.entries(files)) Deno.writeFileSync(`${folder}/plain/${n}`, data);
      for (const split of ["train", "test"] as const) {
        const data = await openData(`${folder}/plain`, { split });
        for (const path of ["c.tar.gz", "c.tar"]) {
          assert.deepEqual(await openData(`${folder}/${path}`, { split }), data);
        }
        assert.equal(data.name, name);
        assert.deepEqual([data.channels, data.height, data.width], [3, 32, 32]);
        const parts = Object.entries(files).filter(([n]) =>
          n.endsWith(".bin") && n.startsWith("test") === (split === "test")
        );
        const record = name === "cifar10" ? 3073 : 3074, all = concat(...parts.map(([, bytes]) => bytes));
        assert.equal(data.count, all.length / record);
        for (const i of [0, data.count - 1]) {
          assert.equal(data.labels[i], all[i * record + record - 3073]);
          assert.deepEqual(
            data.images.subarray(i * 3072, (i + 1) * 3072),
            all.subarray((i + 1) * record - 3072, (i + 1) * record),
          );
        }
        if (split === "train") assert.deepEqual({ mean: data.mean, std: data.std }, channelStats(data.images, 3, 1024));
        assert.equal(data.classNames[9], name === "cifar10" ? "truck" : "class 9");
        assert.deepEqual(defaultAugment(data), { pad: 4, flip: true, cutout: 16 });
        assert.equal(defaultAugment(data, "search").cutout, 0);
      }
      assert.equal((await openData(`${folder}/plain`, { split: "train", limit: 13 })).count, 13);
      await assert.rejects(openData(`${folder}/plain`, { split: "val" }), UsageError);
    });
  }
});

Deno.test("cifar: faults have sentences", async () => {
  const good = cifar10(), bad = cifarRecords(3, 1, 10).with(3073, 10);
  const cases: [Record<string, Uint8Array>, RegExp][] = [
    [
      { ...good, "data_batch_3.bin": new Uint8Array(3072) },
      /'data_batch_3.bin' of .* whole records of 3073 bytes: current size is 3072/,
    ],
    [{ ...good, "data_batch_3.bin": bad }, /labels must be below 10: current value of record 1 is 10/],
    [{ ...good, "batches.meta.txt": new Uint8Array(3) }, /must hold 10 class names: current number is 1/],
    [{ "test_batch.bin": cifarRecords(1, 1, 10) }, /must hold 'data_batch_1.bin': check the path or fetch it with/],
    [{ "other.bin": cifarRecords(1, 1, 10) }, /without the files of CIFAR \('data_batch_1.bin' or 'train.bin'\)/],
  ];
  for (const [files, part] of cases) {
    await withFolder(async (folder) => {
      Deno.writeFileSync(`${folder}/c.tar`, encodeTar(files));
      await assert.rejects(openData(`${folder}/c.tar`, { split: "train" }), failure(part));
    });
  }
  await withFolder(async (folder) => {
    for (const bytes of [gzipSync(encodeTar(good)).subarray(0, -2000), Uint8Array.of(0x1f, 0x8b, 9)]) {
      Deno.writeFileSync(`${folder}/c.tgz`, bytes);
      await assert.rejects(openData(`${folder}/c.tgz`, { split: "train" }), failure(/gzip data is cut off or damaged/));
    }
  });
});

Deno.test("tar: files come out as they went in, hostile archives do not", () => {
  const files = {
    "a.bin": new Uint8Array(700).fill(7),
    "d/e/f.txt": new TextEncoder().encode("x"),
    "none": new Uint8Array(),
  };
  const bytes = encodeTar(files),
    got = Object.fromEntries([...readTar(bytes, "t")].map(({ name, data }) => [name, data]));
  assert.deepEqual(got, files);
  const resum = (tar: Uint8Array): Uint8Array => {
    tar.fill(32, 148, 156);
    const sum = tar.subarray(0, 512).reduce((a, b) => a + b, 0);
    tar.set(new TextEncoder().encode(sum.toString(8).padStart(6, "0") + "\0 "), 148);
    return tar;
  };
  const sized = (text: string): Uint8Array => {
    const tar = bytes.slice();
    tar.set(new TextEncoder().encode(text), 124);
    return resum(tar);
  };
  const cases: [Uint8Array, RegExp][] = [
    [bytes.with(0, 1), /check sum of its header at byte 0 is wrong/],
    [sized("77777777777\0"), /cut off: it must hold 8589935103 bytes/],
    [sized("-0000000001\0"), /size in its header at byte 0 is no number/],
    [bytes.subarray(0, 900), /cut off: it must hold 1212 bytes and holds 900/],
    [bytes.subarray(0, 300), /ends within a header/],
  ];
  for (const [tar, part] of cases) assert.throws(() => [...readTar(tar, "t")], failure(part));
});

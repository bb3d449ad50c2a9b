import assert from "node:assert/strict";
import { FailureError } from "../base/errors.ts";
import { openData } from "./dataset.ts";
import { layoutOf, partOfName } from "./folder_layout.ts";
import { classFiles, sampleJpeg, samplePng, withFiles } from "./testing.ts";

const failure = (part: RegExp) => (error: unknown): boolean => {
  assert.ok(error instanceof FailureError, String(error));
  assert.match(error.message, part);
  assert.doesNotMatch(error.message, /\n/);
  return true;
};

/** Opens a part and keeps what is said. */
async function open(folder: string, split: "train" | "val" | "test" = "train") {
  const said: string[] = [];
  return { data: await openData(folder, { split, imageSize: 8, warn: (text) => said.push(text) }), said };
}

Deno.test("layout: the spellings of parts, and names that are none", () => {
  const spelled = {
    train: ["train", "Train", "TRAINING", "training_set", "trainset", "seg_train", "train_images", "train-data", "trn"],
    val: ["val", "valid", "validation", "dev", "val2017", "Validation Set", "valset", "eval"],
    test: ["test", "testing", "test_set", "seg_test", "images_test", "testset", "test-images"],
  };
  for (const [part, names] of Object.entries(spelled)) {
    for (const name of names) assert.equal(partOfName(name), part, name);
  }
  for (const name of ["test_tube", "trainer", "steam train", "images", "developer", "valley", "protest", "cat", "0"]) {
    assert.equal(partOfName(name), undefined, name);
  }
});

Deno.test("layout: parts by every spelling are taken as parts", async () => {
  const pairs = [["training_set", "test_set"], ["seg_train", "seg_test"], ["Train", "dev"], ["train", "valid"]];
  for (const [train, other] of pairs) {
    const files = { ...classFiles({ a: 4, b: 4 }, `${train}/`), ...classFiles({ a: 2, b: 1 }, `${other}/`, 9) };
    await withFiles(files, async (folder) => {
      const part = partOfName(other) as "val" | "test";
      assert.deepEqual([(await open(folder)).data.count, (await open(folder, part)).data.count], [8, 3], other);
      assert.deepEqual((await open(folder)).data.classNames, ["a", "b"]);
    });
  }
  // As an archive of Intel's scenes unpacks.
  const files = {
    ...classFiles({ a: 4, b: 4 }, "seg_train/seg_train/"),
    ...classFiles({ a: 1, b: 1 }, "seg_test/seg_test/", 9),
    "seg_pred/seg_pred/1.jpg": sampleJpeg(1),
  };
  await withFiles(files, async (folder) => {
    const { data, said } = await open(folder);
    assert.deepEqual([data.count, (await open(folder, "test")).data.count], [8, 2]);
    assert.ok(
      said.some((s) => /'seg_pred\/' \(by its name there are no classes for its 1 image\)/.test(s)),
      said.join(),
    );
  });
});

Deno.test("layout: parts with the name of the data set", async () => {
  for (
    const [train, test] of [["asl_alphabet_train", "asl_alphabet_test"], ["x_train", "x_test"], ["imgtrain", "test-x"]]
  ) {
    const nested = train === "x_train" ? `${train}/${train}/` : `${train}/`;
    const files = { ...classFiles({ a: 4, b: 4 }, nested), ...classFiles({ a: 2, b: 1 }, `${test}/`, 9) };
    await withFiles(files, async (folder) => {
      if (test === "test-x") {
        return await assert.rejects(open(folder), failure(/it holds 'imgtrain', .* beside 'test-x'/));
      }
      assert.deepEqual([(await open(folder)).data.count, (await open(folder, "test")).data.count], [8, 3], train);
      assert.deepEqual((await open(folder)).data.classNames, ["a", "b"]);
    });
  }
});

Deno.test("layout: folders that all hold the same ones may be parts by another name", async () => {
  const of = (...tops: string[]) =>
    Object.assign({}, ...tops.map((top, i) => classFiles({ a: 2, b: 2 }, `${top}/`, 9 * i)));
  await withFiles(of("fold1", "fold2"), async (folder) => {
    const { data, said } = await open(folder);
    assert.deepEqual(data.classNames, ["fold1", "fold2"]);
    assert.ok(
      said.some((s) => /taken to be 'fold1' and 'fold2', each of which holds the folders 'a' and 'b': if/.test(s)),
    );
  });
  for (const tops of [["public_train", "private_test"], ["train_hr", "train_lr"]]) {
    await withFiles(of(...tops), async (folder) => {
      await assert.rejects(open(folder), failure(/are named like parts and each holds 'a' and 'b': either they are/));
    });
  }
  await withFiles(classFiles({ "a_train": 2, "b_test": 2 }), async (folder) => {
    await assert.rejects(open(folder), failure(/its folders 'a_train' and 'b_test' are named like parts: either/));
  });
  await withFiles(classFiles({ "toy train": 2, "steam train": 2 }), async (folder) => {
    assert.deepEqual((await open(folder)).data.classNames, ["steam train", "toy train"]);
  });
  await withFiles(
    { ...classFiles({ left: 2, right: 2 }, "cat/"), ...classFiles({ left: 2, x: 2 }, "dog/", 9) },
    async (folder) => {
      assert.deepEqual((await open(folder)).said.filter((s) => /taken to be/.test(s)), []);
    },
  );
});

Deno.test("layout: a folder too far up names the one to take, and what systems add is left out", async () => {
  const files = {
    ...classFiles({ a: 2, b: 2 }, "archive/images/train/"),
    ...classFiles({ a: 2, b: 2 }, "archive/images/test/", 9),
  };
  await withFiles(files, async (folder) => {
    await assert.rejects(open(folder), failure(/'archive\/images' holds 2 folders, so name '.*\/archive\/images' if/));
    assert.equal((await open(`${folder}/archive/images`)).data.count, 4);
  });
  const made = ["$RECYCLE.BIN/x.png", "System Volume Information/x", "a/@eaDir/0.png/THUMB.png", "__MACOSX/a/._0.png"];
  await withFiles(
    { ...classFiles({ a: 3, b: 3 }), ...Object.fromEntries(made.map((name) => [name, samplePng(5)])) },
    async (folder) => {
      const { data, said } = await open(folder);
      assert.deepEqual([data.classNames, data.count], [["a", "b"], 4]);
      assert.ok(
        said.some((s) => /^Left out 4 of 10 .*'\$RECYCLE.BIN\/'.* \(Windows made it\).*'a\/@eaDir\/'/.test(s)),
        said.join(),
      );
    },
  );
});

Deno.test("layout: flat parts beside train are left out aloud", async () => {
  for (const flat of ["test", "dev"]) {
    const files = { ...classFiles({ a: 4, b: 4 }, "train/"), [`${flat}/1.png`]: samplePng(1) };
    await withFiles({ ...files, [`${flat}/2.png`]: samplePng(2) }, async (folder) => {
      const { said } = await open(folder);
      const wanted = new RegExp(`Left out 1 of 9 .*: '${flat}/' \\(no folder of a class holds its 2 images\\)`);
      assert.ok(said.some((s) => wanted.test(s)), said.join());
    });
  }
});

Deno.test("layout: an empty part is left out aloud", async () => {
  await withFiles(
    { ...classFiles({ a: 4, b: 4 }, "train/"), "test/later.txt": samplePng(1).subarray(0, 3) },
    async (folder) => {
      const { data, said } = await open(folder);
      assert.equal(data.count, 6);
      assert.ok(said.some((s) => /Left out 1 of 9 .*: 'test\/' \(it holds no image\)$/.test(s)), said.join());
    },
  );
});

Deno.test("layout: what can be read in two ways is refused with both readings", async () => {
  const cases: [Record<string, Uint8Array>, RegExp][] = [
    [
      { ...classFiles({ a: 2, b: 2 }, "train/"), ...classFiles({ cat: 2, dog: 2 }) },
      /it holds 'train', named like a part, beside 'cat' and 'dog': either 'cat' and 'dog' are no part of the data \(then move that out\), or all of them are classes \(then rename 'train'\)/,
    ],
    [
      { ...classFiles({ a: 2, b: 2 }, "val/"), ...classFiles({ a: 2, b: 2 }, "test/") },
      /it holds 'test' and 'val' and no training part: either the training part is missing .* or they are classes/,
    ],
    [
      classFiles({ train: 2, test: 2 }),
      /'test' and 'train' lie in no folder of a class: either these are parts .*, or they/,
    ],
    [
      { ...classFiles({ a: 2, b: 2 }, "train/"), ...classFiles({ a: 2, b: 2 }, "training_set/") },
      /'train' and 'training_set' are all named like the train part/,
    ],
    [
      { ...classFiles({ train: 2, test: 1 }, "cat/"), ...classFiles({ train: 2, test: 1 }, "dog/") },
      /its classes hold 'cat\/test', 'cat\/train', 'dog\/test' and 'dog\/train', named like parts: either .*, or all/,
    ],
    [
      { ...classFiles({ a: 2, b: 2 }, "test/"), "train/1.png": samplePng(1) },
      /its training part 'train' lie in no folder of a class and those of 'test' do/,
    ],
  ];
  for (const [files, part] of cases) {
    await withFiles(files, async (folder) => {
      await assert.rejects(open(folder), failure(part));
    });
  }
  await withFiles(classFiles({ train: 3, car: 3 }), async (folder) => { // A class of trains.
    assert.deepEqual((await open(folder)).data.classNames, ["car", "train"]);
    assert.equal(layoutOf(folder).split, false);
  });
});

Deno.test("layout: names that are not UTF-8, broken links and names that look alike are told of", async () => {
  const files = { ...classFiles({ a: 6, b: 6 }), "a/1.txt": samplePng(77) };
  await withFiles(files, async (folder) => {
    // What Deno reports of links to nowhere and of names in Latin-1; to make them takes more permissions than tests have.
    const found = (name: string, isSymlink: boolean) => ({ name, isFile: false, isDirectory: false, isSymlink });
    const links = Array.from({ length: 13 }, (_, i) => found(`link${String(i).padStart(2, "0")}.png`, true));
    const extra = new Map([[folder, [found("c", true), found("caf\ufffd", false)]], [`${folder}/a`, links]]);
    const readDirSync = Deno.readDirSync;
    Deno.readDirSync = (path) => [...readDirSync(path), ...extra.get(String(path)) ?? []][Symbol.iterator]();
    const { said, data } = await open(folder).finally(() => Deno.readDirSync = readDirSync);
    const left = said.find((s) => s.startsWith("Left out"))!;
    assert.match(
      left,
      /^Left out 15 of 28 image files and folders of '.*': 'c', 'a\/link00.png', .*, and 4 more \(it is/,
    );
    assert.match(left, / \(it is a link to what is not there\); 'caf\ufffd' \(its name is not UTF-8: rename it\)$/);
    const test = (await open(folder, "test")).data;
    assert.equal(data.count + test.count, 13); // A picture is one whatever it is called.
  });
  const apart = {
    ...classFiles({ "caf\u00e9": 3, b: 3 }, "train/"),
    ...classFiles({ "cafe\u0301": 1, b: 1 }, "test/"),
  };
  await withFiles(apart, async (folder) => {
    await assert.rejects(
      open(folder),
      failure(/its 'caf\\u\{e9\}' looks alike and is written differently from 'cafe\\u\{301\}', so rename one/),
    );
  });
  await withFiles(classFiles({ Cat: 3, "cat ": 3 }), async (folder) => {
    const { said } = await open(folder);
    assert.ok(said.some((s) => /look alike and are taken as different ones: 'Cat', 'cat '/.test(s)), said.join());
  });
});

Deno.test("layout: a class without images says what its files are", async () => {
  const cut = samplePng(3).subarray(0, 60);
  const cases: [Record<string, Uint8Array | string>, RegExp][] = [
    [{ "b/x.png": "II*\0" }, /class 'b' of '.*': 'b\/x.png' \(it is TIFF inside\); put some there \(PNG, JPEG, WebP/],
    [
      { "b/x.heic": "\0\0\0\x18ftypheic" },
      /class 'b' of '.*': the data set has 1 \.heic that are none of these kinds; put some there/,
    ],
    [{ "b/x.png": cut, "b/y.png": cut.slice(0, 50) }, /class 'b' of '.*': .*'b\/x.png' \(it ends within its pixels/],
  ];
  for (const [files, part] of cases) {
    await withFiles({ ...classFiles({ a: 3 }), ...files }, async (folder) => {
      await assert.rejects(open(folder), (error) => failure(/class 'b'/)(error) && failure(/b\/|heic/)(error));
      await open(folder).catch((error) => assert.match(error.message.replace(/ as it has no .*? read/, ""), part));
    });
  }
  await withFiles({ ...classFiles({ a: 3, b: 3 }), "c/1.png": samplePng(50) }, async (folder) => {
    const { said } = await open(folder);
    assert.ok(
      said.some((s) => /1 classes of '.*' have no two different images, so none to be tested on: 'c'; add/.test(s)),
      said.join(),
    );
  });
  await withFiles(classFiles({ a: 3, b: 3 }, "inner/"), async (folder) => {
    await assert.rejects(
      open(folder),
      failure(/current number is 1: 'inner' holds 2 folders, so name '.*inner' if that/),
    );
  });
  await withFiles({ "1.png": samplePng(1), "2.png": samplePng(2) }, async (folder) => {
    await assert.rejects(open(folder), failure(/current number is 0, and 2 images lie beside them: put the images of/));
  });
});

Deno.test("images: samples that use little of their range are told of", async () => {
  const { encodePng } = await import("./testing.ts");
  const png = (bits: number, seed: number): Uint8Array =>
    encodePng({
      width: 9,
      height: 9,
      depth: 16,
      colour: 0,
      sample: (y, x) => (y * 99707 + x * 33101 + seed * 7777) % 2 ** bits,
    });
  const files: Record<string, Uint8Array> = {};
  for (let i = 0; i < 12; i++) files[`${i % 2}/${i}.png`] = png(i < 4 ? 12 : 16, i);
  await withFiles(files, async (folder) => {
    const { said } = await open(folder),
      wanted = /of 1\d images of '.*' .* nearly black, with no sample above 1\d of 255: .*files of 16 bits look so/;
    assert.ok(said.some((s) => wanted.test(s)), said.join());
  });
});

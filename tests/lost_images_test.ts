/**
 * Streamed images that go away while a search runs: for a moment it waits, for good it stops at a checkpoint, and either
 * way the bits are those of a search that nothing happened to.
 */
import assert from "node:assert/strict";
import { type Dataset, openData, openGpu, RunFolder, search, type SearchRunOptions } from "../mod.ts";
import { ImagesLostError } from "../src/data/lost_images.ts";
import { encodePng } from "../src/data/testing.ts";
import { bitsOf, message, tiny } from "./search_support.ts";

const gpu = await openGpu();
const ROOT = Deno.makeTempDirSync({ prefix: "lost-" }), DATA = `${ROOT}/data`, AWAY = `${ROOT}/away`;
Deno.test.afterAll(() => Deno.removeSync(ROOT, { recursive: true }));

for (const [label, name] of ["above", "below"].entries()) {
  Deno.mkdirSync(`${DATA}/${name}`, { recursive: true });
  for (let i = 0; i < 30; i++) {
    const sample = (y: number, x: number): number =>
      (y < 4 ? 200 : 60) * (1 - label) + (y < 4 ? 60 : 200) * label - (i * 7 + 3 * x) % 40;
    Deno.writeFileSync(
      `${DATA}/${name}/${i}.png`,
      encodePng({ width: 8, height: 8, depth: 8, colour: 0, sample }),
    );
  }
}

const config = tiny({ batchSize: 4, epochs: 2, stepsPerEpoch: 5, checkpointSteps: 2 });

async function open(patience: number, warn?: (text: string) => void): Promise<Dataset> {
  return await openData(DATA, { split: "train", imageSize: 8, memoryBudget: 0, patience, warn });
}

/** A search in `path` to its end. */
async function complete(
  path: string,
  options: SearchRunOptions = {},
  patience = 10,
  warn?: (text: string) => void,
): Promise<unknown> {
  const data = await open(patience, warn);
  try {
    const result = await search(config, data, { gpu, folder: path, ...options });
    using folder = RunFolder.open(path);
    return bitsOf(folder, result);
  } finally {
    data.stream!.close();
  }
}

Deno.test("lost images: gone for a second, they are waited for; gone for good, the run stops and can go on", async () => {
  const whole = await complete(`${ROOT}/whole`);

  let back: Promise<void> | undefined;
  const said: string[] = [];
  const moment = await complete(
    `${ROOT}/moment`,
    {
      onProgress({ epoch, step }) {
        if (back !== undefined || epoch !== 0 || step < 2) return;
        Deno.renameSync(DATA, AWAY);
        back = new Promise((resolve) => setTimeout(resolve, 1000)).then(() => Deno.renameSync(AWAY, DATA));
      },
    },
    10,
    (text) => void said.push(text),
  );
  await back;
  assert.ok(back !== undefined);
  assert.match(
    said.join("\n"),
    /^Cannot read '.*' as it does not exist: check the path; trying again for 10 seconds$/m,
  );
  assert.deepEqual(moment, whole);

  const path = `${ROOT}/gone`,
    onProgress: SearchRunOptions["onProgress"] = ({ epoch, step }) => {
      if (epoch === 0 && step === 2) Deno.renameSync(DATA, AWAY);
    };
  const stopped =
    /^The run stopped after step [2-9] as images of 'data' went away \(Cannot read '.*' as it does not exist.*\)/;
  await assert.rejects(complete(path, { onProgress }, 0.3), (error: unknown) => {
    assert.match(String((error as Error).message), /; go on when they can be read$/);
    return message(stopped, ImagesLostError)(error);
  });
  Deno.renameSync(AWAY, DATA);
  assert.ok(RunFolder.view(path).readCheckpoint()!.step >= 2);
  assert.deepEqual(await complete(path), whole);
});

Deno.test("lost images: a file that changed its size is none that was damaged, and an opening stops too", async () => {
  const data = await open(0.2), files = Array.from({ length: 30 }, (_, i) => `${DATA}/above/${i}.png`);
  const before = files.map((file) => Deno.readFileSync(file));
  const put = (change: (bytes: Uint8Array) => Uint8Array): void =>
    files.forEach((file, i) => Deno.writeFileSync(file, change(before[i])));
  const load = () => Promise.all(Array.from({ length: data.count }, (_, i) => data.stream!.load(i)));
  put((bytes) => bytes.subarray(0, 60));
  const pattern = /above\/\d+.png' as it must have the \d+ bytes that it had .*: it has 60$/;
  await assert.rejects(load(), message(pattern, ImagesLostError));
  put((bytes) => bytes);
  assert.ok((await load()).every((image) => image !== null));
  // Damaged ones of the same size are left out, as they would be in memory.
  put((bytes) => bytes.map((byte, i) => i < 30 ? byte : 0));
  assert.deepEqual((await load()).map((image) => image === null), Array.from(data.labels, (label) => label === 0));
  put((bytes) => bytes);
  data.stream!.close();
  const opening = openData(DATA, { split: "train", imageSize: 9, patience: 0.2 });
  Deno.renameSync(DATA, AWAY); // it has listed its files by now, and decodes them
  await assert.rejects(opening, message(/^Cannot read '.*' as it does not exist/));
  Deno.renameSync(AWAY, DATA);
});

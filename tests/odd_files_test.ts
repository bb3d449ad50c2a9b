/** Folders with what `ls` shows and Deno cannot open: made for real, where the tests of the layout have a listing. */
import assert from "node:assert/strict";
import { openData } from "../src/data/dataset.ts";
import { classFiles, samplePng, withFiles } from "../src/data/testing.ts";
import type { Oddity } from "./odd_files.ts";

/** Does it in a process that may; the tests may not. */
async function make(folder: string, ...oddities: readonly Oddity[]): Promise<void> {
  const script = new URL("odd_files.ts", import.meta.url).pathname;
  const { success, stderr } = await new Deno.Command("deno", {
    args: [
      "run",
      "--no-prompt",
      "--allow-ffi",
      "--allow-read",
      "--allow-write",
      script,
      folder,
      JSON.stringify(oddities),
    ],
    stdout: "null",
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
}

Deno.test({
  name: "odd files: names that are not UTF-8, links to nowhere and pipes are left out aloud, others used",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const files = { ...classFiles({ "photos/cat": 4, "photos/dog": 4, "photos/cafe": 3, "elsewhere": 2 }) };
    await withFiles({ ...files, "photos/cat/naive.png": samplePng(90) }, async (folder) => {
      const latin1 = (text: string): number[] => [...text].map((c) => c.charCodeAt(0));
      await make(
        `${folder}/photos`,
        ["rename", "cafe", latin1("café")],
        ["rename", "cat/naive.png", latin1("naïve.png")],
        ["link", "cat/gone.png", "nowhere.png"],
        ["link", "dog/loop.png", "loop.png"],
        ["link", "bird", "/nonexistent"],
        ["link", "dog/more", `${folder}/elsewhere`],
        ["pipe", "cat/pipe.png"],
      );
      const said: string[] = [];
      const { classNames, count, skipped } = await openData(`${folder}/photos`, {
        ...{ split: "train", imageSize: 16, testFraction: 0.2, warn: (text) => said.push(text) },
      });
      assert.deepEqual(classNames, ["cat", "dog"]);
      assert.equal(count, 8, "four of each, one for testing, and two by a link");
      const why = Object.fromEntries(skipped!.map(({ file, why }) => [file, why]));
      assert.deepEqual(why, {
        "caf\ufffd/": "its name is not UTF-8: rename it",
        "cat/na\ufffdve.png": "its name is not UTF-8: rename it",
        "cat/gone.png": "it is a link to what is not there",
        "dog/loop.png": "it is a link that leads in a circle",
        bird: "it is a link to what is not there",
        "cat/pipe.png": "it is a device or a pipe",
      });
      assert.ok(
        said.some((sentence) => /^Left out 6 of 16 image files and folders of 'photos': /.test(sentence)),
        said.join("\n"),
      );
    });
  },
});

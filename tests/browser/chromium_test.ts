/**
 * The browser's entry in Chromium, on its software adapter: the work of `case.ts` comes to the numbers that Deno gets on
 * the same adapter, digit for digit. Where there is no Debian Chromium this is left out, and it says so. Run by
 * `deno task test` with a call of its own: only these tests may start a browser.
 * @module
 */
import assert from "node:assert/strict";
import type { Results } from "./case.ts";
import { deno, DRIVER, Folder, inCasePage, NO_CHROMIUM } from "./chromium.ts";

Deno.test({
  name: "web: in Chromium a search, a training, a prediction and an export come to what they come to in Deno",
  ignore: NO_CHROMIUM,
  async fn() {
    using made = new Folder();
    const folder = made.path, seen = await inCasePage(folder, (browser) => browser.evaluate("work()")) as Results;
    assert.match(seen.adapter, /swiftshader/i);

    const images = `${folder}/images`, files = [`--allow-read=${images}`, `--allow-write=${images}`];
    const driver = { VK_DRIVER_FILES: DRIVER, VK_ICD_FILENAMES: DRIVER, DENO_WEBGPU_BACKEND: "vulkan" };
    const { adapter, ...wanted } = JSON.parse(
      await deno(["run", "--no-prompt", "--no-check", ...files, "tests/browser/deno_side.ts", images], driver),
    );
    assert.match(adapter, /swiftshader/i);
    assert.deepEqual({ ...seen, adapter }, { ...wanted, adapter });
    assert.equal(seen.search.length, 2);
  },
});

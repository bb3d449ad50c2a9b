/**
 * The browser's entry in Chromium, on its software adapter: the work of `case.ts` comes to the numbers that Deno gets on
 * the same adapter, digit for digit. Where there is no Debian Chromium this is left out, and it says so. Run by
 * `deno task test` with a call of its own: only these tests may start a browser.
 * @module
 */
import assert from "node:assert/strict";
import type { Results } from "./case.ts";
import { Chromium, deno, DRIVER, Folder, NO_CHROMIUM, serveFolder } from "./chromium.ts";

Deno.test({
  name: "web: in Chromium a search, a training, a prediction and an export come to what they come to in Deno",
  ignore: NO_CHROMIUM,
  async fn() {
    using made = new Folder();
    const folder = made.path;
    Deno.writeTextFileSync(`${folder}/index.html`, `<!doctype html><script type="module" src="page.js"></script>`);
    await deno(["bundle", "--quiet", "--platform", "browser", "-o", `${folder}/page.js`, "tests/browser/page.ts"]);
    await deno(["run", "--unstable-raw-imports", `--allow-write=${folder}`, "scripts/web_codec.ts", folder]);
    await using server = serveFolder(folder);
    await using browser = await Chromium.open(`http://127.0.0.1:${server.addr.port}/`, `${folder}/profile`);
    await browser.until("globalThis.work !== undefined");
    const seen = await browser.evaluate("work()") as Results;
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

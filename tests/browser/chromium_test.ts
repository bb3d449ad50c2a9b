/**
 * The browser's entry in Chromium, on its software adapter: the work of `case.ts` comes to the numbers that Deno gets on
 * the same adapter, digit for digit. Where there is no Debian Chromium this is left out, and it says so. Run by
 * `deno task test` with a call of its own: only these tests may start a browser.
 * @module
 */
import assert from "node:assert/strict";
import type { Results } from "./case.ts";

const ROOT = new URL("../../", import.meta.url);
const CHROMIUM = "/usr/lib/chromium/chromium"; // not its start script, which a signal ends alone
/** Its own driver, SwiftShader, as Vulkan's loader finds it. */
const DRIVER = "/usr/lib/chromium/vk_swiftshader_icd.json";
/** Milliseconds after which the browser is given up. */
const PATIENCE = 300_000;

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html",
  js: "text/javascript",
  wasm: "application/wasm",
};

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Runs Deno. @returns what it wrote to stdout */
async function deno(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command("deno", {
    args: [...args],
    cwd: ROOT,
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", ...env },
    stdin: "null",
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

/** Serves a folder to Chromium, which opens its `index.html`. @returns what the page sends as its result */
async function inChromium(folder: string): Promise<unknown> {
  const result = Promise.withResolvers<unknown>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const name = new URL(request.url).pathname.slice(1) || "index.html";
    if (name === "result") {
      result.resolve(await request.json());
      return new Response();
    }
    const file = `${folder}/${name}`;
    if (!/^[\w.]+$/.test(name) || !isThere(file)) return new Response("not found", { status: 404 });
    return new Response(Deno.readFileSync(file), { headers: { "content-type": TYPES[name.split(".").at(-1)!] } });
  });
  const browser = new Deno.Command(CHROMIUM, {
    args: [
      "--headless=new",
      "--no-sandbox",
      "--no-first-run",
      "--disable-background-networking",
      "--enable-unsafe-webgpu",
      "--use-webgpu-adapter=swiftshader",
      `--user-data-dir=${folder}/profile`,
      `http://127.0.0.1:${server.addr.port}/`,
    ],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const timer = setTimeout(() => result.reject(new Error("The browser did not send a result in time")), PATIENCE);
  browser.status.then(({ code }) => result.reject(new Error(`The browser ended by itself with code ${code}`)));
  try {
    return await result.promise;
  } finally {
    clearTimeout(timer);
    browser.kill("SIGTERM");
    await browser.status;
    await server.shutdown();
  }
}

const ignore = !isThere(CHROMIUM) || !isThere(DRIVER);
if (ignore) {
  console.warn(
    `Left out: tests in a browser, as there is no '${CHROMIUM}' with '${DRIVER}' (Debian's package chromium)`,
  );
}

Deno.test({
  name: "web: in Chromium a search, a training, a prediction and an export come to what they come to in Deno",
  ignore,
  async fn() {
    const folder = Deno.makeTempDirSync({ dir: new URL(".cache/", ROOT).pathname, prefix: "browser-" });
    try {
      Deno.writeTextFileSync(`${folder}/index.html`, `<!doctype html><script type="module" src="page.js"></script>`);
      await deno(["bundle", "--quiet", "--platform", "browser", "-o", `${folder}/page.js`, "tests/browser/page.ts"]);
      await deno(["run", "--unstable-raw-imports", `--allow-write=${folder}`, "scripts/web_codec.ts", folder]);
      const seen = await inChromium(folder) as Results & { readonly error?: string };
      assert.equal(seen.error, undefined);
      assert.match(seen.adapter, /swiftshader/i);

      const images = `${folder}/images`, files = [`--allow-read=${images}`, `--allow-write=${images}`];
      const driver = { VK_DRIVER_FILES: DRIVER, VK_ICD_FILENAMES: DRIVER, DENO_WEBGPU_BACKEND: "vulkan" };
      const { adapter, ...wanted } = JSON.parse(
        await deno(["run", "--no-prompt", "--no-check", ...files, "tests/browser/deno_side.ts", images], driver),
      );
      assert.match(adapter, /swiftshader/i);
      assert.deepEqual({ ...seen, adapter }, { ...wanted, adapter });
      assert.equal(seen.search.length, 2);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});

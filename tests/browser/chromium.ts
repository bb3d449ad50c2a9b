/**
 * Debian's Chromium without a window, on its software adapter, and a file server on this machine alone. Tests that need
 * it are left out where it is missing, and say so. It is led by its DevTools protocol: `playwright-core` 1.64 starts in
 * Deno only where everything is permitted, as it looks at files of /proc that no narrower permission covers.
 * @module
 */
import assert from "node:assert/strict";

/** Where the project is. */
export const ROOT: URL = new URL("../../", import.meta.url);
const CHROMIUM = "/usr/lib/chromium/chromium"; // not its start script, which a signal ends alone
/** Its own driver, SwiftShader, as Vulkan's loader finds it. */
export const DRIVER = "/usr/lib/chromium/vk_swiftshader_icd.json";
/** Milliseconds after which the browser is given up, where nothing else is said. */
const PATIENCE = 900_000;

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html",
  js: "text/javascript",
  wasm: "application/wasm",
};

/** Whether there is a file. */
export function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Whether tests in a browser are left out. */
export const NO_CHROMIUM: boolean = !isThere(CHROMIUM) || !isThere(DRIVER);
if (NO_CHROMIUM) {
  console.warn(
    `Left out: tests in a browser, as there is no '${CHROMIUM}' with '${DRIVER}' (Debian's package chromium)`,
  );
}

/** Runs Deno. @returns what it wrote to stdout */
export async function deno(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command("deno", {
    args: [...args],
    cwd: ROOT,
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", ...env },
    stdin: "null",
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

/** A new folder, removed at the end. */
export class Folder implements Disposable {
  readonly path: string = Deno.makeTempDirSync({ dir: new URL(".cache/", ROOT).pathname, prefix: "browser-" });

  /** Tries for a while: processes of the browser that end after it still write. */
  [Symbol.dispose](): void {
    const clock = new Int32Array(new SharedArrayBuffer(4));
    for (let tries = 1;; tries++) {
      try {
        return Deno.removeSync(this.path, { recursive: true });
      } catch (error) {
        if (tries === 200) throw error;
        Atomics.wait(clock, 0, 0, 50);
      }
    }
  }
}

/** Serves the files of a folder. */
export function serveFolder(folder: string): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, ({ url }) => {
    const name = new URL(url).pathname.slice(1) || "index.html", file = `${folder}/${name}`;
    if (!/^[\w./-]+$/.test(name) || name.includes("..") || !isThere(file)) {
      return new Response("not found", { status: 404 });
    }
    const type = TYPES[name.split(".").at(-1)!] ?? "application/octet-stream";
    return new Response(Deno.readFileSync(file), { headers: { "content-type": type } });
  });
}

/** A browser with one tab, which is led by the DevTools protocol. */
export class Chromium implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #socket: WebSocket;
  readonly #calls = new Map<number, PromiseWithResolvers<Record<string, unknown>>>();
  readonly #given: ReturnType<typeof setTimeout>;
  #count = 0;
  #ended: string | undefined;

  private constructor(process: Deno.ChildProcess, socket: WebSocket, patience: number) {
    this.#process = process;
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      const { id, result, error } = JSON.parse(data), call = this.#calls.get(id);
      if (error) call?.reject(new Error(error.message));
      else call?.resolve(result);
      this.#calls.delete(id);
    });
    const end = (why: string): void => {
      this.#ended = why;
      this.#calls.forEach((call) => call.reject(new Error(why)));
    };
    socket.addEventListener("close", () => end("The browser ended by itself"));
    this.#given = setTimeout(() => end("The browser did not answer in time"), patience);
  }

  /** Opens a page. @param profile a folder for what the browser keeps */
  static async open(address: string, profile: string, patience: number = PATIENCE): Promise<Chromium> {
    const process = new Deno.Command(CHROMIUM, {
      args: [
        "--headless=new",
        "--no-sandbox",
        "--no-first-run",
        "--disable-background-networking",
        "--enable-unsafe-webgpu",
        "--use-webgpu-adapter=swiftshader",
        "--remote-debugging-port=0",
        `--user-data-dir=${profile}`,
        address,
      ],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    let said = "";
    for await (const text of process.stderr.pipeThrough(new TextDecoderStream())) {
      const [, port] = /DevTools listening on ws:\/\/127\.0\.0\.1:(\d+)\//.exec(said += text) ?? [];
      if (port === undefined) continue;
      const socket = new WebSocket(await tabOf(port, address));
      await new Promise((open) => socket.addEventListener("open", open, { once: true }));
      return new Chromium(process, socket, patience);
    }
    throw new Error(`The browser ended by itself: ${said}`);
  }

  /** Calls a method of the protocol. */
  async call(method: string, params: object = {}): Promise<Record<string, unknown>> {
    if (this.#ended) throw new Error(this.#ended);
    const id = ++this.#count, answer = Promise.withResolvers<Record<string, unknown>>();
    this.#calls.set(id, answer);
    this.#socket.send(JSON.stringify({ id, method, params }));
    return await answer.promise;
  }

  /** What an expression, or the promise that it is, comes to in the page. */
  async evaluate(expression: string): Promise<unknown> {
    const { result, exceptionDetails } = await this.call("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
    }) as { result: { value?: unknown }; exceptionDetails?: { exception?: { description?: string } } };
    if (exceptionDetails) throw new Error(`In the page: ${exceptionDetails.exception?.description}`);
    return result.value;
  }

  /** Waits until an expression is true in the page. */
  async until(expression: string): Promise<void> {
    while (!await this.evaluate(expression)) await new Promise((done) => setTimeout(done, 50));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#given);
    this.#process.kill("SIGTERM");
    await this.#process.status;
  }
}

/** Opens the page of `case.ts`, whose files go into `folder`, and lets `use` call its `work`. */
export async function inCasePage<T>(folder: string, use: (browser: Chromium) => Promise<T>): Promise<T> {
  Deno.writeTextFileSync(`${folder}/index.html`, `<!doctype html><script type="module" src="page.js"></script>`);
  await deno(["bundle", "--quiet", "--platform", "browser", "-o", `${folder}/page.js`, "tests/browser/page.ts"]);
  await deno(["run", "--unstable-raw-imports", `--allow-write=${folder}`, "scripts/web_codec.ts", folder]);
  await using server = serveFolder(folder);
  await using browser = await Chromium.open(`http://127.0.0.1:${server.addr.port}/`, `${folder}/profile`);
  await browser.until("globalThis.work !== undefined");
  return await use(browser);
}

/** Address of the protocol of the tab that shows `address`. */
async function tabOf(port: string, address: string): Promise<string> {
  while (true) {
    const response = await fetch(`http://127.0.0.1:${port}/json/list`);
    const tabs: readonly { readonly url: string; readonly webSocketDebuggerUrl: string }[] = await response.json();
    const tab = tabs.find(({ url }) => url === address);
    if (tab) return tab.webSocketDebuggerUrl;
    await new Promise((done) => setTimeout(done, 50));
  }
}

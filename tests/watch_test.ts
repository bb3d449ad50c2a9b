/**
 * The live page of a run: what it says, who may read it, and that it is served with one permission and to this machine
 * alone.
 * @module
 */
import assert from "node:assert/strict";
import "../src/platform/deno.ts";
import { LiveServer } from "../src/commands/live_server.ts";
import { liveScript, type LiveUpdate } from "../src/report/live_view.ts";
import { RunFolder } from "../src/run/run_folder.ts";
import { caseFiles } from "./browser/case.ts";
import { events, Workplace } from "./cli_support.ts";

const { folder, path, command, refused } = new Workplace("idarts-watch-");

for (const [file, bytes] of caseFiles()) {
  Deno.mkdirSync(path(`images/${file.split("/")[0]}`), { recursive: true });
  Deno.writeFileSync(path(`images/${file}`), bytes);
}

/** Lines of a process, one after the other. */
async function* linesOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}

/** A request as it stands on the wire. @returns the status and the whole answer */
async function send(port: number, method: string, target: string, ...headers: string[]): Promise<[number, string]> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const request = [`${method} ${target} HTTP/1.1`, ...headers, "Connection: close", "", ""].join("\r\n");
  await connection.write(new TextEncoder().encode(request));
  let text = "";
  for await (const part of connection.readable.pipeThrough(new TextDecoderStream())) text += part;
  return [Number(text.split(" ")[1]), text];
}

async function updateOf(address: string): Promise<LiveUpdate> {
  return await (await fetch(`${address}live.json`)).json();
}

/** Shows the first update of `address` by the page's own program. @returns the elements by id */
async function shown(
  address: string,
): Promise<Map<string, { innerHTML?: string; textContent?: string; value?: number }>> {
  const elements = new Map<string, object>(), first = Promise.withResolvers<void>();
  const page = { getElementById: (id: string) => elements.get(id) ?? elements.set(id, {}).get(id) };
  const ask = (file: string, options: RequestInit) => fetch(address + file, options);
  const script = await (await fetch(`${address}live.js`)).text();
  assert.equal(script, liveScript());
  new Function("document", "fetch", "setTimeout", script)(page, ask, () => first.resolve()); // it asks once: no time passes
  await first.promise;
  return elements;
}

const SMALL = "--cells 3 --batch-size 8 --epochs 2 --pad 0 --image-size 8 --json --watch 0";

/** Runs a verb that serves its page. @returns its events, once the page was there */
async function watched(...args: string[]): Promise<string[]> {
  const run = command([...args, ...SMALL.split(" ")], { net: "127.0.0.1" }).spawn(), lines: string[] = [];
  for await (const line of linesOf(run.stdout)) {
    lines.push(line);
    const { event, address } = JSON.parse(line);
    if (event !== "watch") continue;
    assert.match(address, /^http:\/\/127\.0\.0\.1:\d+\/$/);
    assert.match(await (await fetch(address)).text(), /<!DOCTYPE html>[^]*<progress id="progress"/);
    assert.ok((await updateOf(address)).news !== undefined);
  }
  assert.equal((await run.status).code, 0, await new Response(run.stderr).text());
  return events(lines.join("\n")).map(({ event }) => event);
}

/** What `watch` shows of a finished run, with leave to read it and to listen. */
async function watchedAfter(run: string): ReturnType<typeof shown> {
  const watch = command(["watch", run, "--port", "0", "--json"], { net: "127.0.0.1", write: [] }).spawn();
  const stream = linesOf(watch.stdout),
    { value } = await stream.next(),
    elements = await shown(JSON.parse(value!).address);
  watch.kill("SIGINT");
  assert.equal((await watch.status).code, 0, await new Response(watch.stderr).text());
  for await (const line of stream) assert.fail(line);
  return elements;
}

Deno.test("watch: a search and a training serve their pages with --allow-net=127.0.0.1, another process those of their folders", async () => {
  const few = ["--space", "s3", "--init-channels", "2", "--steps-per-epoch", "1"], run = path("run");
  const told = ["watch", "start", "epoch", "epoch", "result"];
  assert.deepEqual(await watched("search", "--data", path("images"), ...few, "--out", run), told);
  assert.deepEqual(await watched("train", run, "--init-channels", "4", "--auxiliary-weight", "0"), told);

  const search = await watchedAfter(run), training = await watchedAfter(`${run}/train`);
  const text = (elements: typeof search, id: string) => elements.get(id)!.textContent!;
  const drawings = (elements: typeof search, id: string, kind: string) =>
    elements.get(id)?.innerHTML?.split(`<svg class="${kind}"`).slice(1).length;
  assert.match(text(search, "news"), /^Epoch 2 of 2 of the search: loss \d\.\d{3}$/);
  assert.match(text(training, "news"), /^Epoch 2 of 2 of the training: loss \d\.\d{3}$/);
  for (const [elements, what] of [[search, "search"], [training, "training"]] as const) {
    assert.deepEqual([elements.get("progress")!.value, text(elements, "where")], [1, `${what}, 2 of 2 epochs done`]);
    assert.equal(drawings(elements, "cells", "idarts-cells"), 1);
  }
  assert.equal(drawings(search, "curves", "chart"), 4);
  assert.equal(drawings(training, "training", "chart"), 3);
});

Deno.test("watch: the page can be read and nothing else, by pages of its own address only", async () => {
  const run = path("new");
  using made = RunFolder.create(run);
  await using server = new LiveServer(made, 0);
  const port = Number(new URL(server.address).port), host = `Host: 127.0.0.1:${port}`;
  const status = async (...request: [string, string, ...string[]]): Promise<number> =>
    (await send(port, ...request))[0];
  assert.equal(await status("GET", "/", host), 200);
  assert.equal(await status("HEAD", "/", `Host: localhost:${port}`), 200);
  assert.equal(await status("GET", "/", host, `Origin: http://127.0.0.1:${port}`), 200);
  for (const other of ["evil.example", `evil.example:${port}`, "127.0.0.1", `127.0.0.1:${port + 1}`]) {
    assert.equal(await status("GET", "/live.json", `Host: ${other}`), 403, other);
    assert.equal(await status("GET", "/live.json", host, `Origin: http://${other}`), 403, other);
  }
  assert.equal(await status("GET", "/live.json", host, "Origin: null"), 403);
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
    assert.equal(await status(method, "/live.json", host, "Content-Length: 0"), 405, method);
  }
  for (const target of ["/config.json", "/../new/lock", "/%2e%2e/lock", "/live.json/"]) {
    assert.equal(await status("GET", target, host), 404, target);
  }
  const [, page] = await send(port, "GET", "/", host);
  assert.match(page, /content-security-policy|Content-Security-Policy/i);
  assert.doesNotMatch(page, /access-control-allow/i);

  assert.equal(await status("GET", "/", "Host: 127.0.0.1:99999"), 403, "an address that there cannot be");

  // What was seen is not sent again; what this process tells is.
  const [, first] = await send(port, "GET", "/live.json", host), [etag] = /"-1\.0"/.exec(first)!;
  assert.equal(await status("GET", "/live.json", host, `If-None-Match: ${etag}`), 304);
  server.tell({ share: 0.5, text: "half" });
  const [again, second] = await send(port, "GET", "/live.json", host, `If-None-Match: ${etag}`);
  assert.equal(again, 200);
  assert.match(second, /"progress":\{"share":0\.5,"text":"half"\}/);
});

Deno.test("watch: refusals name what is wrong", async () => {
  await refused(2, /must hold 'config\.json'/, ["watch", folder]);
  Deno.mkdirSync(path("known"));
  Deno.writeTextFileSync(path("known/config.json"), "{}");
  await refused(2, /Cannot use --port as it must be a port.*'x'/, ["watch", path("known"), "--port", "x"]);
  await refused(1, /add --allow-net=127\.0\.0\.1/, ["watch", path("known"), "--port", "0"]);
  Deno.writeTextFileSync(path("known/config.json"), '{"format":"idarts-auto/1"}');
  await refused(2, /it is a run of auto, so name one of its trials, a folder in '.*known\/trials'/, [
    "watch",
    path("known"),
  ]);
  Deno.writeTextFileSync(path("known/config.json"), "{}");
  using other = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = other.addr, net = "127.0.0.1";
  await refused(2, /another program listens there/, ["watch", path("known"), "--port", String(port)], { net });
});

import "../platform/deno.ts";
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { FailureError, UsageError } from "../base/errors.ts";
import { Random } from "../base/random.ts";
import { fetchCifar, type Remote } from "./fetch.ts";

const random = new Random(1, "test/fetch");
const CONTENT = Uint8Array.from({ length: 300_000 }, () => random.below(256));
const SHA256 = createHash("sha256").update(CONTENT).digest("hex");

/** What the server does with a request; `from` is the first byte that is asked for. */
type Behaviour = (from: number, request: Request) => Response;

const whole: Behaviour = () => new Response(CONTENT);
const ranged: Behaviour = (from) =>
  from === 0 ? new Response(CONTENT) : new Response(CONTENT.slice(from), {
    status: 206,
    headers: { "content-range": `bytes ${from}-${CONTENT.length - 1}/${CONTENT.length}` },
  });
/** Sends `bytes` and breaks the connection. */
const breaking = (bytes: number): Behaviour => (from) => {
  const { status, headers } = ranged(from, new Request("http://x"));
  let sent = false;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (sent) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        controller.error(new Error("broken"));
      } else controller.enqueue(CONTENT.slice(from, from + bytes));
      sent = true;
    },
  });
  return new Response(body, { status, headers });
};
const silent: Behaviour = () => new Response(new ReadableStream({ pull: () => new Promise(() => {}) }));

async function withServer(
  behaviours: readonly Behaviour[],
  body: (remote: Remote, folder: string, asked: number[]) => Promise<void>,
): Promise<void> {
  const asked: number[] = [], folder = Deno.makeTempDirSync({ prefix: "idarts-fetch-" });
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {}, onError: () => new Response() },
    (request) => {
      const from = Number(/^bytes=(\d+)-$/.exec(request.headers.get("range") ?? "")?.[1] ?? 0);
      asked.push(from);
      return behaviours[Math.min(asked.length, behaviours.length) - 1](from, request);
    },
  );
  try {
    const url = `http://127.0.0.1:${server.addr.port}/c.tar.gz`;
    await body({ url, file: "c.tar.gz", bytes: CONTENT.length, sha256: SHA256 }, `${folder}/deeper`, asked);
  } finally {
    await server.shutdown();
    Deno.removeSync(folder, { recursive: true });
  }
}

const failure = (part: RegExp) => (error: unknown): boolean => {
  assert.ok(error instanceof FailureError, String(error));
  assert.match(error.message, part);
  assert.doesNotMatch(error.message, /\n/);
  return true;
};

const { state } = Deno.permissions.querySync({ name: "net", host: "127.0.0.1" });
const ignore = state !== "granted";

Deno.test({
  name: "fetch: downloads once, tells how far it is",
  ignore,
  async fn() {
    await withServer([whole], async (remote, folder, asked) => {
      const told: number[] = [];
      const path = await fetchCifar("cifar10", folder, { remote, onProgress: (done) => told.push(done) });
      assert.equal(path, `${folder}/c.tar.gz`);
      assert.deepEqual(Deno.readFileSync(path), CONTENT);
      assert.deepEqual([...Deno.readDirSync(folder)].map((e) => e.name), ["c.tar.gz"]);
      assert.equal(told.at(-1), CONTENT.length);
      await fetchCifar("cifar10", folder, { remote });
      assert.deepEqual(asked, [0]);
      Deno.writeFileSync(path, CONTENT.with(5, CONTENT[5] ^ 1)); // Damaged later: fetched again.
      await fetchCifar("cifar10", folder, { remote });
      assert.deepEqual(Deno.readFileSync(path), CONTENT);
    });
  },
});

Deno.test({
  name: "fetch: goes on where it stopped, or from the start where the server cannot",
  ignore,
  async fn() {
    for (const then of [ranged, whole]) {
      await withServer([breaking(100_000), then], async (remote, folder, asked) => {
        await assert.rejects(
          fetchCifar("cifar10", folder, { remote }),
          failure(/connect to the network and run it again, it goes on/),
        );
        assert.equal(Deno.statSync(`${folder}/c.tar.gz.part`).size, 100_000);
        const path = await fetchCifar("cifar10", folder, { remote });
        assert.deepEqual(asked, [0, 100_000]);
        assert.deepEqual(Deno.readFileSync(path), CONTENT);
      });
    }
  },
});

Deno.test({
  name: "fetch: faults have sentences and leave no wrong file",
  ignore,
  async fn() {
    const wrong: Behaviour = () => new Response(CONTENT.with(7, CONTENT[7] ^ 1));
    const cases: [Behaviour, RegExp][] = [
      [wrong, /SHA-256 must be [0-9a-f]{64}: current value is [0-9a-f]{64}, so it was removed: try again/],
      [() => new Response(new Uint8Array(CONTENT.length + 1)), /must be 300000 bytes long: the server sends more/],
      [
        () => new Response("gone", { status: 404 }),
        /the server answers 404: try again later, or put the file there yourself/,
      ],
      [() => new Response(CONTENT.slice(9)), /ended after 299991 of 300000 bytes/],
      [silent, /nothing came for a while/],
    ];
    for (const [behaviour, part] of cases) {
      await withServer([behaviour], async (remote, folder) => {
        const stallMs = behaviour === silent ? 200 : 20_000;
        await assert.rejects(fetchCifar("cifar10", folder, { remote, stallMs }), failure(part));
        assert.ok([...Deno.readDirSync(folder)].every((e) => e.name.endsWith(".part")));
      });
    }
  },
});

Deno.test({
  name: "fetch: offline",
  ignore,
  async fn() {
    const folder = Deno.makeTempDirSync({ prefix: "idarts-fetch-" });
    try {
      const remote = { url: "http://127.0.0.1:1/c", file: "c", bytes: 5, sha256: "" };
      await assert.rejects(
        fetchCifar("cifar10", folder, { remote }),
        failure(/^Cannot download 'http:\/\/127.0.0.1:1\/c' \(.*\): connect to the network and run it again/),
      );
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});

Deno.test("fetch: without permission, and for names that there are not", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "idarts-fetch-" });
  try {
    await assert.rejects(fetchCifar("cifar10", folder), failure(/add --allow-net=www.cs.toronto.edu$/));
    await assert.rejects(fetchCifar("toString", folder), (error) => error instanceof UsageError);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

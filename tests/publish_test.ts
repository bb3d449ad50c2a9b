/**
 * The package as those get it who have no clone: a registry that `JSR_URL` names takes what `deno publish` sends and
 * serves it to `deno run jsr:...` and `deno add`, with the permissions that the README names. Packages from npm come
 * from where this machine has them from. Not responsible for what the program computes.
 * @module
 */
import assert from "node:assert/strict";
import { exists as isThere } from "../src/base/files.ts";
import { encodeTar, samplePng } from "../src/data/testing.ts";
import { formatGenotypePython, openData, search } from "../mod.ts";
import { ended, type Outcome, ROOT, Workplace } from "./cli_support.ts";
import { JsrRegistry } from "./jsr_registry.ts";

const { folder, path, exists, idarts } = new Workplace("idarts-publish-");
/** Packages of npm stay here from one run of the tests to the next. */
const DENO_DIR = new URL(".cache/deno/", ROOT);
const { name: PACKAGE, version: VERSION, exports: EXPORTS } = JSON.parse(readRoot("deno.json"));
const CLI = `jsr:${PACKAGE}/cli`;
const README = readRoot("README.md");

const registry = new JsrRegistry(folder);
Deno.test.afterAll(async () => {
  await registry.close();
  const modules = new URL("remote/http", DENO_DIR).pathname;
  if (isThere(modules)) Deno.removeSync(modules, { recursive: true });
});

function readRoot(file: string): string {
  return Deno.readTextFileSync(new URL(file, ROOT));
}

/** Runs Deno as somebody does who has no clone, in a folder of theirs. */
async function deno(...args: string[]): Promise<Outcome> {
  const command = new Deno.Command("deno", {
    args,
    cwd: folder,
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", JSR_URL: registry.url, DENO_DIR: DENO_DIR.pathname },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
  const { out, err, ...rest } = await ended(command.output());
  const told = err.split("\n").filter((line) => !/^(Download|Initialize|Add) /.test(line)).join("\n");
  return { ...rest, out, err: told };
}

/** Runs a command line that the program printed. */
async function paste(line: string): Promise<Outcome> {
  const [quiet, program, run, ...args] = line.trim().split(" ");
  assert.deepEqual([quiet, program, run], ["DENO_NO_UPDATE_CHECK=1", "deno", "run"]);
  return await deno("run", "--no-prompt", ...args);
}

/** Publishes a folder. */
async function publish(cwd: string | URL): Promise<Outcome> {
  const command = new Deno.Command("deno", {
    args: ["publish", "--token=test", "--allow-dirty", "--no-check"],
    cwd,
    env: { NO_COLOR: "1", JSR_URL: registry.url },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
  return await ended(command.output());
}

/** Writes files below the folder. */
function put(files: Readonly<Record<string, string | Uint8Array>>): void {
  for (const [name, content] of Object.entries(files)) {
    Deno.mkdirSync(path(name.slice(0, name.lastIndexOf("/"))), { recursive: true });
    Deno.writeFileSync(path(name), typeof content === "string" ? new TextEncoder().encode(content) : content);
  }
}

const manifest = (more: object = {}): string =>
  JSON.stringify({ name: "@a/bc", version: "1.0.0", license: "MIT", exports: "./mod.ts", ...more });

/** Sends files to the registry without `deno publish`, which sees some things itself. @returns code of the refusal */
async function send(files: Readonly<Record<string, string>>): Promise<string> {
  const all = { "deno.json": manifest(), ...files };
  const bytes = Object.entries(all).map(([name, text]) => [name, new TextEncoder().encode(text)]);
  const body = new Blob([encodeTar(Object.fromEntries(bytes))]).stream().pipeThrough(new CompressionStream("gzip"));
  const url = `${registry.url}api/scopes/a/packages/bc/versions/1.0.0?config=/deno.json`;
  const response = await fetch(url, { method: "POST", body, headers: { authorization: "Bearer test" } });
  const { status, error } = await response.json();
  return error?.code ?? status;
}

Deno.test("registry: refuses what JSR's refuses", async () => {
  const cases: readonly (readonly [code: string, files: Record<string, string>])[] = [
    ["configFileExportsInvalid", { "other.ts": "" }],
    ["configFileMismatch", { "mod.ts": "", "deno.json": manifest({ version: "1.0.1" }) }],
    ["missingLicense", { "mod.ts": "", "deno.json": manifest({ license: undefined }) }],
    ["graphError", { "mod.ts": `import "./missing.ts";` }],
    ["graphError", { "mod.ts": `import "../deno.json" with { type: "json" };` }],
    ["graphError", { "mod.ts": `import text from "./a.txt" with { type: "text" }; text;`, "a.txt": "" }],
    ["graphError", {
      "mod.ts": `export * from "./b.ts";`,
      "b.ts": `import("./a", { with: { type: "bytes" } });`,
      "a": "",
    }],
    ["graphError", { "mod.ts": `import "commander";` }],
    ["invalidExternalImport", { "mod.ts": `import "https://example.com/mod.ts";` }],
    ["npmMissingConstraint", { "mod.ts": `import "npm:commander";` }],
    ["globalTypeAugmentation", { "mod.ts": "declare global { interface Window { a: 1 } }\nexport {};" }],
    ["bannedTripleSlashDirectives", { "mod.ts": `/// <reference lib="deno.unstable" />\nexport {};` }],
    ["caseInsensitiveDuplicatePath", { "mod.ts": "", "MOD.ts": "" }],
    ["invalidPath", { "mod.ts": "", "a:b.ts": "" }],
  ];
  for (const [code, files] of cases) assert.equal(await send(files), code, JSON.stringify(files));
  const good = { "mod.ts": `import a from "./a.json" with { type: "json" };\nimport "npm:x@1";\na;`, "a.json": "{}" };
  assert.equal(await send(good), "success");
  assert.equal(await send(good), "duplicateVersion");
});

Deno.test("publish: Deno itself refuses types that are not written out and modules that are left out, the registry texts", async () => {
  const named = (name: string, more: object = {}): string => manifest({ name: `@a/${name}`, ...more });
  put({
    "slow/deno.json": named("slow"),
    "slow/mod.ts": "export function f(x: number) { return { x, y: Math.max(x, 1) }; }",
    "left/deno.json": named("left", { publish: { exclude: ["b.ts"] } }),
    "left/mod.ts": `export * from "./b.ts";`,
    "left/b.ts": "export const b: number = 1;",
    "text/deno.json": named("text"),
    "text/mod.ts": `import text from "./a.txt" with { type: "text" };\nexport const t: string = text;`,
    "text/a.txt": "a",
  });
  for (
    const [name, said] of [["slow", /slow-types/], ["left", /excluded-module/], [
      "text",
      /unsupported type "text"/,
    ]] as const
  ) {
    const { code, err } = await publish(path(name));
    assert.match(err, said);
    assert.equal(code, 1);
    assert.deepEqual(registry.files(`@a/${name}`, "1.0.0"), []);
  }
});

Deno.test("publish: what is sent is all of the program, and nothing of its tests nor of the page, which a task puts together", async () => {
  const { code, err } = await publish(ROOT);
  assert.equal(code, 0, err);
  const below = (part: string): string[] =>
    [...Deno.readDirSync(new URL(part, ROOT))].flatMap(({ name, isDirectory }) =>
      isDirectory ? below(`${part}${name}/`) : [`/${part}${name}`]
    );
  assert.deepEqual(
    registry.files(PACKAGE, VERSION),
    [
      ...below("src/").filter((file) => !/^\/src\/web\/|(_test|\/testing\w*)\.ts$/.test(file)),
      ...Object.values<string>(EXPORTS).map((entry) => entry.slice(1)),
      ...["/LICENSE", "/README.md", "/deno.json"],
    ].sort(),
  );
});

Deno.test("jsr: a search on a folder of images with the README's permissions, as in a clone; its hints can be pasted", async () => {
  const [line] = README.match(/^deno run .* jsr:@idarts\/idarts\/cli auto my-images .*$/m) ?? [];
  const permissions = ["--allow-env=LP_NUM_THREADS", "--allow-read=my-images,runs", "--allow-write=runs"];
  assert.equal(line, `deno run ${permissions.join(" ")} ${CLI} auto my-images --time 10m`);
  put({ "deno.json": "{}", "runs/.keep": "" }); // so that Deno does not find that of the clone above
  const side = 12, classes = ["left", "right"];
  put(
    Object.fromEntries(
      classes.flatMap((name) =>
        Array.from(
          { length: 24 },
          (_, i) => [`my-images/${name}/${i}.png`, samplePng(i, side, name === "left" ? 8 : 16)],
        )
      ),
    ),
  );
  const options = ["--image-size=8", "--space=s3", "--cells=3", "--init-channels=2", "--batch-size=8", "--epochs=2"];
  const { code, out, err } = await deno(
    ...["run", "--no-prompt", ...permissions, CLI, "search", "--data=my-images", ...options, "--out=runs/a"],
  );
  assert.equal(err, "");
  assert.equal(code, 0, out);
  assert.doesNotMatch(out, /cli\.ts|\bsrc\b|deno task/);

  const losses = (run: string): unknown[] =>
    Deno.readTextFileSync(path(`${run}/metrics.jsonl`)).trimEnd().split("\n").map((text) => {
      const { trainLoss, valLoss, evalLoss } = JSON.parse(text);
      assert.ok(trainLoss > 0 && valLoss > 0 && evalLoss > 0);
      return [trainLoss, valLoss, evalLoss];
    });
  const cloned = await idarts(["search", "--data", path("my-images"), ...options, "--out", path("runs/b")]);
  assert.equal(cloned.code, 0, cloned.err);
  assert.equal(losses("runs/a").length, 2);
  assert.deepEqual(losses("runs/a"), losses("runs/b"));

  const hint = out.split("\n").find((text) => text.includes(" discretize "))!;
  assert.match(hint, new RegExp(` --allow-read=my-images,runs/a jsr:${PACKAGE}@${VERSION}/cli discretize runs/a `));
  const again = await paste(hint);
  assert.equal(again.code, 0, again.err);
  assert.match(again.out, /zca/);
});

Deno.test("jsr: MNIST by the command that the program names", async () => {
  const asked = await deno(
    "run",
    "--no-prompt",
    "--allow-read=.cache/mnist,runs",
    "--allow-write=runs",
    CLI,
    "search",
    "--out=runs/m",
  );
  assert.equal(asked.code, 1);
  const [, hint] = /^error: Cannot open data set 'mnist' as .* does not exist: run (DENO.*)\n$/.exec(asked.err) ?? [];
  assert.match(
    hint,
    new RegExp(` --unstable-raw-imports --allow-read=.cache --allow-write=.cache jsr:.*/cli data fetch mnist$`),
  );
  const { code, err } = await paste(hint);
  assert.equal(err, "");
  assert.equal(code, 0);
  assert.ok(exists(".cache/mnist/train-images-idx3-ubyte"));
});

Deno.test("jsr: the README's example of the library, after deno add", async () => {
  const [, example] = /```ts\n(import [^\n]* from "@idarts\/idarts";\n.*?)```/s.exec(README)!;
  assert.match(README, /`deno add jsr:@idarts\/idarts`/);
  const added = await deno("add", `jsr:${PACKAGE}`);
  assert.equal(added.code, 0, added.err);
  assert.deepEqual(JSON.parse(Deno.readTextFileSync(path("deno.json"))).imports, {
    [PACKAGE]: `jsr:${PACKAGE}@^${VERSION}`,
  });
  put({ "my/main.ts": example });
  const { code, out, err } = await deno("run", "--no-prompt", "--check", "--allow-read=.cache", "my/main.ts");
  assert.equal(code, 0, err);

  const lines: string[] = [],
    data = await openData("mnist", { split: "train", limit: 200, mnistFolder: path(".cache/mnist") });
  const { genotype } = await search({ space: "s3", initChannels: 2, cells: 3, batchSize: 32, epochs: 2 }, data, {
    onEpoch: ({ epoch, evalAccuracy }) => lines.push(`${epoch} ${evalAccuracy}`),
  });
  assert.deepEqual(out.split("\n").slice(0, 2), lines);
  assert.ok(out.includes(formatGenotypePython(genotype)));
});

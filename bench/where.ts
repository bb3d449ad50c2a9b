/**
 * What runs where: one WebGPU implementation at a time does a small search, a training, an evaluation and a prediction
 * (`tests/browser/case.ts`), and the tests of operations and golden networks. Rows are kept in
 * docs/studies/results/where.jsonl and become the table of docs/where.md; losses are compared with the first row's.
 *
 *     deno task where "Deno 2.9.6, Mesa 22.3.6"    what the environment leads to, by a name that says what that is
 *     VK_ICD_FILENAMES=/usr/lib/chromium/vk_swiftshader_icd.json deno task where "Deno 2.9.6, SwiftShader"
 *     DENO_WEBGPU_BACKEND=gl deno task where "Deno 2.9.6, Mesa 22.3.6, OpenGL" case golden    some parts only
 *     deno task where "Chromium 156, SwiftShader" chromium
 *     deno task where "Chromium 156, SwiftShader" page    the page's search on its digits of MNIST, to its end (takes long)
 *     deno task where "Dawn's null backend" shaders
 *     deno task where                          the table alone
 *
 * Tests write their output into .cache/where. What has come to its end there is read and not run again, so that a
 * machine may be switched off between parts: remove the files to begin anew.
 * @module
 */
import type { Results } from "../tests/browser/case.ts";

const RESULTS = "docs/studies/results/where.jsonl", PAGE = "docs/where.md", WORK = ".cache/where";
/** The search of the case: all eight primitives, so that every kind of kernel has a part in the losses. */
const SEARCH = { space: "darts", epochs: 4, stepsPerEpoch: 2 } as const;

/** Tests by the name of their part: what `deno test` is called with. */
const TESTS: Readonly<Record<string, readonly string[]>> = {
  operations: ["tests/ops_test.ts", "tests/convolutions_test.ts"],
  golden: ["--allow-read=tests/golden", "tests/golden_test.ts", "tests/derived_golden_test.ts"],
  shaders: ["--no-lock", "--allow-read=.", "--allow-ffi", "tests/tint"],
};

/** Milliseconds after which the page's search is given up. */
const PAGE_PATIENCE = 4 * 3600_000;

/** How tests came out. */
interface Tests {
  readonly passed: number;
  readonly failed: number;
  /** Names of those that failed. */
  readonly failures: readonly string[];
}

/** What was found with one implementation. */
interface Row {
  readonly name: string;
  readonly compiler?: string;
  readonly results?: Results;
  readonly tests: Readonly<Record<string, Tests>>;
  /** What the page said in the end. */
  readonly page?: string;
}

/** Runs Deno, its output into a file. @returns what the file has in the end */
async function deno(args: readonly string[], log: string): Promise<string> {
  const child = new Deno.Command("deno", { args: [...args], env: { NO_COLOR: "1" }, stdin: "null", stdout: "piped" });
  using file = await Deno.open(log, { write: true, create: true, truncate: true });
  for await (const bytes of child.spawn().stdout) file.writeSync(bytes); // `pipeTo` would write all of it at the end
  return Deno.readTextFileSync(log);
}

function readIfThere(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}

/** Counts that the test runner ends with: "ok | 12 passed (3 steps) | 0 failed". */
const SUMMARY = /^(?:ok|FAILED) \| (\d+) passed.* \| (\d+) failed/m;

/** Tests of a part, unless they came to their end before. @throws {Error} where they did not */
async function runTests(part: string, log: string): Promise<Tests> {
  const known = readIfThere(log);
  const text = SUMMARY.test(known) ? known : await deno(["test", "--no-prompt", "--no-check", ...TESTS[part]], log);
  const summary = SUMMARY.exec(text);
  if (!summary) throw new Error(`Cannot count the tests of '${part}' as they did not come to their end: see '${log}'`);
  const failures = [...text.matchAll(/^(.+) \.\.\.(?:[^]*?) ?FAILED \(/gm)].map(([, name]) => name);
  return { passed: Number(summary[1]), failed: Number(summary[2]), failures };
}

/** The case in Deno. */
async function inDeno(log: string): Promise<Results> {
  const folder = `${WORK}/images`, files = [`--allow-read=${folder}`, `--allow-write=${folder}`];
  return JSON.parse(
    await deno(
      ["run", "--no-prompt", "--no-check", ...files, "tests/browser/deno_side.ts", folder, JSON.stringify(SEARCH)],
      log,
    ),
  );
}

/** The case in a browser. */
async function inChromium(): Promise<Results> {
  const { Folder, inCasePage } = await import("../tests/browser/chromium.ts");
  using folder = new Folder();
  return await inCasePage(folder.path, (browser) => browser.evaluate(`work(${JSON.stringify(SEARCH)})`)) as Results;
}

/** The page's search and training on the digits that come with it, with the options that it offers. */
async function onPage(): Promise<string> {
  const { Chromium, Folder, serveFolder, ...chromium } = await import("../tests/browser/chromium.ts");
  await chromium.deno(["task", "page"]);
  using folder = new Folder();
  await using server = serveFolder(".cache/page");
  await using browser = await Chromium.open(`http://127.0.0.1:${server.addr.port}/`, folder.path, PAGE_PATIENCE);
  const text = (id: string): string => `document.getElementById("${id}")?.textContent`;
  const press = (id: string): Promise<unknown> => browser.evaluate(`document.getElementById("${id}").click()`);
  const reach = async (stage: string): Promise<void> => {
    await browser.until(`document.body?.dataset.stage === "${stage}" || !!${text("fault")}`);
    const fault = await browser.evaluate(text("fault"));
    if (fault) throw new Error(`The page says: ${fault}`);
  };
  await reach("empty");
  await press("sample");
  await reach("ready");
  await press("start");
  await reach("running");
  await reach("done");
  return await browser.evaluate(text("news")) as string;
}

/** Who compiles the shaders: what the runtime has, and what the driver says of itself. */
function compilerOf({ adapter }: Results, runtime: "naga" | "Tint"): string {
  const driver = /\((.*)\)/.exec(adapter)?.[1];
  return driver ? `${runtime}, ${driver}` : runtime;
}

/** Runs a part of an implementation. @returns what its row has from it */
async function run(name: string, part: string): Promise<Partial<Row>> {
  const log = `${WORK}/${name.replaceAll(/[^\w.]+/g, "-")}-${part}.log`;
  console.log(`${name}: ${part} (${log})`);
  if (part in TESTS) return { tests: { [part]: await runTests(part, log) } };
  if (part === "page") return { page: await onPage() };
  const results = part === "case" ? await inDeno(log) : await inChromium();
  return { compiler: compilerOf(results, part === "case" ? "naga" : "Tint"), results };
}

function readRows(): Row[] {
  return readIfThere(RESULTS).split("\n").filter(Boolean).map((line) => JSON.parse(line));
}

/** Keeps what was found; what others have kept meanwhile stays. */
function keep(name: string, found: Partial<Row>): void {
  const rows = readRows(), at = rows.findIndex((row) => row.name === name), before = rows[at] ?? { name, tests: {} };
  const row = { ...before, ...found, tests: { ...before.tests, ...found.tests } };
  rows.splice(at < 0 ? rows.length : at, 1, row);
  Deno.writeTextFileSync(RESULTS, rows.map((each) => `${JSON.stringify(each)}\n`).join(""));
}

/** All losses and probabilities of a case. */
const numbersOf = ({ search, train, evaluate, predict }: Results): number[] =>
  [...search, train, evaluate, predict].flat().map((x) => x ?? NaN);

function difference(a: Results, b: Results): string {
  const [these, those] = [numbersOf(a), numbersOf(b)];
  const largest = Math.max(...these.map((x, i) => Math.abs(x - those[i])));
  return largest === 0 ? "0" : largest.toExponential(1);
}

/** The table of the page. */
function table(rows: readonly Row[]): string {
  const first = rows.find(({ results }) => results)?.results;
  const lines = rows.map(({ name, compiler = "Tint", results, tests, page }) => {
    const passed = Object.entries(tests).map(([part, { passed, failed }]) => `${part} ${passed} of ${passed + failed}`);
    if (page !== undefined) passed.push(`the page's search, ${/[\d.]+%/.exec(page)?.[0]} right`);
    const losses = (results?.search.at(-1) ?? []).map((loss) => loss?.toPrecision(8)).join(", ");
    const cells = !results ? "" : JSON.stringify(results.genotype) === JSON.stringify(first!.genotype) ? "yes" : "NO";
    const far = !results ? "" : results === first ? "(first)" : difference(results, first!);
    return [name, compiler, losses, far, cells, passed.join(", ")];
  });
  const head = ["where", "compilers", "losses", "largest difference", "same cells", "tests passed"];
  const widths = head.map((_, i) => Math.max(...[head, ...lines].map((cells) => cells[i].length)));
  const pad = (cells: readonly string[], fill = " "): string =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i], fill)).join(" | ")} |`;
  return [pad(head), pad(head.map(() => ""), "-"), ...lines.map((cells) => pad(cells))].join("\n");
}

const [name, ...parts] = Deno.args, all = ["case", "operations", "golden"];
const known = [...all, "shaders", "chromium", "page"], unknown = parts.find((part) => !known.includes(part));
if (unknown !== undefined) throw new Error(`Cannot run part '${unknown}': there are ${known.join(", ")}`);
Deno.mkdirSync(`${WORK}/images`, { recursive: true });
for (const part of name === undefined ? [] : parts.length > 0 ? parts : all) keep(name, await run(name, part));
const text = table(readRows()), page = Deno.readTextFileSync(PAGE);
Deno.writeTextFileSync(PAGE, page.replace(/(?:^\|.*\n)+/m, `${text}\n`));
console.log(text);

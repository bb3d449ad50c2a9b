/**
 * What comes out of `auto` beside what others get in the same time on the same two cores and the same split: a random
 * forest on pixels and a plain residual network in PyTorch. One run after the other, nothing else should run. Results
 * are kept in docs/studies/results/outcome.jsonl, one JSON line each: what is there is not run again, so that a campaign
 * goes on where it stopped, on another machine too. Prints them and, of all that are kept, a table.
 *
 *     deno task bench:outcome                                  every set, three seeds, five minutes each
 *     deno task bench:outcome --sets=stamps,mnist-1000         some of them
 *     deno task bench:outcome --sets=mine=my-images            a folder of images of one's own
 *     deno task bench:outcome --time=2m --seeds=1              another time, fewer seeds
 *     deno task bench:outcome --only=auto                      without the others
 *     deno task bench:outcome --results=.cache/o.jsonl         results kept elsewhere
 *     deno task bench:outcome --seeds=0                        the table alone
 * @module
 */
import "../src/platform/deno.ts";
import { parseTime } from "../src/auto/budget.ts";
import type { Dataset } from "../src/data/dataset.ts";
import { defaultAugment, openData, type Split } from "../src/data/dataset.ts";

/** Sets by name: what is opened (of which Debian package), and how many training images are taken (0: all). */
const SETS: Readonly<Record<string, readonly [spec: string, images: number]>> = {
  "mnist-1000": ["mnist", 1000],
  "fashion-2000": ["/usr/share/datasets/fashion-mnist", 2000],
  "fashion": ["/usr/share/datasets/fashion-mnist", 0],
  "stamps": ["/usr/share/tuxpaint/stamps", 0], // tuxpaint-stamps-default
  "clipart": ["/usr/share/openclipart/png", 0], // openclipart-png
  "units": ["/usr/share/games/wesnoth/1.16/data/core/images/units", 0], // wesnoth-1.16-data
  "icons": ["/usr/share/icons/oxygen/base/64x64", 0], // oxygen-icon-theme
};

/** Side that folders of images get. */
const SIDE = 32;
const WORK = ".cache/outcome";
const WITHOUT_SEARCH = "auto without its search";

const flag = (name: string, fallback: string): string =>
  Deno.args.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3) ?? fallback;

/** Writes an IDX file: `dims` big-endian after the magic number of bytes. */
function writeIdx(path: string, dims: readonly number[], data: Uint8Array): void {
  const head = new DataView(new ArrayBuffer(4 + 4 * dims.length));
  head.setUint32(0, 0x0800 + dims.length);
  dims.forEach((n, i) => head.setUint32(4 + 4 * i, n));
  const out = new Uint8Array(head.byteLength + data.length);
  out.set(new Uint8Array(head.buffer));
  out.set(data, head.byteLength);
  Deno.writeFileSync(path, out);
}

/** Opens a set, writes it for Python, and for `auto` where it is a part of one. @returns what `auto` is to open */
async function prepare(
  name: string,
  spec: string,
  images: number,
): Promise<{ data: string; folder: string; flip: boolean }> {
  const folder = `${WORK}/${name}`;
  Deno.mkdirSync(`${folder}/idx`, { recursive: true });
  const open = (split: Split, limit?: number): Promise<Dataset> => openData(spec, { split, limit, imageSize: SIDE });
  const train = await open("train", images || undefined), test = await open("test");
  for (const [part, set] of [["train", train], ["test", test]] as const) {
    Deno.writeFileSync(`${folder}/${part}.images`, set.images);
    Deno.writeFileSync(
      `${folder}/${part}.labels`,
      new Uint8Array(set.labels.buffer, set.labels.byteOffset, 4 * set.count),
    );
  }
  const { channels, height, width, classes } = train;
  Deno.writeTextFileSync(`${folder}/shape.json`, JSON.stringify({ channels, height, width, classes }));
  const { flip } = defaultAugment(train);
  if (images === 0) return { data: spec, folder, flip };
  for (const [part, set] of [["train", train], ["t10k", test]] as const) {
    writeIdx(`${folder}/idx/${part}-images-idx3-ubyte`, [set.count, height, width], set.images);
    writeIdx(`${folder}/idx/${part}-labels-idx1-ubyte`, [set.count], Uint8Array.from(set.labels));
  }
  return { data: `${folder}/idx`, folder, flip };
}

/** Runs a command. @returns its lines of JSON */
async function linesOf(command: string, args: readonly string[]): Promise<Record<string, unknown>[]> {
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args: [...args],
    env: { NODEVICE_SELECT: "1", DENO_NO_UPDATE_CHECK: "1" },
  }).output();
  const text = new TextDecoder().decode(stdout);
  if (code !== 0) throw new Error(`${command} ${args.join(" ")}: exit ${code}: ${new TextDecoder().decode(stderr)}`);
  return text.split("\n").filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
}

interface Result {
  readonly set: string;
  readonly time: string;
  readonly seed: number;
  readonly who: string;
  readonly accuracy: number;
  readonly seconds: number;
  readonly note?: unknown;
}

async function ours(set: string, data: string, time: string, seed: number, search: string): Promise<Result> {
  const out = `${WORK}/runs/${set}-${time}-${seed}-${search}`;
  Deno.mkdirSync(out, { recursive: true });
  Deno.removeSync(out, { recursive: true });
  const began = performance.now();
  await linesOf("deno", [
    ...["run", "--no-prompt", "--allow-env=LP_NUM_THREADS", `--allow-read=${data},src,.cache`, "--allow-write=.cache"],
    ...["cli.ts", "auto", data],
    ...["--json", "--time", time, "--seed", String(seed), "--search", search, "--image-size", String(SIDE)],
    ...["--out", out],
  ]);
  const seconds = (performance.now() - began) / 1000, outcome = JSON.parse(Deno.readTextFileSync(`${out}/result.json`));
  if (!outcome.test) throw new Error(`'${set}' has no test images to compare on`);
  const { winner, test, search: verdict, leaderboard, steps, ensemble } = outcome as Outcome;
  const network = leaderboard.find(({ candidate }) => candidate.name === winner)!.candidate;
  const who = search === "off" ? WITHOUT_SEARCH : "auto", { parameters, macs, members, mirrored } = ensemble ?? network;
  const note = { winner, members, mirrored, parameters, macs, steps, verdict };
  return { set, time, seed, who, accuracy: test.accuracy, seconds, note };
}

/** What a network costs; of how many it is made, and whether it looks at mirror images, where that is known. */
interface Size {
  readonly members?: number;
  readonly mirrored?: boolean;
  readonly parameters: number;
  readonly macs: number;
}

/** What `auto` says in the end, as far as it is used here. */
interface Outcome {
  readonly winner: string;
  readonly test: { readonly accuracy: number };
  readonly search: unknown;
  readonly steps: number;
  readonly ensemble?: Size;
  readonly leaderboard: readonly { readonly candidate: Size & { readonly name: string } }[];
}

/** Runs what is missing of a set and a seed. */
async function campaign(
  set: { readonly name: string; readonly data: string; readonly folder: string; readonly flip: boolean },
  time: string,
  seed: number,
  only: string,
  kept: Kept,
): Promise<void> {
  const { name, data, folder, flip } = set, has = (who: string): boolean => kept.has(name, time, seed, who);
  if (!has("auto")) kept.add(await ours(name, data, time, seed, "auto"));
  if (kept.searched(name, time, seed) && !has(WITHOUT_SEARCH)) kept.add(await ours(name, data, time, seed, "off"));
  if (only === "auto" || has("PyTorch")) return;
  const peers = await linesOf("/usr/bin/python3", [
    ...["bench/outcome_peers.py", folder, String(parseTime(time, "time")), String(seed), flip ? "1" : "0"],
  ]);
  for (const { who, accuracy, seconds, ...note } of peers as unknown as Result[]) {
    if (!has(who)) kept.add({ set: name, time, seed, who, accuracy, seconds, note });
  }
}

/** The file of results. */
class Kept {
  readonly #path: string;
  readonly all: Result[] = [];

  constructor(path: string) {
    this.#path = path;
    Deno.mkdirSync(path.replace(/[^/]*$/, "."), { recursive: true });
    try {
      this.all = Deno.readTextFileSync(path).trim().split("\n").filter((line) => line).map((line) => JSON.parse(line));
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  #find(set: string, time: string, seed: number, who: string): Result | undefined {
    return this.all.find((r) => r.set === set && r.time === time && r.seed === seed && r.who === who);
  }

  has(set: string, time: string, seed: number, who: string): boolean {
    return this.#find(set, time, seed, who) !== undefined;
  }

  /** Whether `auto` searched there: only then there is something to compare its search with. */
  searched(set: string, time: string, seed: number): boolean {
    return Boolean((this.#find(set, time, seed, "auto")?.note as { verdict?: unknown } | undefined)?.verdict);
  }

  add(result: Result): void {
    this.all.push(result);
    const line = JSON.stringify(result);
    console.log(line);
    Deno.writeTextFileSync(this.#path, line + "\n", { append: true });
  }
}

/** Mean and standard error, in percent. */
function shareText(values: readonly number[]): string {
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  const spread = Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / Math.max(1, values.length - 1));
  const error = values.length > 1 ? ` ± ${(100 * spread / Math.sqrt(values.length)).toFixed(1)}` : "";
  return `${(100 * mean).toFixed(1)}${error}`;
}

function table(all: readonly Result[]): string {
  const columns = ["auto", WITHOUT_SEARCH, "PyTorch", "forest"];
  const lines = [`| set | time | seeds | ${columns.join(" | ")} |`, `| --- | --- | --- | ${"--- | ".repeat(4)}`.trim()];
  for (const [row, group] of Map.groupBy(all, ({ set, time }) => `${set} | ${time}`)) {
    const cells = columns.map((column) => {
      const values = group.filter(({ who }) => who === column).map(({ accuracy }) => accuracy);
      return values.length > 0 ? shareText(values) : "-";
    });
    lines.push(`| ${row} | ${new Set(group.map(({ seed }) => seed)).size} | ${cells.join(" | ")} |`);
  }
  return lines.join("\n");
}

const time = flag("time", "5m"), seeds = Number(flag("seeds", "3")), only = flag("only", "");
const kept = new Kept(flag("results", "docs/studies/results/outcome.jsonl"));
for (const named of seeds > 0 ? flag("sets", Object.keys(SETS).join()).split(",") : []) {
  const [name, folder] = named.split("="), [spec, images] = folder ? [folder, 0] as const : SETS[name];
  const set = { name, ...await prepare(name, spec, images) };
  for (let seed = 0; seed < seeds; seed++) await campaign(set, time, seed, only, kept);
}
console.log(`\nTest accuracy in percent, mean and standard error over seeds\n\n${table(kept.all)}`);

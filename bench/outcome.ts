/**
 * What comes out of `auto` beside what others get in the same time on the same two cores and the same split: a random
 * forest on pixels and a plain residual network in PyTorch. One run after the other, nothing else should run. Prints one
 * JSON line for each result and a table at the end.
 *
 *     deno task bench:outcome                                  every set, three seeds, five minutes each
 *     deno task bench:outcome --sets=stamps,mnist-1000         some of them
 *     deno task bench:outcome --sets=mine=my-images            a folder of images of one's own
 *     deno task bench:outcome --time=2m --seeds=1              another time, fewer seeds
 *     deno task bench:outcome --only=auto                      auto alone: ours with and without its search
 * @module
 */
import "../src/platform/deno.ts";
import { parseTime } from "../src/auto/budget.ts";
import type { Dataset } from "../src/data/dataset.ts";
import { defaultAugment, openData, type Split } from "../src/data/dataset.ts";

/** Sets by name: what is opened, and how many training images are taken (0: all). */
const SETS: Readonly<Record<string, readonly [spec: string, images: number]>> = {
  "mnist-1000": ["mnist", 1000],
  "fashion-2000": ["/usr/share/datasets/fashion-mnist", 2000],
  "fashion": ["/usr/share/datasets/fashion-mnist", 0],
  "stamps": ["/usr/share/tuxpaint/stamps", 0],
};

/** Side that folders of images get. */
const SIDE = 32;
/** Test images at the most. */
const MOST_TEST = 10_000;
const WORK = ".cache/outcome";

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
  const train = await open("train", images || undefined), test = await open("test", MOST_TEST);
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
  readonly seed: number;
  readonly who: string;
  readonly accuracy: number;
  readonly seconds: number;
  readonly note?: unknown;
}

async function ours(set: string, data: string, time: string, seed: number, search: string): Promise<Result> {
  const out = `${WORK}/runs/${set}-${time}-${seed}-${search}`;
  Deno.removeSync(out, { recursive: true });
  const began = performance.now();
  const lines = await linesOf("deno", [
    ...[
      "run",
      "--no-prompt",
      `--allow-read=${data},src,.cache`,
      "--allow-write=.cache",
      "cli.ts",
      "auto",
      data,
      "--json",
    ],
    ...["--time", time, "--seed", String(seed), "--search", search, "--image-size", String(SIDE), "--out", out],
  ]);
  const result = lines.find(({ event }) => event === "result") as {
    winner: string;
    test: { accuracy: number };
    search: unknown;
  };
  const seconds = (performance.now() - began) / 1000, { winner, test, search: verdict } = result;
  const who = search === "off" ? "auto without its search" : "auto";
  return { set, seed, who, accuracy: test.accuracy, seconds, note: { winner, verdict } };
}

const time = flag("time", "5m"), seeds = Number(flag("seeds", "3")), only = flag("only", "");
const results: Result[] = [];
const add = (result: Result): void => {
  results.push(result);
  console.log(JSON.stringify(result));
};
for (const named of flag("sets", Object.keys(SETS).join()).split(",")) {
  const [name, folder] = named.split("="), [spec, images] = folder ? [folder, 0] as const : SETS[name];
  const { data, folder: work, flip } = await prepare(name, spec, images);
  for (let seed = 0; seed < seeds; seed++) {
    for (const search of ["auto", "off"]) {
      Deno.mkdirSync(`${WORK}/runs/${name}-${time}-${seed}-${search}`, { recursive: true });
      add(await ours(name, data, time, seed, search));
    }
    if (only === "auto") continue;
    const peers = await linesOf("/usr/bin/python3", [
      ...["bench/outcome_peers.py", work, String(parseTime(time, "time")), String(seed), flip ? "1" : "0"],
    ]);
    for (const { who, accuracy, seconds, ...note } of peers as unknown as Result[]) {
      add({ set: name, seed, who, accuracy, seconds, note });
    }
  }
}

const groups = Map.groupBy(results, ({ set, who }) => `${set} | ${who}`);
console.log("\n| set | who | n | test accuracy, % | seconds |\n| --- | --- | --- | --- | --- |");
for (const [name, all] of groups) {
  const mean = all.reduce((sum, { accuracy }) => sum + accuracy, 0) / all.length;
  const spread = Math.sqrt(all.reduce((sum, r) => sum + (r.accuracy - mean) ** 2, 0) / Math.max(1, all.length - 1));
  const error = all.length > 1 ? ` ± ${(100 * spread / Math.sqrt(all.length)).toFixed(2)}` : "";
  const seconds = Math.max(...all.map((r) => r.seconds));
  console.log(`| ${name} | ${all.length} | ${(100 * mean).toFixed(2)}${error} | ${seconds.toFixed(0)} |`);
}

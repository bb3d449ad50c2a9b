/**
 * A campaign of damaged files over all readers: images of every kind, IDX, CIFAR, tar, safetensors, models, checkpoints,
 * genotypes, YAML, studies, and the JSON of runs. Every file is read or refused with one sentence, soon. Where Debian's
 * python3-pil may run, images that are read are compared with Pillow's pixels. Takes a few minutes, so it is no part of
 * the tests:
 *
 *     deno run --allow-read=. --allow-write=.cache --allow-run=/usr/bin/python3 tests/campaigns/inputs.ts --cases 10000
 *
 * `--only PNG,JPEG` leaves the others out, `--seed 1` does other damage. Prints a table; exits with 1 where an input was
 * neither read nor refused as it should be.
 * @module
 */
import { parseArgs } from "node:util";
import { gzipSync, inflateSync } from "node:zlib";
import { readLedger } from "../../src/auto/ledger.ts";
import { openData } from "../../src/data/dataset.ts";
import { decodeImage } from "../../src/data/decode.ts";
import type { Pixels } from "../../src/data/pixels.ts";
import { cifarRecords, encodeTar, PILLOW_JPEGS } from "../../src/data/testing.ts";
import { decodeCheckpoint, encodeCheckpoint } from "../../src/run/checkpoint_file.ts";
import { RunFolder } from "../../src/run/run_folder.ts";
import { DARTS_V2 } from "../../src/space/published.ts";
import { parseStudy } from "../../src/study/study_file.ts";
import { decodeModel, encodeModel } from "../../src/train/model_file.ts";
import { readTraining } from "../../src/train/run_record.ts";
import golden from "../golden/images.json" with { type: "json" };
import { mnistModel } from "../export/models.ts";
import { checkError, damaged, type Reader, READERS } from "../mutations.ts";

const FOLDER = ".cache/inputs", PYTHON = "/usr/bin/python3";
/** Longest time for one input, on a busy machine. */
const MAX_MS = 10_000;
/** Samples that differ by no more than this are rounded differently: Pillow cuts 16 bits to 8 where we round. */
const ROUNDING = 2;

type Bytes = Uint8Array<ArrayBuffer>;
const text = (value: string): Bytes => new TextEncoder().encode(value);
const string = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** Where a frame leaves the screen free, Pillow shows the background's colour: browsers and we show nothing, on white. */
const UNLIKE = "gif frame within its screen";
const KINDS = ["PNG", "JPEG", "WebP", "GIF", "BMP"];

/** The readers of images: the files of tests/golden/images.json, and those of the tests. */
const IMAGES: readonly Reader[] = KINDS.map((name) => {
  const known = READERS.find((reader) => reader.name === name);
  const files = Object.entries(golden).filter(([each]) => each.startsWith(name.toLowerCase()) && each !== UNLIKE)
    .map(([, { file }]) => Uint8Array.fromBase64(file));
  const jpegs = name === "JPEG" ? Object.values(PILLOW_JPEGS) : [];
  return {
    ...{ name, cases: 0, repair: known?.repair, read: (bytes: Bytes) => decodeImage(bytes, "f") },
    originals: [...files, ...jpegs, ...(name === "PNG" ? known!.originals : [])],
  };
});

const CONFIG = {
  ...{ format: "idarts-training/1", version: "0.1.0", adapter: "llvmpipe" },
  data: {
    ...{ name: "digits", fingerprint: "ab".repeat(32), count: 100, channels: 1, height: 28, width: 28, classes: 2 },
    classNames: ["a", "b"],
  },
  ...{ genotype: DARTS_V2, name: "DARTS_V2", search: null, config: { seed: 0, epochs: 3 } },
};

const PLAN = { batch: 32, stepsPerEpoch: 3, epochs: 2, warmup: 0, lr: 0.1 };
const LEDGER = {
  ...{ format: "idarts-ledger/1", spent: 60.5, notes: ["It rained"] },
  made: { fingerprint: "ab".repeat(32), classNames: ["a", "b"], options: { seed: 0 } },
  entries: [
    { id: "rate", plan: null, result: 8e9 },
    {
      id: "candidates",
      plan: [{
        ...{ name: "IDARTS 8x3", origin: "published", channels: 8, cells: 3, parameters: 900, macs: 5000 },
        genotype: DARTS_V2,
      }],
    },
    {
      ...{ id: "rung 0/IDARTS 8x3/split 0", plan: PLAN },
      result: {
        ...{ epochs: 2, steps: 6, seconds: 1.5, secondsPerStep: 0.1, secondsPerImage: 0.001, right: "1101", loss: 0.5 },
      },
    },
    { id: "final", plan: PLAN, result: { failed: "it was late" } },
    { id: "end", plan: null, result: { seconds: 60.5 } },
  ],
};

const OTHERS: readonly Reader[] = [
  ...READERS.filter(({ name }) => !KINDS.includes(name)),
  {
    name: "CIFAR",
    cases: 0,
    originals: [
      gzipSync(encodeTar({
        ...Object.fromEntries([1, 2, 3, 4, 5].map((i) => [`data_batch_${i}.bin`, cifarRecords(1, 1, 10)])),
        "test_batch.bin": cifarRecords(1, 1, 10),
      })),
    ].map((bytes) => Uint8Array.from(bytes)),
    read(bytes) {
      Deno.writeFileSync(`${FOLDER}/cifar.tar.gz`, bytes);
      return openData(`${FOLDER}/cifar.tar.gz`, { split: "train" });
    },
  },
  {
    name: "checkpoint",
    cases: 0,
    originals: [encodeCheckpoint(7, [["w", { shape: [2, 3], data: new Float32Array(6) }]], { epoch: 1 })],
    read: (bytes) => decodeCheckpoint(bytes, "f"),
  },
  {
    name: "model",
    cases: 0,
    originals: [encodeModel(mnistModel)],
    read: (bytes) => decodeModel(bytes, "f"),
  },
  {
    name: "study",
    cases: 0,
    originals: [text("search: { node-norm: [rms, none], seed: [0, 1], discretizer: [semipartial, alpha] }\n")],
    read: (bytes) => parseStudy("f", string(bytes)),
  },
  {
    name: "ledger of auto",
    cases: 0,
    originals: [text(JSON.stringify(LEDGER, null, 2))],
    read(bytes) {
      Deno.mkdirSync(`${FOLDER}/auto`, { recursive: true });
      Deno.writeTextFileSync(`${FOLDER}/auto/config.json`, "{}");
      Deno.writeFileSync(`${FOLDER}/auto/ledger.json`, bytes);
      return readLedger(RunFolder.view(`${FOLDER}/auto`));
    },
  },
  {
    name: "JSON of a run",
    cases: 0,
    originals: [text(JSON.stringify(CONFIG, null, 2))],
    read(bytes) {
      Deno.mkdirSync(`${FOLDER}/run`, { recursive: true });
      Deno.writeFileSync(`${FOLDER}/run/config.json`, bytes);
      return readTraining(RunFolder.view(`${FOLDER}/run`));
    },
  },
];

/** What Pillow says of a file. */
interface Answer extends Partial<Omit<Pixels, "data" | "channels">> {
  readonly channels?: number;
  readonly pixels?: string;
  readonly error?: string;
}

/** Pillow in a process of its own; undefined where it is not there or may not run. */
async function openPillow(): Promise<((bytes: Bytes) => Promise<Answer>) | undefined> {
  if (Deno.permissions.querySync({ name: "run", command: PYTHON }).state !== "granted") return undefined;
  const probe = new Deno.Command(PYTHON, { args: ["-c", "import PIL, numpy"], stdout: "null", stderr: "null" });
  if (!await probe.output().then((o) => o.success, () => false)) return undefined;
  const script = new URL("pillow.py", import.meta.url).pathname;
  // What comes of coefficients that no encoder writes differs between a processor's own instructions and plain C.
  const env = { JSIMD_FORCENONE: "1" };
  const process = new Deno.Command(PYTHON, { args: [script], env, stdin: "piped", stdout: "piped" }).spawn();
  const writer = process.stdin.getWriter(), reader = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  process.unref();
  let rest = "";
  return async (bytes) => {
    await writer.write(text(bytes.toBase64() + "\n"));
    while (!rest.includes("\n")) {
      const { value, done } = await reader.read();
      if (done) throw new Error("Pillow's process ended");
      rest += value;
    }
    const end = rest.indexOf("\n"), line = rest.slice(0, end);
    rest = rest.slice(end + 1);
    return JSON.parse(line);
  };
}

/** How far two pictures are apart; Infinity for other sizes. */
function distance(ours: Pixels, { width, height, channels = 3, pixels = "" }: Answer): number {
  if (ours.width !== width || ours.height !== height) return Infinity;
  const theirs = inflateSync(Uint8Array.fromBase64(pixels));
  let most = 0;
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) {
      const d = ours.data[i * ours.channels + c % ours.channels] - theirs[i * channels + c % channels];
      most = Math.max(most, Math.abs(d));
    }
  }
  return most;
}

const { values } = parseArgs({
  options: { cases: { type: "string" }, seed: { type: "string" }, only: { type: "string" } },
});
const seed = Number(values.seed ?? 0), only = values.only?.split(",");
const readers = [...IMAGES, ...OTHERS].filter(({ name }) => only === undefined || only.includes(name));
const each = Math.ceil(Number(values.cases ?? 10_000) / readers.length);
Deno.mkdirSync(FOLDER, { recursive: true });
const pillow = await openPillow();
if (pillow === undefined) console.log("Pillow may not run or is not there: pixels are not compared");
let failures = 0;
const rows: string[][] = [["reader", "files", "read", "refused", "slowest ms"]];
if (pillow !== undefined) rows[0].push("as Pillow", "rounding", "differ", "only we", "only Pillow");
for (const reader of readers) {
  const isImage = KINDS.includes(reader.name), counts = { same: 0, rounding: 0, differ: 0, ours: 0, theirs: 0 };
  let read = 0, refused = 0, slowest = 0;
  const notes: string[] = [];
  for (const original of reader.originals) await reader.read(original);
  for (let i = 0; i < each; i++) {
    const bytes = damaged(reader, i, seed), what = `${reader.name} ${i}`, began = performance.now();
    let result: unknown;
    try {
      result = await reader.read(bytes);
      read++;
    } catch (error) {
      refused++;
      try {
        checkError(error, what);
      } catch (wrong) {
        failures++;
        console.log(`${what}: ${(wrong as Error).message}`);
      }
    }
    const ms = performance.now() - began;
    slowest = Math.max(slowest, ms);
    if (ms > MAX_MS) failures++, console.log(`${what}: ${ms} ms`);
    if (!isImage || pillow === undefined) continue;
    const theirs = await pillow(bytes);
    if (result === undefined) {
      if (theirs.error === undefined) counts.theirs++;
    } else if (theirs.error !== undefined) counts.ours++, notes.push(`${what}: only we read it (${theirs.error})`);
    else {
      const apart = distance(result as Pixels, theirs);
      if (apart === 0) counts.same++;
      else if (apart <= ROUNDING) counts.rounding++;
      else counts.differ++, notes.push(`${what}: ${apart} apart`);
    }
  }
  notes.slice(0, 3).forEach((note) => console.log(note));
  rows.push(
    [reader.name, each, read, refused, slowest.toFixed(0), ...(isImage ? Object.values(counts) : [])].map(String),
  );
}
const widths = rows[0].map((_, k) => Math.max(...rows.map((row) => (row[k] ?? "").length)));
for (const row of rows) {
  console.log(row.map((cell, k) => k ? cell.padStart(widths[k]) : cell.padEnd(widths[k])).join("  "));
}
console.log(`${rows.length - 1} readers, ${each * readers.length} files, ${failures} neither read nor refused well`);
Deno.removeSync(FOLDER, { recursive: true });
Deno.exit(failures > 0 ? 1 : 0);

/**
 * A campaign of kills: searches, trainings, studies and runs of `auto` (alone, and two processes on one folder, of which
 * one is killed, whether it leads or helps) on a few real digits are killed (SIGKILL) at random moments, gone on with and
 * killed again, up to three times each, and must come to the bits of one that nothing happened to. Takes about half a
 * minute a round on two cores, so it is no part of the tests:
 *
 *     deno run --allow-read=. --allow-write=.cache --allow-run=deno tests/campaigns/kills.ts --rounds 100
 *
 * `--only search,train` leaves the others out, `--seed 1` takes other moments. Exits with 1 where bits differ or a run
 * cannot be gone on with, and leaves its folder in `.cache/kills` then.
 * @module
 */
import { createHash } from "node:crypto";
import { parseArgs } from "node:util";
import { Random } from "../../src/base/random.ts";
import { writeDigits } from "../../scripts/few_digits.ts";

/** Most kills of a round. */
const MOST = 3;
const ROOT = new URL("../../", import.meta.url), FOLDER = ".cache/kills", DIGITS = `${FOLDER}/digits`;

/** Something that can be killed and gone on with. */
interface Subject {
  readonly name: string;
  /** Processes that work beside the one that is killed. */
  readonly beside?: number;
  /** The command line that starts it in a folder. */
  start(folder: string): string[];
  /** The command line that goes on. */
  again(folder: string): string[];
  /** What it came to, without times. */
  result(folder: string): string[];
}

const read = (path: string): string => Deno.readTextFileSync(path);
const hash = (path: string): string => createHash("sha256").update(Deno.readFileSync(path)).digest("hex");
const list = (path: string): string[] => [...Deno.readDirSync(path)].map(({ name }) => name).sort();

function exists(path: string): boolean {
  try {
    return Deno.lstatSync(path) !== null;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** What is in a run folder when it is done: metrics without times, hashes of `files`, and the names of all files. */
function runBits(folder: string, files: readonly string[]): string[] {
  const metrics = read(`${folder}/metrics.jsonl`).trimEnd().split("\n").map((line) => {
    const { secondsPerStep: _, ...rest } = JSON.parse(line);
    return JSON.stringify(rest);
  });
  return [...metrics, ...files.map((file) => `${file} ${hash(`${folder}/${file}`)}`), list(folder).join()];
}

const SHARED = ["--data", DIGITS, "--cells", "3", "--batch-size", "8", "--pad", "2", "--checkpoint-steps", "2"];
const GENOTYPE = "DARTS_V2", STUDY = `${FOLDER}/study.yaml`;

const AUTO: Subject = {
  name: "auto",
  start: (folder) => ["auto", DIGITS, "--steps", "80", "--search", "on", "--params", "30k", "--out", folder],
  again: (folder) => AUTO.start(folder),
  result: (folder) => [
    ...["model.safetensors", "model.onnx"].map((file) => `${file} ${hash(`${folder}/${file}`)}`),
    JSON.stringify(
      JSON.parse(read(`${folder}/result.json`), (key, value) => ["seconds", "latency"].includes(key) ? 0 : value),
    ),
  ],
};

const SUBJECTS: readonly Subject[] = [
  {
    name: "search",
    start: (folder) => [
      ...["search", ...SHARED, "--init-channels", "2", "--images", "128", "--epochs", "3", "--steps-per-epoch", "8"],
      ...["--space", "s3", "--alpha-lr", "0.05", "--eval-images", "16", "--probe-images", "16"],
      ...["--statistics-images", "16", "--discretizer", "perturbation", "--perturbation-images", "8", "--out", folder],
    ],
    again: (folder) => ["search", "--resume", folder],
    result: (folder) =>
      runBits(folder, ["checkpoint.safetensors", "genotype.json", "discretization.json", "cells.svg"]),
  },
  {
    name: "train",
    start: (folder) => [
      ...["train", GENOTYPE, ...SHARED, "--init-channels", "4", "--images", "128", "--epochs", "4"],
      ...["--steps-per-epoch", "8", "--auxiliary-weight", "0", "--out", folder],
    ],
    again: (folder) => ["train", "--resume", folder],
    result: (folder) =>
      runBits(folder, ["checkpoint.safetensors", "best.safetensors", "last.safetensors", "evaluation.json"]),
  },
  {
    name: "study",
    start: (folder) => ["study", "run", STUDY, "--out", folder, "--heartbeat", "0.3"],
    again: (folder) => ["study", "run", STUDY, "--out", folder, "--heartbeat", "0.3"],
    result: (folder) => [
      ...["results.json", "results.csv"].map((file) => read(`${folder}/${file}`)),
      ...list(`${folder}/runs`).map((run) => `${run}: ${list(`${folder}/runs/${run}`)}`),
      `${list(`${folder}/work`)} ${list(`${folder}/workers`)}`,
    ],
  },
  AUTO,
  { ...AUTO, name: "shared", beside: 1 },
];

const STUDY_TEXT = `
search:
  data: ${DIGITS}
  space: s3
  seed: [0, 1]
  discretizer: [semipartial, alpha]
  cells: 3
  init-channels: 2
  batch-size: 8
  images: 64
  epochs: 1
  steps-per-epoch: 4
  eval-images: 16
  probe-images: 16
  statistics-images: 16
  checkpoint-steps: 1
train:
  init-channels: 4
  cells: 3
  batch-size: 16
  images: 64
  val-images: 16
  epochs: 1
  auxiliary-weight: 0
  checkpoint-steps: 1
`;

/** A command line in a process of its own. */
function spawn(args: readonly string[]): Deno.ChildProcess {
  const permissions = ["--allow-read=.", `--allow-write=${FOLDER}`];
  return new Deno.Command("deno", {
    args: ["run", "--quiet", "--no-prompt", "--no-check", ...permissions, "cli.ts", ...args],
    cwd: ROOT,
    env: { NO_COLOR: "1", NODEVICE_SELECT: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** Runs to the end. @returns seconds; throws what it said where it failed. */
async function whole(args: readonly string[]): Promise<number> {
  const began = performance.now(), { code, stderr } = await spawn(args).output();
  if (code !== 0) throw new Error(`${args.join(" ")}\n${new TextDecoder().decode(stderr)}`);
  return (performance.now() - began) / 1000;
}

/** Runs and kills. @returns whether it was still running then */
async function kill(args: readonly string[], seconds: number, beside: number): Promise<boolean> {
  const others = Promise.all(Array.from({ length: beside }, () => whole(args)));
  const child = spawn(args), timer = setTimeout(() => child.kill("SIGKILL"), 1000 * seconds);
  const { signal, code, stderr } = await child.output();
  clearTimeout(timer);
  await others;
  if (signal === "SIGKILL") return true;
  if (code !== 0) throw new Error(`${args.join(" ")}\n${new TextDecoder().decode(stderr)}`);
  return false;
}

/** What happened so far. */
interface Count {
  rounds: number;
  /** Kills before there was anything to go on with, while there was, and when all was done. */
  early: number;
  amid: number;
  late: number;
  wrong: number;
}

/** One round in a new folder. */
async function round(
  subject: Subject,
  folder: string,
  random: Random,
  reference: Reference,
  count: Count,
): Promise<void> {
  const begun = (): boolean => exists(`${folder}/config.json`) || exists(`${folder}/study.yaml`);
  const next = (): string[] => begun() ? subject.again(folder) : subject.start(folder);
  for (let kills = 1 + random.below(MOST); kills > 0; kills--) {
    const killed = await kill(next(), reference.seconds * random.uniform(), subject.beside ?? 0);
    count[!killed ? "late" : begun() ? "amid" : "early"]++;
    if (!killed) break;
  }
  await whole(next());
  const result = subject.result(folder), at = reference.result.findIndex((line, i) => line !== result[i]);
  if (at >= 0 || result.length !== reference.result.length) {
    throw new Error(
      `${folder} differs: '${result[at]?.slice(0, 300)}' is not '${reference.result[at]?.slice(0, 300)}'`,
    );
  }
}

/** One that nothing happened to. */
interface Reference {
  readonly seconds: number;
  readonly result: readonly string[];
}

const { values } = parseArgs({
  args: Deno.args,
  options: { rounds: { type: "string" }, seed: { type: "string" }, only: { type: "string" } },
});
const rounds = Number(values.rounds ?? 100), seed = Number(values.seed ?? 0), only = values.only?.split(",");
const subjects = SUBJECTS.filter(({ name }) => only?.includes(name) ?? true);
if (!(rounds >= 1 && subjects.length > 0)) {
  throw new RangeError("rounds from 1, and --only search,train,study,auto,shared");
}

if (exists(FOLDER)) Deno.removeSync(FOLDER, { recursive: true });
writeDigits(DIGITS);
Deno.writeTextFileSync(STUDY, STUDY_TEXT);
const references = new Map<Subject, Reference>(), counts = new Map<Subject, Count>();
for (const subject of subjects) {
  const folder = `${FOLDER}/${subject.name}`;
  await whole(subject.start(folder)); // the first one compiles
  Deno.removeSync(folder, { recursive: true });
  const seconds = await whole(subject.start(folder));
  references.set(subject, { seconds, result: subject.result(folder) });
  counts.set(subject, { rounds: 0, early: 0, amid: 0, late: 0, wrong: 0 });
  console.log(`${subject.name}: ${seconds.toFixed(1)} s undisturbed`);
}
const began = performance.now();
for (let i = 0; i < rounds; i++) {
  const subject = subjects[i % subjects.length],
    folder = `${FOLDER}/${subject.name}-${i}`,
    count = counts.get(subject)!;
  count.rounds++;
  try {
    await round(subject, folder, new Random(seed, "kills", i), references.get(subject)!, count);
    Deno.removeSync(folder, { recursive: true });
  } catch (error) {
    count.wrong++;
    console.log(error instanceof Error ? error.message : String(error));
  }
}
for (const [{ name }, { rounds, early, amid, late, wrong }] of counts) {
  console.log(
    `${name}: ${rounds} rounds, ${early + amid} kills (${early} before anything was written, ${amid} after), ` +
      `${late} runs ended before their kill, ${wrong} wrong`,
  );
}
const wrong = [...counts.values()].reduce((sum, count) => sum + count.wrong, 0);
console.log(
  `${wrong === 0 ? "all bits as undisturbed" : `${wrong} wrong`}, ${Math.round((performance.now() - began) / 1000)} s`,
);
if (wrong === 0) Deno.removeSync(FOLDER, { recursive: true });
Deno.exit(wrong === 0 ? 0 : 1);

/**
 * The command line as users call it, each time in a process of its own that has the permissions of the README and no
 * more: real MNIST, tiny supernets. One run that nothing stops is made first; others are compared with it.
 */
import assert from "node:assert/strict";
import { parseGenotype } from "../mod.ts";
import { rulesOf } from "../src/discretize/registry.ts";
import { ended, events, idxHeader, WITHOUT_GPU, Workplace } from "./cli_support.ts";

const place = new Workplace("cli-", [".cache/mnist"]);
const { path, read, exists, command, idarts, refused, nextCheckpoint } = place;

/** The tiny search of these tests, as YAML keys and as flags. */
const VALUES: Readonly<Record<string, string | number>> = {
  "space": "s3",
  "cells": 3,
  "init-channels": 2,
  "batch-size": 8,
  "images": 256,
  "epochs": 2,
  "steps-per-epoch": 12,
  "weight-lr": 0.05,
  "alpha-lr": 0.05,
  "eval-images": 32,
  "probe-images": 16,
  "statistics-images": 16,
};
const STEPS = 24;
const FLAGS = Object.entries(VALUES).flatMap(([key, value]) => [`--${key}`, String(value)]);

function copyRun(from: string, to: string): void {
  Deno.mkdirSync(path(to));
  for (const entry of Deno.readDirSync(path(from))) {
    if (entry.isFile) Deno.copyFileSync(path(`${from}/${entry.name}`), path(`${to}/${entry.name}`));
  }
}

/** What a run computed, in bytes: all but times. */
const bits = (run: string): unknown =>
  place.bits(run, [
    "genotype.json",
    "genotype.txt",
    "genotypes/zca.json",
    "cells.svg",
    "discretization.json",
    "checkpoint.safetensors",
  ]);

const first = await idarts(["search", ...FLAGS, "--json", "--out", path("whole")]);

Deno.test("cli search: flags, JSON lines, and every file of the run folder", () => {
  assert.equal(first.code, 0, first.err);
  assert.equal(first.err, "");
  const [start, ...rest] = events(first.out), result = rest.pop()!;
  assert.deepEqual(rest.map((e) => [e.event, e.epoch, e.step]), [["epoch", 1, 12], ["epoch", 2, 24]]);
  assert.equal(start.event, "start");
  assert.equal(start.stepsPerEpoch, 12);
  assert.ok((start.gpuBytes as number) > 1e5 && (start.parameters as number) > 1000);
  assert.equal(result.event, "result");
  const genotype = parseGenotype(read("whole/genotype.json"), "genotype.json");
  assert.deepEqual(genotype, result.genotype);
  assert.deepEqual(parseGenotype(read("whole/genotype.txt"), "genotype.txt"), genotype);
  for (const method of rulesOf().flatMap(({ name }) => [name, `${name}.operations`])) {
    const each = parseGenotype(read(`whole/genotypes/${method}.json`), method);
    assert.deepEqual(parseGenotype(read(`whole/genotypes/${method}.txt`), method), each);
  }
  assert.match(read("whole/cells.svg"), /^<svg/);
  const report = JSON.parse(read("whole/discretization.json"));
  assert.deepEqual([report.chosen, report.step, report.methods.length], ["semipartial", STEPS, rulesOf().length]);
  const { seconds, cpuSeconds } = JSON.parse(read("whole/result.json"));
  assert.ok(seconds > 0 && cpuSeconds > 0);
  assert.match(read("whole/report.html"), /<dt>cost of the search<\/dt>\s*<dd>0\.0\d+ core-hours<\/dd>/);
  const config = JSON.parse(read("whole/config.json"));
  assert.equal(config.config["init-channels"], 2);
  assert.equal(config.data.count, 60000);
});

Deno.test("cli search: YAML; in use; Ctrl-C; resumed; kill -9; resumed to the same bits as never stopped", async () => {
  Deno.writeTextFileSync(path("search.yaml"), Object.entries(VALUES).map(([k, v]) => `${k}: ${v}\n`).join(""));
  const often = ["--checkpoint-steps", "1"];
  const started = command(["search", "--config", path("search.yaml"), "--out", path("stopped"), ...often]).spawn();
  await nextCheckpoint("stopped", started);
  await refused(1, /another process \(\d+\) is running in it/, ["search", "--resume", path("stopped")]);
  started.kill("SIGINT");
  const stopped = await ended(started.output());
  assert.equal(stopped.code, 130, stopped.out + stopped.err);
  assert.match(
    stopped.out,
    /Stopped after step \d+; go on with: DENO_NO_UPDATE_CHECK=1 deno run --allow-read=\S+ --allow-write=\S+ cli.ts /,
  );
  assert.equal(stopped.err, "stopping after the current step; Ctrl-C again quits at once\n");
  assert.match(stopped.out, new RegExp(`cli.ts search --resume ${path("stopped")}\\n$`));
  assert.doesNotMatch(stopped.out, /\p{Cc}(?<!\n)/u, "no control characters where stdout is no terminal");

  const killed = command(["search", "--resume", path("stopped"), ...often]).spawn();
  await nextCheckpoint("stopped", killed);
  killed.kill("SIGKILL");
  assert.equal((await ended(killed.output())).signal, "SIGKILL");
  assert.ok(!exists("stopped/discretization.json"), "killed before the end");

  const resumed = await idarts(["search", "--resume", path("stopped")]);
  assert.equal(resumed.code, 0, resumed.err);
  assert.deepEqual(bits("stopped"), bits("whole"));
  const parts = [
    "going on with a search",
    "The cell (rule: semipartial)",
    "Genotype(normal=[",
    "What each rule picked",
  ];
  for (
    const part of [
      ...parts,
      "Whether the choice has settled",
      "ended       after epoch 2 of 2",
      "Measured",
      "largest shares",
      path("stopped/cells.svg"),
      "cli.ts discretize",
    ]
  ) {
    assert.ok(resumed.out.includes(part), `${part} is missing in\n${resumed.out}`);
  }
  assert.doesNotMatch(resumed.out, /NaN|undefined/);
});

Deno.test("cli discretize: the same scores again, other options, a folder of its own", async () => {
  const before = read("whole/discretization.json"),
    again = await idarts(
      ["discretize", path("whole"), "--json"],
      { write: [] },
    );
  assert.equal(again.code, 0, again.err);
  const [{ report }] = events(again.out) as { report: { methods: unknown } }[];
  assert.deepEqual(report.methods, JSON.parse(before).methods);

  const args = ["discretize", path("whole"), "--method", "zca", "--scope", "edge", "--statistics-images", "32"];
  const other = await idarts([...args, "--out", path("whole/edge")]);
  assert.equal(other.code, 0, other.err);
  assert.match(other.out, /The cell \(rule: zca\)/);
  assert.match(other.out, /scope edge/);
  const written = JSON.parse(read("whole/edge/discretization.json"));
  assert.deepEqual([written.chosen, written.options.scope, written.images], ["zca", "edge", 32]);
  assert.equal(read("whole/edge/genotype.txt"), read("whole/edge/genotypes/zca.txt"));
  assert.equal(read("whole/discretization.json"), before, "the run stays as it was");
  await refused(2, /must be a new folder: it holds/, [...args, "--out", path("whole/edge")]);

  const removals = ["--method", "perturbation", "--perturbation-images", "8"];
  const last = await idarts(["discretize", path("whole"), ...removals], { write: [] });
  assert.equal(last.code, 0, last.err);
  assert.match(last.out, /The cell \(rule: perturbation\)/);
  assert.match(last.out, /How certain the choice is: the same on 100 samples of the images \(in 2 parts\)/);
  assert.match(last.out, /perturbation: accuracy that the supernet loses without the operation, of \S+ on 8 images/);
});

Deno.test("cli: a node's two best operations, whatever edges they are on, in a search, a decision and all that follows", async () => {
  const other = path("whole-operations"),
    decided = await idarts([
      ...["discretize", path("whole"), "--method", "zca", "--keep", "operations", "--out", other],
    ]);
  assert.equal(decided.code, 0, decided.err);
  assert.match(decided.out, /score; keep operations, scope node/);
  assert.match(decided.out, /The other way, keep edges \(a node's two best edges, one operation each\)/);
  const report = JSON.parse(read("whole-operations/discretization.json"));
  const before = JSON.parse(read("whole/discretization.json"));
  const of = ({ methods }: typeof report) => methods.find(({ method }: { method: string }) => method === "zca");
  assert.deepEqual([before.keep, report.keep], ["edges", "operations"]);
  assert.deepEqual([of(report).text, of(report).other.text], [of(before).other.text, of(before).text]);
  for (const name of ["zca", "zca.operations", "alpha", "alpha.operations"]) {
    assert.equal(read(`whole-operations/genotypes/${name}.txt`), read(`whole/genotypes/${name}.txt`), name);
  }
  assert.equal(read("whole-operations/genotype.json"), read("whole/genotypes/zca.operations.json"));
  const cost = await idarts(["cost", other, "--json"], { write: [] });
  assert.equal(cost.code, 0, cost.err);

  const again = await idarts(["search", ...FLAGS, "--keep", "operations", "--json", "--out", path("operations")]);
  assert.equal(again.code, 0, again.err);
  assert.equal(read("operations/genotype.txt"), read("whole/genotypes/semipartial.operations.txt"));
  const { genotypes } = events(again.out).find(({ event, epoch }) => event === "epoch" && epoch === 2)!;
  assert.ok(Object.values(genotypes as Record<string, string>).every((text) => parseGenotype(text, "epoch")));
  await refused(
    2,
    /Cannot use --keep operations with space nas-bench-201, whose cells keep one operation on every edge: use --keep edges/,
    ["search", ...FLAGS, "--space", "nas-bench-201", "--keep", "operations", "--out", path("new")],
  );
});

Deno.test("cli: a space of one's own is in the run: resumed, decided and trained without its file", async () => {
  Deno.writeTextFileSync(
    path("mine.yaml"),
    "name: mine\nnodes: 1\nprimitives: [[skip_connect, sep_conv_3x3], [noise, none, max_pool_3x3]]\nreduce-at: [1/2]\n",
  );
  const small = ["--images", "64", "--epochs", "1", "--steps-per-epoch", "2"], flags = [...FLAGS, ...small];
  const args = ["search", ...flags, "--space", path("mine.yaml")];
  const made = await idarts([...args, "--out", path("mine"), "--json"]);
  assert.equal(made.code, 0, made.err);
  assert.deepEqual(parseGenotype(read("mine/genotype.json"), "g").reduceAt, ["1/2"]);
  assert.ok(read("mine/report.html").includes(`--space ${path("mine/space.yaml")}`), "the command that repeats it");
  Deno.writeTextFileSync(path("mine.yaml"), read("mine/space.yaml").replace("noise", "avg_pool_3x3"));
  await refused(2, /--space of the run in '.*mine' as it must stay mine: current value is mine \(changed\)/, [
    "search",
    "--resume",
    path("mine"),
    "--space",
    path("mine.yaml"),
  ]);
  Deno.removeSync(path("mine.yaml"));
  const before = bits("mine");
  const resumed = await idarts(["search", "--resume", path("mine")]);
  assert.equal(resumed.code, 0, resumed.err);
  assert.deepEqual(bits("mine"), before);
  for (const verb of ["discretize", "report"]) {
    const outcome = await idarts([verb, path("mine")]);
    assert.equal(outcome.code, 0, outcome.err);
  }
  const sizes = ["--init-channels", "4", "--cells", "3", "--batch-size", "8", "--images", "24", "--epochs", "1"];
  const trained = await idarts(["train", path("mine"), ...sizes, "--val-images", "8", "--auxiliary-weight", "0"]);
  assert.equal(trained.code, 0, trained.err);
  await refused(1, /mine.yaml/, args);
  Deno.writeTextFileSync(path("mine.yaml"), "name: mine\nnodes: 1\nprimitives: [skip_conect, noise]\n");
  await refused(2, /search space in '.*mine.yaml' as a primitive of primitives must be .*mean "skip_connect"/, args);
});

Deno.test("cli inspect: cost, memory and plan, without data and without a GPU", async () => {
  const sized = ["inspect", "--shape", "3x8x8", "--classes", "4", "--cells", "3", "--init-channels", "4"];
  const without = await idarts([...sized, "--json", "--plan", "evaluate"], {
    read: [],
    write: [],
    env: WITHOUT_GPU,
  });
  assert.equal(without.code, 0, without.err);
  assert.match(without.err, /^warning: Cannot find a WebGPU adapter/);
  const [found] = events(without.out) as {
    cost: {
      steps: number | null;
      core: { coreHours: number | null };
      cards: { gpuDays: number | null; secondsPerStep: number }[];
    };
    memory: Record<string, number>;
    gpuBytes: number;
    plan: { label: string }[];
    programs: { name: string; dispatches: number; macs: number }[];
    largestBatch: number;
  }[];
  const { cost: { steps, core, cards } } = found;
  assert.deepEqual([steps, core.coreHours, ...new Set(cards.map(({ gpuDays }) => gpuDays))], [null, null, null]);
  assert.ok(cards.length > 4 && cards.every(({ secondsPerStep }) => secondsPerStep > 0));
  const whole = await idarts([...sized, "--images", "1280", "--epochs", "3"], {
    read: [],
    write: [],
    env: WITHOUT_GPU,
  });
  assert.match(whole.out, /\nCost \(the whole search: 30 steps and its measurements\)\n/); // 640 images of each half by 64
  assert.match(whole.out, /\n {2}card +TFLOP\/s +GB\/s +a step +the search +GPU-days\n/);
  assert.match(whole.out, /Tesla V100 \(SXM2\) +15.7 +900 +[\d.]+ ms +[\d.]+ ms +0\.0+\d+\n/);
  assert.match(whole.out, /llvmpipe\): .* a step, 0\.0\d+ core-hours,/);
  assert.match(whole.out, /the paper: 0.2 GPU-days on CIFAR-10, 1.9 on ImageNet/);
  assert.equal(Object.values(found.memory).reduce((a, b) => a + b, 0), found.gpuBytes);
  assert.deepEqual(found.programs.map((p) => p.name), [
    "weight_step",
    "alpha_step",
    "soften",
    "evaluate",
    "statistics",
  ]);
  assert.ok(
    found.programs.every((p) => p.dispatches > 0 && (p.macs > 0) === (p.name !== "soften")) && found.largestBatch > 64,
  );
  assert.ok(found.plan.some(({ label }) => label.startsWith("stem")));

  const onData = await idarts(["inspect", ...FLAGS, "--memory-limit", "5", "--plan"], { write: [] });
  assert.equal(onData.code, 0, onData.err);
  assert.match(onData.out, /1x28x28 and 10 classes/);
  assert.match(onData.out, /Batch 8 does not fit in 5.00 MiB \(--memory-limit\); the largest that does: \d/);
  assert.match(onData.out, /Program weight_step: \d+ nodes/);
  await refused(2, /must be one of weight_step, .* mean 'evaluate'/, [...sized, "--plan", "evaluat"]);
  await refused(2, /--shape as it must be channels x height x width/, ["inspect", "--shape", "3x8", "--classes", "2"]);
  await refused(2, /--shape without --classes/, ["inspect", "--shape", "3x8x8"]);
  // The defaults need a tensor of 144 MiB for such images; every adapter binds 128.
  const larger = await idarts(["inspect", "--shape", "3x64x64", "--classes", "2", "--json"], { read: [] });
  assert.deepEqual([larger.code, JSON.parse(larger.out).batchSize < 64], [0, true]);
  assert.match(
    larger.err,
    /of 144 MiB must be at most .* 128 MiB; what follows is for --batch-size \d+, the largest that fits/,
  );
});

Deno.test("cli bench: what a step costs, operation by operation, and what the adapter could do", async () => {
  const sized = [
    "bench",
    "--space",
    "s3",
    "--cells",
    "3",
    "--init-channels",
    "2",
    "--batch-size",
    "2",
    "--classes",
    "3",
  ];
  const { code, out, err } = await idarts([...sized, "--shape", "1x8x8", "--steps", "1", "--json"], {
    read: [],
    write: [],
  });
  assert.equal(code, 0, err);
  interface Rate {
    milliseconds: number;
    dispatches: number;
    macs: number;
    bytes: number;
  }
  const [found] = events(out) as {
    compileSeconds: number;
    firstSeconds: number;
    step: Rate;
    ceilings: { gflops: number; gigabytes: number };
    operations: Record<string, Rate>;
  }[];
  const operations = Object.values(found.operations),
    total = (of: (rate: Rate) => number) => operations.reduce((sum, rate) => sum + of(rate), 0);
  assert.equal(total((r) => r.dispatches), found.step.dispatches);
  assert.equal(total((r) => r.macs), found.step.macs);
  assert.equal(total((r) => r.bytes), found.step.bytes);
  assert.ok(found.compileSeconds > 0 && found.firstSeconds > 0);
  assert.ok(found.operations.pointwise.macs > 0 && found.ceilings.gflops > 0 && found.ceilings.gigabytes > 0);
  await refused(2, /--data with bench/, [...sized, "--data", "mnist"]);
});

Deno.test("cli doctor: well with the adapter, one sentence without one", async () => {
  const well = await idarts(["doctor", "--json"], { read: [], write: [] });
  assert.equal(well.code, 0, well.err);
  const [{ operations, step }] = events(well.out) as {
    operations: { failures: string[] }[];
    step: { loss: number; problem: unknown };
  }[];
  assert.ok(operations.length > 20 && operations.every(({ failures }) => failures.length === 0));
  assert.ok(Number.isFinite(step.loss) && step.problem === null);
  const { out } = await idarts(["doctor"], { read: [], write: [] });
  assert.match(
    out,
    /^ {2}software {2}(yes: the CPU does the work, slowly \((its driver|the system) .+\)|no: a GPU .+)$/m,
  );
  assert.match(out, /^ {2}kernels +for (CPUs, with(out)? subgroups.*|GPUs)$/m);
  assert.doesNotMatch(out, / -$/m, "no dash for what is known");
  await refused(1, /Cannot find a WebGPU adapter: install/, ["doctor"], {
    env: WITHOUT_GPU,
  });
});

Deno.test("cli doctor --full: two files in the time that there is, and what was left out", async () => {
  const out = path("doctor"), args = ["doctor", "--full", "--out", out, "--minutes", "0.03", "--json"];
  const full = await idarts(args, {});
  assert.equal(full.code, 0, full.err);
  const [told] = events(full.out) as { event: string; adapter: string; kernels: { done: number }; leftOut: string[] }[];
  assert.ok(told.event === "doctor-full" && told.kernels.done > 0, full.out.slice(0, 500));
  assert.match(told.leftOut.join(), /\d+ of \d+ cases of operations,.*network '.*,the speed of \d+ kernels/);
  const written = JSON.parse(Deno.readTextFileSync(`${out}/doctor.json`));
  assert.deepEqual([written.adapter, written.problems], [told.adapter, []]);
  assert.match(
    Deno.readTextFileSync(`${out}/doctor.md`),
    /^# idarts [^]*Left out for want of time: \d+ of[^]*## Speed/,
  );
  await refused(2, /--out without --full/, ["doctor", "--out", out]);
  await refused(2, /--minutes as it must be a number above 0/, ["doctor", "--full", "--minutes", "soon"]);
});

Deno.test("cli: help of each verb explains it, and needs no permissions", async () => {
  const none = { read: [], write: [] };
  for (const verb of ["search", "discretize", "inspect", "bench", "tune search", "tune train", "doctor"]) {
    const { code, out, err } = await idarts([...verb.split(" "), "--help"], none);
    assert.equal(code, 0, err);
    assert.match(out, new RegExp(`^Usage: idarts ${verb}`));
    assert.match(out, /Example/);
    assert.match(out, /Exit codes: 0 /);
    if (verb === "search") {
      for (const part of ["--init-channels <number>", "default: 16", "Discretisation:", "Presets:", "--no-flip"]) {
        assert.equal(out.includes(part), part !== "--no-flip", part);
      }
    }
  }
  assert.equal((await idarts([], none)).code, 2);
  assert.match((await idarts(["--version"], none)).out, /^\d+\.\d+\.\d+\n$/);
});

Deno.test("cli: wrong use is refused with what was meant, and leaves nothing behind", async () => {
  const out = ["--out", path("never")], yaml = path("bad.yaml");
  const config = (text: string): string[] => {
    Deno.writeTextFileSync(yaml, text);
    return ["search", "--config", yaml, ...out];
  };
  await refused(2, /unknown command 'serch' \(Did you mean search\?\)/, ["serch"]);
  await refused(2, /unknown option '--epoch' \(Did you mean --epochs\?\)/, ["search", "--epoch", "3", ...out]);
  await refused(2, /--epochs as it must be a whole number from 1 .*'three'/, ["search", "--epochs", "three", ...out]);
  await refused(
    2,
    /--space as it must be one of darts, s1, s2, .* or the definition .*: current value is 'dart' .*mean 'darts'/,
    [
      "search",
      "--space",
      "dart",
    ],
  );
  await refused(2, /--preset as it must be one of demo.*mean 'demo'/, ["search", "--preset", "demoo", ...out]);
  await refused(2, /key 'epoch' of .*bad.yaml': did you mean 'epochs'\?/, config("epoch: 3\n"));
  await refused(2, /key 'cells' .* must be a whole number from 3 to 64: current value is 2/, config("cells: 2\n"));
  await refused(2, /must be valid YAML/, config("a: [\n"));
  await refused(1, /missing.yaml' as it does not exist/, ["search", "--config", path("missing.yaml"), ...out]);
  await refused(2, /too many arguments for 'search', expected 0 arguments but got 1: see 'search --help'$/m, [
    ...["search", "extra", ...out],
  ]);
  await refused(2, /missing required argument 'run'/, ["discretize"]);
  await refused(2, /folder must be empty: it holds .* use --resume/, ["search", "--out", path("whole")]);
  await refused(2, /Cannot open the run in .* must hold 'config.json'/, ["search", "--resume", path("nowhere")]);
  const resume = ["search", "--resume", path("whole")];
  await refused(2, /Cannot change --epochs of the run .* must stay 2: current value is 3/, [
    ...resume,
    "--epochs",
    "3",
  ]);
  await refused(2, /--out together with --resume/, [...resume, ...out]);
  // A rule that decides when to stop cannot change under way.
  copyRun("whole", "watched");
  const { config: values, ...rest } = JSON.parse(read("watched/config.json"));
  const watched = { ...rest, config: { ...values, "stop-skips": 8 } };
  Deno.writeTextFileSync(path("watched/config.json"), JSON.stringify(watched));
  await refused(2, /Cannot change --discretizer of the run/, [
    "search",
    "--resume",
    path("watched"),
    "--discretizer",
    "zca",
  ]);
  await refused(2, /alpha-warmup-epochs as it must be less than --epochs 2/, [
    "search",
    ...FLAGS,
    ...out,
    "--alpha-warmup-epochs",
    "2",
  ]);
  assert.ok(!exists("never"));
});

Deno.test("cli: what cannot be done is said in one sentence, and leaves nothing behind", async () => {
  const out = ["--out", path("never")], search = ["search", ...FLAGS, ...out];
  await refused(1, /data set '.*nothing' as the folder .* does not exist/, [...search, "--data", path("nothing")]);
  const small = [...search, "--memory-limit", "5"];
  await refused(1, /batch-size 8: it needs \d+ MiB .* use --batch-size \d+ or less/, small);
  await refused(1, /Cannot find a WebGPU adapter/, search, {
    env: WITHOUT_GPU,
  });
  await refused(1, /mnist.* as Deno was not given permission: add --allow-read=/, search, { read: [place.folder] });
  await refused(1, /as Deno was not given permission: add --allow-write=/, search, { write: [] });
  Deno.writeTextFileSync(path("file"), "");
  await refused(2, /must be a folder: it is a file/, ["search", ...FLAGS, "--out", path("file")]);
  await refused(1, /file\/run' as a part of the path is a file/, ["search", ...FLAGS, "--out", path("file/run")]);
  assert.ok(!exists("never"));
});

Deno.test("cli: damaged images are refused with what is wrong with them", async () => {
  const folder = path("images"), images = `${folder}/train-images-idx3-ubyte`;
  Deno.mkdirSync(folder);
  const write = (bytes: number[], labels: number[]): void => {
    Deno.writeFileSync(images, Uint8Array.from(bytes));
    Deno.writeFileSync(`${folder}/train-labels-idx1-ubyte`, Uint8Array.from(labels));
  };
  const labels = [...idxHeader(0x801, 2), 0, 1], args = ["search", "--data", folder, "--out", path("never")];
  write([...idxHeader(0x803, 2, 4, 4), ...Array(31).fill(1)], labels);
  await refused(1, /train-images-idx3-ubyte/, args);
  write([...idxHeader(0x802, 2, 4, 4), ...Array(32).fill(1)], labels);
  await refused(1, /train-images-idx3-ubyte/, args);
  write([...idxHeader(0x803, 2, 4, 4), ...Array(32).fill(1)], [...idxHeader(0x801, 3), 0, 1, 1]);
  await refused(1, /one label for each of the 2 images/, args);
  assert.ok(!exists("never"));
});

Deno.test("cli: a damaged run is refused by file", async () => {
  copyRun("whole", "damaged");
  const resume = ["search", "--resume", path("damaged")], discretize = ["discretize", path("damaged")];
  for (const name of ["checkpoint.safetensors", "checkpoint.prev.safetensors"]) {
    Deno.writeFileSync(path(`damaged/${name}`), Deno.readFileSync(path(`whole/${name}`)).subarray(0, 5000));
  }
  await refused(1, /checkpoint.safetensors' as safetensors .* no older checkpoint/, resume);
  await refused(1, /checkpoint.safetensors' as safetensors .* no older checkpoint/, discretize);
  const config = JSON.parse(read("whole/config.json"));
  for (
    const [text, pattern] of [
      ["{", /config.json' as it must be JSON/],
      ["{}", /config.json' as its format must be 'idarts-run\/1'/],
      [JSON.stringify({ ...config, config: { cell: 3 } }), /key 'cell' of '.*config.json': did you mean 'cells'/],
      [JSON.stringify({ ...config, data: 7 }), /its data must say name, fingerprint/],
    ] as const
  ) {
    Deno.writeTextFileSync(path("damaged/config.json"), text);
    await refused(1, pattern, resume);
  }
  // Edited by hand: what made the checkpoint is not what the file says now.
  for (const name of ["checkpoint.safetensors", "checkpoint.prev.safetensors"]) {
    Deno.copyFileSync(path(`whole/${name}`), path(`damaged/${name}`));
  }
  for (const [key, value] of [["seed", 77], ["batch-size", 16], ["weight-lr", 0.5]] as const) {
    const edited = { ...config, config: { ...config.config, [key]: value } };
    Deno.writeTextFileSync(path("damaged/config.json"), JSON.stringify(edited));
    const said =
      `its checkpoint of step ${STEPS} was made with ${key} .* and '.*config.json' says ${value}: put it back`;
    await refused(2, new RegExp(`${said} or take another --out\\n$`), resume);
  }
  const own = { ...config, config: { ...config.config, discretizer: "mine" } };
  Deno.writeTextFileSync(path("damaged/config.json"), JSON.stringify(own));
  await refused(
    2,
    /damaged' here as its rule 'mine' is one of the program that began the search: go on .* there/,
    resume,
  );
});

/** A worker's way through a study of two searches, with runs that are no more than a file: what becomes of trouble. */
import "../platform/deno.ts";
import assert from "node:assert/strict";
import { FailureError, UsageError } from "../base/errors.ts";
import { fileError } from "../base/files.ts";
import { harmlessSearchOptions } from "../search/search.ts";
import { readRun } from "./run_result.ts";
import { expectStudy, StudyFolder } from "./study_folder.ts";
import { parseStudy } from "./study_file.ts";
import { searchTasks } from "./tasks.ts";
import { type Assignment, knownTasks, work, type WorkEvent, type WorkOptions } from "./worker.ts";

class Temporary extends StudyFolder implements Disposable {
  readonly events: string[] = [];
  readonly messages: string[] = [];
  readonly names: string[];
  readonly study = parseStudy("study.yaml", "search: { seed: [0, 1] }");
  notBegun: string[] = [];
  unseen?: Error;

  constructor() {
    super(Deno.makeTempDirSync({ prefix: "worker-" }));
    this.make();
    this.names = searchTasks(this.study).map(({ name }) => name);
  }

  /** Works at the study. @param run what a run does */
  async go(run: (assignment: Assignment) => void, options: Partial<WorkOptions> = {}): Promise<void> {
    const perform = (assignment: Assignment): Promise<boolean> => {
      const { path, started } = assignment;
      Deno.mkdirSync(path, { recursive: true });
      Deno.writeTextFileSync(`${path}/config.json`, "{}");
      started();
      run(assignment);
      return Promise.resolve(true);
    };
    const onEvent = (event: WorkEvent): void => {
      this.events.push(event.event === "wait" ? "wait" : `${event.event} ${this.names.indexOf(event.task.name)}`);
      if ("message" in event) this.messages.push(event.message);
    };
    const { notBegun, unseen } = await work(this.study, this, {
      every: 0.1,
      wait: false,
      perform,
      onEvent,
      ...options,
    });
    this.notBegun = [...notBegun.keys()];
    this.unseen = unseen;
  }

  get states(): string[] {
    return this.names.map((name) => this.state(name).state);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

/** What the system says, as a run tells it. */
const trouble = (code: string): Error =>
  new FailureError("Cannot go on", {
    cause: fileError(Object.assign(new Error("system"), { code }), "write", "checkpoint.safetensors"),
  });

Deno.test("worker: what belongs to a run is there as soon as the run is, or the run is not there", async () => {
  using folder = new Temporary();
  const seen: string[] = [];
  await folder.go(() => {}, {
    complete: ({ name }, path, to) => {
      assert.ok(!folder.done(name) && to === folder.run(name));
      if (seen.push(name) === 1) throw trouble("EIO"); // as good as a kill: the run stays where it is
      Deno.writeTextFileSync(`${path}/report.html`, "whole");
      return Promise.resolve();
    },
  });
  assert.deepEqual(folder.states, ["open", "done"]);
  assert.deepEqual(folder.events, ["begin 0", "put-off 0", "begin 1", "done 1"]);
  const resumed: boolean[] = [];
  await folder.go(({ resume }) => resumed.push(resume), {
    complete: (_, path) => Deno.writeTextFile(`${path}/report.html`, "whole"),
  });
  assert.deepEqual([folder.states, resumed], [["done", "done"], [true]]);
  for (const name of folder.names) assert.equal(Deno.readTextFileSync(`${folder.run(name)}/report.html`), "whole");
});

Deno.test("worker: a run that lacked space has not failed; the worker leaves, as no other run would have any", async () => {
  using folder = new Temporary();
  await folder.go(() => {
    throw trouble("ENOSPC");
  });
  assert.deepEqual([folder.events, folder.states], [["begin 0", "put-off 0"], ["open", "open"]]);
  assert.deepEqual(folder.notBegun, [folder.names[0]]);
  await folder.go(() => {});
  assert.deepEqual(folder.states, ["done", "done"]);
});

Deno.test("worker: a run that the system stopped is left for later, and the others are done", async () => {
  using folder = new Temporary();
  await folder.go(({ task }) => {
    if (task.name === folder.names[0]) throw trouble("EIO");
  });
  assert.deepEqual(folder.events, ["begin 0", "put-off 0", "begin 1", "done 1"]);
  assert.deepEqual([folder.states, folder.notBegun], [["open", "done"], [folder.names[0]]]);
});

Deno.test("worker: what was done elsewhere is done", async () => {
  using folder = new Temporary();
  const known = `${folder.path}/known.jsonl`;
  Deno.writeTextFileSync(known, `${JSON.stringify({ name: folder.names[0] })}\n`);
  folder.begin("", known);
  await folder.go(() => {});
  assert.deepEqual([folder.events, folder.states], [["begin 1", "done 1"], ["done", "done"]]);
});

Deno.test("worker: of a search that several studies know, the cells of every epoch that one of them read off are kept", () => {
  using folder = new Temporary();
  const known = `${folder.path}/known.jsonl`;
  const line = (...cells: readonly Record<string, string>[]): string =>
    JSON.stringify({ name: "search-1", epochs: cells.map((each, i) => ({ epoch: i + 1, cells: each })) }) + "\n";
  const kept = (): unknown => (folder.kept("search-1") as { epochs: { cells: unknown }[] }).epochs.map((e) => e.cells);
  Deno.writeTextFileSync(known, line({ alpha: "a" }, { alpha: "b" }) + line({}, { zca: "c" }));
  folder.begin("", known);
  assert.deepEqual(kept(), [{ alpha: "a" }, { alpha: "b", zca: "c" }]);
  Deno.writeTextFileSync(known, line({}, { similarity: "d" }));
  folder.begin("", known);
  assert.deepEqual(kept(), [{ alpha: "a" }, { alpha: "b", zca: "c", similarity: "d" }]);
});

Deno.test("worker: a run that is here says more than what another study knows of it", () => {
  using folder = new Temporary();
  const [name] = folder.names, known = `${folder.path}/known.jsonl`;
  Deno.writeTextFileSync(known, JSON.stringify({ name }) + "\n");
  folder.begin("", known);
  assert.throws(() => readRun(folder, "search", name), new RegExp(`the line of ${name}`));
  Deno.mkdirSync(folder.run(name), { recursive: true });
  assert.throws(() => readRun(folder, "search", name), /^(?!.*the line of).*search-/);
});

Deno.test("worker: cells are trained with the reductions of their space, as random ones are", () => {
  using folder = new Temporary();
  const study = parseStudy(
    "x.yaml",
    "search: { space: { name: mine, nodes: 1, primitives: [skip_connect, sep_conv_3x3], reduce-at: [0.5] }, cells: 4, " +
      "discretizer: alpha }\ntrain: { cells: 4 }\nrandom: 1",
  );
  const [{ name }] = searchTasks(study), known = `${folder.path}/known.jsonl`;
  const cell = "Genotype(normal=[('skip_connect', 0), ('sep_conv_3x3', 1)], normal_concat=[2], " +
    "reduce=[('skip_connect', 0), ('sep_conv_3x3', 1)], reduce_concat=[2])";
  const found = { rule: "alpha", cell, skips: 2, parameterFree: 2, ranks: null, same: null };
  const line = {
    kind: "search",
    name,
    adapter: "a",
    epochs: [],
    cells: [found],
    correlations: { normal: [], reduce: [] },
  };
  Deno.writeTextFileSync(known, JSON.stringify(line) + "\n");
  folder.begin("", known);
  const trained = knownTasks(study, folder).tasks.flatMap((task) => task.kind === "train" ? [task.genotype] : []);
  assert.deepEqual(trained.map(({ reduceAt }) => reduceAt), [[0.5], [0.5]]);
});

Deno.test("worker: what was kept of the studies in docs/studies is theirs still, whatever options and defaults came since", () => {
  const place = new URL("../../docs/studies/", import.meta.url).pathname;
  for (const name of ["decide", "presets", "nas-bench-201", "noise"]) {
    using folder = new Temporary();
    const text = Deno.readTextFileSync(`${place}${name}.yaml`), kept = `${place}results/${name}.jsonl`;
    folder.begin(text, kept);
    const known = new Set(knownTasks(parseStudy(name, text), folder).tasks.map((task) => task.name));
    const lines = Deno.readTextFileSync(kept).trim().split("\n").map((line) => JSON.parse(line).name as string);
    assert.ok(lines.length > 0 && lines.every((line) => known.has(line)), name);
  }
});

Deno.test("worker: a search that is under way may be measured with other images in the end", () => {
  const names = [128, 512].map((images) => {
    const study = parseStudy("x.yaml", `search: { perturbation-images: ${images} }`);
    assert.ok(harmlessSearchOptions(study.settings[0].configs[0]).includes("perturbation-images"));
    return searchTasks(study)[0].name;
  });
  assert.equal(names[0], names[1]);
});

Deno.test("worker: who cannot show that it is alive leaves, and says why", async () => {
  using folder = new Temporary();
  await folder.go(() => {}, {
    perform: async ({ signal }) => {
      Deno.removeSync(`${folder.path}/workers`, { recursive: true });
      const { promise, resolve } = Promise.withResolvers<void>();
      signal.addEventListener("abort", () => resolve());
      await promise;
      return false;
    },
  });
  assert.match(folder.unseen!.message, /workers/);
  assert.deepEqual([folder.events, folder.states], [["begin 0", "stopped 0"], ["open", "open"]]);
});

Deno.test("study: what is in its way, or not there, is named before anything is made", () => {
  using folder = new Temporary();
  const file = `${folder.path}/notes.txt`, fresh = `${folder.path}/fresh`;
  Deno.writeTextFileSync(file, "mine");
  assert.throws(() => new StudyFolder(file).begin("x"), (error) => {
    assert.ok(error instanceof UsageError);
    assert.match(error.message, /must be new or hold 'study.yaml': it is a file/);
    return true;
  });
  assert.throws(
    () => new StudyFolder(fresh).begin("x", `${folder.path}/none.jsonl`),
    /none.jsonl' as it does not exist/,
  );
  assert.throws(() => Deno.statSync(fresh), Deno.errors.NotFound);
});

Deno.test("worker: a run that fails by itself is marked, and not tried again unasked", async () => {
  using folder = new Temporary();
  await folder.go(({ task }) => {
    if (task.name === folder.names[0]) throw new FailureError("the loss is no number");
  });
  assert.deepEqual(folder.events, ["begin 0", "failed 0", "begin 1", "done 1"]);
  assert.deepEqual([folder.states, folder.notBegun, folder.messages], [["failed", "done"], [], [
    "the loss is no number",
  ]]);
  await folder.go(() => assert.fail("nothing is to be done"));
  await folder.go(() => {}, { retry: true });
  assert.deepEqual(folder.states, ["done", "done"]);
});

Deno.test("study: a folder without a study is named", () => {
  using folder = new Temporary();
  assert.throws(() => expectStudy(folder.path), /must hold 'study.yaml'/);
});

Deno.test("worker: trainings come seed by seed", () => {
  using folder = new Temporary();
  const study = parseStudy("x.yaml", "search: { space: [s1, s2] }\ntrain: {}\nrandom: 3"),
    { tasks } = knownTasks(study, folder);
  const seeds = tasks.flatMap((task) => task.kind === "train" ? [task.config.seed] : []);
  assert.deepEqual(seeds, [0, 0, 1, 1, 2, 2]);
});

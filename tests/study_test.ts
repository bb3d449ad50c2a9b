/**
 * Studies as users run them, in processes with the permissions that they need and no more: a few real MNIST digits,
 * tiny networks, two settings with two seeds each, two rules, two random cells. Two shards share the first study; the
 * second is killed twice and gone on with, and must come to the same results.
 */
import assert from "node:assert/strict";
import { writeDigits } from "../scripts/few_digits.ts";
import { picksOf } from "../src/search/settled.ts";
import { encodePng } from "../src/data/testing.ts";
import { ended, events, ROOT, Workplace } from "./cli_support.ts";

const place = new Workplace("study-"), { path, read } = place;
const list = (name: string): string[] => [...Deno.readDirSync(path(name))].map((entry) => entry.name).sort();

const DIGITS = path("digits");
writeDigits(DIGITS);
Deno.writeTextFileSync(
  path("tiny.yaml"),
  `
search:
  data: ${DIGITS}
  space: s3
  node-norm: [rms, none]
  seed: [0, 1]
  discretizer: [semipartial, alpha]
  cells: 3
  init-channels: 2
  batch-size: 8
  images: 128
  epochs: 2
  steps-per-epoch: 4
  weight-lr: 0.05
  alpha-lr: 0.05
  eval-images: 16
  probe-images: 16
  statistics-images: 16
  checkpoint-steps: 1
train:
  init-channels: 4
  cells: 3
  batch-size: 16
  images: 96
  val-images: 16
  epochs: 1
  pad: 2
  lr: 0.1
  auxiliary-weight: 0
  drop-path: 0
  checkpoint-steps: 1
random: 2
`,
);

function command(args: readonly string[], write: readonly string[], env?: Record<string, string>): Deno.Command {
  return place.command(["study", ...args], { write: write.map(path), env, readsEnv: env !== undefined });
}

/** Names of the runs that a process finished. */
function finished(text: string): string[] {
  return events(text).filter(({ event }) => event === "done").map(({ run }) => run);
}

const refused = (code: number, pattern: RegExp, args: readonly string[]): Promise<void> =>
  place.refused(code, pattern, ["study", ...args], { write: [path("new")] });

const SEARCHES = 4, MOST_RUNS = SEARCHES + SEARCHES * 2 + 2;

// As the jobs of a Slurm array would be started.
const shards = await Promise.all([5, 6].map((id) =>
  ended(
    command(["run", path("tiny.yaml"), "--out", path("shared"), "--heartbeat", "2", "--json"], ["shared"], {
      SLURM_ARRAY_TASK_ID: String(id),
      SLURM_ARRAY_TASK_COUNT: "2",
    }).output(),
  )
));

Deno.test("study: two shards do every run exactly once, and each search once for both rules", () => {
  for (const { code, err } of shards) assert.deepEqual([code, err], [0, ""]);
  const [a, b] = shards.map(({ out }) => finished(out)), runs = list("shared/runs");
  assert.ok(a.length > 1 && b.length > 1, `${a.length} and ${b.length}`);
  assert.deepEqual([...a, ...b].sort(), runs);
  assert.equal(runs.filter((name) => name.startsWith("search-")).length, SEARCHES);
  assert.ok(runs.length > SEARCHES + 2 && runs.length <= MOST_RUNS);
  assert.deepEqual(list("shared/claims"), runs.map((name) => `${name}.0`), "nothing was claimed twice");
  assert.deepEqual([list("shared/work"), list("shared/workers")], [[], []]);
  assert.deepEqual(shards.map(({ out }) => events(out)[0].shard).sort(), ["0/2", "1/2"]);
});

Deno.test("study: every run is an ordinary run", async () => {
  const [search] = list("shared/runs"), training = list("shared/runs").at(-1);
  for (const name of ["genotype.json", "metrics.jsonl", "checkpoint.safetensors", "report.html", "genotypes"]) {
    assert.ok(list(`shared/runs/${search}`).includes(name), name);
  }
  assert.ok(list(`shared/runs/${training}`).includes("best.safetensors"));
  assert.ok(read(`shared/runs/${training}/report.html`).includes(`shared/runs/${training}`), "where it is now");
  const { code, out } = await ended(command(["run", path("shared"), "--json"], ["shared"]).output());
  assert.equal(code, 0);
  assert.deepEqual(events(out).map(({ event }) => event), ["study", "result"], "nothing is left to be done");
});

Deno.test("study report: every part, as a page, as Markdown, as CSV and as JSON", async () => {
  const { code, out, err } = await ended(command(["report", path("shared")], ["shared"]).output());
  assert.deepEqual([code, err], [0, ""]);
  assert.doesNotMatch(out, /NaN|undefined|\[object/);
  assert.match(out, /^4 of 4 searches done; (\d+) of \1 trainings done\.\n/);
  const page = read("shared/report.html"), text = read("shared/report.md");
  assert.doesNotMatch(page, /<script|https?:\/\/(?!www\.w3\.org)|NaN|undefined|\[object/);
  const parts = [
    ...["Accuracy of retrained cells", "Comparisons", "Imbalance of the nodes before normalisation", "Weight of none"],
    ...[
      "Skip-connections by semipartial",
      "Skip-connections by alpha",
      "Size of the nodes",
      "How alike candidates are",
    ],
    ...["node-norm rms", "node-norm none", "random: all settings", "95 % interval", "0 → 2"],
  ];
  for (const part of parts) assert.ok(page.includes(part), part);
  assert.ok((page.match(/<svg class="chart/g) ?? []).length >= 12);
  assert.match(text, /\| node-norm rms \| semipartial \| 2 \| [12] \| [\d.]+ ± [\d.]+ \|/);
  assert.match(text, /\| all settings \| random \| 2 \| 2 \|/);
  assert.match(text, /\| alpha − semipartial \(paired\) \| 2 \|/);
  assert.match(text, /not told apart/);
  const told =
    /\| node-norm (rms|none) \| (semipartial|alpha) \| 2 \| [\d.]+ \| [\d.]+ \| [\d.]+ \| −?[\d.]+ \|([^|]*)\|/g;
  const agreements = [...text.matchAll(told)].map(([, norm, rule, ranks]) => `${norm} ${rule} ${ranks.trim()}`).join(
    "\n",
  );
  // By alpha nothing depends on images.
  const ranks = "-?[\\d.]+ ± [\\d.]+";
  assert.match(
    agreements,
    new RegExp(`^rms semipartial ${ranks}\nrms alpha –\nnone semipartial ${ranks}\nnone alpha –$`),
  );
  assert.ok(page.includes("Agreement of the cells of several searches"));
  const { searches, trainings, summary, progress } = JSON.parse(read("shared/results.json"));
  assert.equal(searches.length, SEARCHES);
  assert.equal(trainings.length, MOST_RUNS - SEARCHES, "one line for each use, shared or not");
  assert.equal(progress.train.done, new Set(trainings.map(({ name }: { name: string }) => name)).size);
  assert.equal(summary.agreements.length, 4);
  for (const { setting, rule, n, observed, chance, limit, nodes } of summary.agreements) {
    const of = searches.filter((each: { setting: number }) =>
      ["node-norm rms", "node-norm none"][each.setting] === setting
    )
      .map(({ rules }: { rules: { rule: string; cell: string }[] }) =>
        picksOf(rules.find((r) => r.rule === rule)!.cell)
      );
    assert.deepEqual([n, of.length, nodes.length], [2, 2, 8]);
    const shared = [...of[0]].filter((pick) => of[1].has(pick)).length;
    assert.ok(Math.abs(observed - shared / 16) < 1e-12 && chance > 0.2 && chance < limit && limit < 1);
  }
  const [rms, none] = summary.searches;
  assert.ok(Math.abs(rms.imbalanceAfter.mean - 1) < 1e-3 && none.imbalanceAfter.mean > 1.1);
  assert.ok(searches[0].epochs[1].none > 0 && searches[0].correlations.normal.length === 14);
  const rows = read("shared/results.csv").trimEnd().split("\n");
  assert.ok(rows[0].startsWith("node-norm,rule,unit,search-seed,train-seed,accuracy,split,"));
  assert.equal(rows.length, 1 + trainings.length);
});

/** Waits until some run of the study has a checkpoint that was not there before, then kills the process. */
async function killAtCheckpoint(study: string, kind: string, child: Deno.ChildProcess): Promise<void> {
  let over = false;
  child.status.then(() => over = true);
  const checkpoint = (): boolean => {
    try {
      return list(`${study}/work`).some((name) =>
        name.startsWith(kind) && list(`${study}/work/${name}`).includes("checkpoint.safetensors")
      );
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return false; // not begun, or just moved
      throw error;
    }
  };
  while (!over && !checkpoint()) await new Promise((resolve) => setTimeout(resolve, 2));
  assert.ok(!over, "killed before the end");
  child.kill("SIGKILL");
  await child.output();
}

Deno.test("study: killed in a search and in a training, and gone on with, it finds the same", async () => {
  const run = (name: string): Deno.Command =>
    command(
      ["run", name, "--heartbeat", "0.3", "--json", ...(name.endsWith("yaml") ? ["--out", path("killed")] : [])],
      [
        "killed",
      ],
    );
  await killAtCheckpoint("killed", "search-", run(path("tiny.yaml")).spawn());
  await killAtCheckpoint("killed", "train-", run(path("killed")).spawn());
  const status = await ended(command(["status", path("killed")], []).output());
  assert.match(status.out, /\n\d+ done, 1 under way, 0 failed, \d+ open/);
  const last = await ended(run(path("killed")).output());
  assert.deepEqual([last.code, last.err], [0, ""]);
  assert.deepEqual(list("killed/runs"), list("shared/runs"));
  assert.equal(list("killed/claims").filter((name) => name.endsWith(".1")).length, 2, "two runs were taken over");
  for (const file of ["results.json", "results.csv"]) {
    assert.equal(read(`killed/${file}`), read(`shared/${file}`), file);
  }
  assert.equal(events(last.out).at(-1).event, "result");
  for (const name of list("killed/runs")) assert.ok(list(`killed/runs/${name}`).includes("report.html"), name);
  assert.deepEqual(list("killed/workers"), [], "nothing is left of those that were killed");
});

Deno.test("study: a rule that measures, and another way to keep, are added to a study that was done; its searches are not repeated", async () => {
  const text = read("tiny.yaml").replace("[rms, none]", "rms").replace("seed: [0, 1]", "seed: 0")
    .replace(
      "[semipartial, alpha]",
      "[semipartial, perturbation]\n  keep: [edges, operations]\n  perturbation-images: 8",
    ).replace(/random: 2/, "");
  Deno.writeTextFileSync(path("more.yaml"), text);
  const before = list("shared/runs"), args = ["run", path("more.yaml"), "--out", path("shared"), "--json"];
  const killed = command([...args, "--heartbeat", "0.3"], ["shared"]).spawn();
  while (list("shared/work").length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  killed.kill("SIGKILL");
  await killed.output();
  const [left] = list("shared/work");
  assert.match(left, /^discretize-\w+\.0$/);
  Deno.writeTextFileSync(path(`shared/work/${left}/genotype.json`), "half a fi");
  const { code, out, err } = await ended(command([...args, "--heartbeat", "0.3"], ["shared"]).output());
  assert.deepEqual([code, err], [0, ""]);
  const runs = finished(out), [measured] = runs.filter((name) => name.startsWith("discretize-"));
  assert.equal(measured, left.replace(/\.0$/, ""));
  assert.deepEqual(list("shared/runs"), [...before, ...runs].sort());
  const { searches: [{ name, rules }], trainings, progress, decisions } = JSON.parse(read("shared/results.json"));
  assert.deepEqual(decisions, ["semipartial", "semipartial.operations", "perturbation", "perturbation.operations"]);
  assert.deepEqual(rules.map((each: { rule: string }) => each.rule), decisions);
  assert.ok(before.includes(name) && progress.discretize.done === 1);
  assert.deepEqual(trainings.map((each: { rule: string }) => each.rule), decisions);
  for (const { rule, cell } of rules as { rule: string; cell: string }[]) {
    const at = rule.startsWith("perturbation") ? measured : name;
    assert.equal(read(`shared/runs/${at}/genotypes/${rule}.txt`), `${cell}\n`);
  }
  const compared = read("shared/report.md").match(/^\| all searches \| \S+ − \S+ \(paired\)/gm)!;
  assert.deepEqual(compared.map((line) => line.slice(17, -9)), [
    "semipartial.operations − semipartial",
    "perturbation − semipartial",
    "perturbation.operations − semipartial",
    "perturbation.operations − perturbation",
  ]);
  assert.match(
    read("shared/report.md"),
    /1 of 1 search done; 1 of 1 measurement for a rule done; \d of \d trainings? done/,
  );
  const decided = JSON.parse(read(`shared/runs/${measured}/discretization.json`));
  assert.deepEqual([decided.chosen, decided.measured.count], ["perturbation", 8]);
});

Deno.test("study: its searches are read off earlier too, and it goes on elsewhere from what is known of its runs", async () => {
  const text = read("tiny.yaml").replace("epochs: 2", "epochs: 2\n  after-epochs: [1, 2]").replace(
    "[semipartial, alpha]",
    "alpha\n  keep: [edges, operations]",
  );
  Deno.writeTextFileSync(path("early.yaml"), text);
  const run = (folder: string, ...more: string[]) =>
    ended(command(["run", path("early.yaml"), "--out", path(folder), "--json", ...more], [folder]).output());
  const { code, out, err } = await run("shared");
  assert.deepEqual([code, err], [0, ""]);
  assert.ok(finished(out).length > 0 && finished(out).every((name) => name.startsWith("train-")), "no search again");
  const { searches, summary, trainings } = JSON.parse(read("shared/results.json")), labels = new Set<string>();
  assert.equal(searches.length, 2 * SEARCHES);
  assert.equal(trainings.length, searches.length * 2 + 2);
  for (const { name, setting, rules } of searches) {
    const records = read(`shared/runs/${name}/metrics.jsonl`).trimEnd().split("\n").map((line) => JSON.parse(line));
    for (const { rule, cell } of rules) {
      const { genotypes, others } = records[0], file = `shared/runs/${name}/genotypes/${rule}.txt`;
      assert.equal(cell, setting % 2 === 0 ? genotypes[rule] ?? others[rule] : read(file).trimEnd());
    }
  }
  for (const { setting, alike, entropy } of summary.searches) {
    labels.add(setting);
    const pairs = Object.entries(alike as Record<string, { n: number; mean: number }>);
    assert.deepEqual(pairs.map(([pair, { n }]) => [pair, n]), [["skip_connect sep_conv_3x3", 2]]);
    assert.ok(Math.abs(pairs[0][1].mean) < 1 && entropy.mean < 1);
  }
  assert.equal(labels.size, 4);
  const compared = summary.comparisons.filter(({ what }: { what: string }) => what.startsWith("alpha, this setting"));
  assert.deepEqual(
    compared.map(({ setting, what, paired }: Record<string, string>) => [setting, what.slice(22), paired]),
    [
      ["node-norm rms, after-epochs 2", "'node-norm rms, after-epochs 1'", true],
      ["node-norm none, after-epochs 1", "'node-norm rms, after-epochs 1'", false],
      ["node-norm none, after-epochs 2", "'node-norm rms, after-epochs 2'", false],
      ["node-norm none, after-epochs 2", "'node-norm none, after-epochs 1'", true],
    ],
  );
  const elsewhere = await run("elsewhere", "--known", path("shared/runs.jsonl"));
  assert.deepEqual([elsewhere.code, elsewhere.err, finished(elsewhere.out)], [0, "", []]);
  for (const file of ["results.json", "results.csv", "runs.jsonl"]) {
    assert.equal(read(`elsewhere/${file}`), read(`shared/${file}`), file);
  }
  assert.deepEqual(list("elsewhere/runs"), []);
  Deno.writeTextFileSync(path("damaged.jsonl"), '{"kind":"train"}\n');
  const damaged = await run("elsewhere", "--known", path("damaged.jsonl"));
  assert.equal(damaged.code, 1);
  assert.match(damaged.err, /line 1 of '.*damaged.jsonl' as it must be a finished run with its name/);
});

Deno.test("study: wrong use is refused with what was meant, and leaves nothing behind", async () => {
  const yaml = (text: string): string[] => {
    Deno.writeTextFileSync(path("bad.yaml"), text);
    return ["run", path("bad.yaml"), "--out", path("new")];
  };
  await refused(
    2,
    /key 'epoch' of '.*bad.yaml' \(search\): did you mean 'epochs'\?/,
    yaml("search: { epoch: [1, 2] }"),
  );
  await refused(2, /key 'epochs' of .* must be one of search, train, random: .* below search/, yaml("epochs: 3"));
  await refused(2, /must be one of none, .*current value is 'rsm'/, yaml("search: { node-norm: [rms, rsm] }"));
  await refused(2, /'discretizer' .* must be one of .*'zac'/, yaml("search: { discretizer: [zca, zac] }"));
  await refused(2, /key 'seed' .* different ones: the list holds a value twice/, yaml("search: { seed: [1, 1] }"));
  await refused(
    2,
    /key 'epochs' of '.*' \(train\) as it must be one value: only its seed/,
    yaml("train: { epochs: [1, 2] }"),
  );
  await refused(
    2,
    /key 'space' of .* must hold the definition itself: put what is in 'my.yaml'/,
    yaml("search: { space: my.yaml }"),
  );
  await refused(2, /'random' of .* without 'train'/, yaml("random: 3"));
  await refused(2, /--shard as it must be i\/n .* current value is '4\/4'/, [...yaml("search: {}"), "--shard", "4/4"]);
  await refused(2, /--heartbeat .* current value is 'soon'/, [...yaml("search: {}"), "--heartbeat", "soon"]);
  await refused(2, /must be new or hold 'study.yaml': it holds '.*'; take another --out/, [
    ...["run", path("bad.yaml"), "--out", DIGITS],
  ]);
  await refused(1, /must hold 'study.yaml'/, ["status", path("digits")]);
  await place.refused(2, /must be a single run: it is a study, so use 'study report /, ["report", path("shared")]);
  await refused(2, /unknown option '--shrad' \(Did you mean --shard\?\): see 'study run --help'/, [
    "run",
    "x",
    "--shrad",
    "1/2",
  ]);
  await refused(2, /'study' needs a second word|unknown command/, ["rnu"]);
  assert.ok(!list(".").includes("new"));
});

Deno.test("study: a run that diverges is marked as failed and keeps nobody from the others", async () => {
  const text = read("tiny.yaml").replace("weight-lr: 0.05", "weight-lr: [0.05, 1e30]\n  clip: 0")
    .replace("seed: [0, 1]", "seed: 0").replace("node-norm: [rms, none]", "node-norm: rms")
    .replace(/train:[^]*/, "");
  Deno.writeTextFileSync(path("diverges.yaml"), text);
  const args = ["run", path("diverges.yaml"), "--out", path("diverges"), "--json"];
  const { code, out, err } = await ended(command(args, ["diverges"]).output());
  assert.equal(code, 1, out);
  assert.match(err, /search-\w+ failed: .*smaller --weight-lr.*\nwarning: Some runs failed: .* --retry\n$/);
  const result = events(out).at(-1);
  assert.deepEqual([result.search.done, result.search.failed], [1, 1]);
  const again = await ended(command([...args, "--retry"], ["diverges"]).output());
  assert.equal(again.code, 1);
  assert.deepEqual(finished(again.out), []);
});

Deno.test("study: what is to be said of the data of its runs is said once", async () => {
  for (let i = 0; i < 20; i++) {
    Deno.mkdirSync(path(`photos/${i % 2}`), { recursive: true });
    const sample = (y: number, x: number): number => ((8 * y + x) * 7919 + i * 31) % 251;
    const png = encodePng({ width: 8, height: 8, depth: 8, colour: 0, sample });
    Deno.writeFileSync(path(`photos/${i % 2}/${i}.png`), png);
  }
  Deno.writeTextFileSync(path("photos.yaml"), `search: { data: ${path("photos")}, batch-size: 999, seed: [0, 1] }`);
  const args = ["run", path("photos.yaml"), "--out", path("of-photos"), "--no-wait"];
  const { code, err } = await ended(command(args, ["of-photos"]).output());
  assert.equal(code, 1);
  assert.match(err, /^(warning: Images are decoded on one thread [^\n]*\n)(.*batches of 999 [^\n]*\n){2}$/);
});

Deno.test("study: the examples of the docs are ones", async () => {
  const { parseStudy } = await import("../src/study/study_file.ts");
  for (const file of ["docs/guide.md", "docs/studies.md"]) {
    const examples = [...Deno.readTextFileSync(new URL(file, ROOT)).matchAll(/```yaml\n([^]*?)```/g)];
    assert.ok(examples.length > 0, file);
    for (const [, text] of examples) assert.ok(parseStudy(file, text).settings.length > 0);
  }
});

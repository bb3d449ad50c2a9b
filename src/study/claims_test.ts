/** Claims as several workers see them, step by step, and then all at once in processes of their own. */
import assert from "node:assert/strict";
import { Claims, expectStudy, StudyFolder } from "./claims.ts";
import { Watch } from "./heartbeat.ts";

/** A study's folder that is removed in the end. */
class Temporary extends StudyFolder implements Disposable {
  constructor() {
    super(Deno.makeTempDirSync({ prefix: "claims-" }));
    this.make();
  }
  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

/** Begins a run: a folder with a metric and a lock in it. */
function begin(path: string): void {
  Deno.mkdirSync(path);
  Deno.writeTextFileSync(`${path}/metrics.jsonl`, '{"step":1}\n');
  Deno.writeTextFileSync(`${path}/lock`, "1\n");
}

Deno.test("claims: one of two has the task, finishes it, and nobody has it again", async () => {
  using folder = new Temporary();
  using a = await Claims.join(folder);
  using b = await Claims.join(folder);
  const claim = a.take("t")!;
  assert.equal(b.take("t"), undefined);
  assert.equal(folder.state("t").state, "claimed");
  begin(claim.path);
  assert.ok(!folder.done("t") && claim.finish() && folder.done("t"));
  assert.equal(folder.state("t").state, "done");
  assert.deepEqual([a.take("t"), b.take("t")], [undefined, undefined]);
});

Deno.test("claims: who left or died is taken over, once; who wakes up can write no more", async () => {
  using folder = new Temporary();
  const a = await Claims.join(folder);
  const old = a.take("t")!;
  begin(old.path);
  using metrics = Deno.openSync(`${old.path}/metrics.jsonl`, { append: true });
  a[Symbol.dispose](); // its sign of life is gone
  assert.equal(folder.state("t").state, "open");
  using b = await Claims.join(folder);
  using c = await Claims.join(folder);
  const claim = b.take("t")!;
  assert.equal(c.take("t"), undefined);
  assert.ok(old.lost() && !claim.lost());
  assert.throws(() => Deno.writeTextFileSync(`${old.path}/x`, ""), Deno.errors.NotFound);
  metrics.writeSync(new TextEncoder().encode("late\n"));
  assert.equal(Deno.readTextFileSync(`${claim.path}/metrics.jsonl`), '{"step":1}\n');
  assert.throws(() => Deno.statSync(`${claim.path}/lock`), Deno.errors.NotFound);
  assert.ok(!old.finish() && claim.finish() && !claim.finish());
});

Deno.test("claims: the one before finishes between the look and the claim", async () => {
  using folder = new Temporary();
  const a = await Claims.join(folder);
  const old = a.take("t")!;
  begin(old.path);
  a[Symbol.dispose]();
  using b = await Claims.join(folder);
  const done = folder.done.bind(folder);
  folder.done = (task) => {
    folder.done = done;
    const before = done(task);
    assert.ok(old.finish());
    return before;
  };
  assert.equal(b.take("t"), undefined);
  assert.ok(folder.done("t"));
});

Deno.test("claims: what failed is left alone unless asked for; what was released is free; half-made claims wait", async () => {
  using folder = new Temporary();
  using a = await Claims.join(folder);
  using b = await Claims.join(folder);
  a.take("t")!.giveUp("failed", "the loss is no number");
  assert.deepEqual(folder.state("t"), { state: "failed", message: "the loss is no number" });
  assert.equal(b.take("t"), undefined);
  const again = b.take("t", true)!;
  assert.deepEqual([again.number, folder.state("t").state], [1, "claimed"]);
  again.giveUp("released", "stopped");
  assert.equal(folder.state("t").state, "open");
  assert.equal(a.take("t")!.number, 2);

  Deno.writeTextFileSync(folder.claim("u", 0), ""); // its maker has not come to write its name
  assert.equal(a.take("u"), undefined);
  assert.equal(folder.state("u").state, "claimed");
  Deno.writeTextFileSync(`${folder.claim("t", 2)}.over`, '{"why":');
  assert.equal(folder.over("t", 2), undefined);
});

Deno.test("signs of life: whoever changes nothing for six beats of its own is gone, by the watcher's clock", () => {
  using folder = new Temporary();
  const path = folder.worker("w"),
    write = (beats: number): void =>
      Deno.writeTextFileSync(path, JSON.stringify({ every: 2, pid: 1, shard: null, host: null, beats }));
  let now = 1000;
  const watch = new Watch(null, () => now),
    gone = (after: number): boolean => {
      now += after;
      return watch.gone(path);
    };
  write(0);
  assert.deepEqual([gone(0), gone(11), gone(2)], [false, false, true]);
  write(1);
  assert.deepEqual([gone(50), gone(12), gone(1)], [false, false, true]);
  Deno.writeTextFileSync(path, ""); // just being written
  assert.deepEqual([gone(0), gone(59), gone(2)], [false, false, true]);
  Deno.removeSync(path);
  assert.equal(gone(0), true);
});

Deno.test("signs of life: on one machine a dead process is recognised at once, a living one never", async () => {
  using folder = new Temporary();
  using alive = await Claims.join(folder, { host: "here", every: 100 });
  const watch = new Watch("here");
  assert.equal(watch.gone(folder.worker(alive.owner)), false);
  const dead = folder.worker("dead");
  Deno.copyFileSync(folder.worker(alive.owner), dead); // nobody holds it
  assert.equal(watch.gone(dead), true);
  assert.equal(new Watch("there").gone(dead), false);
});

Deno.test("claims: processes that claim, die and take over finish every task exactly once", async () => {
  using folder = new Temporary();
  const tasks = 150, script = new URL("./testing_claimer.ts", import.meta.url).pathname;
  const spawn = (dies: boolean): Deno.ChildProcess =>
    new Deno.Command("deno", {
      args: [
        ...[
          "run",
          "--quiet",
          "--no-prompt",
          "--no-check",
          `--allow-read=${folder.path}`,
          `--allow-write=${folder.path}`,
        ],
        ...[script, folder.path, String(tasks), String(dies)],
      ],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  const all = (dies: boolean): Promise<Deno.CommandOutput[]> =>
    Promise.all([dies, dies, dies].map(spawn).map((child) => child.output()));
  const outputs = [...await all(true), ...await all(false)];
  const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  const finished = outputs.flatMap(({ stdout }) => text(stdout).split("\n").filter((line) => line !== ""));
  assert.deepEqual(outputs.map(({ stderr }) => text(stderr)), outputs.map(() => ""));
  assert.deepEqual(outputs.map(({ code }) => code), [9, 9, 9, 0, 0, 0]);
  assert.equal(finished.length, tasks);
  assert.equal(new Set(finished).size, tasks);
  assert.deepEqual([...Deno.readDirSync(folder.file("work"))], []);
  const steps = [...Deno.readDirSync(folder.file("runs"))].map(({ name }) =>
    Deno.readTextFileSync(`${folder.run(name)}/metrics.jsonl`).trim().split("\n").length
  );
  assert.deepEqual(new Set(steps), new Set([3]), "every step once, whoever did it");
});

Deno.test("claims: a folder without a study is named", () => {
  using folder = new Temporary();
  assert.throws(() => expectStudy(folder.path), /must hold 'study.yaml'/);
});

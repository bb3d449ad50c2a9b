/** Claims as several workers see them, step by step, and then all at once in processes of their own. */
import "../platform/deno.ts";
import assert from "node:assert/strict";
import { Claims, SharedFolder } from "./claims.ts";
import { beatScript, Heartbeat, Watch } from "./heartbeat.ts";

/** A shared folder that is removed in the end. */
class Temporary extends SharedFolder implements Disposable {
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

Deno.test("claims: a drive that does not answer for a while does not end a run", async () => {
  using folder = new Temporary();
  using claims = await Claims.join(folder);
  const claim = claims.take("t")!, looked = Promise.withResolvers<void>();
  claim.lost = () => {
    looked.resolve();
    throw new Error("EIO");
  };
  using watch = claim.watch(0.01);
  await looked.promise;
  await new Promise((resolve) => setTimeout(resolve, 30)); // an error that nobody catches would end the process
  assert.equal(watch.signal.aborted, false);
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

Deno.test("claims: files that no worker wrote name nobody, and are taken over like those of the dead", async () => {
  using folder = new Temporary();
  const strange = ["../../../etc/passwd\n", "..\n", "workers/../x\n", "\x00\xff", "a".repeat(20_000)];
  using a = await Claims.join(folder);
  for (const [i, text] of strange.entries()) {
    Deno.writeTextFileSync(folder.claim(`t${i}`, 0), text);
    assert.deepEqual(folder.state(`t${i}`), { state: "claimed", owner: "", worker: undefined });
    assert.equal(a.take(`t${i}`), undefined, "its maker may just not have come to write its name");
  }
  Deno.mkdirSync(folder.claim("folder", 0));
  assert.equal(folder.state("folder").state, "claimed");
  assert.equal(a.take("folder"), undefined);
  let now = 0;
  const watch = new Watch(null, () => now);
  assert.equal(watch.gone(folder.claim("t0", 0)), false);
  now = 61;
  assert.equal(watch.gone(folder.claim("t0", 0)), true);
  for (const text of ['{"why":"failed"}', '{"why":1,"message":"x"}', "null", "[]", '{"why":"no","message":"x"}']) {
    Deno.writeTextFileSync(`${folder.claim("t0", 0)}.over`, text);
    assert.equal(folder.over("t0", 0), undefined, text);
  }
  Deno.writeTextFileSync(folder.worker("00000000-0000"), '{"every":1,"pid":2,"shard":{"x":1},"host":null}');
  Deno.writeTextFileSync(folder.claim("u", 0), "00000000-0000\n");
  assert.deepEqual(folder.state("u"), { state: "claimed", owner: "00000000-0000", worker: undefined });
});

Deno.test("workers: the files of those that died are removed, by their silence or their age; no others are", async () => {
  using folder = new Temporary();
  const names = ["00000000-0000", "00000000-0001", "00000000-0002", "notes.txt"], info = { shard: null, host: null };
  for (const name of names) {
    Deno.writeTextFileSync(folder.worker(name), JSON.stringify({ every: 0.1, pid: 1, beats: 1, ...info }));
  }
  const old = new Date(Date.now() - 3600_000);
  Deno.utimeSync(folder.worker(names[0]), old, old);
  Deno.utimeSync(folder.worker(names[3]), old, old);
  using a = await Claims.join(folder, { every: 0.05 });
  const left = (): string[] => [...Deno.readDirSync(folder.file("workers"))].map(({ name }) => name).sort();
  a.tidy();
  assert.deepEqual(left(), [names[1], names[2], a.owner, names[3]].sort());
  for (let beats = 2; left().length > 3; beats++) { // one of them lives
    Deno.writeTextFileSync(folder.worker(names[2]), JSON.stringify({ every: 0.1, pid: 1, beats, ...info }));
    await new Promise((resolve) => setTimeout(resolve, 30));
    a.tidy();
  }
  assert.deepEqual(left(), [names[2], a.owner, names[3]].sort());
});

Deno.test("signs of life: one that was removed is there again with the next beat", async () => {
  using folder = new Temporary();
  using a = await Claims.join(folder, { every: 0.05, host: "here" });
  const path = folder.worker(a.owner), there = (): boolean => [...Deno.readDirSync(folder.file("workers"))].length > 0;
  Deno.removeSync(path);
  while (!there()) await new Promise((resolve) => setTimeout(resolve, 5));
  while (Deno.readTextFileSync(path) === "") await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(new Watch("here").gone(path), false, "and held");
});

/** The thread of a heartbeat on a disk that is full from the given beat on, for so many beats. */
function fullDisk(from: number, count: number): string {
  return `{
    const write = Deno.FsFile.prototype.writeSync;
    let beat = 0;
    Deno.FsFile.prototype.writeSync = function (bytes) {
      beat++;
      if (beat >= ${from} && beat < ${
    from + count
  }) throw Object.assign(new Error("no space left"), { code: "ENOSPC" });
      return write.call(this, bytes);
    };
  }
  ${beatScript()}`;
}

Deno.test("signs of life: a full disk is one sentence at the start, and afterwards only if it lasts", async () => {
  using folder = new Temporary();
  const info = { every: 0.02, pid: 1, shard: null, host: null }, told: string[] = [];
  const start = (name: string, script: string): Promise<Heartbeat> =>
    Heartbeat.start(folder.worker(name), info, (error) => told.push(error.message), script);
  await assert.rejects(
    start("a", fullDisk(1, 1)),
    /^FailureError: Cannot write '.*\/a' as the disk is full: free some/,
  );
  assert.deepEqual([...Deno.readDirSync(folder.file("workers"))], []);
  const beats = (name: string): number => JSON.parse(Deno.readTextFileSync(folder.worker(name)) || "{}").beats ?? 0;
  const until = async (done: () => boolean): Promise<void> => {
    while (!done()) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  using _short = await start("b", fullDisk(3, 2));
  await until(() => beats("b") > 8);
  assert.deepEqual(told, []);
  using _long = await start("c", fullDisk(3, 1000));
  await until(() => told.length > 0);
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(told.length, 1);
  assert.match(told[0], /^Cannot write '.*\/c' as the disk is full: free some space/);
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

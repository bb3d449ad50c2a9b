import "../platform/deno.ts";
import assert from "node:assert/strict";
import { FailureError, UsageError } from "../base/errors.ts";
import { Random } from "../base/random.ts";
import type { TensorEntry } from "../base/safetensors.ts";
import { decodeCheckpoint, encodeCheckpoint } from "./checkpoint_file.ts";
import { RunFolder } from "./run_folder.ts";

/** Runs `test` with the path of a run folder that does not exist yet. */
async function inTemp(test: (path: string) => void | Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "idarts-run-" });
  try {
    await test(`${folder}/runs/one`);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** A new run with its configuration. */
function started(path: string, warn?: (message: string) => void): RunFolder {
  const run = RunFolder.create(path, { warn });
  run.writeJson("config.json", { epochs: 1 });
  return run;
}

const tensors = (value: number): [string, TensorEntry][] => [
  ["w", { shape: [2, 2], data: new Float32Array(4).fill(value) }],
  ["steps", { shape: [1], data: new Uint32Array([value]) }],
];

const names = (path: string): string[] => [...Deno.readDirSync(path)].map((e) => e.name).sort();

const message = (kind: typeof UsageError | typeof FailureError, part: RegExp) => (error: unknown): boolean => {
  assert.ok(error instanceof kind, String(error));
  assert.match(error.message, part);
  assert.doesNotMatch(error.message, /\n/);
  return true;
};

Deno.test("run folder: a new one must be empty, an old one must be a run", async () => {
  await inTemp((path) => {
    assert.throws(() => RunFolder.open(path), message(UsageError, /must hold 'config.json'/));
    started(path).close();
    assert.throws(
      () => RunFolder.create(path),
      message(UsageError, /it holds 'config.json'; resume its run or take another folder$/),
    );
    using run = RunFolder.open(path);
    assert.deepEqual(run.readJson("config.json"), { epochs: 1 });
    assert.throws(() => RunFolder.create(`${path}/config.json`), message(UsageError, /it is a file/));
    assert.throws(() => RunFolder.create(`${path}/config.json/x`), message(FailureError, /Cannot write/));
    Deno.mkdirSync(`${path}/other`);
    Deno.writeTextFileSync(`${path}/other/thesis.tex`, "");
    assert.throws(() => RunFolder.create(`${path}/other`), message(UsageError, /'thesis.tex'/));
    assert.deepEqual(names(`${path}/other`), ["thesis.tex"], "nothing was put there");
  });
});

Deno.test("run folder: one that was killed before its configuration counts as empty", async () => {
  await inTemp((path) => {
    RunFolder.create(path).close();
    Deno.writeTextFileSync(`${path}/config.json.idarts-tmp-123`, "{");
    started(path).close();
    assert.deepEqual(names(path), ["config.json", "lock"]);
    Deno.writeTextFileSync(`${path}/checkpoint.safetensors.idarts-tmp-99`, "x");
    RunFolder.open(path).close();
    assert.deepEqual(names(path), ["config.json", "lock"]);
  });
});

Deno.test("run folder: the lock holds within a process and ends with close", async () => {
  await inTemp((path) => {
    const run = started(path);
    assert.throws(
      () => RunFolder.open(path),
      message(FailureError, new RegExp(`another process \\(${Deno.pid}\\) is running in it`)),
    );
    using look = RunFolder.view(path);
    assert.deepEqual(look.readMetrics(), []);
    assert.throws(() => look.appendMetric({ step: 1 }), TypeError);
    assert.throws(() => look.writeJson("x.json", 1), TypeError);
    run.close();
    run.close();
    assert.throws(() => run.writeCheckpoint(1, [], null), TypeError);
    RunFolder.open(path).close();
  });
});

// By its path, or by its name where `--allow-run=deno` is all that is granted.
const deno = [Deno.execPath(), "deno"].find((command) =>
  Deno.permissions.querySync({ name: "run", command }).state === "granted"
);

/** Makes a link, which takes permissions that no path can give. */
function link(target: string, path: string): void {
  const code = `Deno.symlinkSync(${JSON.stringify(target)}, ${JSON.stringify(path)})`;
  assert.ok(new Deno.Command(deno!, { args: ["eval", code] }).outputSync().success);
}

Deno.test({
  name: "run folder: it writes and removes only what is its own, and nothing through links (needs --allow-run=deno)",
  ignore: deno === undefined,
  fn: () =>
    inTemp((path) => {
      const top = path.replace(/\/runs\/one$/, ""), user = `${top}/thesis.tex`, own = `${top}/own`;
      Deno.writeTextFileSync(user, "precious\n");
      started(path).close();
      // A lock that is a link, one that is somebody else's file, one that has a second name.
      const lock = `${path}/lock`;
      for (
        const [make, pattern] of [
          [() => link(user, lock), /lock of a run must be a file: it is a link; move it away or take another/],
          [() => link(`${top}/none`, lock), /it is a link/],
          [() => Deno.writeTextFileSync(lock, "door\n"), /it is a file of somebody else; move it away/],
          [() => Deno.mkdirSync(lock), /it is a folder/],
        ] as const
      ) {
        Deno.removeSync(lock);
        make();
        assert.throws(() => RunFolder.open(path), message(FailureError, pattern));
      }
      assert.equal(Deno.readTextFileSync(user), "precious\n");
      assert.deepEqual([...Deno.readDirSync(top)].map(({ name }) => name).sort(), ["runs", "thesis.tex"]);
      Deno.removeSync(lock);
      Deno.writeTextFileSync(`${top}/copy`, "123\n");
      Deno.linkSync(`${top}/copy`, lock);
      {
        using run = RunFolder.open(path);
        assert.equal(Deno.readTextFileSync(`${top}/copy`), "123\n");
        // Metrics that are a link become a copy.
        Deno.writeTextFileSync(`${top}/kept.jsonl`, '{"step":1}\n');
        link(`${top}/kept.jsonl`, `${path}/metrics.jsonl`);
        run.appendMetric({ step: 2 });
        assert.deepEqual(run.readMetrics().map(({ step }) => step), [1, 2]);
        assert.equal(Deno.readTextFileSync(`${top}/kept.jsonl`), '{"step":1}\n');
      }
      // Whatever looks like a temporary file is not ours, and a folder that was there stays.
      Deno.mkdirSync(own);
      Deno.writeTextFileSync(`${own}/backup.tmp-20260101`, "precious");
      assert.throws(() => RunFolder.create(own), message(UsageError, /it holds 'backup.tmp-20260101'/));
      assert.deepEqual(names(own), ["backup.tmp-20260101"]);
      Deno.writeTextFileSync(`${path}/backup.tmp-20260101`, "precious");
      RunFolder.open(path).close();
      assert.ok(names(path).includes("backup.tmp-20260101"));
      Deno.removeSync(`${own}/backup.tmp-20260101`);
      for (const [folder, left] of [[own, true], [`${top}/made/here`, false]] as const) {
        const run = started(folder);
        run.writeFile("space.yaml", "x");
        run.discardIfEmpty();
        run.close();
        assert.equal(Deno.lstatSync(`${folder}/..`).isDirectory, true);
        if (left) assert.deepEqual(names(folder), []);
        else assert.throws(() => Deno.lstatSync(folder), Deno.errors.NotFound);
      }
      const run = started(own);
      Deno.writeTextFileSync(`${own}/notes.txt`, "mine");
      run.discardIfEmpty();
      run.close();
      assert.deepEqual(names(own), ["notes.txt"]);
    }),
});

Deno.test({
  name: "run folder: another process is kept out until it is killed (needs --allow-run=deno)",
  ignore: deno === undefined,
  async fn() {
    await inTemp(async (path) => {
      const module = new URL("./run_folder.ts", import.meta.url).href;
      const config = new URL("../../deno.json", import.meta.url).pathname;
      const code = `
      import ${JSON.stringify(new URL("../platform/deno.ts", import.meta.url).href)};
      import { RunFolder } from ${JSON.stringify(module)};
      const run = RunFolder.create(${JSON.stringify(path)});
      run.writeJson("config.json", {});
      for (let step = 1; ; step++) {
        run.appendMetric({ step, loss: step / 2 });
        run.writeCheckpoint(step, [["w", { shape: [1000], data: new Float32Array(1000).fill(step) }]], { step });
        if (step === 3) console.log("ready");
      }`;
      const child = new Deno.Command(deno!, {
        args: [
          "run",
          "--no-lock",
          "--no-prompt",
          `--config=${config}`,
          `--allow-read=${path}`,
          `--allow-write=${path}`,
          "--ext=ts",
          "-",
        ],
        stdin: "piped",
        stdout: "piped",
        stderr: "inherit",
      }).spawn();
      const reader = child.stdout.getReader();
      try {
        const writer = child.stdin.getWriter();
        await writer.write(new TextEncoder().encode(code));
        await writer.close();
        assert.match(new TextDecoder().decode((await reader.read()).value), /ready/);
        assert.throws(
          () => RunFolder.open(path),
          message(FailureError, new RegExp(`another process \\(${child.pid}\\) is running in it`)),
        );
      } finally {
        child.kill("SIGKILL");
        await child.status;
        await reader.cancel();
      }
      // The system dropped the lock; whatever the kill interrupted, a whole checkpoint is there.
      using run = RunFolder.open(path, { warn: () => {} });
      const checkpoint = run.readCheckpoint()!;
      assert.ok(checkpoint.step >= 2);
      assert.deepEqual(checkpoint.state, { step: checkpoint.step });
      assert.ok((checkpoint.tensors.get("w")!.data as Float32Array).every((v) => v === checkpoint.step));
      run.truncateMetrics(checkpoint.step);
      assert.deepEqual(run.readMetrics().map((m) => m.step), Array.from({ length: checkpoint.step }, (_, i) => i + 1));
    });
  },
});

Deno.test("run folder: metrics go on after a kill as if there was none", async () => {
  await inTemp((path) => {
    const warnings: string[] = [];
    const warn = (text: string): void => void warnings.push(text);
    {
      using run = started(path, warn);
      for (let step = 0; step < 10; step++) {
        run.appendMetric({ step, loss: step === 3 ? NaN : step / 2 });
      }
    }
    const file = `${path}/metrics.jsonl`;
    const whole = Deno.readTextFileSync(file);
    Deno.writeTextFileSync(file, '{"step":10,"lo', { append: true });
    using run = RunFolder.open(path, { warn });
    assert.equal(run.readMetrics().length, 10);
    assert.equal(run.readMetrics()[3].loss, null);
    assert.equal(run.truncateMetrics(6), 4);
    assert.equal(run.readMetrics().length, 7);
    assert.equal(run.truncateMetrics(6), 0);
    for (let step = 7; step < 10; step++) {
      run.appendMetric({ step, loss: step / 2 });
    }
    assert.equal(Deno.readTextFileSync(file), whole);
    run.truncateMetrics(7); // with the file open for appending
    for (let step = 8; step < 10; step++) {
      run.appendMetric({ step, loss: step / 2 });
    }
    assert.equal(Deno.readTextFileSync(file), whole);
    assert.deepEqual(warnings, []);
    Deno.writeTextFileSync(file, '\0\0\0\nnull\n{"step":"a"}\n{"step":10}\n', {
      append: true,
    });
    assert.equal(run.truncateMetrics(20), 3);
    assert.match(warnings[0], /^Dropped 3 damaged lines of '.*metrics.jsonl'$/);
    assert.equal(Deno.readTextFileSync(file), whole + '{"step":10}\n');
    run.truncateMetrics(-1);
    assert.equal(Deno.readTextFileSync(file), "");
  });
});

Deno.test("run folder: checkpoints come back, the newest first, damaged ones never", async () => {
  await inTemp((path) => {
    const warnings: string[] = [];
    using run = started(path, (text) => warnings.push(text));
    const newest = `${path}/checkpoint.safetensors`;
    const previous = `${path}/checkpoint.prev.safetensors`;
    assert.equal(run.readCheckpoint(), undefined);
    run.writeCheckpoint(1, tensors(1), { alpha: [0.1, "é"], best: null });
    const first = run.readCheckpoint()!;
    assert.equal(first.step, 1);
    assert.deepEqual(first.state, { alpha: [0.1, "é"], best: null });
    assert.deepEqual([...first.tensors].sort(), tensors(1).sort());
    run.writeCheckpoint(2, tensors(2), 2);
    run.writeCheckpoint(3, tensors(3), 3);
    assert.equal(run.readCheckpoint()!.step, 3);
    assert.equal(decodeCheckpoint(Deno.readFileSync(previous), "x").step, 2);
    assert.deepEqual(warnings, []);

    // A kill between the two renames.
    const bytes = Deno.readFileSync(newest);
    Deno.removeSync(newest);
    assert.equal(run.readCheckpoint()!.step, 2);
    assert.match(warnings[0], /Cannot find .*going on from step 2 of '.*checkpoint.prev.safetensors'/);

    // A damaged newest one is set aside, so that the next write keeps the good one.
    bytes[bytes.length - 1] ^= 1;
    Deno.writeFileSync(newest, bytes);
    {
      const look: string[] = [];
      using view = RunFolder.view(path, { warn: (text) => look.push(text) });
      assert.equal(view.readCheckpoint()!.step, 2);
      assert.equal(look.length, 1);
    }
    assert.equal(run.readCheckpoint()!.step, 2);
    assert.match(warnings[1], /checksum does not match.*going on from step 2/);
    assert.deepEqual(names(path), [
      "checkpoint.damaged.safetensors",
      "checkpoint.prev.safetensors",
      "config.json",
      "lock",
    ]);
    run.writeCheckpoint(3, tensors(3), 3);
    assert.equal(decodeCheckpoint(Deno.readFileSync(previous), "x").step, 2);

    Deno.truncateSync(newest, 100);
    Deno.truncateSync(previous, 0);
    assert.throws(
      () => run.readCheckpoint(),
      message(FailureError, /no older checkpoint to go on from; take another folder$/),
    );
    assert.throws(() => run.writeCheckpoint(-1, [], null), RangeError);
    assert.throws(() => run.writeCheckpoint(1.5, [], null), RangeError);
  });
});

Deno.test("run folder: same state, same bytes", () => {
  const state = { a: 1, b: [2] };
  assert.deepEqual(encodeCheckpoint(5, tensors(1).reverse(), state), encodeCheckpoint(5, tensors(1), state));
  assert.equal(decodeCheckpoint(encodeCheckpoint(5, [], undefined), "x").state, null);
});

Deno.test("checkpoint: no mutation of one byte passes unnoticed", () => {
  const good = encodeCheckpoint(7, tensors(3), { text: "state" });
  const { step, state } = decodeCheckpoint(good, "x");
  const random = new Random(5, "mutate/checkpoint");
  for (let at = 0; at < good.length; at++) {
    const bytes = good.slice();
    bytes[at] ^= 1 + random.below(255);
    try {
      // White space may change its kind; the content may not.
      const back = decodeCheckpoint(bytes, "x");
      assert.deepEqual([back.step, back.state], [step, state]);
      assert.deepEqual([...back.tensors].sort(), tensors(3).sort());
    } catch (error) {
      assert.ok(error instanceof FailureError, `${at}: ${error}`);
    }
    assert.throws(() => decodeCheckpoint(good.slice(0, at), "x"), FailureError);
  }
});

Deno.test("run folder: JSON files that are missing or damaged get a sentence", async () => {
  await inTemp((path) => {
    using run = started(path);
    assert.throws(() => run.readJson("none.json"), message(FailureError, /does not exist/));
    run.writeFile("bad.json", "{");
    assert.throws(() => run.readJson("bad.json"), message(FailureError, /must be JSON: the file is damaged/));
  });
});

Deno.test({
  name: "run folder: missing Deno permissions name the flag to add",
  permissions: { read: "inherit", write: false },
  fn() {
    assert.throws(
      () => RunFolder.create(new URL("none/run", import.meta.url).pathname),
      message(
        FailureError,
        /Cannot write '.*none\/run' as Deno was not given permission: add --allow-write=.*none$/,
      ),
    );
  },
});

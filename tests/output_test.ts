/**
 * What a run's log may meet, with real pipes and devices: a pipe that is full, a disk that is full, a reader and a
 * terminal that have gone. Runs go on, and their files are those of an undisturbed run; a verb whose result is what it
 * prints says that it failed.
 */
import assert from "node:assert/strict";
import { writeDigits } from "../scripts/few_digits.ts";
import { ended, ROOT, WITHOUT_GPU, Workplace } from "./cli_support.ts";

const place = new Workplace("output-"), { path, command } = place;
writeDigits(path("digits"));

const SEARCH = ["search", "--data", path("digits"), "--space", "s3", "--cells", "3", "--init-channels", "2"].concat(
  ["--batch-size", "8", "--images", "64", "--epochs", "3", "--steps-per-epoch", "4", "--checkpoint-steps", "1"],
  ["--eval-images", "16", "--probe-images", "8", "--statistics-images", "8", "--out"],
);
const FILES = ["genotype.json", "cells.svg", "discretization.json", "checkpoint.safetensors", "report.html"];
const bits = (run: string): unknown => place.bits(run, FILES.filter((name) => name !== "report.html"));
const linux = Deno.build.os === "linux";

/** A command line whose streams go where `redirections` say, by the shell of Deno's tasks. */
function redirected(args: readonly string[], redirections: string, env = {}): Promise<Deno.CommandOutput> {
  const permissions = `--allow-read=${place.folder} --allow-write=${place.folder}`;
  const line = `deno run --quiet --no-prompt --no-check ${permissions} cli.ts ${args.join(" ")} ${redirections}`;
  return new Deno.Command("deno", {
    args: ["task", "--quiet", "--eval", line],
    cwd: ROOT,
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
}

const whole = await ended(command([...SEARCH, path("whole")]).output());

Deno.test({
  name: "output: a log on a full disk is one warning; the run ends well, with the files of any other",
  ignore: !linux,
  async fn() {
    assert.deepEqual([whole.code, whole.err], [0, ""]);
    const { code, err } = await ended(redirected([...SEARCH, path("full")], "> /dev/full"));
    assert.deepEqual([code, err], [
      0,
      "warning: Cannot write to standard output as the disk is full: free some space; everything else goes on\n",
    ]);
    assert.deepEqual(bits("full"), bits("whole"));
    const silent = await ended(redirected([...SEARCH, path("silent")], "2> /dev/full"));
    assert.deepEqual([silent.code, silent.err], [0, ""]);
    assert.deepEqual(bits("silent"), bits("whole"));
    for (const file of FILES) assert.ok(place.exists(`silent/${file}`), file);
  },
});

Deno.test({
  name: "output: a verb whose result is what it prints fails where that cannot be written",
  ignore: !linux,
  async fn() {
    const args = ["inspect", "--shape", "1x8x8", "--classes", "2", "--json"];
    const { code, err } = await ended(redirected(args, "> /dev/full", WITHOUT_GPU));
    assert.equal(code, 1);
    assert.match(err, /\nwarning: Cannot write to standard output as the disk is full: [^\n]*\n$/);
  },
});

Deno.test({
  name: "output: neither a reader that has gone nor a closed terminal stops a run",
  ignore: Deno.build.os === "windows",
  async fn() {
    const child = command([...SEARCH, path("alone")]).spawn();
    await Promise.all([child.stdout.cancel(), child.stderr.cancel()]);
    await place.nextCheckpoint("alone", child);
    child.kill("SIGHUP");
    child.kill("SIGHUP");
    const { code, signal } = await child.status;
    assert.deepEqual([code, signal], [0, null]);
    assert.deepEqual(bits("alone"), bits("whole"));
    assert.ok(place.exists("alone/report.html"));
  },
});

Deno.test({
  name: "output: a full pipe that does not wait is waited for",
  ignore: !linux,
  async fn() {
    const args = ["inspect", "--shape", "3x32x32", "--classes", "10", "--plan", "--json"];
    const run = (script: string[]): Deno.Command =>
      new Deno.Command("deno", {
        args: ["run", "--quiet", "--no-prompt", "--no-check", ...script, ...args],
        cwd: ROOT,
        env: { NO_COLOR: "1", ...WITHOUT_GPU },
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
      });
    const plain = await ended(run(["cli.ts"]).output());
    assert.ok(plain.code === 0 && plain.out.length > 200_000, `${plain.out.length}`);
    const child = run(["--allow-ffi", "tests/nonblocking.ts"]).spawn();
    // Nobody reads until the first warning (no adapter) is out and the pipe has had the time to fill.
    const err = new Response(child.stderr).text();
    await new Promise((resolve) => setTimeout(resolve, 3000));
    const out = await new Response(child.stdout).text();
    assert.equal((await child.status).code, 0, await err);
    assert.ok(out === plain.out, `${out.length} characters, not ${plain.out.length}`);
  },
});

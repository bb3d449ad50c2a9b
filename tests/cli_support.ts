/**
 * What tests of the command line share: a folder of their own, and command lines in processes of their own that have
 * the permissions that they need and no more.
 * @module
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";

/** Folder of the project. */
export const ROOT = new URL("../", import.meta.url);

/** Environment in which no adapter is found. */
export const WITHOUT_GPU: Readonly<Record<string, string>> = {
  VK_ICD_FILENAMES: "/nonexistent",
  VK_DRIVER_FILES: "/nonexistent",
  DENO_WEBGPU_BACKEND: "vulkan",
};

/** Permissions and environment of a command line. */
export interface Options {
  /** What it may read: the workplace and its other places if left out. */
  readonly read?: readonly string[];
  /** What it may write: the workplace if left out. */
  readonly write?: readonly string[];
  /** Host that it may reach: none if left out. */
  readonly net?: string;
  /** Variables besides those of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** Whether it may read those variables. */
  readonly readsEnv?: boolean;
}

/** How a command line ended. */
export interface Outcome {
  readonly code: number;
  readonly signal: Deno.Signal | null;
  readonly out: string;
  readonly err: string;
}

/** The end of a process, as text. */
export async function ended(output: Promise<Deno.CommandOutput>): Promise<Outcome> {
  const { code, signal, stdout, stderr } = await output;
  return { code, signal, out: new TextDecoder().decode(stdout), err: new TextDecoder().decode(stderr) };
}

/** The lines of `--json`. */
// deno-lint-ignore no-explicit-any
export function events(text: string): any[] {
  return text.trimEnd().split("\n").map((line) => JSON.parse(line));
}

/** The header of an IDX file: 32-bit numbers, the first byte of each first. */
export function idxHeader(...words: number[]): number[] {
  return words.flatMap((n) => [n >> 24, n >> 16, n >> 8, n].map((b) => b & 255));
}

/** A temporary folder, removed after the tests of its file, and command lines that work in it. */
export class Workplace {
  /** The folder. */
  readonly folder: string;

  /** @param places what command lines may read besides the folder */
  constructor(prefix: string, readonly places: readonly string[] = []) {
    this.folder = Deno.makeTempDirSync({ prefix });
    Deno.test.afterAll(() => Deno.removeSync(this.folder, { recursive: true }));
  }

  /** A path in the folder. */
  readonly path = (name: string): string => `${this.folder}/${name}`;

  /** A text file in the folder. */
  readonly read = (name: string): string => Deno.readTextFileSync(this.path(name));

  /** SHA-256 of a file in the folder. */
  readonly hash = (name: string): string =>
    createHash("sha256").update(Deno.readFileSync(this.path(name))).digest("hex");

  /** Whether there is such a file or folder in the folder. */
  readonly exists = (name: string): boolean => {
    try {
      return Deno.statSync(this.path(name)) !== null;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return false;
      throw error;
    }
  };

  /** A command line that can be run or spawned. */
  readonly command = (args: readonly string[], options: Options = {}): Deno.Command => {
    const { read = [this.folder, ...this.places], write = [this.folder], net, env = {}, readsEnv } = options;
    const permissions = [
      ...(read.length > 0 ? [`--allow-read=${read.join(",")}`] : []),
      ...(write.length > 0 ? [`--allow-write=${write.join(",")}`] : []),
      ...(net ? [`--allow-net=${net}`] : []),
      ...(readsEnv ? [`--allow-env=${Object.keys(env).join(",")}`] : []),
    ];
    return new Deno.Command("deno", {
      args: ["run", "--quiet", "--no-prompt", "--no-check", ...permissions, "cli.ts", ...args],
      cwd: ROOT,
      env: { NO_COLOR: "1", ...env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    });
  };

  /** Runs a command line to its end. */
  readonly idarts = async (args: readonly string[], options: Options = {}): Promise<Outcome> =>
    await ended(this.command(args, options).output());

  /** Runs a command line that must work, without a word on stderr. @returns what it wrote */
  readonly works = async (args: readonly string[], options: Options = {}): Promise<string> => {
    const { code, out, err } = await this.idarts(args, options);
    assert.equal(err, "");
    assert.equal(code, 0, out);
    assert.doesNotMatch(out, /NaN|undefined|\[object/);
    return out;
  };

  /** Runs a command line that must be refused: the exit code, one sentence on stderr, nothing on stdout. */
  readonly refused = async (
    code: number,
    pattern: RegExp,
    args: readonly string[],
    options: Options = {},
  ): Promise<void> => {
    const { out, err, ...rest } = await this.idarts(args, options);
    assert.match(err, pattern);
    assert.equal(rest.code, code, err);
    assert.match(err, /^error: [^\n]+\n$/, "one sentence");
    assert.doesNotMatch(err, /defect|undefined|allow-all/);
    assert.equal(out, "");
  };

  /** What a run computed: all metrics but times, and hashes of `files`. */
  readonly bits = (run: string, files: readonly string[]): unknown => {
    const metrics = this.read(`${run}/metrics.jsonl`).trimEnd().split("\n").map((line) => {
      const { secondsPerStep, ...rest } = JSON.parse(line);
      assert.equal(typeof secondsPerStep, "number");
      return rest;
    });
    return { metrics, files: files.map((file) => this.hash(`${run}/${file}`)) };
  };

  /** Waits until a running process has written a checkpoint that is not the one that was there. */
  readonly nextCheckpoint = async (run: string, child: Deno.ChildProcess): Promise<void> => {
    const stamp = (): number | undefined => { // there is none for a moment while one takes the place of another
      try {
        return Deno.statSync(this.path(`${run}/checkpoint.safetensors`)).ino ?? 0;
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) return undefined;
        throw error;
      }
    };
    const before = stamp();
    let over = false, now = before;
    child.status.then(() => over = true);
    while (!over && (now ?? before) === before) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      now = stamp();
    }
  };
}

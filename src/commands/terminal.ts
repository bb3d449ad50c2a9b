/**
 * What the commands say, and where: results to stdout, warnings and errors to stderr, a progress line on terminals.
 * Texts from files go in as they are: control characters are made visible here. Also tables, and numbers as reports
 * write them. Not responsible for what is said.
 * @module
 */
import { allowFlag } from "../base/files.ts";
import { printable, printableJson } from "../base/printable.ts";
import { shellQuote } from "../base/shell.ts";
import { THREADS_VARIABLE } from "../platform/platform.ts";
import { isLive, stderr, stdout } from "./output.ts";
import { PROGRAM } from "./program.ts";

export { count, duration, magnitude, mebibytes, percent } from "../report/numbers.ts";

/** Seconds between two progress lines where stdout is no terminal. */
const SPARSE_SECONDS = 15;

/** Seconds between two drawings of the progress line. */
const DRAW_SECONDS = 0.1;

/** The streams of one command. */
export class Terminal {
  readonly #live = isLive();
  /** Whether a progress line stands in the last row. */
  #drawn = false;
  #last = performance.now();
  readonly #warned = new Set<string>();

  /** @param json results go out as JSON lines only: {@linkcode Terminal.line} and progress are silent */
  constructor(readonly json = false) {}

  /** A line for people. */
  line(text = ""): void {
    if (this.json) return;
    this.#clear();
    stdout.write(printable(text) + "\n");
    this.#last = performance.now();
  }

  /** An object for machines, on one line; numbers that are not finite become null. */
  event(value: Readonly<Record<string, unknown>>): void {
    if (this.json) stdout.write(printableJson(value) + "\n");
  }

  /** One sentence on stderr. */
  warn(message: string): void {
    this.#clear();
    stderr.write(`warning: ${printable(message)}\n`);
  }

  /** {@linkcode Terminal.warn}, but what was said here is not said again. */
  warnOnce(message: string): void {
    if (!this.#warned.has(message)) this.warn(message);
    this.#warned.add(message);
  }

  /** A line on stderr that is no cause for worry. */
  note(message: string): void {
    this.#clear();
    stderr.write(`${printable(message)}\n`);
  }

  /** Where work stands: redrawn in place on a terminal, a line now and then elsewhere. */
  progress(text: () => string): void {
    if (this.json) return;
    const now = performance.now(), wait = this.#live ? (this.#drawn ? DRAW_SECONDS : 0) : SPARSE_SECONDS;
    if ((now - this.#last) / 1000 < wait) return;
    this.#last = now;
    if (!this.#live) return stdout.write(`${printable(text())}\n`);
    stdout.write(`\r${printable(text()).slice(0, columns() - 1)}\x1b[K`);
    this.#drawn = true;
  }

  #clear(): void {
    if (this.#drawn) stdout.write("\r\x1b[K");
    this.#drawn = false;
  }

  /** Takes the progress line away. */
  close(): void {
    this.#clear();
  }
}

/** One sentence on stderr, before or after there is a {@linkcode Terminal}. */
export function printError(message: string): void {
  stderr.write(`error: ${printable(message)}\n`);
}

/** Where an error comes from, for those who mend it: its message on one line, then a line for each call. */
export function printStack(error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  const stack = error instanceof Error ? error.stack ?? "" : "";
  const calls = stack.split("\n").filter((line) => /^ {4}at /.test(line));
  printError(message);
  for (const call of calls) stderr.write(`${printable(call)}\n`);
}

/** Lines of our own to stdout: help and versions. */
export function printText(text: string): void {
  stdout.write(text.split("\n").map(printable).join("\n"));
}

function columns(): number {
  try {
    return Math.max(20, Deno.consoleSize().columns || 80); // some terminals do not know
  } catch {
    return 80;
  }
}

/** Rows below a header, columns as wide as their widest entry; numbers to the right, except in the first column. */
export function table(header: readonly string[], rows: readonly (readonly string[])[], indent = "  "): string[] {
  const all = [header, ...rows].map((row) => row.map(printable));
  const widths = header.map((_, c) => Math.max(...all.map((row) => row[c]?.length ?? 0)));
  const number = /^-?[\d.,]+(e-?\d+)?( ?[a-zA-Z%]+)?$/;
  const right = header.map((_, c) => c > 0 && rows.every((row) => number.test(row[c]) || row[c] === "-"));
  return all.map((row) =>
    (indent + row.map((text, c) => right[c] ? text.padStart(widths[c]) : text.padEnd(widths[c])).join("  ")).trimEnd()
  );
}

/** Names and values, one pair a line. */
export function pairs(entries: readonly (readonly [string, string])[], indent = "  "): string[] {
  const shown = entries.map(([name, value]) => [printable(name), printable(value)]);
  const width = Math.max(...shown.map(([name]) => name.length));
  return shown.map(([name, value]) => `${indent}${name.padEnd(width)}  ${value}`);
}

/** Deno looks up a host to learn of newer versions unless told not to; Windows has no such short way to say it. */
const QUIETLY = Deno.build.os === "windows" ? [] : ["DENO_NO_UPDATE_CHECK=1"];

/**
 * The command line that runs a verb with what it needs and nothing else, to be pasted into a shell.
 * @param args flags, words and paths; only paths may begin with a single dash
 */
export function commandLine(
  args: readonly string[],
  permissions: {
    readonly read: readonly string[];
    readonly write: readonly string[];
    readonly net?: readonly string[];
    /** Further flags of Deno. */
    readonly flags?: readonly string[];
  },
): string {
  const { net = [] } = permissions, threads = Deno.permissions.querySync({ name: "env", variable: THREADS_VARIABLE });
  const flags = [
    ...permissions.flags ?? [],
    // Whoever lets the program set it will do so again.
    threads.state === "granted" ? `--allow-env=${THREADS_VARIABLE}` : "",
    net.length > 0 ? `--allow-net=${net.join(",")}` : "",
    permissions.read.length > 0 ? allowFlag("read", ...permissions.read) : "",
    permissions.write.length > 0 ? allowFlag("write", ...permissions.write) : "",
  ].filter((flag) => flag !== "");
  const words = args.map((arg) => /^-(?!-)/.test(arg) ? `./${arg}` : arg);
  return [...QUIETLY, "deno", "run", ...flags, PROGRAM, ...words].map(shellQuote).join(" ");
}

/** Lines of at most `width` characters. */
export function wrapText(text: string, width = 100): string[] {
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = lines[lines.length - 1];
    if (line.length + word.length >= width) lines.push(word);
    else lines[lines.length - 1] = line === "" ? word : `${line} ${word}`;
  }
  return lines;
}

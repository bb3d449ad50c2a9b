/**
 * What the commands say, and where: results to stdout, warnings and errors to stderr, a progress line on terminals.
 * Also tables, and numbers as reports write them. Not responsible for what is said.
 * @module
 */

export { count, duration, magnitude, mebibytes, percent } from "../report/numbers.ts";

/** Writes all of `text`; a reader that has gone away (`| head`) is no reason to stop a run. */
function put(stream: typeof Deno.stdout | typeof Deno.stderr, text: string): void {
  const bytes = new TextEncoder().encode(text);
  try {
    for (let done = 0; done < bytes.length;) done += stream.writeSync(bytes.subarray(done));
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

/** Seconds between two progress lines where stdout is no terminal. */
const SPARSE_SECONDS = 15;

/** Seconds between two drawings of the progress line. */
const DRAW_SECONDS = 0.1;

/** The streams of one command. */
export class Terminal {
  readonly #live = Deno.stdout.isTerminal();
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
    put(Deno.stdout, text + "\n");
    this.#last = performance.now();
  }

  /** An object for machines, on one line; numbers that are not finite become null. */
  event(value: Readonly<Record<string, unknown>>): void {
    if (this.json) put(Deno.stdout, JSON.stringify(value) + "\n");
  }

  /** One sentence on stderr. */
  warn(message: string): void {
    this.#clear();
    put(Deno.stderr, `warning: ${message}\n`);
  }

  /** {@linkcode Terminal.warn}, but what was said here is not said again. */
  warnOnce(message: string): void {
    if (!this.#warned.has(message)) this.warn(message);
    this.#warned.add(message);
  }

  /** A line on stderr that is no cause for worry. */
  note(message: string): void {
    this.#clear();
    put(Deno.stderr, `${message}\n`);
  }

  /** Where work stands: redrawn in place on a terminal, a line now and then elsewhere. */
  progress(text: () => string): void {
    if (this.json) return;
    const now = performance.now(), wait = this.#live ? (this.#drawn ? DRAW_SECONDS : 0) : SPARSE_SECONDS;
    if ((now - this.#last) / 1000 < wait) return;
    this.#last = now;
    if (!this.#live) return put(Deno.stdout, text() + "\n");
    put(Deno.stdout, `\r${text().slice(0, columns() - 1)}\x1b[K`);
    this.#drawn = true;
  }

  #clear(): void {
    if (this.#drawn) put(Deno.stdout, "\r\x1b[K");
    this.#drawn = false;
  }

  /** Takes the progress line away. */
  close(): void {
    this.#clear();
  }
}

/** One sentence on stderr, before or after there is a {@linkcode Terminal}. */
export function printError(message: string): void {
  put(Deno.stderr, `error: ${message}\n`);
}

/** Text to stdout as it is: help and versions. */
export function printText(text: string): void {
  put(Deno.stdout, text);
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
  const all = [header, ...rows], widths = header.map((_, c) => Math.max(...all.map((row) => row[c]?.length ?? 0)));
  const number = /^-?[\d.,]+(e-?\d+)?( ?[a-zA-Z%]+)?$/;
  const right = header.map((_, c) => c > 0 && rows.every((row) => number.test(row[c]) || row[c] === "-"));
  return all.map((row) =>
    (indent + row.map((text, c) => right[c] ? text.padStart(widths[c]) : text.padEnd(widths[c])).join("  ")).trimEnd()
  );
}

/** Names and values, one pair a line. */
export function pairs(entries: readonly (readonly [string, string])[], indent = "  "): string[] {
  const width = Math.max(...entries.map(([name]) => name.length));
  return entries.map(([name, value]) => `${indent}${name.padEnd(width)}  ${value}`);
}

/** A path or a value as a shell takes it. */
export function shellQuote(text: string): string {
  return /^[\w./:=,@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** The command line that runs a verb with what it needs and nothing else. */
export function commandLine(
  args: readonly string[],
  permissions: {
    readonly read: readonly string[];
    readonly write: readonly string[];
    readonly net?: readonly string[];
  },
): string {
  const { net = [] } = permissions;
  const flags = [
    net.length > 0 ? `--allow-net=${net.join(",")}` : "",
    permissions.read.length > 0 ? `--allow-read=${permissions.read.join(",")}` : "",
    permissions.write.length > 0 ? `--allow-write=${permissions.write.join(",")}` : "",
  ].filter((flag) => flag !== "");
  return ["deno", "run", ...flags, "cli.ts", ...args].map(shellQuote).join(" ");
}

/**
 * The only writer to stdout and stderr. A run must not die of its log: what cannot be written is given up with one
 * warning, and the run goes on. Not responsible for what is written; see terminal.ts.
 * @module
 */

/** Milliseconds that a full pipe may stay full before what is to be written is given up. */
const PATIENCE = 10_000;

/** Milliseconds between two tries. */
const PAUSE = 20;

/** Bytes of a piece: what a pipe takes whole or not at all, everywhere. */
const PIECE = 512;

const NEWLINE = 10, NOTHING = new Uint8Array();

/** What of `Deno.stdout` is needed. */
export type Sink = Pick<typeof Deno.stdout, "writeSync">;

/** Why a stream took no more, as users would say it, and what to do; silence for a reader that has gone (`| head`). */
const CAUSES: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full: free some space",
  EDQUOT: "the disk quota is used up: free some space",
  EAGAIN: "nobody reads what is in the pipe: read it",
  EIO: "the terminal or device is gone: look at the files",
};

/** A stream that may fail. */
export class Output {
  readonly #sink: Sink;
  readonly #name: string;
  readonly #warn: (message: string) => void;
  readonly #keepsUnended: boolean;
  readonly #sleep: (milliseconds: number) => void;
  /** A line was begun and not ended: the next one must not be taken for its rest. */
  #torn = false;
  /** The pipe was full for too long: it is tried, and not waited for, until it takes something again. */
  #stuck = false;
  #warned = false;
  #lost = false;

  /**
   * @param name what warnings call it
   * @param warn takes the one sentence that is said of it
   * @param keepsUnended whether the stream has a buffer for what does not end in a line break, as Deno's stdout has: then
   *   an error says that the buffer could not be emptied, not that it did not take the piece
   * @param sleep waits; a wait that blocks the thread if left out
   */
  constructor(
    sink: Sink,
    name: string,
    warn: (message: string) => void,
    keepsUnended: boolean,
    sleep: (milliseconds: number) => void = block,
  ) {
    this.#sink = sink;
    this.#name = name;
    this.#warn = warn;
    this.#keepsUnended = keepsUnended;
    this.#sleep = sleep;
  }

  /** Whether something was lost that somebody might have read: not where the reader had gone. */
  get lost(): boolean {
    return this.#lost;
  }

  /** Writes all of `text`, or gives it up. Never throws. */
  write(text: string): void {
    for (const piece of pieces(new TextEncoder().encode(this.#torn ? `\n${text}` : text))) {
      if (!this.#put(piece)) return;
      this.#torn = piece.at(-1) !== NEWLINE;
    }
    this.#torn = false; // what ends here was meant to
  }

  /** Writes a piece. @returns false where it was given up */
  #put(piece: Uint8Array): boolean {
    let rest = piece;
    for (let waited = 0;;) {
      try {
        rest = rest.subarray(this.#sink.writeSync(rest));
        this.#stuck = false;
        if (rest.length === 0) return true;
      } catch (error) {
        const code = codeOf(error);
        // From here on a write of nothing tries again to empty the buffer.
        if (this.#keepsUnended && rest.at(-1) !== NEWLINE) rest = NOTHING;
        if (code === "EINTR") continue;
        if (code !== "EAGAIN" || this.#stuck || waited >= PATIENCE) {
          if (rest.length < piece.length) this.#torn = true;
          this.#giveUp(code, error);
          return false;
        }
        this.#sleep(PAUSE);
        waited += PAUSE;
      }
    }
  }

  #giveUp(code: string, error: unknown): void {
    if (code === "EPIPE") return;
    this.#lost = true;
    if (code === "EAGAIN") this.#stuck = true;
    if (this.#warned) return;
    this.#warned = true;
    const why = CAUSES[code] ?? `the system says: ${error instanceof Error ? error.message : String(error)}`;
    this.#warn(`Cannot write to ${this.#name} as ${why}; everything else goes on`);
  }
}

/** `bytes` in pieces that end at a line break or within a line. */
function* pieces(bytes: Uint8Array): Generator<Uint8Array> {
  for (let start = 0; start < bytes.length;) {
    const most = bytes.subarray(start, start + PIECE), cut = most.lastIndexOf(NEWLINE) + 1;
    const piece = cut > 0 ? most.subarray(0, cut) : most;
    yield piece;
    start += piece.length;
  }
}

/** The system's name of an error. */
function codeOf(error: unknown): string {
  if (error instanceof Deno.errors.BrokenPipe) return "EPIPE";
  if (error instanceof Deno.errors.WouldBlock) return "EAGAIN";
  if (error instanceof Deno.errors.Interrupted) return "EINTR";
  return String((error as { code?: unknown } | null)?.code ?? "");
}

function block(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

/** Warnings and errors. What becomes of them where stderr itself is in trouble nobody can be told. */
export const stderr: Output = new Output(Deno.stderr, "stderr", () => {}, false);

/** Results and the log. */
export const stdout: Output = new Output(
  Deno.stdout,
  "standard output",
  (message) => stderr.write(`warning: ${message}\n`),
  true,
);

/** Whether stdout is a terminal, on which a line can be drawn again. */
export function isLive(): boolean {
  return Deno.stdout.isTerminal();
}

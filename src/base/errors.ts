/**
 * The errors that a caller branches on. Every message is one sentence that names the thing at fault
 * (file, field, flag, node, shape) and the remedy, worded "Cannot X as Y must be Z: current value is V".
 * @module
 */

/** Wrong use: a flag, a configuration key, an argument. The CLI prints the message and exits with code 2. */
export class UsageError extends Error {
  /** Exit code of the CLI for this error. */
  readonly exitCode = 2;
  /** Name shown in stack traces. */
  override readonly name = "UsageError";
}

/** Right use, but it cannot be done: bad data, no adapter, too little memory, a full disk. Exit code 1. */
export class FailureError extends Error {
  /** Exit code of the CLI for this error. */
  readonly exitCode = 1;
  /** Name shown in stack traces. */
  override readonly name = "FailureError";
}

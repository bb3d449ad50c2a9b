/**
 * How the command line words what messages mention: options as flags, remedies as flags and verbs.
 * @module
 */
import { DRIVER_REMEDY, IdartsError, type Wording } from "../base/errors.ts";
import { CACHE_FOLDER } from "../data/cifar.ts";
import { REMOTES } from "../data/fetch.ts";
import { RAW_IMPORTS } from "../data/fetch_mnist.ts";
import { CLONED } from "./program.ts";
import { commandLine } from "./terminal.ts";

/** The wording of everything that the commands print. */
export const FLAG_WORDING: Wording = {
  option: (key) => `--${key}`,
  action(action) {
    switch (action.kind) {
      case "other-folder":
        return "take another --out";
      case "resume":
        return "use --resume to go on with its run";
      case "fetch":
        return `run ${fetchHint(action.data)}`;
      case "rediscretize":
        return `search by another rule, then decide by 'discretize <run> --method ${action.method}'`;
      case "driver":
        return DRIVER_REMEDY + (CLONED ? " ('deno task setup' does it on Debian and Ubuntu)" : "");
      case "tune":
        return "write one with 'tune'";
      case "study":
        return "begin one with 'study run'";
    }
  },
};

/** What an error says, in the words of the command line. */
export function errorText(error: unknown): string {
  if (error instanceof IdartsError) return error.word(FLAG_WORDING);
  return error instanceof Error ? error.message : String(error);
}

/** Hosts that data sets are fetched from. */
export const DATA_HOSTS: readonly string[] = [...new Set(Object.values(REMOTES).map(({ url }) => new URL(url).host))];

/** The command line that downloads a data set. */
export function fetchLine(name: string): string {
  const needs = name === "mnist" ? { flags: [RAW_IMPORTS, ...(CLONED ? ["--no-lock"] : [])] } : { net: DATA_HOSTS };
  return commandLine(["data", "fetch", name], { read: [CACHE_FOLDER], write: [CACHE_FOLDER], ...needs });
}

/** The shortest that downloads a data set: in a clone there is a task for MNIST, which keeps it out of the lock. */
export function fetchHint(name: string): string {
  return name === "mnist" && CLONED ? "'deno task fetch-mnist'" : fetchLine(name);
}

/**
 * How the command line words what messages mention: options as flags, remedies as flags and verbs.
 * @module
 */
import { DRIVER_REMEDY, IdartsError, type Wording } from "../base/errors.ts";
import { CACHE_FOLDER } from "../data/cifar.ts";
import { REMOTES } from "../data/fetch.ts";
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
        return `run ${action.data === "mnist" ? "'deno task fetch-mnist'" : fetchLine(action.data)}`;
      case "rediscretize":
        return `search by another rule, then decide by 'discretize <run> --method ${action.method}'`;
      case "driver":
        return `${DRIVER_REMEDY} ('deno task setup' does it on Debian and Ubuntu)`;
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
  return commandLine(["data", "fetch", name], { read: [CACHE_FOLDER], write: [CACHE_FOLDER], net: DATA_HOSTS });
}

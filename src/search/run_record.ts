/**
 * The `config.json` of a search.
 * @module
 */
import { RULES } from "../discretize/registry.ts";
import type { RunFolder } from "../run/run_folder.ts";
import { readChecked, type RunRecord } from "../run/run_record.ts";
import { resolveSearchLayers, type SearchConfig } from "./config.ts";

/** What a search's `config.json` says. */
export interface SearchRecord extends RunRecord {
  /** The resolved configuration. */
  readonly config: SearchConfig;
}

/**
 * Reads the `config.json` of a search.
 * @throws {FailureError} where it is damaged or of another program.
 * @throws {UsageError} where the run is a training.
 */
export function readSearch(folder: RunFolder): SearchRecord {
  return readChecked(folder, "search", ({ options: values }, file) => {
    const { discretizer } = values, own = typeof discretizer === "string" ? [{ name: discretizer }] : [];
    // The rule may be one of the program that began the search.
    return { config: resolveSearchLayers([{ source: `'${file}'`, values }], [...RULES, ...own]) };
  });
}

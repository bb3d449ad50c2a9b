/**
 * The `config.json` of a search, and whether images are those that it began with.
 * @module
 */
import { UsageError } from "../base/errors.ts";
import type { Dataset } from "../data/dataset.ts";
import { RULES } from "../discretize/registry.ts";
import type { RunFolder } from "../run/run_folder.ts";
import { type DataRecord, readChecked, type RunRecord } from "../run/run_record.ts";
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

/**
 * Refuses images that the supernet of a search cannot be decided on.
 * @param expected what its `config.json` says of its images
 * @param remedy what to do where they are others of the same shape; null: others are wanted
 * @throws {UsageError} for such images.
 */
export function checkImages(data: Dataset, expected: DataRecord, remedy: string | null): void {
  const shape = (d: Pick<Dataset, "channels" | "height" | "width">): string => `${d.channels}x${d.height}x${d.width}`;
  if (shape(data) !== shape(expected)) {
    throw new UsageError(
      `Cannot take statistics of '${data.name}' as its images must be ${shape(expected)} like those of the run: ` +
        `current shape is ${shape(data)}`,
    );
  }
  if (remedy !== null && data.fingerprint !== expected.fingerprint) {
    throw new UsageError(
      `Cannot discretise on '${data.name}' as its images must be those that the run began with: they differ, so ${remedy}`,
    );
  }
}

/**
 * Sentences about lists of things of which nobody wants to read all: the first ones, and how many more there are. Not
 * responsible for what is left out.
 * @module
 */
import type { SkippedFile } from "./dataset.ts";

const SHOWN = 10;

/** The first items, and how many more there are. */
export function some(items: readonly string[], separator = "; "): string {
  const more = items.length - SHOWN;
  return items.slice(0, SHOWN).join(separator) + (more > 0 ? `${separator}and ${more} more` : "");
}

/** What was left out of `total` files and folders, by reason; undefined where nothing was. */
export function skippedSentence(name: string, skipped: readonly SkippedFile[], total: number): string | undefined {
  if (skipped.length === 0) return undefined;
  const reasons = [...Map.groupBy(skipped, ({ why }) => why)].map(([why, files]) =>
    `${some(files.map(({ file }) => `'${file}'`), ", ")} (${why})`
  );
  return `Left out ${skipped.length} of ${total} image files and folders of '${name}': ${some(reasons)}`;
}

/**
 * What folders of runs are called, and which are free.
 * @module
 */
import { UsageError } from "../base/errors.ts";
import { exists, fileError } from "../base/files.ts";
import { RULES } from "../discretize/registry.ts";

/** A rule to decide by again, after the one called `chosen`. */
export function otherRule(chosen: string): string {
  return RULES.find(({ name }) => name !== chosen)!.name;
}

/**
 * Checks that a folder can be made or is empty.
 * @throws {UsageError} where something is in the way.
 */
export function expectFresh(path: string): void {
  if (path !== "" && !exists(path)) return;
  const entries = path === "" || !Deno.statSync(path).isDirectory ? undefined : [...listFolder(path)];
  if (entries?.length === 0) return;
  throw new UsageError(
    `Cannot write to '${path}' as it must be a new folder: ` +
      (entries === undefined ? "it is none" : `it holds '${entries[0]}'`) + ", so take another --out",
  );
}

function* listFolder(path: string): Generator<string> {
  try {
    for (const { name } of Deno.readDirSync(path)) yield name;
  } catch (error) {
    throw fileError(error, "read", path);
  }
}

/** `path`, or `path-2`, `path-3`, ... whichever does not exist yet. */
export function freshPath(path: string): string {
  if (!exists(path)) return path;
  for (let n = 2;; n++) if (!exists(`${path}-${n}`)) return `${path}-${n}`;
}

/** What runs on a data set are called: the last part of its path. */
export function runName(data: string): string {
  return data.replace(/[/\\]+$/, "").replace(/^.*[/\\]/, "").replace(/\.(tar|gz|tgz)\b/g, "") || "data";
}

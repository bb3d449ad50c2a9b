/**
 * The files that commands put into a run folder beside what the run itself writes: the outcome of a discretisation
 * (report, genotypes, picture). And what folders of runs are called.
 * @module
 */
import { UsageError } from "../base/errors.ts";
import { exists, fileError, joinPath, makeFolder, writeAtomic } from "../base/files.ts";
import type { MethodReport } from "../discretize/choice.ts";
import type { DiscretizationReport } from "../discretize/discretize.ts";
import { RULES } from "../discretize/registry.ts";
import { cellSvg } from "../report/cell_svg.ts";
import { writeOutcome } from "../search/outcome_file.ts";

/** Name of the drawing of the cells in a run folder. */
export const PICTURE_FILE = "cells.svg";

/** A rule to decide by again, after the one called `chosen`. */
export function otherRule(chosen: string): string {
  return RULES.find(({ name }) => name !== chosen)!.name;
}

/** The entry of the rule called `method`. */
export function methodReport(report: DiscretizationReport, method: string): MethodReport {
  return report.methods.find((each) => each.method === method)!;
}

/**
 * Writes the outcome of a discretisation into `folder` (see {@linkcode writeOutcome}), and `cells.svg`.
 * @throws {FailureError} when the folder cannot be written.
 */
export async function writePictured(
  folder: string,
  report: DiscretizationReport,
  chosen: string,
  context: Readonly<Record<string, unknown>>,
): Promise<void> {
  const picture = await cellSvg(methodReport(report, chosen).genotype);
  makeFolder(folder);
  writeAtomic(joinPath(folder, PICTURE_FILE), picture);
  writeOutcome(folder, report, chosen, context);
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

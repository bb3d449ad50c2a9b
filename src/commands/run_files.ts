/**
 * The files that commands put into a run folder beside what the run itself writes: the outcome of a discretisation
 * (report, genotypes, picture). And what folders of runs are called.
 * @module
 */
import { FailureError, UsageError } from "../base/errors.ts";
import { exists, fileError, joinPath, writeAtomic } from "../base/files.ts";
import type { MethodReport } from "../discretize/choice.ts";
import type { DiscretizationReport } from "../discretize/discretize.ts";
import { RULES } from "../discretize/registry.ts";
import { cellSvg } from "../report/cell_svg.ts";
import { formatGenotypeJson } from "../space/genotype.ts";

/** A rule to decide by again, after the one called `chosen`. */
export function otherRule(chosen: string): string {
  return RULES.find(({ name }) => name !== chosen)!.name;
}

/** The entry of the rule called `method`. */
export function methodReport(report: DiscretizationReport, method: string): MethodReport {
  return report.methods.find((each) => each.method === method)!;
}

/**
 * Writes the outcome of a discretisation into `folder`: `genotype.json` and `.txt` (Python) of the chosen rule, those
 * of every rule in `genotypes/`, `cells.svg`, and last `discretization.json` with every score. Each file is atomic.
 * @throws {FailureError} when the folder cannot be written.
 */
export async function writeOutcome(
  folder: string,
  report: DiscretizationReport,
  chosen: string,
  context: Readonly<Record<string, unknown>>,
): Promise<void> {
  const put = (name: string, text: string): void => writeAtomic(joinPath(folder, name), text);
  const picture = await cellSvg(methodReport(report, chosen).genotype);
  const inner = joinPath(folder, "genotypes");
  makeFolder(inner);
  if (Deno.lstatSync(inner).isSymlink) {
    throw new FailureError(`Cannot write into '${inner}' as it must be a folder: it is a link, so move it away`);
  }
  for (const { method, genotype, text } of report.methods) {
    put(`genotypes/${method}.json`, formatGenotypeJson(genotype));
    put(`genotypes/${method}.txt`, text + "\n");
    if (method !== chosen) continue;
    put("genotype.json", formatGenotypeJson(genotype));
    put("genotype.txt", text + "\n");
  }
  put("cells.svg", picture);
  put("discretization.json", JSON.stringify({ chosen, ...context, ...report }, null, 1) + "\n");
}

/** Makes a folder and those above it. */
export function makeFolder(path: string): void {
  try {
    Deno.mkdirSync(path, { recursive: true });
  } catch (error) {
    throw fileError(error, "write", path);
  }
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

/** Removes a folder that came to nothing; one with anything in it stays. */
export function removeIfEmpty(path: string): void {
  try {
    Deno.removeSync(path);
  } catch { /* it is not empty, or was never made */ }
}

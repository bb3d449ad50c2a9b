/**
 * The files that commands put into a run folder beside what the search itself writes: `config.json`, and the outcome
 * of a discretisation (report, genotypes, picture).
 * @module
 */
import { FailureError, text, UsageError } from "../base/errors.ts";
import { exists, fileError, joinPath, writeAtomic } from "../base/files.ts";
import { formatYaml } from "../base/options.ts";
import type { Dataset } from "../data/dataset.ts";
import type { MethodReport } from "../discretize/choice.ts";
import type { DiscretizationReport } from "../discretize/discretize.ts";
import { RULES } from "../discretize/registry.ts";
import type { Gpu } from "../gpu/device.ts";
import { cellSvg } from "../report/cell_svg.ts";
import { resolveSearchConfig, SEARCH_OPTIONS, type SearchConfig } from "../search/config.ts";
import type { RunFolder } from "../run/run_folder.ts";
import { formatGenotypeJson } from "../space/genotype.ts";
import { definitionFile } from "./flags.ts";

/** Version of this package. */
export const VERSION = "0.1.0";

/** What a run does. */
export type RunKind = "search" | "train";

/** Value of the field `format` of a run's `config.json`. */
const FORMATS: Readonly<Record<RunKind, string>> = { search: "idarts-run/1", train: "idarts-training/1" };

/** What each kind of run is called. */
const KINDS: Readonly<Record<RunKind, string>> = { search: "a search", train: "a training" };

/** Shape and identity of a data set. */
export type DataRecord = Pick<
  Dataset,
  "name" | "fingerprint" | "count" | "channels" | "height" | "width" | "classes"
>;

/** What the `config.json` of any run says. */
export interface RunBase {
  /** The data that the run began with. */
  readonly data: DataRecord;
  /** Name of the adapter that the run began on. */
  readonly adapter: string;
}

/** What a search's `config.json` says. */
export interface RunRecord extends RunBase {
  /** The resolved configuration. */
  readonly config: SearchConfig;
}

/** Writes `config.json`, which makes a folder a run of `kind`, and before it each definition in `config` as YAML. */
export function writeConfig(
  folder: RunFolder,
  kind: RunKind,
  config: Readonly<Record<string, unknown>>,
  data: Dataset,
  gpu: Gpu,
  more: Readonly<Record<string, unknown>> = {},
): void {
  const { name, fingerprint, count, channels, height, width, classes } = data;
  for (const [key, value] of Object.entries(config)) {
    if (isRecord(value)) writeAtomic(definitionFile(folder.path, key), formatYaml(value));
  }
  folder.writeJson("config.json", {
    format: FORMATS[kind],
    version: VERSION,
    adapter: gpu.name,
    data: { name, fingerprint, count, channels, height, width, classes },
    ...more,
    config,
  });
}

/** {@linkcode writeConfig} of a search. */
export function writeRun(folder: RunFolder, config: SearchConfig, data: Dataset, gpu: Gpu): void {
  writeConfig(folder, "search", SEARCH_OPTIONS.toRecord(config), data, gpu);
}

/** What the run in `folder` does; undefined for what its `config.json` does not say. */
export function runKind(folder: RunFolder): RunKind | undefined {
  const value = folder.readJson("config.json"), kinds: RunKind[] = ["search", "train"];
  return kinds.find((kind) => isRecord(value) && value.format === FORMATS[kind]);
}

/**
 * Reads the `config.json` of a run of `kind`; `read` makes of its fields what it says.
 * @throws {FailureError} where it is damaged or of another program.
 * @throws {UsageError} where the run is of the other kind.
 */
export function readConfig<T>(
  folder: RunFolder,
  kind: RunKind,
  read: (
    config: Readonly<Record<string, unknown>>,
    file: string,
    fields: Readonly<Record<string, unknown>>,
    fail: (what: string) => never,
  ) => T,
): RunBase & T {
  const file = folder.file("config.json"), value = folder.readJson("config.json");
  const fail = (what: string): never => {
    throw new FailureError(`Cannot use '${file}' as ${what}: the file is damaged or of another program`);
  };
  const other: RunKind = kind === "search" ? "train" : "search";
  if (isRecord(value) && value.format === FORMATS[other]) {
    throw new UsageError(`Cannot use '${folder.path}' as ${KINDS[kind]} as it is ${KINDS[other]}: name another run`);
  }
  if (!isRecord(value) || value.format !== FORMATS[kind]) return fail(`its format must be '${FORMATS[kind]}'`);
  const { data, config, adapter } = value;
  if (!isRecord(config)) return fail("its config must be a mapping of keys to values");
  const numbers = ["count", "channels", "height", "width", "classes"] as const;
  if (
    !isRecord(data) || typeof data.name !== "string" || typeof data.fingerprint !== "string" ||
    !numbers.every((key) => Number.isSafeInteger(data[key]) && (data[key] as number) > 0)
  ) {
    return fail("its data must say name, fingerprint, count, channels, height, width and classes");
  }
  try {
    const said = read(config, file, value, fail);
    return { ...said, data: data as unknown as DataRecord, adapter: String(adapter) };
  } catch (error) {
    if (error instanceof UsageError) throw new FailureError(text`${error}`, { cause: error });
    throw error;
  }
}

/** {@linkcode readConfig} of a search. */
export function readRun(folder: RunFolder): RunRecord {
  return readConfig(folder, "search", (config, file) => {
    const own = typeof config.discretizer === "string" ? [{ name: config.discretizer }] : []; // of the program that began it
    return { config: resolveSearchConfig([{ source: `'${file}'`, values: config }], undefined, [...RULES, ...own]) };
  });
}

/** Whether `value` is a mapping. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

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
  makeFolder(joinPath(folder, "genotypes"));
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

/**
 * `config.json` of a run folder: what makes the run (options, images, and what else it began with), and whether a run
 * that goes on is the one that began. Not responsible for which options there are.
 * @module
 */
import { FailureError, option, text, UsageError } from "../base/errors.ts";
import { exists, joinPath } from "../base/files.ts";
import { formatYaml, nameOf } from "../base/options.ts";
import { aText, listOf, mappingOf, optional, type Shape, shape } from "../base/shape.ts";
import { VERSION } from "../base/version.ts";
import type { Dataset } from "../data/dataset.ts";
import type { Beginnings, OptionValues } from "./phase.ts";
import { CONFIG_FILE, type RunFolder } from "./run_folder.ts";

/** Every kind of run: the value of the field `format` of its `config.json`, and what it is called. */
const KINDS = {
  search: { format: "idarts-run/1", noun: "a search" },
  train: { format: "idarts-training/1", noun: "a training" },
  auto: { format: "idarts-auto/1", noun: "a run of auto" },
} as const satisfies Record<RunKind, unknown>;

/** What a run does. */
export type RunKind = "search" | "train" | "auto";

/** Shape and identity of a data set. */
export interface DataRecord
  extends Pick<Dataset, "name" | "fingerprint" | "count" | "channels" | "height" | "width" | "classes" | "shared"> {
  /** Name of each class; absent in runs of older versions. */
  readonly classNames?: readonly string[];
}

/** What the `config.json` of any run says. */
export interface RunRecord {
  /** The data that the run began with. */
  readonly data: DataRecord;
  /** Name of the adapter that the run began on. */
  readonly adapter: string;
}

/** A `config.json` whose options and further fields are not looked at yet. */
export interface RawRecord extends RunRecord {
  /** Options by key. */
  readonly options: Readonly<Record<string, unknown>>;
  /** All fields. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Whether `value` is a mapping. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The file of a run's `folder` that holds the definition given for option `key`. */
export function definitionFile(folder: string, key: string): string {
  return joinPath(folder, `${key}.yaml`);
}

/** What the run in `folder` does; undefined for what its `config.json` does not say. */
export function runKind(folder: RunFolder): RunKind | undefined {
  const value = folder.readJson(CONFIG_FILE);
  return (Object.keys(KINDS) as RunKind[]).find((kind) => isRecord(value) && value.format === KINDS[kind].format);
}

/**
 * Writes what is not there yet (the process may have been killed meanwhile): `config.json`, which makes a folder a run,
 * and each definition among the options as YAML.
 */
export function writeRecord(folder: RunFolder, { kind, options, data, notes }: Beginnings, adapter: string): void {
  const { name, fingerprint, count, channels, height, width, classes, classNames, shared } = data;
  if (!folder.begun) {
    folder.writeJson(CONFIG_FILE, {
      format: KINDS[kind].format,
      version: VERSION,
      adapter,
      data: { name, fingerprint, count, channels, height, width, classes, classNames, shared },
      ...notes,
      config: options,
    });
  }
  for (const [key, value] of Object.entries(options)) {
    if (isRecord(value) && !exists(folder.file(`${key}.yaml`))) folder.writeFile(`${key}.yaml`, formatYaml(value));
  }
}

/** Says that a file of a run is not what it should be. */
function refuseFile(file: string, what: string): never {
  throw new FailureError(`Cannot use '${file}' as ${what}: the file is damaged or of another program`);
}

/**
 * Reads the `config.json` of a run of `kind`.
 * @throws {FailureError} where it is damaged or of another program.
 * @throws {UsageError} where the run is of another kind.
 */
function readRecord(folder: RunFolder, kind: RunKind): RawRecord {
  const file = folder.file(CONFIG_FILE), value = folder.readJson(CONFIG_FILE), { format, noun } = KINDS[kind];
  const other = Object.values(KINDS).find((each) =>
    each.format !== format && isRecord(value) && value.format === each.format
  );
  if (other) {
    throw new UsageError(`Cannot use '${folder.path}' as ${noun} as it is ${other.noun}: name another run`);
  }
  if (!isRecord(value) || value.format !== format) return refuseFile(file, `its format must be '${format}'`);
  const { data, config, adapter } = value;
  if (!isRecord(config)) return refuseFile(file, "its config must be a mapping of keys to values");
  if (!isDataRecord(data)) {
    return refuseFile(file, "its data must say name, fingerprint, count, channels, height, width and classes");
  }
  return { data, adapter: String(adapter), options: config, fields: value };
}

function isDataRecord(data: unknown): data is DataRecord {
  if (!isRecord(data) || typeof data.name !== "string" || typeof data.fingerprint !== "string") return false;
  const { classNames, shared } = data, numbers = ["count", "channels", "height", "width", "classes"] as const;
  return numbers.every((key) => Number.isSafeInteger(data[key]) && (data[key] as number) > 0) &&
    (shared === undefined || isRecord(shared) && [shared.train, shared.test].every(Number.isSafeInteger)) &&
    (classNames === undefined ||
      Array.isArray(classNames) && classNames.length === data.classes &&
        classNames.every((name) => typeof name === "string"));
}

/**
 * What {@linkcode readRecord} reads, its fields checked by `read`, which may throw UsageError.
 * @throws {FailureError} where something is damaged; {UsageError} where the run is of another kind.
 */
export function readChecked<T>(
  folder: RunFolder,
  kind: RunKind,
  read: (record: RawRecord, file: string, fail: (what: string) => never) => T,
): RunRecord & T {
  const record = readRecord(folder, kind), file = folder.file(CONFIG_FILE), { data, adapter } = record;
  try {
    return { ...read(record, file, (what) => refuseFile(file, what)), data, adapter };
  } catch (error) {
    if (error instanceof UsageError) throw new FailureError(text`${error}`, { cause: error });
    throw error;
  }
}

/** The first option that differs, but for harmless ones; each side as a part of a sentence. */
export function changedOption(
  before: OptionValues,
  after: OptionValues,
  harmless: readonly string[],
): { readonly key: string; readonly was: string; readonly is: string } | undefined {
  const key = [...new Set([...Object.keys(before), ...Object.keys(after)])].find((key) =>
    !harmless.includes(key) && canonical(before[key]) !== canonical(after[key])
  );
  if (key === undefined) return undefined;
  const [was, is] = [before[key], after[key]].map((value) => value === undefined ? "unset" : nameOf(value));
  return { key, was, is: was === is ? `${is} (changed)` : is };
}

/** JSON with the keys of mappings in order; JSON in a text counts as what it says. */
function canonical(value: unknown): string {
  if (typeof value === "string" && value.startsWith("{")) {
    try {
      return canonical(JSON.parse(value));
    } catch { /* just a text */ }
  }
  const sorted = (_: string, v: unknown): unknown =>
    isRecord(v) ? Object.fromEntries(Object.entries(v).sort(([a], [b]) => a < b ? -1 : 1)) : v;
  return JSON.stringify(value, sorted) ?? "unset";
}

/**
 * Compares the `config.json` of a run with what is to go on.
 * @returns the adapter that the run began on
 * @throws {UsageError} naming what differs; {FailureError} where the file is damaged
 */
export function checkRecord(folder: RunFolder, beginnings: Beginnings): string {
  const { options, read, harmless, kind } = beginnings;
  const record = readChecked(folder, kind, (raw, file) => ({ ...raw, options: read(raw.options, `'${file}'`) }));
  const changed = changedOption(record.options, options, harmless);
  if (changed) {
    const { key, was, is } = changed;
    throw new UsageError(
      text`Cannot change ${option(key)} of the run in '${folder.path}' as it must stay ${was}: current value is ${is}`,
      { option: key, remedies: ["leave it as it was", { kind: "other-folder" }] },
    );
  }
  checkBeginnings(folder.path, beginnings, { ...record.data, fields: record.fields });
  return record.adapter;
}

/** What a file of a run was made with: `config.json` may have been edited since. */
export interface MadeWith {
  /** Of the images. */
  readonly fingerprint: string;
  /** Name of each class; absent in runs of older versions. */
  readonly classNames?: readonly string[];
  /** Options but for harmless ones; absent in runs of older versions. */
  readonly options?: Readonly<Record<string, unknown>>;
}

/** What it looks like. */
export const MADE_FIELDS: { readonly [K in keyof MadeWith]-?: Shape<MadeWith[K]> } = {
  fingerprint: aText,
  classNames: optional(listOf(aText)),
  options: optional(mappingOf(shape("a value", () => true))),
};

/** What a file of a run is made with, and its further parts. */
export function madeWith({ data, parts = {}, options, harmless }: Beginnings): MadeWith {
  return {
    fingerprint: data.fingerprint,
    classNames: data.classNames,
    ...Object.fromEntries(Object.entries(parts).map(([key, { value }]) => [key, value])),
    options: Object.fromEntries(Object.entries(options).filter(([key]) => !harmless.includes(key))),
  };
}

/**
 * Refuses to go on with a file of a run that was made with something else.
 * @param what names the file: "its checkpoint of step 8"
 * @throws {UsageError} naming what differs
 */
export function checkMade(folder: RunFolder, beginnings: Beginnings, made: MadeWith, what: string): void {
  const { options, read, harmless } = beginnings;
  const before = made.options ? read(made.options, what) : options, changed = changedOption(before, options, harmless);
  if (changed) {
    const { key, was, is } = changed;
    throw new UsageError(
      `Cannot resume '${folder.path}' as ${what} was made with ${key} ${was} and '${folder.file(CONFIG_FILE)}' says ` +
        is,
      { option: key, remedies: ["put it back", { kind: "other-folder" }] },
    );
  }
  const { fingerprint, classNames } = made;
  checkBeginnings(folder.path, beginnings, { fingerprint, classNames, fields: { ...made } });
}

/**
 * Refuses to go on with a run of other images, or of other beginnings besides options.
 * @param said what the run's `config.json` or a checkpoint says; what it does not say is not compared
 * @throws {UsageError} naming what differs
 */
export function checkBeginnings(
  path: string,
  { data, parts = {} }: Beginnings,
  said: {
    readonly fingerprint?: unknown;
    readonly classNames?: unknown;
    readonly fields: Readonly<Record<string, unknown>>;
  },
): void {
  const refuse = (what: string): never => {
    throw new UsageError(`Cannot resume '${path}' with ${what} that the run began with`, {
      remedies: ["take those again", { kind: "other-folder" }],
    });
  };
  const { classNames, name } = data, before = said.classNames;
  if (Array.isArray(before) && canonical(before) !== canonical(classNames)) {
    const added = classNames.find((each) => !before.includes(each));
    const gone = before.find((each) => !classNames.includes(each));
    refuse(
      added !== undefined && gone !== undefined
        ? `data set '${name}': its class '${added}' is not the '${gone}'`
        : `data set '${name}': its ${classNames.length} classes are not the ${before.length}`,
    );
  }
  if (said.fingerprint !== data.fingerprint) refuse(`data set '${name}': the images are not those`);
  for (const [key, { value, refusal }] of Object.entries(parts)) {
    if (key in said.fields && canonical(said.fields[key]) !== canonical(value)) refuse(refusal);
  }
}

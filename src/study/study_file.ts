/**
 * The file that describes a study: a grid of searches, how the cells that they find are trained, and how many random
 * cells are trained beside them. Every key of a search may be a list of values. Not responsible for running anything.
 * @module
 */
import { UsageError } from "../base/errors.ts";
import {
  type Layer,
  type Named,
  nameOf,
  type Option,
  type OptionSet,
  parseYamlOptions,
  type Presets,
} from "../base/options.ts";
import { DATA_OPTION_LIST } from "../data/config.ts";
import { type Decision, decisionName } from "../discretize/decisions.ts";
import { differsIn, needsRemovals } from "../discretize/registry.ts";
import { resolveSearchLayers, SEARCH_OPTIONS, SEARCH_PRESETS, type SearchConfig } from "../search/config.ts";
import { resolveSpace } from "../space/definition.ts";
import { skeletonOf, type Space } from "../space/space.ts";
import { resolveTrainLayers, TRAIN_OPTIONS, TRAIN_PRESETS, type TrainConfig } from "../train/config.ts";

/** A value of a configuration key. */
export type Value = string | number | boolean | Named | null;

/** Values by key, in kebab-case. */
export type Values = Readonly<Record<string, Value>>;

/** Searches that differ in nothing but their seed. */
export interface Setting {
  /** What makes it differ from the other settings: `node-norm rms, space s3`; `all searches` where there is but one. */
  readonly label: string;
  /** The keys that the study varies, without seed, discretizer and keep. */
  readonly values: Values;
  /** One configuration for each seed. */
  readonly configs: readonly SearchConfig[];
  /** After how many epochs of these searches cells are read off; undefined: at their end. */
  readonly after?: number;
  /** Index of the first setting with the same searches. */
  readonly source: number;
  /** Those of the study's decisions that there are in this space. */
  readonly decisions: readonly string[];
  /** Index of the setting that stands for the random cells of this one's space and data: the first that has both. */
  readonly control: number;
}

/** A study. */
export interface Study {
  /** The file's text. */
  readonly text: string;
  /** The points of the grid. */
  readonly settings: readonly Setting[];
  /**
   * Decisions whose cells are trained, by name (see `decisionName`): each rule, and each way to keep. They share their
   * search, whose own rule is the first that measures nothing.
   */
  readonly decisions: readonly string[];
  /** How a cell is trained that was found on these data; one configuration for each seed. Undefined: not at all. */
  readonly trainConfigs?: (found: SearchConfig, seed: number) => TrainConfig[];
  /** Random cells for each space and data set. */
  readonly random: number;
}

/** The space that setting `setting` searches. */
export function spaceOfSetting({ settings }: Pick<Study, "settings">, setting: number): Space {
  return resolveSpace(settings[setting].configs[0].space);
}

/** Keys of the file. */
const KEYS: readonly string[] = ["search", "train", "random"];

/** Key of the epochs after which cells are read off: one long search is as many settings as it has values. */
const AFTER = "after-epochs";

/** More searches than this are taken for a mistake. */
const MOST_SEARCHES = 10_000;

/** More trainings than this, as far as can be told before cells are found, are taken for a mistake. */
const MOST_TRAININGS = 20_000;

/** Most random cells for each space and data set. */
const MOST_RANDOM = 1000;

/**
 * Reads a study.
 * @param path names it in errors
 * @throws {UsageError} for what is no study, an unknown key, and a value that its option does not take.
 * @example Two settings, two seeds, two rules: four searches
 * ```ts
 * import { parseStudy } from "./study_file.ts";
 * import assert from "node:assert/strict";
 * const { settings, decisions } = parseStudy("norms.yaml", `
 * search: { node-norm: [rms, none], seed: [0, 1], discretizer: [semipartial, alpha] }
 * `);
 * assert.deepEqual(settings.map(({ label, configs }) => [label, configs.length]), [["node-norm rms", 2], ["node-norm none", 2]]);
 * assert.deepEqual(decisions, ["semipartial", "alpha"]);
 * ```
 */
export function parseStudy(path: string, text: string): Study {
  const file = parseYamlOptions(path, text);
  for (const key of Object.keys(file)) {
    if (KEYS.includes(key)) continue;
    throw new UsageError(
      `Cannot use key '${key.slice(0, 60)}' of '${path}' as it must be one of ${KEYS.join(", ")}: remove it, or move ` +
        "it below search or train",
    );
  }
  const { preset, ...search } = section(path, file, "search"), lists = gridOf(path, search);
  const defaults = SEARCH_OPTIONS.resolve([]);
  const { discretizer = [defaults.discretizer], keep = [defaults.keep], seed = [0], ...others } = lists;
  const { [AFTER]: after = [null], ...varying } = others;
  const source = `'${path}' (search)`, settings: Setting[] = [], controls = new Map<string, number>();
  const searchPreset = presetOf(path, preset, SEARCH_OPTIONS, SEARCH_PRESETS);
  countSearches(path, [...Object.values(varying), seed]);
  // A rule that measures the supernet does so after the search, whose own rule is one that costs nothing.
  const free = discretizer.find((rule) => !needsRemovals(String(rule)));
  for (const [key, values] of Object.entries({ discretizer, keep })) { // what does not exist is refused like other values
    values.forEach((value) => SEARCH_OPTIONS.resolve([{ source, values: { [key]: value } }]));
  }
  const pairs = discretizer.flatMap((rule) => keep.map((each) => ({ rule, keep: each }) as Decision));
  const decisions = pairs.map(decisionName);
  for (const values of product(varying)) {
    const configs = seed.map((each) => {
      const own = {
        ...values,
        seed: each,
        discretizer: free ?? discretizer[0],
        keep: keep.find((k) => k === defaults.keep) ?? keep[0],
      };
      const config = resolveSearchLayers([...searchPreset, { source, values: own }]);
      return { ...config, discretizer: free === undefined ? defaults.discretizer : config.discretizer };
    });
    const varied = Object.fromEntries(Object.entries(values).filter(([key]) => lists[key].length > 1));
    const key = controlKey(configs[0]), control = controls.get(key) ?? settings.length;
    controls.set(key, control);
    settings.push(...readings(path, { values: varied, configs, control, source: settings.length }, after, pairs));
  }
  const random = randomOf(path, file.random, file.train !== undefined);
  const cells = settings.length * seed.length * decisions.length + controls.size * random;
  const trainConfigs = file.train === undefined ? undefined : trainingOf(path, section(path, file, "train"), cells);
  for (const { configs } of settings) trainConfigs?.(configs[0], 0); // refuses bad values now
  return { text, settings, decisions, trainConfigs, random };
}

/** The settings that searches are read off in: one for each of the epochs `after` which that is done. */
function readings(
  path: string,
  searches: Omit<Setting, "label" | "after" | "decisions">,
  after: readonly Value[],
  pairs: readonly Decision[],
): Setting[] {
  const { space: named, epochs } = searches.configs[0], space = resolveSpace(named), { everyEdge } = skeletonOf(space);
  const own = pairs.filter(({ rule, keep }) => (!everyEdge || keep === "edges") && differsIn(space, rule));
  return after.map((value) => {
    const early = epochOf(path, value, epochs);
    const decisions = own.filter(({ rule }) => early === undefined || !needsRemovals(rule)).map(decisionName);
    const values = after.length > 1 ? { ...searches.values, [AFTER]: value } : searches.values;
    return { ...searches, label: labelOf(values), values, after: early, decisions };
  });
}

/** After how many of its `epochs` a search is read off; undefined: at its end. */
function epochOf(path: string, value: Value, epochs: number): number | undefined {
  if (value === null || value === epochs) return undefined;
  if (Number.isSafeInteger(value) && value as number > 0 && value as number < epochs) return value as number;
  throw new UsageError(
    `Cannot use key '${AFTER}' of '${path}' (search) as it must be whole numbers from 1 to the epochs of its search, ` +
      `${epochs}: current value is '${String(value).slice(0, 60)}'`,
  );
}

/** `a mapping` below a key of the file; an absent one is empty. */
function section(path: string, file: Readonly<Record<string, unknown>>, key: string): Record<string, unknown> {
  const value = file[key] ?? {};
  if (typeof value === "object" && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new UsageError(`Cannot use key '${key}' of '${path}' as it must be a mapping of keys to values`);
}

/** Every key as a list of values. */
function gridOf(path: string, search: Readonly<Record<string, unknown>>): Record<string, Value[]> {
  return Object.fromEntries(
    Object.entries(search).map(([key, value]) => {
      const list = Array.isArray(value) ? value as Value[] : [value as Value];
      list.forEach((each) => refuseFile(path, key, each));
      if (list.length > 0 && new Set(list).size === list.length) return [key, list];
      const what = list.length === 0 ? "is empty" : "holds a value twice";
      throw new UsageError(
        `Cannot use key '${
          key.slice(0, 60)
        }' of '${path}' (search) as its values must be one or more different ones: the list ${what}`,
      );
    }),
  );
}

/** Refuses the name of a file where a definition may stand: who joins the study later would not have that file. */
function refuseFile(path: string, key: string, value: unknown): void {
  const named = [...SEARCH_OPTIONS.options, ...TRAIN_OPTIONS.options].some((o) => o.key === key && o.kind === "named");
  if (!named || typeof value !== "string" || !/\.ya?ml$/i.test(value)) return;
  throw new UsageError(
    `Cannot use key '${key}' of '${path}' as a study must hold the definition itself: put what is in ` +
      `'${value.slice(0, 60)}' in place of its name, indented`,
  );
}

/** The layer of a preset, if one is named. */
function presetOf<T extends readonly Option[]>(
  path: string,
  preset: unknown,
  options: OptionSet<T>,
  presets: Presets,
): Layer[] {
  if (preset === undefined) return [];
  if (typeof preset === "string") return [options.presetLayer(presets, preset)];
  throw new UsageError(`Cannot use key 'preset' of '${path}' as it must be one name: leave out all others`);
}

/** Refuses a grid of too many searches, before any of them is made. */
function countSearches(path: string, lists: readonly (readonly Value[])[]): void {
  const count = lists.reduce((product, { length }) => product * length, 1);
  if (count <= MOST_SEARCHES) return;
  throw new UsageError(
    `Cannot use '${path}' as its grid must have at most ${MOST_SEARCHES} searches: current number is ${count}, so leave ` +
      "some values out",
  );
}

/** Every combination of one value from each list; the last key varies fastest. */
function product(lists: Readonly<Record<string, readonly Value[]>>): Values[] {
  let points: Values[] = [{}];
  for (const [key, values] of Object.entries(lists)) {
    points = points.flatMap((point) => values.map((value) => ({ ...point, [key]: value })));
  }
  return points;
}

/** Keys that say what random cells are a control for: a space, and a data set as it is read. */
export const CONTROL_KEYS: readonly string[] = ["space", ...DATA_OPTION_LIST.map(({ key }) => key)];

/** What random cells are a control for. */
function controlKey(config: SearchConfig): string {
  const values: Readonly<Record<string, unknown>> = { ...ownValues(config, "search"), space: config.space };
  return JSON.stringify(CONTROL_KEYS.map((key) => values[key] ?? null));
}

/** What the searches of a setting are called, whenever they are read off. */
export function searchLabel({ values: { [AFTER]: _, ...values } }: Pick<Setting, "values">): string {
  return labelOf(values);
}

function labelOf(values: Values): string {
  return Object.entries(values).map(([key, value]) => `${key} ${value === null ? "unset" : nameOf(value)}`).join(
    ", ",
  ) || "all searches";
}

/**
 * How cells are trained: the data of their search, then what the file says; without seeds, that of the search.
 * @param cells that are trained, at most
 */
function trainingOf(
  path: string,
  { preset, seed, ...values }: Readonly<Record<string, unknown>>,
  cells: number,
): NonNullable<Study["trainConfigs"]> {
  const source = `'${path}' (train)`;
  const list = Object.keys(values).find((key) => Array.isArray(values[key]));
  if (list !== undefined) {
    throw new UsageError(
      `Cannot use key '${list.slice(0, 60)}' of ${source} as it must be one value: only its seed may be a list`,
    );
  }
  for (const [key, value] of Object.entries(values)) refuseFile(path, key, value);
  const seeds = seed === undefined ? undefined : gridOf(path, { seed }).seed, count = cells * (seeds?.length ?? 1);
  const base = presetOf(path, preset, TRAIN_OPTIONS, TRAIN_PRESETS);
  if (count > MOST_TRAININGS) {
    throw new UsageError(
      `Cannot use '${path}' as it must have at most ${MOST_TRAININGS} trainings: ${cells} cells (of searches, rules and ` +
        `random ones) are ${count} trainings, so leave out some seeds below train, rules or random cells`,
    );
  }
  return (found, own) => {
    const all = SEARCH_OPTIONS.toRecord(found);
    const data = Object.fromEntries(DATA_OPTION_LIST.map(({ key }) => [key, all[key]]));
    return (seeds ?? [own]).map((each) =>
      resolveTrainLayers([...base, { source: "the search", values: data }, {
        source,
        values: { ...values, seed: each },
      }])
    );
  };
}

function randomOf(path: string, value: unknown, trained: boolean): number {
  if (value === undefined) return 0;
  if (!Number.isSafeInteger(value) || (value as number) < 0 || (value as number) > MOST_RANDOM) {
    throw new UsageError(
      `Cannot use key 'random' of '${path}' as it must be a whole number from 0 to ${MOST_RANDOM}: it counts cells`,
    );
  }
  if ((value as number) > 0 && !trained) {
    throw new UsageError(`Cannot use key 'random' of '${path}' without 'train': say how the cells are trained`);
  }
  return value as number;
}

/** Defaults of options of a search that have others now: what identifies a configuration stays. */
const FORMER: Readonly<Record<string, Value>> = { flip: "off" };

/** The values that differ from the defaults: what identifies a configuration, also when options are added later. */
export function ownValues(config: SearchConfig | TrainConfig, kind: "search" | "train"): Record<string, Value> {
  const [options, values]: [readonly Option[], Values] = kind === "search"
    ? [SEARCH_OPTIONS.options, SEARCH_OPTIONS.toRecord(config as SearchConfig)]
    : [TRAIN_OPTIONS.options, TRAIN_OPTIONS.toRecord(config as TrainConfig)];
  const former = kind === "search" ? FORMER : {};
  const changed = options.filter(({ key, default: now }) => (values[key] ?? null) !== (former[key] ?? now));
  return Object.fromEntries(changed.map(({ key }) => [key, values[key] ?? null]));
}

/**
 * Puts a list of options on a command as flags, and turns flags, a YAML file and a preset into a configuration.
 * @module
 */
import { type Command, Option as Flag } from "commander";
import { UsageError } from "../base/errors.ts";
import { readText } from "../base/files.ts";
import { kebabCase } from "../base/option_key.ts";
import {
  type Layer,
  MAX_YAML_BYTES,
  nearest,
  type Option,
  type OptionSet,
  parseYamlOptions,
  type Presets,
  type Resolved,
} from "../base/options.ts";
import { changedOption, definitionFile } from "../run/run_record.ts";
import { resolveSearchLayers, SEARCH_OPTIONS, SEARCH_PRESETS, type SearchConfig } from "../search/config.ts";

/** What commander hands to an action: values by camelCase name. */
export type Parsed = Readonly<Record<string, unknown>>;

/** What switches any verb has, by flag: options that are on or off, and those that are a choice with these two. */
const SWITCHES = new Map<string, Option>();
/** Ways to say that something is on, and off. */
const ON = ["on", "true", "yes"], OFF = ["off", "false", "no"];

/**
 * A command line in which every switch has the form that its verb knows: `--flip`, `--no-flip`, `--flip on` and
 * `--flip=off` may be written for each of them. Files whose names begin with a dash become paths (`./-1.png`).
 * @param isFile whether there is such a file
 * @param bare whether the verb takes nothing but flags, so that any word after a choice is meant as its value
 */
export function spellOut(args: readonly string[], isFile: (path: string) => boolean, bare = false): string[] {
  const out: string[] = [];
  for (let i = 0; i < args.length; i++) {
    if (args[i] === "--") return [...out, ...args.slice(i)];
    const [, no, key = "", , joined] = /^--(no-)?([a-z][a-z-]*)(=(.*))?$/.exec(args[i]) ?? [],
      option = SWITCHES.get(key);
    if (option === undefined) {
      out.push(
        /^-.*[^a-z-]/i.test(args[i]) && !/^--[a-z-]+=/.test(args[i]) && isFile(args[i]) ? `./${args[i]}` : args[i],
      );
      continue;
    }
    const next = joined ?? args[i + 1] ?? "",
      word = no ? "off" : ON.includes(next) ? "on" : OFF.includes(next) ? "off" : "";
    const isValue = option.kind === "choice" && (option.choices.includes(next) || (bare && /^[^-]/.test(next)));
    const other = isValue ? next : undefined;
    if (!no && joined === undefined && (word !== "" || other !== undefined)) i++;
    if (!no && joined !== undefined && word === "" && other === undefined) out.push(args[i]);
    else if (option.kind === "choice") out.push(`--${key}`, word || other || "on");
    else out.push(word === "off" ? `--no-${key}` : `--${key}`);
  }
  return out;
}

/** Adds a flag for each option under the heading of its group. */
export function addOptions(command: Command, options: readonly Option[]): void {
  for (const option of options) {
    const { group, key } = option;
    if (
      option.kind === "boolean" ||
      (option.kind === "choice" && ["on", "off"].every((word) => option.choices.includes(word)))
    ) {
      SWITCHES.set(key, option);
    }
    command.addOption(new Flag(flagSpec(option), describe(option)).helpGroup(`${group}:`));
    if (option.kind === "boolean") command.addOption(new Flag(`--no-${key}`).hideHelp());
  }
}

/** The flag as commander declares it: `--alpha-lr <number>`, or `--flip` for one that is off or on. */
export function flagSpec(option: Option): string {
  const word = option.kind === "int" || option.kind === "number"
    ? "<number>"
    : option.kind === "choice"
    ? "<choice>"
    : option.kind === "named"
    ? "<name or file>"
    : "<text>";
  return option.kind === "boolean" ? `--${option.key}` : `--${option.key} ${word}`;
}

/** Help, choices and default on one line, with one pair of parentheses at its end. */
function describe(option: Option): string {
  const choices = "choices" in option ? [option.choices.join(", ")] : [];
  const fallback = option.kind === "boolean"
    ? [option.default ? `default: on; --no-${option.key}` : "default: off"]
    : option.default === null
    ? []
    : [`default: ${option.default}`];
  const notes = [...choices, ...fallback].join("; ");
  if (notes === "") return option.help;
  return option.help.endsWith(")") ? `${option.help.slice(0, -1)}; ${notes})` : `${option.help} (${notes})`;
}

/** Heading of the flags that say where results go. */
export const OUTPUT_GROUP = "Output:";

/** What presets stand for, for the end of a help text. */
export function presetText(presets: Presets): string {
  return "Presets:\n" +
    Object.entries(presets).map(([name, values]) =>
      wrap(`${name}:`, Object.entries(values).map(([name, value]) => `${kebabCase(name)} ${value}`))
    ).join("\n");
}

/** Words behind a title, with commas, on indented lines of at most about 100 characters. */
function wrap(title: string, words: readonly string[]): string {
  const lines = [`  ${title}`];
  words.forEach((word, i) => {
    if (lines[lines.length - 1].length + word.length > 98) lines.push(" ".repeat(title.length + 2));
    lines[lines.length - 1] += ` ${word}${i < words.length - 1 ? "," : ""}`;
  });
  return lines.join("\n");
}

/** Adds `--config` and `--preset` and the options of a configuration. */
export function addConfiguration(command: Command, options: readonly Option[], presets: Presets): void {
  const group = "Configuration:";
  command.addOption(new Flag("--config <file>", "YAML file with the same keys as the flags below").helpGroup(group));
  command.addOption(
    new Flag("--preset <name>", `named set of values (${Object.keys(presets).join(", ")})`).helpGroup(group),
  );
  addOptions(command, options);
}

/** {@linkcode addConfiguration} of a search. */
export function addSearchOptions(command: Command): void {
  addConfiguration(command, SEARCH_OPTIONS.options, SEARCH_PRESETS);
}

/**
 * The layers that the user gave: preset, file, flags.
 * @throws {UsageError} for an unknown preset and a file that is no YAML mapping
 */
export function configurationLayers<T extends readonly Option[]>(
  parsed: Parsed,
  options: OptionSet<T>,
  presets: Presets,
): Layer[] {
  const layers: Layer[] = [], { preset, config } = parsed;
  if (typeof preset === "string") {
    layers.push(options.presetLayer(presets, preset));
  }
  if (typeof config === "string") {
    const text = readText(config, { maxBytes: MAX_YAML_BYTES });
    layers.push({ source: `'${config}'`, values: parseYamlOptions(config, text) });
  }
  return [...layers, options.flagLayer(parsed)].map((layer) => readDefinitions(options.options, layer));
}

/** Puts what a YAML file defines in the place of its path, for options that take definitions. */
function readDefinitions(options: readonly Option[], layer: Layer): Layer {
  const values = { ...layer.values };
  for (const option of options) {
    const path = values[option.key];
    if (option.kind !== "named" || typeof path !== "string" || !/\.ya?ml$/i.test(path)) continue;
    const text = readText(path, { maxBytes: MAX_YAML_BYTES });
    values[option.key] = option.check(parseYamlOptions(path, text), `'${path}'`);
  }
  return { ...layer, values };
}

/** {@linkcode configurationLayers} of a search. */
export function searchLayers(parsed: Parsed): Layer[] {
  return configurationLayers(parsed, SEARCH_OPTIONS, SEARCH_PRESETS);
}

/**
 * The configuration that the user asked for: defaults, preset, file, flags.
 * @throws {UsageError} for unknown presets, keys and values
 */
export function searchConfig(parsed: Parsed): SearchConfig {
  return resolveSearchLayers(searchLayers(parsed));
}

/**
 * Refuses changes to a run that goes on, but for options that have no effect on what it computes.
 * @param path the run
 * @throws {UsageError} naming the option
 */
export function refuseChanges<T extends readonly Option[]>(
  options: OptionSet<T>,
  path: string,
  stored: Resolved<T>,
  wanted: Resolved<T>,
  harmless: readonly string[],
): void {
  const changed = changedOption(options.toRecord(stored), options.toRecord(wanted), harmless);
  if (!changed) return;
  throw new UsageError(
    `Cannot change --${changed.key} of the run in '${path}' as it must stay ${changed.was}: current value is ` +
      `${changed.is}; leave it away, or start a new run with --out`,
  );
}

/**
 * The flags that give a configuration: those that differ from the defaults.
 * @param folder the run, which holds what was defined in files
 */
export function flagsOf<T extends readonly Option[]>(
  options: OptionSet<T>,
  config: Resolved<T>,
  folder: string,
): string[] {
  const values = options.toRecord(config);
  return options.options.flatMap(({ key, kind, default: fallback }) => {
    const value = values[key];
    if (value === undefined || value === fallback) return [];
    if (kind === "boolean") return [value ? `--${key}` : `--no-${key}`];
    return [`--${key}`, typeof value === "object" ? definitionFile(folder, key) : String(value)];
  });
}

/** "Cannot use X as it must be one of A, B: current value is C (did you mean A?)". */
export function chooseMessage(what: string, value: string, choices: readonly string[]): string {
  const near = nearest(value, choices);
  return `Cannot use ${what} as it must be one of ${choices.join(", ")}: current value is '${value.slice(0, 60)}'` +
    (near === undefined ? "" : ` (did you mean '${near}'?)`);
}

/** `"3x32x32"` as channels, height and width. */
export function parseShape(text: string): { channels: number; height: number; width: number } {
  const match = /^(\d{1,4})x(\d{1,5})x(\d{1,5})$/.exec(text);
  const [channels, height, width] = match?.slice(1).map(Number) ?? [];
  if (!match || channels < 1) {
    throw new UsageError(
      `Cannot use --shape as it must be channels x height x width like 3x32x32: current value is '${
        text.slice(0, 60)
      }'`,
    );
  }
  return { channels, height, width };
}

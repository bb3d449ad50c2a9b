/**
 * The one mechanism for configuration: a list of options defines the defaults, the YAML keys, the command-line
 * flags, their help, their validation and the type of the resolved object. Layers override each other in order:
 * defaults, preset, file, flags. Not responsible for which options there are.
 * @module
 */
import { CORE_SCHEMA, dump, load } from "js-yaml";
import { option as mention, type Text, text as sentence, UsageError } from "./errors.ts";
import { type Camel, camelCase } from "./option_key.ts";

/** What all options have. */
export interface OptionBase {
  /** Name in kebab-case: the YAML key, and with two dashes the flag. */
  readonly key: string;
  /** One line for the help. */
  readonly help: string;
  /** Heading in the help. */
  readonly group: string;
}

/** An option that is a number; `kind` `"int"` takes whole numbers only. The bounds are inclusive but for `exclusiveMin`. */
export interface NumberOption extends OptionBase {
  /** Whole numbers or any. */
  readonly kind: "int" | "number";
  /** Smallest value. */
  readonly min?: number;
  /** Largest value. */
  readonly max?: number;
  /** Values must be above this one. */
  readonly exclusiveMin?: number;
  /** Value where no layer has one; null: may be left unset. */
  readonly default: number | null;
}

/** An option that is any text. */
export interface StringOption extends OptionBase {
  /** Text. */
  readonly kind: "string";
  /** Value where no layer has one; null: may be left unset. */
  readonly default: string | null;
}

/** An option that is on or off: `--key` and `--no-key`. */
export interface BooleanOption extends OptionBase {
  /** On or off. */
  readonly kind: "boolean";
  /** Value where no layer has one. */
  readonly default: boolean;
}

/** An option that is one of some words. */
export interface ChoiceOption extends OptionBase {
  /** One of {@linkcode ChoiceOption.choices}. */
  readonly kind: "choice";
  /** The words. */
  readonly choices: readonly string[];
  /** Whether a program may add words of its own (see {@linkcode OptionSet.withChoices}). */
  readonly open?: boolean;
  /** Value where no layer has one; null: may be left unset. */
  readonly default: string | null;
}

/** What an option may be given instead of a name. */
export interface Named {
  /** What messages and reports call it. */
  readonly name: string;
}

/** A value as messages show it: a definition by its name. */
export function nameOf(value: string | number | boolean | Named): string {
  return typeof value === "object" ? value.name : String(value);
}

/** An option that is one of some words, or a mapping that defines something of that sort. */
export interface NamedOption<D extends Named = Named> extends OptionBase {
  /** A word or a definition. */
  readonly kind: "named";
  /** The words. */
  readonly choices: readonly string[];
  /** The checked definition; throws UsageError that blames `source`. */
  readonly check: (value: unknown, source: string) => D;
  /** Value where no layer has one. */
  readonly default: string;
}

/** One entry of the configuration. */
export type Option =
  | NumberOption
  | StringOption
  | BooleanOption
  | ChoiceOption
  | NamedOption;

/** The type of an option's value. */
export type OptionValue<O extends Option> =
  | (O extends NamedOption<infer D> ? O["choices"][number] | D
    : O extends ChoiceOption ? O["choices"][number]
    : O extends NumberOption ? number
    : O extends BooleanOption ? boolean
    : string)
  | (null extends O["default"] ? null : never);

/** The object that a list of options resolves to: one camelCase property per option. */
export type Resolved<T extends readonly Option[]> = {
  -readonly [O in T[number] as Camel<O["key"]>]: OptionValue<O>;
};

/** Some values and where they come from; keys in kebab-case. */
export interface Layer {
  /** What messages blame for a key: a path or `"preset 'small'"`. If left out, they name the option alone. */
  readonly source?: string;
  /** The values by key. */
  readonly values: Readonly<Record<string, unknown>>;
  /** True for the command line: numbers arrive as text. */
  readonly flags?: boolean;
}

/** Number of single-character edits between two words (Levenshtein 1966). */
export function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(next[j - 1] + 1, row[j] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length];
}

/** The word of `words` nearest to `word`, or undefined where none is near enough to be what was meant. */
export function nearest(word: string, words: Iterable<string>): string | undefined {
  if (word.length > 100) return undefined;
  let best: string | undefined;
  let least = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of words) {
    const distance = editDistance(word, candidate);
    if (distance < least) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

/** What values an option takes, in words: "a whole number from 1 to 8". */
export function describeOption(option: Option): string {
  switch (option.kind) {
    case "boolean":
      return "true or false";
    case "string":
      return "text";
    case "choice":
      return `one of ${option.choices.join(", ")}`;
    case "named":
      return `one of ${option.choices.join(", ")} or the definition of another (a .yaml file, or a mapping in one)`;
    default: {
      const { kind, min, max, exclusiveMin } = option;
      const noun = kind === "int" ? "a whole number" : "a number";
      const low = min !== undefined ? ` from ${min}` : exclusiveMin !== undefined ? ` above ${exclusiveMin}` : "";
      if (max === undefined) return noun + low;
      if (low === "") return `${noun} up to ${max}`;
      return min !== undefined ? `${noun + low} to ${max}` : `${noun + low} and up to ${max}`;
    }
  }
}

/** Named sets of values, keys in camelCase. */
export type Presets = Readonly<Record<string, object>>;

/** A value from outside, in few words: a hostile one may be huge when written out. */
export function showValue(value: unknown): string {
  if (typeof value === "string") {
    const line = value.slice(0, 60).replace(/[\p{Cc}\u2028\u2029]/gu, "\ufffd");
    return `'${line}${value.length > 60 ? "..." : ""}'`;
  }
  if (Array.isArray(value)) return "a list";
  if (value instanceof Date) return "a date";
  return typeof value === "object" && value !== null ? "a mapping" : String(value);
}

/** Text of a flag as a number; NaN for anything but a plain decimal number. */
function parseNumber(text: string): number {
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text.trim()) ? Number(text) : NaN;
}

/** The value if `option` takes it, else undefined; `source` is what the check of a definition blames. */
function accept(
  option: Option,
  given: unknown,
  flags: boolean,
  source: string,
): string | number | boolean | Named | null | undefined {
  if (given === null && option.default === null) return null;
  switch (option.kind) {
    case "string":
      return typeof given === "string" ? given : undefined;
    case "choice": {
      const word = typeof given === "boolean" ? (given ? "on" : "off") : given; // `flip: true` in YAML.
      return typeof word === "string" && option.choices.includes(word) ? word : undefined;
    }
    case "named":
      if (typeof given === "string") return option.choices.includes(given) ? given : undefined;
      return typeof given === "object" && given !== null ? option.check(given, source) : undefined;
    case "boolean":
      if (flags && given === "true") return true;
      if (flags && given === "false") return false;
      return typeof given === "boolean" ? given : undefined;
    default: {
      const n = flags && typeof given === "string" ? parseNumber(given) : given;
      if (typeof n !== "number" || !Number.isFinite(n)) return undefined;
      if (option.kind === "int" && !Number.isSafeInteger(n)) return undefined;
      const { min = -Infinity, max = Infinity, exclusiveMin = -Infinity } = option;
      return n >= min && n <= max && n > exclusiveMin ? n : undefined;
    }
  }
}

/** A key of a file, as messages name it. */
function keyOf(key: string, source: string): Text {
  return sentence`key ${showValue(key)} of ${source}`;
}

/** A validated list of options; see {@linkcode defineOptions}. */
export class OptionSet<const T extends readonly Option[]> {
  /** The options in the order of the list. */
  readonly options: T;
  readonly #byKey: Map<string, Option>;

  /** Throws TypeError for a list that contradicts itself. */
  constructor(options: T) {
    this.options = options;
    this.#byKey = new Map();
    for (const option of options) {
      const { key } = option;
      if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(key) || key.startsWith("no-")) {
        throw new TypeError(`Cannot define option '${key}' as keys must be in kebab-case and not begin with 'no-'`);
      }
      if (this.#byKey.has(key)) {
        throw new TypeError(`Cannot define option '${key}' twice`);
      }
      if (accept(option, option.default, false, key) === undefined) {
        throw new TypeError(
          `Cannot define option '${key}' as its default must be ${describeOption(option)}: current value is ${
            showValue(option.default)
          }`,
        );
      }
      this.#byKey.set(key, option);
    }
  }

  /** The same options, but that the choice `key` is one of `choices`: for what a program adds to the built-in ones. */
  withChoices(key: T[number]["key"], choices: readonly string[]): OptionSet<T> {
    return new OptionSet(this.options.map((each) => each.key === key ? { ...each, choices } : each) as unknown as T);
  }

  /**
   * The layers on top of the defaults, later ones first. Values that are undefined count as absent. Throws
   * UsageError for an unknown key (naming the nearest one) and for a value of the wrong type or out of range.
   */
  resolve(layers: readonly Layer[]): Resolved<T> {
    const out: Record<string, unknown> = {};
    for (const option of this.options) {
      out[camelCase(option.key)] = option.default;
    }
    for (const { source, values, flags = false } of layers) {
      const noun = source === undefined ? "option" : "key";
      for (const [key, given] of Object.entries(values)) {
        if (given === undefined) continue;
        const option = this.#byKey.get(key);
        // Where a file is at fault, its key is what is to be looked for there; else the option goes by the name that
        // the reader knows it by.
        const subject = source === undefined ? sentence`${mention(showValue(key).slice(1, -1))}` : keyOf(key, source);
        if (option === undefined) {
          const near = nearest(key, this.#byKey.keys());
          if (near === undefined) {
            throw new UsageError(sentence`Cannot use ${subject} as there is no such ${noun}: remove it`);
          }
          const meant = source === undefined ? mention(near) : near;
          throw new UsageError(sentence`Cannot use ${subject}: did you mean '${meant}'?`);
        }
        const value = accept(option, given, flags, source === undefined ? "the options" : String(subject));
        if (value === undefined) {
          const near = "choices" in option && typeof given === "string" ? nearest(given, option.choices) : undefined;
          throw new UsageError(
            sentence`Cannot use ${subject} as it must be ${describeOption(option)}: current value is ${
              showValue(given)
            }${near === undefined ? "" : ` (did you mean '${near}'?)`}`,
            { option: key, value: given },
          );
        }
        out[camelCase(key)] = value;
      }
    }
    return out as Resolved<T>;
  }

  /** The layer of what a command-line parser returns under camelCase names; names of no option are left to the caller. */
  flagLayer(parsed: Readonly<Record<string, unknown>>): Layer {
    const values: Record<string, unknown> = {};
    for (const key of this.#byKey.keys()) {
      const name = camelCase(key);
      if (Object.hasOwn(parsed, name)) values[key] = parsed[name];
    }
    return { values, flags: true };
  }

  /**
   * The layer of an object of the library, whose keys are in camelCase.
   * @throws {UsageError} for a key of no option, naming the nearest one.
   */
  objectLayer(given: object): Layer {
    const keys = new Map([...this.#byKey.keys()].map((key) => [camelCase(key), key])),
      values: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(given) as [string, unknown][]) {
      const key = keys.get(name);
      if (key === undefined) {
        const near = nearest(name, keys.keys()), what = `Cannot use option ${showValue(name)}`;
        throw new UsageError(
          near ? `${what}: did you mean '${near}'?` : `${what} as there is no such option: remove it`,
        );
      }
      values[key] = value;
    }
    return { values };
  }

  /**
   * The layer of a preset.
   * @throws {UsageError} when there is none of that name; the message suggests the nearest one.
   */
  presetLayer(presets: Presets, name: string): Layer {
    if (Object.hasOwn(presets, name)) return this.objectLayer(presets[name]);
    const names = Object.keys(presets), near = nearest(name, names);
    throw new UsageError(
      sentence`Cannot use ${mention("preset")} as it must be one of ${names.join(", ")}: current value is ${
        showValue(name)
      }${near === undefined ? "" : ` (did you mean '${near}'?)`}`,
      { option: "preset", value: name },
    );
  }

  /** A resolved object with its keys in kebab-case again, in the order of the list: what a config file holds. */
  toRecord(resolved: Resolved<T>): Record<string, string | number | boolean | Named> {
    const out: Record<string, string | number | boolean | Named> = {};
    for (const { key } of this.options) {
      const value = (resolved as Record<string, unknown>)[camelCase(key)];
      if (value !== null) out[key] = value as string | number | boolean | Named;
    }
    return out;
  }
}

/**
 * Checks a list of options and gives it its methods. The list should be written in place, so that the type of the
 * resolved object is inferred from it.
 *
 * @example Two layers
 * ```ts
 * import { defineOptions } from "./options.ts";
 * const set = defineOptions([
 *   { key: "alpha-lr", kind: "number", exclusiveMin: 0, default: 3e-4, help: "Step size", group: "Search" },
 * ]);
 * const { alphaLr } = set.resolve([{ source: "x.yaml", values: { "alpha-lr": 1e-3 } }]);
 * console.assert(alphaLr === 1e-3);
 * ```
 */
export function defineOptions<const T extends readonly Option[]>(options: T): OptionSet<T> {
  return new OptionSet(options);
}

/** The longest YAML file that is parsed: 1 MiB. */
export const MAX_YAML_BYTES = 1 << 20;

/**
 * The mapping at the top of a YAML 1.2 file (core schema: no dates, no tags that make objects, no merge keys);
 * an empty file is an empty mapping. `path` names it in errors. Values may be nested; {@linkcode OptionSet.resolve}
 * refuses those. Throws UsageError for anything that is not one valid mapping of at most 1 MiB.
 */
export function parseYamlOptions(path: string, text: string): Record<string, unknown> {
  if (new TextEncoder().encode(text).length > MAX_YAML_BYTES) {
    throw new UsageError(
      `Cannot read '${path}' as a configuration must be at most ${MAX_YAML_BYTES} bytes long: remove what is no option`,
    );
  }
  let value: unknown;
  try {
    value = load(text, { schema: CORE_SCHEMA });
  } catch (error) {
    const { reason, mark } = error as {
      reason?: string;
      mark?: { line: number };
    };
    const where = mark === undefined ? "" : ` in line ${mark.line + 1}`;
    const why = error instanceof RangeError
      ? "it is nested too deeply"
      : (reason ?? String(error)).split("\n")[0].slice(0, 200);
    throw new UsageError(`Cannot read '${path}' as it must be valid YAML: ${why}${where}`, { cause: error });
  }
  if (value === undefined || value === null) return {};
  if (typeof value !== "object" || Array.isArray(value)) {
    throw new UsageError(
      `Cannot read '${path}' as it must be a mapping of keys to values: it is ${
        Array.isArray(value) ? "a list" : showValue(value)
      }`,
    );
  }
  return value as Record<string, unknown>;
}

/** A mapping as YAML 1.2 that {@linkcode parseYamlOptions} reads; innermost lists take one line each. */
export function formatYaml(value: object): string {
  return dump(value, { schema: CORE_SCHEMA, flowLevel: 3, lineWidth: 120, noRefs: true });
}

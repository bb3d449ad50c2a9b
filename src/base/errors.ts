/**
 * The errors that a caller branches on. Every message is one sentence that names the thing at fault (file, field,
 * option, node, shape) and the remedy, worded "Cannot X as Y must be Z: current value is V".
 *
 * What goes by another name on the command line, options and what to do, is data in an error and not a part of its
 * text: `message` words it for those who call the library (`initChannels`), the commands word it as flags
 * (`--init-channels`) by a {@linkcode Wording} of their own.
 * @module
 */
import { camelCase } from "./option_key.ts";

/** An option that a message mentions; see {@linkcode option}. */
export interface OptionMention {
  /** The option's key, in kebab-case. */
  readonly option: string;
}

/** What a sentence is made of. */
type Part = string | OptionMention | Text | IdartsError;

/** What to do about an error, where it is called differently on the command line. */
export type Remedy =
  /** Smaller values of these options, or of one of them; `afresh`: in a new run. */
  | { readonly kind: "lower"; readonly options: readonly string[]; readonly afresh?: boolean }
  /** This value of an option. */
  | { readonly kind: "set"; readonly option: string; readonly value: string | number }
  /** This value of an option, or a smaller one. */
  | { readonly kind: "at-most"; readonly option: string; readonly value: number }
  | Action;

/** A {@linkcode Remedy} that is something to do rather than an option. */
export type Action =
  /** Another folder for a new run. */
  | { readonly kind: "other-folder" }
  /** Going on with the run that is in the folder. */
  | { readonly kind: "resume" }
  /** Downloading a data set. */
  | { readonly kind: "fetch"; readonly data: string }
  /** Deciding by a rule after a search by another one. */
  | { readonly kind: "rediscretize"; readonly method: string }
  /** A driver for a GPU, or the software adapter. */
  | { readonly kind: "driver" }
  /** Measuring the kernels of this adapter. */
  | { readonly kind: "tune" }
  /** Beginning a study. */
  | { readonly kind: "study" };

/** How options and actions are called. */
export interface Wording {
  /** An option's name. @param key in kebab-case */
  option(key: string): string;
  /** What to do, beginning with a verb in the imperative. */
  action(action: Action): string;
}

/** What gives a machine an adapter. */
export const DRIVER_REMEDY = "install a GPU driver with Vulkan, or the software one with " +
  "'apt-get install mesa-vulkan-drivers libvulkan1'";

/** The wording of {@linkcode Error.message}: names of the library. */
const LIBRARY_WORDING: Wording = {
  option: camelCase,
  action(action) {
    switch (action.kind) {
      case "other-folder":
        return "take another folder";
      case "resume":
        return "resume its run";
      case "fetch":
        return action.data === "mnist" ? "fetch it with fetchMnist" : `fetch it with fetchCifar("${action.data}", ...)`;
      case "rediscretize":
        return `search by another rule, then decide by ${action.method} with rediscretize`;
      case "driver":
        return DRIVER_REMEDY;
      case "tune":
        return "measure one with tune";
      case "study":
        return "begin one there";
    }
  },
};

/** A sentence that mentions options; {@linkcode text} makes one. */
export class Text {
  /**
   * Put together from its parts.
   * @param parts text, options, and the sentences of other errors
   */
  constructor(private readonly parts: readonly Part[]) {}

  /** The sentence with the names of `wording`. */
  word(wording: Wording): string {
    return this.parts.map((part) =>
      typeof part === "string" ? part : "word" in part ? part.word(wording) : wording.option(part.option)
    ).join("");
  }

  /** The sentence with the names of the library. */
  toString(): string {
    return this.word(LIBRARY_WORDING);
  }
}

/** Mentions an option in a {@linkcode text}. @param key in kebab-case */
export function option(key: string): OptionMention {
  return { option: key };
}

/**
 * A template of a sentence: options and errors in it are worded as the reader knows them.
 *
 * @example
 * ```ts
 * import { option, text, UsageError } from "./errors.ts";
 * const error = new UsageError(text`Cannot use ${option("batch-size")} 0`);
 * console.assert(error.message === "Cannot use batchSize 0");
 * ```
 */
export function text(
  strings: TemplateStringsArray,
  ...values: readonly (string | number | boolean | OptionMention | Text | Error)[]
): Text {
  return new Text(strings.flatMap((part, i) => i < values.length ? [part, partOf(values[i])] : [part]));
}

function partOf(value: string | number | boolean | OptionMention | Text | Error): Part {
  if (value instanceof Text || value instanceof IdartsError) return value;
  if (value instanceof Error) return value.message;
  return typeof value === "object" ? value : String(value);
}

/** What an error knows besides its sentence. */
export interface ErrorDetails {
  /** What was thrown before. */
  readonly cause?: unknown;
  /** Key of the option at fault, in kebab-case. */
  readonly option?: string;
  /** The value at fault. */
  readonly value?: unknown;
  /** What the value was compared with: the most or the least that is possible. */
  readonly limit?: number;
  /** What to do, each of them on its own; text where it is called the same everywhere. Ends the message. */
  readonly remedies?: readonly (Remedy | string)[];
}

/** What both classes of errors share: to catch them both, and to word them. */
export abstract class IdartsError extends Error {
  /** The message without what to do. */
  readonly sentence: Text;
  /** Key of the option at fault, in kebab-case. */
  readonly option: string | undefined;
  /** The value at fault. */
  readonly value: unknown;
  /** What the value was compared with: the most or the least that is possible. */
  readonly limit: number | undefined;
  /** What to do, each of them on its own. The message ends with them. */
  readonly remedies: readonly (Remedy | string)[];

  /**
   * An error with a sentence; its remedies are added at the end.
   * @param sentence what is wrong, without a full stop
   */
  constructor(sentence: string | Text, details: ErrorDetails = {}) {
    const { cause, remedies = [] } = details, whole = typeof sentence === "string" ? new Text([sentence]) : sentence;
    super(wordSentence(whole, remedies, LIBRARY_WORDING), cause === undefined ? undefined : { cause });
    this.sentence = whole;
    this.option = details.option;
    this.value = details.value;
    this.limit = details.limit;
    this.remedies = remedies;
  }

  /** The message with the names of `wording`. */
  word(wording: Wording): string {
    return wordSentence(this.sentence, this.remedies, wording);
  }
}

/** A sentence and, at its end, what to do. */
function wordSentence(sentence: Text, remedies: readonly (Remedy | string)[], wording: Wording): string {
  const said = sentence.word(wording);
  if (remedies.length === 0) return said;
  const todo = remedies.map((remedy) => typeof remedy === "string" ? remedy : wordRemedy(remedy, wording));
  return said + (said.includes(": ") ? "; " : ": ") + either(todo);
}

function wordRemedy(remedy: Remedy, wording: Wording): string {
  switch (remedy.kind) {
    case "lower":
      return `${remedy.afresh ? "start again with" : "use"} a smaller ${either(remedy.options.map(wording.option))}`;
    case "set":
      return `use ${wording.option(remedy.option)} ${remedy.value}`;
    case "at-most":
      return `use ${wording.option(remedy.option)} ${remedy.value} or less`;
    default:
      return wording.action(remedy);
  }
}

/** "A, B or C". */
function either(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}

/** Wrong use: an option, a configuration key, an argument. The CLI prints the message and exits with code 2. */
export class UsageError extends IdartsError {
  /** Exit code of the CLI for this error. */
  readonly exitCode = 2;
  /** Name shown in stack traces. */
  override readonly name: string = "UsageError";
}

/** Right use, but it cannot be done: bad data, no adapter, too little memory, a full disk. Exit code 1. */
export class FailureError extends IdartsError {
  /** Exit code of the CLI for this error. */
  readonly exitCode = 1;
  /** Name shown in stack traces. */
  override readonly name: string = "FailureError";
}

/** What is wrong with the value of an option. */
export interface OptionFault {
  /** The option, in kebab-case. */
  readonly key: string;
  /** What the value must be: "even", "at most 3". May mention other options. */
  readonly must: string | Text;
  /** The value. */
  readonly value: string | number | boolean;
  /** What to do, where that is not plain. */
  readonly remedies?: readonly (Remedy | string)[];
}

/** The error for a value that an option cannot have: "Cannot use K as it must be M: current value is V". */
export function optionError({ key, must, value, remedies }: OptionFault): UsageError {
  const shown = typeof value === "string" ? `'${value}'` : value;
  return new UsageError(text`Cannot use ${option(key)} as it must be ${must}: current value is ${shown}`, {
    option: key,
    value,
    remedies,
  });
}

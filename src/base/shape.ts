/**
 * Shapes of what is read from files: a value of unknown origin has one, or one sentence says which field has not.
 * Not responsible for what values mean together.
 * @module
 */
import { FailureError } from "./errors.ts";
import { showValue } from "./options.ts";

/** What is wrong with a value. */
interface Fault {
  /** Where: `methods[0].text`; empty for the whole. */
  readonly path: string;
  /** What must be there: "a text". */
  readonly must: string;
  readonly value: unknown;
}

/** What values of type `T` look like: finds the first fault of a value at `path`. */
export type Shape<T> = ((value: unknown, path: string) => Fault | undefined) & {
  /** For types alone: there is no such field. */
  readonly of?: T;
};

/** A shape that a test decides on. @param must what it wants: "a text" */
export function shape<T>(must: string, good: (value: unknown) => boolean): Shape<T> {
  return (value, path) => good(value) ? undefined : { path, must, value };
}

/** Any text. */
export const aText: Shape<string> = shape("a text", (value) => typeof value === "string");

/** True or false. */
export const aBoolean: Shape<boolean> = shape("true or false", (value) => typeof value === "boolean");

/** A number that was measured: JSON has null for one that was not finite. */
export const aMeasurement: Shape<number> = shape("a number or null", (v) => v === null || Number.isFinite(v));

/** A whole number. */
export function whole(least = 0, most: number = Number.MAX_SAFE_INTEGER): Shape<number> {
  const range = most === Number.MAX_SAFE_INTEGER ? `from ${least}` : `from ${least} to ${most}`;
  const good = (value: unknown) => Number.isSafeInteger(value) && value as number >= least && value as number <= most;
  return shape(`a whole number ${range}`, good);
}

/** One of some words. */
export function oneOf<const T extends string>(...words: readonly T[]): Shape<T> {
  return shape(`one of ${words.join(", ")}`, (value) => (words as readonly unknown[]).includes(value));
}

/** What is of this shape, or null. */
export function nullable<T>(of: Shape<T>): Shape<T | null> {
  return (value, path) => value === null ? undefined : of(value, path);
}

/** What is of this shape, or is not there. */
export function optional<T>(of: Shape<T>): Shape<T | undefined> {
  return (value, path) => value === undefined ? undefined : of(value, path);
}

/** What is of a shape, and then of those that hang on what it says. */
export function also<T>(of: Shape<T>, more: (value: T) => Shape<unknown>): Shape<T> {
  return (value, path) => of(value, path) ?? more(value as T)(value, path);
}

/** A list; of `length` if that is given. */
export function listOf<T>(of: Shape<T>, length?: number): Shape<readonly T[]> {
  const must = length === undefined ? "a list" : `a list of ${length}`;
  return (value, path) => {
    if (!Array.isArray(value) || (length !== undefined && value.length !== length)) return { path, must, value };
    for (let i = 0; i < value.length; i++) {
      const fault = of(value[i], `${path}[${i}]`);
      if (fault) return fault;
    }
  };
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A mapping with these fields; it may have others. */
export function mapping<T>(fields: { readonly [K in keyof T]-?: Shape<T[K]> }): Shape<T> {
  const all = Object.entries(fields) as [string, Shape<unknown>][];
  return (value, path) => {
    if (!isMapping(value)) return { path, must: "a mapping", value };
    for (const [key, of] of all) {
      const fault = of(Object.hasOwn(value, key) ? value[key] : undefined, path === "" ? key : `${path}.${key}`);
      if (fault) return fault;
    }
  };
}

/** A mapping of any keys to values of one shape. */
export function mappingOf<T>(of: Shape<T>): Shape<Record<string, T>> {
  return (value, path) => {
    if (!isMapping(value)) return { path, must: "a mapping", value };
    for (const key of Object.keys(value)) {
      const fault = of(value[key], `${path}[${showValue(key)}]`);
      if (fault) return fault;
    }
  };
}

/**
 * The value, which has the shape.
 *
 * @example
 * ```ts
 * import { aText, checkShape, listOf, mapping } from "./shape.ts";
 * const NAMES = mapping<{ names: readonly string[] }>({ names: listOf(aText) });
 * const { names } = checkShape(NAMES, JSON.parse('{"names": ["a"]}'), "'names.json'");
 * console.assert(names[0] === "a");
 * ```
 * @param what names the value in the error: `'metrics.jsonl'`
 * @param path where it is a part of that
 * @throws {FailureError} naming the first field that is wrong.
 */
export function checkShape<T>(of: Shape<T>, value: unknown, what: string, path = ""): T {
  const fault = of(value, path);
  if (fault === undefined) return value as T;
  const where = fault.path === "" ? "it" : `its ${fault.path}`;
  const { value: found } = fault;
  const is = found === undefined
    ? "is missing"
    : `is ${showValue(found)}${Array.isArray(found) ? ` of ${found.length}` : ""}`;
  throw new FailureError(
    `Cannot use ${what} as ${where} must be ${fault.must} and ${is}: the file is damaged or of another program`,
  );
}

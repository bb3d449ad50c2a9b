/**
 * The grammar of Python's `Genotype(...)` text, hand-written: no evaluation, no recursion, every token consumed
 * once. Not responsible for meaning: names, indices and counts are checked by `genotype.ts`.
 *
 *     file     = [NAME "="] "Genotype" "(" field {"," field} [","] ")"
 *     field    = ("normal" | "reduce") "=" list(pair)
 *              | ("normal_concat" | "reduce_concat") "=" (list(INT) | "range" "(" INT "," INT ")")
 *     pair     = "(" STRING "," INT ")"          list(x) = "[" {x ","} [x] "]", or the same in "(" ")"
 * @module
 */
import { FailureError } from "../base/errors.ts";

/** The four keyword arguments as written; every pair and number is well-formed, nothing more. */
export interface PythonFields {
  /** Operations of the normal cell, two for each node. */
  normal: { op: string; from: number }[];
  /** Outputs of the normal cell. */
  normal_concat: number[];
  /** Operations of the reduction cell, two for each node. */
  reduce: { op: string; from: number }[];
  /** Outputs of the reduction cell. */
  reduce_concat: number[];
}

const FIELDS = ["normal", "normal_concat", "reduce", "reduce_concat"] as const;

/** Longest `range(...)` that is written out; a cell has far fewer nodes. */
const MAX_RANGE = 64;

interface Token {
  kind: "name" | "number" | "string" | "sign" | "end";
  text: string;
  at: number;
}

const TOKEN = /(?:[ \t\r\n\f]+|#[^\n]*)|([A-Za-z_]\w*)|(\d{1,6})(?!\w)|'([^'"\\\n]*)'|"([^'"\\\n]*)"|([=()[\],])/y;

/**
 * Parses the text form.
 * @throws {FailureError} naming `file`, line and column, what was expected and what is there.
 */
export function parsePython(text: string, file: string): PythonFields {
  const tokens = tokenize(text, file);
  let next = 0;

  const fail = (expected: string): never => unexpected(text, file, tokens[next].at, expected);
  const peek = (sign: string): boolean => tokens[next].kind === "sign" && tokens[next].text === sign;
  const accept = (sign: string): boolean => peek(sign) && ++next > 0;
  const expect = (sign: string): void => {
    if (!accept(sign)) fail(`"${sign}"`);
  };
  const take = (kind: Token["kind"], expected: string): string =>
    tokens[next].kind === kind ? tokens[next++].text : fail(expected);
  const integer = (): number => Number(take("number", "a number"));
  const list = <T>(item: () => T): T[] => {
    const close = accept("(") ? ")" : (expect("["), "]");
    const items: T[] = [];
    while (!accept(close)) {
      items.push(item());
      if (!peek(close)) expect(",");
    }
    return items;
  };
  const pair = (): { op: string; from: number } => {
    expect("(");
    const op = take("string", "the name of an operation in quotes");
    expect(",");
    const from = integer();
    expect(")");
    return { op, from };
  };
  const concat = (): number[] => {
    if (tokens[next].text !== "range") return list(integer);
    next++;
    expect("(");
    const start = integer();
    expect(",");
    const stop = integer();
    if (stop - start > MAX_RANGE) fail(`a range of at most ${MAX_RANGE} nodes`);
    expect(")");
    return Array.from(
      { length: Math.max(0, stop - start) },
      (_, i) => start + i,
    );
  };

  if (take("name", '"Genotype("') !== "Genotype") {
    expect("=");
    if (tokens[next].text !== "Genotype") fail('"Genotype("');
    next++;
  }
  expect("(");
  const found: Partial<PythonFields> = {};
  while (!accept(")")) {
    const missing = FIELDS.filter((name) => !found[name]);
    const name = missing.find((each) => each === tokens[next].text) ??
      fail(missing.join(", ") || '")"');
    next++;
    expect("=");
    if (name === "normal" || name === "reduce") found[name] = list(pair);
    else found[name] = concat();
    if (!peek(")")) expect(",");
  }
  const missing = FIELDS.filter((name) => !found[name]);
  if (missing.length > 0) {
    next--;
    fail(missing.join(", "));
  }
  take("end", "the end of the text");
  return found as PythonFields;
}

function tokenize(text: string, file: string): Token[] {
  const kinds = ["name", "number", "string", "string", "sign"] as const;
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  for (let at = 0; at < text.length; at = TOKEN.lastIndex) {
    const match = TOKEN.exec(text) ??
      unexpected(
        text,
        file,
        at,
        "a name, a number, a quoted word or one of =()[],",
      );
    const group = match.findIndex((each, i) => i > 0 && each !== undefined);
    if (group > 0) {
      tokens.push({ kind: kinds[group - 1], text: match[group], at });
    }
  }
  return [...tokens, { kind: "end", text: "", at: text.length }];
}

function unexpected(
  text: string,
  file: string,
  at: number,
  expected: string,
): never {
  const lines = text.slice(0, at).split("\n");
  const here = at < text.length ? JSON.stringify(text.slice(at, at + 20)) : "the end of the text";
  throw new FailureError(
    `Cannot read ${file} as a Python genotype: line ${lines.length}, column ${
      lines[lines.length - 1].length + 1
    } must be ${expected}: current value is ${here}`,
  );
}

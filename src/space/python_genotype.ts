/**
 * The grammar of Python's `Genotype(...)` text, hand-written: no evaluation, no deep recursion, every token consumed
 * once. Not responsible for meaning: names, indices and counts are checked by `genotype.ts`.
 *
 *     file     = [NAME "="] "Genotype" "(" field {"," field} [","] ")"
 *     field    = ("normal" | "reduce") "=" list(pair)
 *              | ("normal_concat" | "reduce_concat") "=" concat
 *     concat   = list(INT) | "range" "(" INT "," INT ")" | ("list" | "tuple" | "array") "(" concat ")"
 *     pair     = "(" STRING "," INT ")", or the same in "[" "]", or a list of those
 *     list(x)  = "[" {x ","} [x] "]", or the same in "(" ")"
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

/** Keyword arguments of AutoDL-Projects' genotypes, where they say nothing. */
const FOREIGN: readonly string[] = ["connectN", "connects"];

/** Longest `range(...)` that is written out; a cell has far fewer nodes. */
const MAX_RANGE = 64;

/** How deep `list(tuple(...))` may go, over all fields. */
const MAX_DEPTH = 8;

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
  return new Parser(text, file).file();
}

/** One method for each rule of the grammar. */
class Parser {
  readonly #tokens: readonly Token[];
  #next = 0;
  #depth = 0;

  constructor(readonly text: string, readonly name: string) {
    this.#tokens = tokenize(text, name);
  }

  file(): PythonFields {
    if (this.#take("name", '"Genotype("') !== "Genotype") {
      this.#expect("=");
      if (this.#token.text !== "Genotype") this.#fail('"Genotype("');
      this.#next++;
    }
    this.#expect("(");
    const found: Partial<PythonFields> = {};
    while (!this.#accept(")")) {
      this.#field(found);
      if (!this.#at(")")) this.#expect(",");
    }
    const missing = FIELDS.filter((name) => !found[name]);
    if (missing.length > 0) {
      this.#next--;
      this.#fail(missing.join(", "));
    }
    this.#take("end", "the end of the text");
    return found as PythonFields;
  }

  /** Adds a keyword argument that is not there yet. */
  #field(found: Partial<PythonFields>): void {
    if (FOREIGN.includes(this.#token.text)) return this.#empty();
    const missing = FIELDS.filter((name) => !found[name]);
    const name = missing.find((each) => each === this.#token.text) ?? this.#fail(missing.join(", ") || '")"');
    this.#next++;
    this.#expect("=");
    if (name === "normal" || name === "reduce") found[name] = this.#list(() => this.#pairs()).flat();
    else found[name] = this.#concat();
  }

  /** A pair, or those of a node, as some repositories write them. */
  #pairs(): { op: string; from: number }[] {
    const nested = (this.#at("[") || this.#at("(")) && this.#tokens[this.#next + 1].kind === "sign";
    if (!nested) return [this.#pair()];
    const pairs = this.#list(() => this.#pair());
    if (pairs.length === 2) return pairs;
    this.#next--;
    return this.#fail("two operations for each node");
  }

  /** A keyword argument of another repository that must say nothing. */
  #empty(): void {
    this.#next++;
    this.#expect("=");
    if (this.#token.text === "None") this.#next++;
    else if (this.#list(() => this.#pair()).length > 0) this.#fail("None");
  }

  #pair(): { op: string; from: number } {
    const close = this.#accept("[") ? "]" : ")";
    if (close === ")") this.#expect("(");
    const op = this.#take("string", "the name of an operation in quotes");
    this.#expect(",");
    const from = this.#integer();
    this.#expect(close);
    return { op, from };
  }

  #concat(): number[] {
    if (["list", "tuple", "array"].includes(this.#token.text) && this.#depth++ < MAX_DEPTH) {
      this.#next++;
      this.#expect("(");
      const inner = this.#concat();
      this.#expect(")");
      return inner;
    }
    if (this.#token.text !== "range") return this.#list(() => this.#integer());
    this.#next++;
    this.#expect("(");
    const start = this.#integer();
    this.#expect(",");
    const stop = this.#integer();
    if (stop - start > MAX_RANGE) this.#fail(`a range of at most ${MAX_RANGE} nodes`);
    this.#expect(")");
    return Array.from({ length: Math.max(0, stop - start) }, (_, i) => start + i);
  }

  #list<T>(item: () => T): T[] {
    const close = this.#accept("(") ? ")" : "]", items: T[] = [];
    if (close === "]") this.#expect("[");
    while (!this.#accept(close)) {
      items.push(item());
      if (!this.#at(close)) this.#expect(",");
    }
    return items;
  }

  #integer(): number {
    return Number(this.#take("number", "a number"));
  }

  get #token(): Token {
    return this.#tokens[this.#next];
  }

  #at(sign: string): boolean {
    return this.#token.kind === "sign" && this.#token.text === sign;
  }

  #accept(sign: string): boolean {
    return this.#at(sign) && ++this.#next > 0;
  }

  #expect(sign: string): void {
    if (!this.#accept(sign)) this.#fail(`"${sign}"`);
  }

  #take(kind: Token["kind"], expected: string): string {
    if (this.#token.kind !== kind) this.#fail(expected);
    return this.#tokens[this.#next++].text;
  }

  #fail(expected: string): never {
    unexpected(this.text, this.name, this.#token.at, expected);
  }
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

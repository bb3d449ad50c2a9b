/**
 * The small macro language of `shaders/*.wgsl`. It makes a kernel's variants from one hand-written file:
 *
 *     #if RELU && !VEC        keep the lines when the expression is not zero
 *     #else
 *     #endif
 *     #for i in 0..ROWS       repeat the lines with i = 0 .. ROWS-1 (the end is excluded)
 *       let a$i = x[$(i * 2 + 1)];
 *     #endfor
 *
 * Directives may use `$` as well (`#if NORM$k` asks for the constant `NORM3` when k is 3).
 * `$name` and `$(expression)` are replaced by integers, comments left out. Every constant is also declared as a WGSL
 * `const` in front of the source, so that a plain use needs no `$`.
 * @module
 */

/** Values that a variant of a shader is made from. Booleans count as 0 or 1 in expressions. */
export type Constants = Readonly<Record<string, number | boolean>>;

/** A file of shader text. */
export interface Source {
  /** Its path from the root of the repository. */
  readonly file: string;
  /** What is in it. */
  readonly text: string;
}

/** A line of a file. */
export interface Origin {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** The line as it is written. */
  readonly text: string;
}

/** An expanded line, and what it was made from; none: it was generated. */
export interface Line {
  readonly text: string;
  readonly origin?: Origin;
}

/** An error in a line of a shader. */
export const errorAt = ({ file, line, text }: Origin, message: string): SyntaxError =>
  new SyntaxError(`${file}:${line}: ${message}\n  ${text.trim()}`);

/** `make`, whose errors name the line. */
function located<T>(origin: Origin, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof SyntaxError) || error.message.startsWith(origin.file)) throw error;
    throw errorAt(origin, error.message);
  }
}

const TOKEN = /\s*(\d+(?:\.\d+)?|[A-Za-z_]\w*|<=|>=|==|!=|&&|\|\||[-+*/%()<>!])/y;
const LEVELS: readonly (readonly string[])[] = [
  ["||"],
  ["&&"],
  ["==", "!="],
  ["<", "<=", ">", ">="],
  ["+", "-"],
  ["*", "/", "%"],
];

function binary(op: string, a: number, b: number): number {
  switch (op) {
    case "||":
      return a || b ? 1 : 0;
    case "&&":
      return a && b ? 1 : 0;
    case "==":
      return +(a === b);
    case "!=":
      return +(a !== b);
    case "<":
      return +(a < b);
    case "<=":
      return +(a <= b);
    case ">":
      return +(a > b);
    case ">=":
      return +(a >= b);
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "/":
      return Math.floor(a / b);
    default:
      return ((a % b) + b) % b;
  }
}

/** What an expression comes to, given the constants. */
type Expression = (values: Constants) => number;

/** The result of `make` for `key`, made once. */
function cached<T>(make: (key: string) => T): (key: string) => T {
  const known = new Map<string, T>();
  return (key) => {
    let value = known.get(key);
    if (value === undefined) known.set(key, value = make(key));
    return value;
  };
}

function tokenize(expression: string): string[] {
  const tokens: string[] = [], text = expression.trim();
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const at = TOKEN.lastIndex, match = TOKEN.exec(text);
    if (!match) throw new SyntaxError(`Cannot read '${text.slice(at)}' in shader expression '${expression}'`);
    tokens.push(match[1]);
  }
  return tokens;
}

const parse = cached((expression: string): Expression => {
  const tokens = tokenize(expression);
  let next = 0;
  const unary = (): Expression => {
    const token = tokens[next++];
    if (token === "!" || token === "-") {
      const of = unary();
      return token === "!" ? (values) => of(values) ? 0 : 1 : (values) => -of(values);
    }
    if (token === "(") {
      const inner = level(0);
      if (tokens[next++] !== ")") throw new SyntaxError(`Missing ')' in shader expression '${expression}'`);
      return inner;
    }
    if (token !== undefined && /^\d/.test(token)) {
      const number = Number(token);
      return () => number;
    }
    if (token === undefined) {
      throw new SyntaxError(`Something is missing at the end of shader expression '${expression}'`);
    }
    return (values) => {
      if (!(token in values)) {
        throw new SyntaxError(`Unknown name '${token}' in shader expression '${expression}'`);
      }
      return Number(values[token]);
    };
  };
  const level = (depth: number): Expression => {
    if (depth === LEVELS.length) return unary();
    let left = level(depth + 1);
    while (LEVELS[depth].includes(tokens[next])) {
      const op = tokens[next++], a = left, b = level(depth + 1);
      left = (values) => binary(op, a(values), b(values));
    }
    return left;
  };
  const whole = level(0);
  if (next !== tokens.length) {
    throw new SyntaxError(`Trailing '${tokens[next]}' in shader expression '${expression}'`);
  }
  return whole;
});

/**
 * Value of an expression over integers with C's precedence; `/` rounds down and `%` is never negative.
 * @throws {SyntaxError} for an unknown name or a malformed expression.
 */
export function evaluate(expression: string, values: Constants): number {
  return parse(expression)(values);
}

/** An expression that may name constants by number, as `NORM$k` does. */
function numbered(text: string): Expression {
  if (!text.includes("$")) return parse(text);
  const parts = split(text);
  return (values) => parse(render(parts, values))(values);
}

/** A line as text and, where it has a `$`, expressions. */
function split(line: string): (string | Expression)[] {
  const parts: (string | Expression)[] = [];
  let from = 0;
  for (let at = line.indexOf("$"); at >= 0; at = line.indexOf("$", from)) {
    parts.push(line.slice(from, at));
    let end = at + 1;
    if (line[end] === "(") {
      for (let depth = 0; end < line.length; end++) {
        if (line[end] === "(") depth++;
        else if (line[end] === ")" && --depth === 0) break;
      }
      parts.push(numbered(line.slice(at + 2, end++)));
    } else {
      while (end < line.length && /\w/.test(line[end])) end++;
      parts.push(parse(line.slice(at + 1, end)));
    }
    from = end;
  }
  return [...parts, line.slice(from)];
}

function render(parts: readonly (string | Expression)[], values: Constants): string {
  let text = "";
  for (const part of parts) text += typeof part === "string" ? part : part(values);
  return text;
}

/** Appends what some lines of a source become. */
type Step = (values: Constants, out: Line[]) => void;

const run = (steps: readonly Step[], values: Constants, out: Line[]) => steps.forEach((step) => step(values, out));

/** Finds the end of the block that starts at line `start`, and its `#else`, or -1. */
function matching(lines: readonly Origin[], start: number, kind: "if" | "for"): [otherwise: number, end: number] {
  let depth = 0, otherwise = -1;
  for (let i = start + 1; i < lines.length; i++) {
    const line = lines[i].text.trim();
    if (line.startsWith(`#${kind} `)) depth++;
    else if (line.startsWith(`#end${kind}`)) {
      if (depth-- === 0) return [otherwise, i];
    } else if (depth === 0 && kind === "if" && line.startsWith("#else")) otherwise = i;
  }
  throw errorAt(lines[start], `#end${kind} is missing`);
}

/** An expression in a line, whose errors name it. */
function locatedExpression(origin: Origin, text: string): Expression {
  const expression = located(origin, () => numbered(text));
  return (values) => located(origin, () => expression(values));
}

function conditional(lines: readonly Origin[], start: number): [Step, end: number] {
  const origin = lines[start],
    [otherwise, end] = matching(lines, start, "if"),
    middle = otherwise < 0 ? end : otherwise;
  const condition = locatedExpression(origin, origin.text.trim().slice(4));
  const then = compile(lines.slice(start + 1, middle)), rest = compile(lines.slice(middle + 1, end));
  return [(values, out) => run(condition(values) ? then : rest, values, out), end];
}

function repeated(lines: readonly Origin[], start: number): [Step, end: number] {
  const origin = lines[start], match = /^#for (\w+) in (.+)\.\.(.+)$/.exec(origin.text.trim());
  if (!match) throw errorAt(origin, "this must be '#for NAME in FROM..TO'");
  const [, end] = matching(lines, start, "for"), body = compile(lines.slice(start + 1, end));
  const [, name] = match, from = locatedExpression(origin, match[2]), to = locatedExpression(origin, match[3]);
  const step: Step = (values, out) => {
    const inner = { ...values }, last = to(values);
    for (let k = from(values); k < last; k++) {
      inner[name] = k;
      run(body, inner, out);
    }
  };
  return [step, end];
}

const withoutComment = (line: string): string => line.replace(/\s*\/\/.*/, "");

function compile(lines: readonly Origin[]): Step[] {
  const steps: Step[] = [];
  for (let i = 0; i < lines.length; i++) {
    const origin = lines[i], line = origin.text.trim();
    if (line.startsWith("#if ") || line.startsWith("#for ")) {
      const [step, end] = line.startsWith("#if ") ? conditional(lines, i) : repeated(lines, i);
      steps.push(step);
      i = end;
    } else if (line.startsWith("#")) {
      throw errorAt(origin, "this directive is unknown, or begins nowhere");
    } else {
      const text = withoutComment(origin.text);
      if (text.trim() === "") continue;
      const parts = located(origin, () => split(text));
      steps.push((values, out) => out.push({ text: located(origin, () => render(parts, values)), origin }));
    }
  }
  return steps;
}

/** Sources are few and expanded often. */
const COMPILED = new Map<string, Step[]>();

function compiled({ file, text }: Source): Step[] {
  const key = `${file}\n${text}`, known = COMPILED.get(key);
  if (known) return known;
  const steps = compile(text.split("\n").map((text, i) => ({ file, line: i + 1, text })));
  COMPILED.set(key, steps);
  return steps;
}

/** Lines of one variant: those of the sources, expanded. @throws {SyntaxError} that names file and line */
export function expandLines(sources: readonly Source[], constants: Constants): Line[] {
  const out: Line[] = [];
  for (const source of sources) run(compiled(source), constants, out);
  return out;
}

/** Declarations of the constants, one a line. */
export const declarations = (constants: Constants): string[] =>
  Object.entries(constants).map(([name, value]) => `const ${name} = ${literal(value)};`);

/**
 * The words that the sources read, comments left out: `NORM$` where a name is put together of `NORM` and a number.
 */
export function wordsOf(sources: readonly Source[]): Set<string> {
  const text = sources.map((source) => source.text.split("\n").map(withoutComment).join("\n")).join("\n");
  return new Set([...text.matchAll(/[A-Za-z_]\w*\$?/g)].map(([word]) => word));
}

function literal(value: number | boolean): string {
  if (typeof value === "boolean" || Number.isInteger(value)) return String(value);
  const text = String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}

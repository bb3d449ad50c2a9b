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
    return (values) => {
      if (token === undefined || !(token in values)) {
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
type Step = (values: Constants, out: string[]) => void;

const run = (steps: readonly Step[], values: Constants, out: string[]) => steps.forEach((step) => step(values, out));

function matching(
  lines: readonly string[],
  start: number,
  open: RegExp,
  close: RegExp,
): [number, number] {
  let depth = 0, otherwise = -1;
  for (let i = start + 1; i < lines.length; i++) {
    const line = lines[i].trimStart();
    if (open.test(line)) depth++;
    else if (close.test(line)) {
      if (depth-- === 0) return [otherwise, i];
    } else if (depth === 0 && line.startsWith("#else")) otherwise = i;
  }
  throw new SyntaxError(`Unclosed '${lines[start].trim()}' in shader`);
}

function compile(lines: readonly string[]): Step[] {
  const steps: Step[] = [];
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i].trim();
    if (line.startsWith("#if ")) {
      const [otherwise, end] = matching(lines, i, /^#if /, /^#endif/), middle = otherwise < 0 ? end : otherwise;
      const condition = numbered(line.slice(4));
      const then = compile(lines.slice(i + 1, middle)), rest = compile(lines.slice(middle + 1, end));
      steps.push((values, out) => run(condition(values) ? then : rest, values, out));
      i = end;
    } else if (line.startsWith("#for ")) {
      const match = /^#for (\w+) in (.+)\.\.(.+)$/.exec(line);
      if (!match) throw new SyntaxError(`Cannot read '${line}' as '#for NAME in FROM..TO'`);
      const [, end] = matching(lines, i, /^#for /, /^#endfor/), body = compile(lines.slice(i + 1, end));
      const [, name] = match, from = numbered(match[2]), to = numbered(match[3]);
      steps.push((values, out) => {
        const inner = { ...values }, last = to(values);
        for (let k = from(values); k < last; k++) {
          inner[name] = k;
          run(body, inner, out);
        }
      });
      i = end;
    } else if (line.startsWith("#")) {
      throw new SyntaxError(`Unexpected '${line}' in shader`);
    } else {
      const text = lines[i].replace(/\s*\/\/.*/, "");
      if (text.trim() === "") continue;
      const parts = split(text);
      steps.push((values, out) => out.push(render(parts, values)));
    }
  }
  return steps;
}

/** Sources are few and expanded often. */
const compiled = cached((source: string) => compile(source.split("\n")));

/** WGSL text of one variant: the constants' declarations, then the expanded source. */
export function expand(source: string, constants: Constants): string {
  const out = Object.entries(constants).map(([name, value]) => `const ${name} = ${literal(value)};`);
  run(compiled(source), constants, out);
  return out.join("\n");
}

function literal(value: number | boolean): string {
  if (typeof value === "boolean" || Number.isInteger(value)) {
    return String(value);
  }
  const text = String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}

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
 * `$name` and `$(expression)` are replaced by integers. Every constant is also declared as a WGSL `const`
 * in front of the source, so that a plain use needs no `$`.
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

const tokenized = new Map<string, readonly string[]>();

function tokenize(expression: string): readonly string[] {
  const known = tokenized.get(expression);
  if (known) return known;
  const tokens: string[] = [], text = expression.trim();
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const at = TOKEN.lastIndex, match = TOKEN.exec(text);
    if (!match) throw new SyntaxError(`Cannot read '${text.slice(at)}' in shader expression '${expression}'`);
    tokens.push(match[1]);
  }
  tokenized.set(expression, tokens);
  return tokens;
}

/**
 * Value of an expression over integers with C's precedence; `/` rounds down and `%` is never negative.
 * @throws {SyntaxError} for an unknown name or a malformed expression.
 */
export function evaluate(expression: string, values: Constants): number {
  const tokens = tokenize(expression);
  let next = 0;
  const unary = (): number => {
    const token = tokens[next++];
    if (token === "!") return unary() ? 0 : 1;
    if (token === "-") return -unary();
    if (token === "(") {
      const value = level(0);
      if (tokens[next++] !== ")") {
        throw new SyntaxError(
          `Missing ')' in shader expression '${expression}'`,
        );
      }
      return value;
    }
    if (token !== undefined && /^\d/.test(token)) return Number(token);
    if (token === undefined || !(token in values)) {
      throw new SyntaxError(
        `Unknown name '${token}' in shader expression '${expression}'`,
      );
    }
    return Number(values[token]);
  };
  const level = (depth: number): number => {
    if (depth === LEVELS.length) return unary();
    let value = level(depth + 1);
    while (LEVELS[depth].includes(tokens[next])) {
      const op = tokens[next++];
      value = binary(op, value, level(depth + 1));
    }
    return value;
  };
  const value = level(0);
  if (next !== tokens.length) {
    throw new SyntaxError(
      `Trailing '${tokens[next]}' in shader expression '${expression}'`,
    );
  }
  return value;
}

function substitute(line: string, values: Constants): string {
  let out = "", from = 0;
  for (let at = line.indexOf("$"); at >= 0; at = line.indexOf("$", from)) {
    out += line.slice(from, at);
    let end = at + 1;
    if (line[end] === "(") {
      for (let depth = 0; end < line.length; end++) {
        if (line[end] === "(") depth++;
        else if (line[end] === ")" && --depth === 0) break;
      }
      out += evaluate(substitute(line.slice(at + 2, end++), values), values);
    } else {
      while (end < line.length && /\w/.test(line[end])) end++;
      out += evaluate(line.slice(at + 1, end), values);
    }
    from = end;
  }
  return out + line.slice(from);
}

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

function expandLines(
  lines: readonly string[],
  values: Constants,
  out: string[],
): void {
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i].trimStart();
    if (line.startsWith("#if ")) {
      const [otherwise, end] = matching(lines, i, /^#if /, /^#endif/);
      const middle = otherwise < 0 ? end : otherwise;
      if (evaluate(substitute(line.slice(4), values), values)) {
        expandLines(lines.slice(i + 1, middle), values, out);
      } else if (otherwise >= 0) {
        expandLines(lines.slice(otherwise + 1, end), values, out);
      }
      i = end;
    } else if (line.startsWith("#for ")) {
      const match = /^#for (\w+) in (.+)\.\.(.+)$/.exec(substitute(line, values));
      if (!match) {
        throw new SyntaxError(
          `Cannot read '${line}' as '#for NAME in FROM..TO'`,
        );
      }
      const [, end] = matching(lines, i, /^#for /, /^#endfor/);
      const body = lines.slice(i + 1, end), to = evaluate(match[3], values);
      for (let k = evaluate(match[2], values); k < to; k++) {
        expandLines(body, { ...values, [match[1]]: k }, out);
      }
      i = end;
    } else if (line.startsWith("#")) {
      throw new SyntaxError(`Unexpected '${line.trim()}' in shader`);
    } else {
      out.push(substitute(lines[i], values));
    }
  }
}

/** WGSL text of one variant: the constants' declarations, then the expanded source. */
export function expand(source: string, constants: Constants): string {
  const out: string[] = [];
  for (const [name, value] of Object.entries(constants)) {
    out.push(`const ${name} = ${literal(value)};`);
  }
  expandLines(source.split("\n"), constants, out);
  return out.join("\n");
}

function literal(value: number | boolean): string {
  if (typeof value === "boolean" || Number.isInteger(value)) {
    return String(value);
  }
  const text = String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}

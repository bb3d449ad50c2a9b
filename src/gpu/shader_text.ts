/**
 * The WGSL text of one variant of a kernel: constants, what the kernel's declaration generates, and the expanded file.
 * Every name is checked, and every line knows which line of a file it comes from.
 * @module
 */
import { type Gpu, INT64 } from "./device.ts";
import { hasParams, type Kernel, type KernelInterface, wrapping } from "./kernel.ts";
import { type Constants, declarations, errorAt, expandLines, type Line, type Origin, wordsOf } from "./template.ts";

/** What the shaders of an implementation are like. */
export interface Dialect {
  /** Whether it has 64-bit integers. */
  readonly words64: boolean;
  /** Whether it wants `enable subgroups;` in shaders that use them. */
  readonly enableSubgroups: boolean;
}

/** What WebGPU has everywhere. */
export const PLAIN_DIALECT: Dialect = { words64: false, enableSubgroups: false };

/** The dialect of a device. */
export const dialectOf = ({ features, enableSubgroups }: Gpu): Dialect => ({
  words64: features.includes(INT64),
  enableSubgroups,
});

/** A shader with its constants filled in. */
export interface Variant {
  /** Name of the kernel. */
  readonly name: string;
  /** WGSL. */
  readonly code: string;
  /** Where each line of it comes from; undefined: generated. */
  readonly origins: readonly (Origin | undefined)[];
}

/** One use of a name in a line: a function of an array, a parameter, or an array that is indexed. */
const USE = /(?<![\w.])(?:(load|store)_(\w+)\s*\(|params\s*\.\s*(\w+)|(\w+)\s*\[)/g;

/** @throws {SyntaxError} for constants and parameters that no line of the kernel reads. */
function checkDeclaration({ sources, params, name }: Kernel, constants: Constants, words: ReadonlySet<string>): void {
  const file = sources[sources.length - 1].file;
  const unread = [
    ...Object.keys(constants).filter((key) => !words.has(key) && !words.has(key.replace(/\d+$/, "$"))),
    ...Object.entries(params).flatMap(([name, param]) =>
      typeof param === "string" ? [name] : [name, ...Object.keys(param.fields)]
    )
      .filter((key) => !words.has(key)).map((key) => `params.${key}`),
  ];
  if (unread.length > 0) throw new SyntaxError(`${file}: no line of kernel '${name}' reads ${unread.join(", ")}`);
}

/** Checks the names in the expanded lines. @returns all words in them */
function checkLines(kernel: Kernel, { arrays }: KernelInterface, lines: readonly Line[]): Set<string> {
  const bound = new Map(arrays.map((array) => [array.name, array])), own = new Set<string>(), used = new Set<string>();
  for (const { text } of lines) {
    for (const [word] of text.matchAll(/[A-Za-z_]\w*/g)) used.add(word);
    const declared = /^\s*fn (\w+)/.exec(text);
    if (declared) own.add(declared[1]);
  }
  for (const { text, origin } of lines) {
    for (const [, verb, name, param, indexed] of text.matchAll(USE)) {
      const array = bound.get(name ?? indexed);
      if (param !== undefined && !(param in kernel.params)) {
        throw errorAt(origin!, `kernel '${kernel.name}' declares no parameter '${param}'`);
      } else if (verb !== undefined && !own.has(`${verb}_${name}`)) {
        if (!array) throw errorAt(origin!, `this variant of kernel '${kernel.name}' binds no buffer '${name}'`);
        if (verb === "store" && array.access === "read") {
          throw errorAt(origin!, `kernel '${kernel.name}' declares that it only reads '${name}'`);
        }
      } else if (indexed !== undefined && array && array.byFunctions) {
        throw errorAt(origin!, `'${indexed}' may be stored in another form: use load_${indexed} and store_${indexed}`);
      }
    }
  }
  return used;
}

/** @throws {SyntaxError} for a buffer that is bound, or parameters that are given, and not used. */
function checkUses(kernel: Kernel, { arrays, rows }: KernelInterface, used: ReadonlySet<string>): void {
  const { file } = kernel.sources[kernel.sources.length - 1];
  for (const { name } of arrays) {
    if (used.has(name) || used.has(`load_${name}`) || used.has(`store_${name}`)) continue;
    throw new SyntaxError(`${file}: this variant of kernel '${kernel.name}' does not use the buffer '${name}'`);
  }
  if (hasParams(kernel.params, rows) && !used.has("params")) {
    throw new SyntaxError(`${file}: this variant of kernel '${kernel.name}' uses none of its parameters`);
  }
}

/**
 * Expands a kernel. `bf16`: names of the arrays that are stored so.
 * @throws {SyntaxError} that names the file, and the line where there is one.
 */
export function shaderText(
  kernel: Kernel,
  bound: KernelInterface,
  constants: Constants,
  bf16: ReadonlySet<string>,
  { words64, enableSubgroups }: Dialect,
): Variant {
  checkDeclaration(kernel, constants, wordsOf(kernel.sources));
  const body = expandLines(kernel.sources, constants), used = checkLines(kernel, bound, body);
  const { before, after, start } = wrapping(kernel, bound, bf16, words64, used);
  checkUses(kernel, bound, used);
  const extensions = enableSubgroups && [...used].some((word) => /^subgroup[A-Z]/.test(word))
    ? ["enable subgroups;"]
    : [];
  const generated = (texts: readonly string[]): Line[] =>
    texts.flatMap((text) => text.split("\n")).map((text) => ({ text }));
  const lines = [
    ...generated([...extensions, ...declarations(constants), ...before]),
    ...(start === undefined ? body : startedWith(start, body)),
    ...generated(after),
  ];
  return {
    name: kernel.name,
    code: lines.map(({ text }) => text).join("\n"),
    origins: lines.map(({ origin }) => origin),
  };
}

/** `lines` whose `main` begins with a statement. */
function startedWith(statement: string, lines: readonly Line[]): Line[] {
  const main = lines.findIndex(({ text }) => /\bfn main\(/.test(text));
  const brace = lines.findIndex(({ text }, i) => i >= main && text.includes("{"));
  return lines.map((line, i) => i === brace ? { ...line, text: line.text.replace("{", `{ ${statement}`) } : line);
}

/** What a compiler says of a variant, in terms of the kernel's file. */
export function locatedMessage({ name, origins, code }: Variant, message: string, line: number): string {
  const text = /(?:parsing|validation) error: (.*)/.exec(message)?.[1] ?? message.trim();
  const [, label] = /\^ +(.+)/.exec(message) ?? [], what = label && !text.includes(label) ? `${text} (${label})` : text;
  const origin = origins[line - 1];
  if (origin) return errorAt(origin, what).message;
  const written = code.split("\n")[line - 1];
  return written === undefined ? what : `what the declaration of '${name}' generates: ${what}\n  ${written.trim()}`;
}

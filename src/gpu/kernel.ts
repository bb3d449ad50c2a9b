/**
 * What a kernel says of itself, once: its WGSL, the buffers that it binds and its parameters, by name. Bindings,
 * `struct Params` and the functions that read and write arrays come from that (docs/shaders.md has the rules). Not
 * responsible for what is bound (`graph/dispatch.ts`).
 * @module
 */
import { accessors, ALL_ONES, type Element, type StoredArray } from "./storage.ts";
import type { Source } from "./template.ts";

/** How a shader uses an array. */
export type Access = "read" | "write";

/** A buffer, some buffers side by side (`NAME0`, `NAME1`, ...), or one that only some variants have. */
export type Presence = "always" | "list" | "optional";

/** A buffer of a kernel. */
export interface BufferDeclaration<Kind extends Presence = Presence> {
  /** How the shader uses it. */
  readonly access: Access;
  /** Types that its elements can have; the first one unless the binding says which. */
  readonly elements: readonly Element[];
  /** Whether it may be stored as bfloat16. */
  readonly bf16: boolean;
  /** Whether it is a uniform range always. Others may be as well, which shaders do not see. */
  readonly uniform: boolean;
  /** Names of its elements, where it is no array. */
  readonly fields?: readonly string[];
  /** Whether there is one, or how many. */
  readonly presence: Kind;
}

type Elements = Element | readonly Element[];

const declared = (access: Access, elements: Elements, bf16: boolean): BufferDeclaration<"always"> => {
  const list = typeof elements === "string" ? [elements] : elements;
  return { access, elements: list, bf16, uniform: false, presence: "always" };
};

/** An array that the shader reads, of one of these types. Where it is bound as a uniform range, it is one. */
export const read = (elements: Elements, precision: "f32" | "bf16" = "f32"): BufferDeclaration<"always"> =>
  declared("read", elements, precision === "bf16");

/** An array that the shader writes, and may read. */
export const write = (elements: Elements, precision: "f32" | "bf16" = "f32"): BufferDeclaration<"always"> =>
  declared("write", elements, precision === "bf16");

/** A buffer that only some variants have. */
export const optional = (of: BufferDeclaration<"always">): BufferDeclaration<"optional"> => ({
  ...of,
  presence: "optional",
});

/** Buffers `NAME0`, `NAME1`, ..., as many as are bound. */
export const list = (of: BufferDeclaration<"always">): BufferDeclaration<"list"> => ({ ...of, presence: "list" });

/** An array that the shader reads from a uniform range of a buffer, and indexes. */
export const uniform = (element: Element): BufferDeclaration<"always"> => ({ ...read(element), uniform: true });

/** Numbers (f32) that the shader reads as `NAME.FIELD`: a uniform range of a buffer. */
export const record = (...fields: readonly string[]): BufferDeclaration<"always"> => ({
  ...uniform("f32"),
  fields,
});

/** Type of a parameter. */
export type Scalar = "u32" | "i32";

/** Parameters that are an array of records, as many as a dispatch has; none: there is no such parameter. */
export interface Table<Fields extends Readonly<Record<string, Scalar>> = Readonly<Record<string, Scalar>>> {
  /** What is in a row. */
  readonly fields: Fields;
}

/** Rows of up to four numbers each, `params.NAME[i].FIELD`. */
export const table = <Fields extends Readonly<Record<string, Scalar>>>(fields: Fields): Table<Fields> => ({ fields });

/** Buffers by name, in order of their bindings. */
export type Buffers = Readonly<Record<string, BufferDeclaration>>;
/** Parameters by name. */
export type Params = Readonly<Record<string, Scalar | Table>>;

/** A hand-written kernel: what {@linkcode kernel} makes of a declaration. */
export interface Kernel<B extends Buffers = Buffers, P extends Params = Params> {
  /** Name of its file without extension. */
  readonly name: string;
  /** Its text, behind what it shares with others. */
  readonly sources: readonly Source[];
  /** Buffers by name, in order of their bindings. */
  readonly buffers: B;
  /** Parameters by name. */
  readonly params: P;
}

/** Values of the parameters of a dispatch. */
export type ParamValues<P extends Params> = {
  readonly [K in keyof P]: P[K] extends Table<infer F> ? readonly { readonly [Field in keyof F]: number }[] : number;
};

/** The same without their names. */
export type AnyValues = Readonly<Record<string, number | readonly Readonly<Record<string, number>>[]>>;

/** The WGSL file of a kernel or of a part that kernels share. */
export const source = (name: string, text: string): Source => ({ file: `shaders/${name}.wgsl`, text });

/** Declares a kernel: `shaders/NAME.wgsl` with its text, and what it begins with. */
export function kernel<const B extends Buffers, const P extends Params = Record<never, never>>(
  name: string,
  text: string,
  { buffers, params = {} as P, parts = [] }: { buffers: B; params?: P; parts?: readonly Source[] },
): Kernel<B, P> {
  return { name, sources: [...parts, source(name, text)], buffers, params };
}

/** An array as one variant binds it. */
export interface BoundArray extends Omit<StoredArray, "bf16"> {
  /** How the shader uses it. */
  readonly access: Access;
  /** Whether it may be stored as bfloat16. */
  readonly mayBeBf16: boolean;
  /** Whether the shader reads and writes it by functions alone. */
  readonly byFunctions: boolean;
  /** Names of its elements, where it is no array. */
  readonly fields?: readonly string[];
}

/** What of a kernel's declaration a variant has: arrays in order of `@binding`, and the rows of its tables. */
export interface KernelInterface {
  /** Arrays in order of `@binding`. */
  readonly arrays: readonly BoundArray[];
  /** Rows of each table of parameters. */
  readonly rows: Readonly<Record<string, number>>;
}

/** Words of a row of a table, which uniform buffers align to 16 bytes. */
const ROW = 4;

const isTable = (param: Scalar | Table): param is Table => typeof param !== "string";

/** Calls `visit` for each parameter with its first word. @returns how many words all have */
function layOut(
  params: Params,
  rows: Readonly<Record<string, number>>,
  visit: (name: string, param: Scalar | Table, at: number) => void,
): number {
  let at = 0;
  for (const [name, param] of Object.entries(params)) {
    if (isTable(param)) {
      if (rows[name] === 0) continue;
      at = Math.ceil(at / ROW) * ROW;
      visit(name, param, at);
      at += ROW * rows[name];
    } else visit(name, param, at++);
  }
  return Math.ceil(at / ROW) * ROW;
}

/** 32-bit words of the uniform buffer that holds `values`. */
export function paramWords(params: Params, values: AnyValues): number[] {
  const rows = tableRows(params, values), words: number[] = [];
  const length = layOut(params, rows, (name, param, at) => {
    const value = values[name];
    if (isTable(param)) {
      (value as readonly Readonly<Record<string, number>>[]).forEach((row, r) =>
        Object.keys(param.fields).forEach((field, f) => words[at + ROW * r + f] = row[field])
      );
    } else words[at] = value as number;
  });
  return Array.from({ length }, (_, i) => words[i] ?? 0);
}

/** How many rows the tables of these values have. */
export function tableRows(params: Params, values: AnyValues): Record<string, number> {
  const tables = Object.entries(params).filter(([, param]) => isTable(param));
  return Object.fromEntries(tables.map(([name]) => [name, (values[name] as readonly unknown[]).length]));
}

/** Whether a variant has parameters: tables without rows are none. */
export const hasParams = (params: Params, rows: Readonly<Record<string, number>>): boolean =>
  Object.keys(params).some((name) => rows[name] !== 0);

/** WGSL of `struct Params` and its tables; empty without parameters. */
function paramsText(params: Params, rows: Readonly<Record<string, number>>): string[] {
  const structs: string[] = [], members: string[] = [];
  layOut(params, rows, (name, param) => {
    if (!isTable(param)) return members.push(`${name}: ${param}`);
    const row = `Row_${name}`, fields = Object.entries(param.fields), last = fields.length - 1;
    // naga sees alignment in the members of a struct only where it says its size.
    const sized = fields.map(([field, type], f) =>
      `${f === last ? `@size(${4 * (ROW - last)}) ` : ""}${field}: ${type}`
    );
    structs.push(`struct ${row} { ${sized.join(", ")} }`);
    members.push(`@align(16) ${name}: array<${row}, ${rows[name]}>`);
  });
  return members.length === 0 ? [] : [...structs, `struct Params { ${members.join(", ")} }`];
}

/** The generated text around a variant's own: in front of it, and behind it what of that it uses. */
export interface Wrapping {
  readonly before: readonly string[];
  readonly after: readonly string[];
  /** What `main` starts with. */
  readonly start?: string;
}

/** Generates it for a variant that uses the words `used` and stores the arrays `bf16` so. */
export function wrapping(
  { params }: Kernel,
  { arrays, rows }: KernelInterface,
  bf16: ReadonlySet<string>,
  words64: boolean,
  used: ReadonlySet<string>,
): Wrapping {
  const structs = paramsText(params, rows), bindings: string[] = [], after: string[] = [];
  const bind = (space: string, name: string, type: string) =>
    bindings.push(`@group(0) @binding(${bindings.length}) var<${space}> ${name}: ${type};`);
  for (const array of arrays) {
    const { name, access, uniform, fields } = array;
    if (fields) {
      structs.push(`struct Record_${name} { ${fields.map((field) => `${field}: f32`).join(", ")} }`);
      bind("uniform", name, `Record_${name}`);
      continue;
    }
    const { type, load, store } = accessors({ ...array, bf16: bf16.has(name) }, words64);
    bind(uniform !== undefined ? "uniform" : `storage, ${access === "read" ? "read" : "read_write"}`, name, type);
    if (used.has(`load_${name}`)) after.push(load);
    if (used.has(`store_${name}`)) after.push(store);
  }
  if (hasParams(params, rows)) bind("uniform", "params", "Params");
  const before = [...structs, ...bindings], first = arrays.find(({ uniform }) => uniform === undefined);
  if (!first || !after.some((text) => text.includes(ALL_ONES))) return { before, after };
  return {
    before,
    after: [...after, `var<private> ${ALL_ONES}: u32;`],
    start: `${ALL_ONES} = select(0u, 0xffffffffu, arrayLength(&${first.name}) > 0);`,
  };
}

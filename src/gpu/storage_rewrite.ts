/**
 * How the arrays of a shader are stored. Kernels are written for `array<vec4f>`; here the text of a variant is rewritten:
 *
 * - Image tensors at half the size, two bfloat16 in a word: unpacked on load, rounded on store. Sums, products and
 *   everything else stay 32-bit. No extension is needed. bfloat16 and not binary16: a gradient needs no loss scaling,
 *   and a store costs half as much on llvmpipe.
 * - On adapters with 64-bit integers, words in pairs: llvmpipe moves every component of every lane by itself, 64 bits as
 *   fast as 32. The values are the same. Nor do the minima change anything that indices and words of bfloat16 are taken
 *   of there: LLVM computes what leads to an index or a word again in each lane's turn, unless a minimum is the end of it.
 * @module
 */

const DECLARATION = /@binding\((\d+)\)\s*var<storage,\s*(?:read|read_write)>\s*(\w+):\s*array<(\w+)>;/g;

/** How the elements of an array are stored. */
interface Form {
  /** Type of the array. */
  readonly array: string;
  /** Ending of the names of the functions that convert. */
  readonly name: string;
  /** The function `load_`. */
  readonly load: string;
  /** The function `store_`, where elements can be stored. */
  readonly store?: string;
}

/** bf16 read by single elements: `load_` takes the word and the element's index. */
const SCALAR: Form = {
  array: "array<u32>",
  name: "bf16_f32",
  load: `
fn load_bf16_f32(pair: u32, i: u32) -> f32 { return bitcast<f32>((pair << (16 * (1 - i % 2))) & 0xffff0000); }`,
};

/** More than any index, as no buffer is that long: what is known of an index then spares llvmpipe two shifts. */
const LARGEST_INDEX = "0x0fffffff";
/** All ones, which LLVM cannot tell, since it would take an empty array to be something else. Set when a shader starts. */
const ALL_ONES = "all_ones";

/** Four elements of type `vector` (vec4f or vec4i) as bf16, whose `words` are two, or as they are, four. */
function vectorForm(vector: string, bf16: boolean, words64: boolean): Form {
  const name = `${bf16 ? "bf16" : "pairs"}_${vector}`;
  const [stored, count] = words64 ? [bf16 ? "u64" : "vec2<u64>", bf16 ? 1 : 2] : ["vec2u", 1];
  const pair = (i: number) => count === 1 ? "stored" : `stored.${"xy"[i]}`;
  const halves = (i: number) => words64 ? `vec2u(u32(${pair(i)}), u32(${pair(i)} >> 32))` : pair(i);
  const joined = (low: string, high: string) => words64 ? `u64(${low}) | (u64(${high}) << 32)` : `${low}, ${high}`;
  const packed = (a: string, b: string) => {
    const word = `(${a} >> 16) | (${b} & 0xffff0000)`;
    return words64 ? `min(${word}, ${ALL_ONES})` : `(${word})`;
  };
  const [load, store] = bf16
    ? [
      `let w = ${halves(0)};
  return bitcast<${vector}>(vec4u(w.x << 16, w.x & 0xffff0000, w.y << 16, w.y & 0xffff0000));`,
      `let positive = bitcast<vec4u>(min(bitcast<vec4i>(v), vec4i(0x7fff7fff))); // rounding up must not overflow: a quiet
  let u = min(positive, vec4u(0xffff7fff)) + 0x8000; // NaN stays one, whatever its bits and sign
  return ${stored}(${joined(packed("u.x", "u.y"), packed("u.z", "u.w"))});`,
    ]
    : [
      `return bitcast<${vector}>(vec4u(${halves(0)}, ${halves(1)}));`,
      `let w = bitcast<vec4u>(v);
  return ${stored}(${joined("w.x", "w.y")}, ${joined("w.z", "w.w")});`,
    ];
  return {
    array: `array<${stored}>`,
    name,
    load: `\nfn load_${name}(stored: ${stored}) -> ${vector} {\n  ${load}\n}`,
    store: `\nfn store_${name}(v: ${vector}) -> ${stored} {\n  ${store}\n}`,
  };
}

/** Two f32 as one word of 64 bits. */
const PAIR: Form = {
  array: "array<u64>",
  name: "pair",
  load: `
fn load_pair(stored: u64) -> vec2f { return bitcast<vec2f>(vec2u(u32(stored), u32(stored >> 32))); }`,
  store: `
fn store_pair(v: vec2f) -> u64 { let w = bitcast<vec2u>(v); return u64(w.x) | (u64(w.y) << 32); }`,
};

/** Position after the bracket that closes the one at `open`. */
function closing(text: string, open: number): number {
  for (let at = open, depth = 0; at < text.length; at++) {
    if (text[at] === "[" || text[at] === "(") depth++;
    else if ((text[at] === "]" || text[at] === ")") && --depth === 0) return at + 1;
  }
  throw new SyntaxError("Unclosed bracket in shader");
}

/** Says that an array cannot be stored in a form, since the shader stores parts of its elements. */
class PartlyStored extends Error {
  constructor(readonly array: string) {
    super(`Cannot store '${array}' as bf16: assign whole vectors to its elements`);
  }
}

/** `text` with every load and store of the arrays in `forms` converted; `use` finds where one is indexed. */
function convert(text: string, forms: ReadonlyMap<string, Form>, use: RegExp, words64: boolean): string {
  let out = "", from = 0;
  use.lastIndex = 0;
  for (let match = use.exec(text); match; match = use.exec(text)) {
    const name = match[1], form = forms.get(name)!;
    const open = match.index + match[0].length - 1, end = closing(text, open);
    const element = (index: string) => `${name}[${words64 ? `min(u32(${index}), ${LARGEST_INDEX})` : index}]`;
    const index = convert(text.slice(open + 1, end - 1), forms, use, words64);
    STORE.lastIndex = end;
    const assigned = STORE.exec(text);
    if (assigned && (assigned[1] || assigned[2] || form === SCALAR)) throw new PartlyStored(name);
    out += text.slice(from, match.index);
    from = end;
    if (assigned) {
      const start = end + assigned[0].length;
      from = text.indexOf(";", start);
      const value = convert(text.slice(start, from).trim(), forms, use, words64);
      out += `${element(index)} = store_${form.name}(${value})`;
    } else if (form === SCALAR) out += `load_${form.name}(${element(`u32(${index}) / 2`)}, u32(${index}))`;
    else out += `load_${form.name}(${element(index)})`;
    use.lastIndex = from;
  }
  return out + text.slice(from);
}

/** What follows the closing bracket of an element that is assigned to, whole or (with a match in brackets) not. */
const STORE = /\s*(\.\w+\s*|\[[^\]]*\]\s*)?([-+*/]?)=(?!=)/y;

/**
 * `code` (an expanded shader, which has no comments) with the images at the bindings `bf16` stored so, and with words in
 * pairs (`words64`) wherever elements of two or four are loaded and stored whole.
 * @throws {SyntaxError} unless each image is an array of vec4f or vec4i whose elements are stored whole, or one of f32
 * that is only read.
 */
export function storeArrays(code: string, bf16: readonly number[], words64: boolean): string {
  if (bf16.length === 0 && !words64) return code;
  const forms = new Map<string, Form>(), half = new Set<string>();
  let first: string | undefined;
  for (const [, binding, name, type] of code.matchAll(DECLARATION)) {
    const vector = type === "vec4f" || type === "vec4i";
    first ??= name;
    if (bf16.includes(Number(binding))) {
      if (!vector && type !== "f32") {
        throw new SyntaxError(`Cannot store '${name}' as bf16: it is an array of ${type}`);
      }
      half.add(name);
      forms.set(name, vector ? vectorForm(type, true, words64) : SCALAR);
    } else if (words64 && type === "vec2f") forms.set(name, PAIR);
    else if (words64 && vector) forms.set(name, vectorForm(type, false, true));
  }
  if (half.size !== bf16.length) {
    throw new SyntaxError(`Cannot store bindings ${bf16.join(", ")} as bf16: not all of them are arrays`);
  }
  let text: string | undefined;
  while (text === undefined) {
    if (forms.size === 0) return code;
    try {
      const use = new RegExp(`(?<![\\w.])(${[...forms.keys()].join("|")})\\s*\\[`, "g");
      text = convert(code, forms, use, words64);
    } catch (error) {
      if (!(error instanceof PartlyStored)) throw error;
      if (half.has(error.array)) throw new SyntaxError(error.message);
      forms.delete(error.array);
    }
  }
  text = text.replaceAll(DECLARATION, (line, _, name, type) => {
    return forms.has(name) ? line.replace(`array<${type}>`, forms.get(name)!.array) : line;
  });
  const functions = new Set<string>();
  for (const { name, load, store } of forms.values()) {
    if (text.includes(`load_${name}(`)) functions.add(load);
    if (text.includes(`store_${name}(`)) functions.add(store!);
  }
  text += [...functions].join("");
  if (!text.includes(ALL_ONES)) return text;
  const start = `${ALL_ONES} = select(0u, 0xffffffffu, arrayLength(&${first}) > 0);`;
  return text.replace(/\bfn main\([^{]*\{/, (line) => `${line} ${start}`) + `\nvar<private> ${ALL_ONES}: u32;\n`;
}

/**
 * How the arrays of a shader are stored, and the WGSL functions `load_NAME` and `store_NAME` that shaders read and write
 * them by. Which form an array has depends on the variant and the adapter, and a shader does not see it:
 *
 * - Images at half the size, two bfloat16 in a word: unpacked on load, rounded on store. Sums, products and everything
 *   else stay 32-bit. No extension is needed. bfloat16 and not binary16: a gradient needs no loss scaling, and a store
 *   costs half as much on llvmpipe.
 * - On adapters with 64-bit integers, words in pairs: llvmpipe moves every component of every lane by itself, 64 bits as
 *   fast as 32. The values are the same. Nor do the minima change anything that indices and words of bfloat16 are taken
 *   of there: LLVM computes what leads to an index or a word again in each lane's turn, unless a minimum is the end of it.
 * @module
 */

/** Type of an array's elements as shaders see them. */
export type Element = "f32" | "i32" | "u32" | "vec2f" | "vec4f" | "vec4i" | "vec4u";

/** An array that a shader reads or writes. */
export interface StoredArray {
  /** Its name in the shader. */
  readonly name: string;
  /** Type of its elements. */
  readonly element: Element;
  /** Whether it is stored as bfloat16. */
  readonly bf16: boolean;
  /** Bytes of the uniform range that it is; absent: a storage buffer. */
  readonly uniform?: number;
}

/** An array's type in WGSL, and its functions where it has them. */
export interface Accessors {
  /** For example `array<vec2u>`. */
  readonly type: string;
  /** The function `load_NAME(i: u32)`. */
  readonly load: string;
  /** The function `store_NAME(i: u32, v)`. */
  readonly store: string;
}

/**
 * Whether arrays of these elements are read and written by functions, as those are that some variant or adapter stores in
 * another form. All others are plain arrays: shaders index them.
 */
export const isAccessed = (element: Element, mayBeBf16: boolean): boolean =>
  mayBeBf16 || element === "vec2f" || element === "vec4f" || element === "vec4i";

/** More than any index, as no buffer is that long: what is known of an index then spares llvmpipe two shifts. */
const LARGEST_INDEX = "0x0fffffff";
/** All ones, which LLVM cannot tell, since it would take an empty array to be something else. Set when `main` starts. */
export const ALL_ONES = "all_ones";

/** How elements become what is stored, and back: bodies of functions of `stored` and of `v`. */
interface Form {
  readonly stored: string;
  readonly load: string;
  readonly store: string;
}

/** Four elements of type `vector` (vec4f or vec4i) as bf16, whose `words` are two, or as they are, four. */
function vectorForm(vector: Element, bf16: boolean, words64: boolean): Form {
  const [stored, count] = words64 ? [bf16 ? "u64" : "vec2<u64>", bf16 ? 1 : 2] : ["vec2u", 1];
  const pair = (i: number) => count === 1 ? "stored" : `stored.${"xy"[i]}`;
  const halves = (i: number) => words64 ? `vec2u(u32(${pair(i)}), u32(${pair(i)} >> 32))` : pair(i);
  const joined = (low: string, high: string) => words64 ? `u64(${low}) | (u64(${high}) << 32)` : `${low}, ${high}`;
  const packed = (a: string, b: string) => {
    const word = `(${a} >> 16) | (${b} & 0xffff0000)`;
    return words64 ? `min(${word}, ${ALL_ONES})` : `(${word})`;
  };
  if (!bf16) {
    return {
      stored,
      load: `return bitcast<${vector}>(vec4u(${halves(0)}, ${halves(1)}));`,
      store: `let w = bitcast<vec4u>(v);
  let packed = ${stored}(${joined("w.x", "w.y")}, ${joined("w.z", "w.w")});`,
    };
  }
  return {
    stored,
    load: `let w = ${halves(0)};
  return bitcast<${vector}>(vec4u(w.x << 16, w.x & 0xffff0000, w.y << 16, w.y & 0xffff0000));`,
    store:
      `let positive = bitcast<vec4u>(min(bitcast<vec4i>(v), vec4i(0x7fff7fff))); // rounding up must not overflow: a quiet
  let u = min(positive, vec4u(0xffff7fff)) + 0x8000; // NaN stays one, whatever its bits and sign
  let packed = ${stored}(${joined(packed("u.x", "u.y"), packed("u.z", "u.w"))});`,
  };
}

/** Two f32 as one word of 64 bits. */
const PAIR: Form = {
  stored: "u64",
  load: "return bitcast<vec2f>(vec2u(u32(stored), u32(stored >> 32)));",
  store: "let w = bitcast<vec2u>(v);\n  let packed = u64(w.x) | (u64(w.y) << 32);",
};

/** bf16 read by single elements: the word of two, of which the index tells which one is meant. */
const SINGLE: Form = {
  stored: "u32",
  load: "return bitcast<f32>((stored << (16 * (1 - i % 2))) & 0xffff0000);",
  store: "",
};

const PLAIN: Omit<Form, "stored"> = { load: "return stored;", store: "let packed = v;" };

function formOf({ element, bf16, uniform }: StoredArray, words64: boolean): Form {
  const plain = { stored: element, ...PLAIN };
  if (uniform !== undefined) return plain;
  if (bf16 && element === "f32") return SINGLE;
  if (element === "vec4f" || element === "vec4i") {
    return bf16 || words64 ? vectorForm(element, bf16, words64) : plain;
  }
  return element === "vec2f" && words64 ? PAIR : plain;
}

/** The type of an array in this form, and the functions that read and write it. */
export function accessors(array: StoredArray, words64: boolean): Accessors {
  const { name, element, uniform } = array, { stored, load, store } = formOf(array, words64);
  const place = stored === "u32" && array.bf16 ? "i / 2" : "i";
  const at = `${name}[${words64 && uniform === undefined ? `min(${place}, ${LARGEST_INDEX})` : place}]`;
  return {
    type: uniform === undefined ? `array<${stored}>` : `array<${stored}, ${uniform / 16}>`,
    load: `fn load_${name}(i: u32) -> ${element} {\n  let stored = ${at};\n  ${load}\n}`,
    store: `fn store_${name}(i: u32, v: ${element}) {\n  ${store}\n  ${at} = packed;\n}`,
  };
}

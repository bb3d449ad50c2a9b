/**
 * Half-size storage of image tensors: two bfloat16 in a word. Kernels are written for `array<vec4f>`; here the text of a
 * variant is rewritten so that the chosen bindings are `array<vec2u>`, unpacked on load and rounded on store. Sums,
 * products and everything else stay 32-bit. No extension is needed.
 *
 * bfloat16 and not binary16: a gradient needs no loss scaling, and a store costs half as much on llvmpipe.
 * @module
 */

const DECLARATION = /@binding\((\d+)\)\s*var<storage,\s*(?:read|read_write)>\s*(\w+):\s*array<(\w+)>;/g;
/** By element type: the array that stores bf16, and the functions that convert. Scalars are only read. */
const STORAGE: Readonly<Record<string, { array: string; functions: string }>> = {
  f32: {
    array: "array<u32>",
    functions: `
fn unpack_bf16_f32(pair: u32, i: u32) -> f32 { return bitcast<f32>((pair << (16 * (1 - i % 2))) & 0xffff0000); }`,
  },
  vec4f: { array: "array<vec2u>", functions: vectorFunctions("vec4f") },
  vec4i: { array: "array<vec2u>", functions: vectorFunctions("vec4i") },
};

function vectorFunctions(vector: string): string {
  return `
fn unpack_bf16_${vector}(p: vec2u) -> ${vector} {
  return bitcast<${vector}>(vec4u(p.x << 16, p.x & 0xffff0000, p.y << 16, p.y & 0xffff0000));
}
fn pack_bf16_${vector}(v: ${vector}) -> vec2u {
  let bits = bitcast<vec4u>(v);
  let nan = (bits & vec4u(0x7fffffff)) > vec4u(0x7f800000); // stays one, whatever its bits
  let u = select(bits + 0x8000, bits | vec4u(0x400000), nan);
  return vec2u((u.x >> 16) | (u.y & 0xffff0000), (u.z >> 16) | (u.w & 0xffff0000));
}`;
}

/** Position after the bracket that closes the one at `open`. */
function closing(text: string, open: number): number {
  for (let at = open, depth = 0; at < text.length; at++) {
    if (text[at] === "[" || text[at] === "(") depth++;
    else if ((text[at] === "]" || text[at] === ")") && --depth === 0) return at + 1;
  }
  throw new SyntaxError("Unclosed bracket in shader");
}

/** `text` with every load and store of the array `name` of `type` converted. */
function convert(text: string, name: string, type: string): string {
  const use = new RegExp(`(?<![\\w.])${name}\\s*\\[`, "g");
  let out = "", from = 0;
  for (let match = use.exec(text); match; match = use.exec(text)) {
    const open = match.index + match[0].length - 1, end = closing(text, open), rest = text.slice(end);
    const index = convert(text.slice(open + 1, end - 1), name, type), assigned = /^\s*=(?!=)/.exec(rest);
    if (/^\s*[-+*/]=/.test(rest) || (assigned && type === "f32")) {
      throw new SyntaxError(`Cannot store '${name}' as bf16: assign whole vectors to its elements`);
    }
    out += text.slice(from, match.index);
    from = end;
    if (assigned) {
      const value = end + assigned[0].length;
      from = text.indexOf(";", value);
      out += `${name}[${index}] = pack_bf16_${type}(${convert(text.slice(value, from).trim(), name, type)})`;
    } else if (type === "f32") out += `unpack_bf16_f32(${name}[u32(${index}) / 2], u32(${index}))`;
    else out += `unpack_bf16_${type}(${name}[${index}])`;
    use.lastIndex = from;
  }
  return out + text.slice(from);
}

/**
 * `code` (an expanded shader) with the images at `bindings` stored as bf16.
 * @throws {SyntaxError} unless each of them is an array of vec4f or vec4i, or one of f32 that is only read.
 */
export function storeAsBf16(code: string, bindings: readonly number[]): string {
  if (bindings.length === 0) return code;
  const arrays: { name: string; type: string }[] = [];
  let text = code.replaceAll(/\/\/.*/g, "").replaceAll(DECLARATION, (line, binding, name, type) => {
    if (!bindings.includes(Number(binding))) return line;
    if (!STORAGE[type]) throw new SyntaxError(`Cannot store '${name}' as bf16: it is an array of ${type}`);
    arrays.push({ name, type });
    return line.replace(`array<${type}>`, STORAGE[type].array);
  });
  if (arrays.length !== bindings.length) {
    throw new SyntaxError(`Cannot store bindings ${bindings.join(", ")} as bf16: not all of them are arrays`);
  }
  for (const { name, type } of arrays) text = convert(text, name, type);
  return text + [...new Set(arrays.map((a) => a.type))].map((type) => STORAGE[type].functions).join("");
}

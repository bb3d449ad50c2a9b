/** How the text of a shader is rewritten; what it computes then is tested with every operation. */
import assert from "node:assert/strict";
import { storeArrays } from "./storage_rewrite.ts";

const shader = (body: string) =>
  `@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(2) var<storage, read> i: array<u32>;
fn main() { ${body} }`;
const body = (code: string) => /fn main\(\) \{ (.*) \}/.exec(code)![1];
const types = (code: string) => [...code.matchAll(/> \w+: (.*);/g)].map(([, type]) => type);

Deno.test("without bf16 and 64-bit words a shader stays as it is", () => {
  const code = shader("y[0] = x[1]; // as written");
  assert.equal(storeArrays(code, [], false), code);
});

Deno.test("images are stored as bf16, loads within indices and values included", () => {
  const code = storeArrays(shader("y[i[0]] = x[u32(y[2].x)] * 2;"), [0, 1], false);
  assert.deepEqual(types(code), ["array<vec2u>", "array<vec2u>", "array<u32>"]);
  assert.equal(
    body(code),
    "y[i[0]] = store_bf16_vec4f(load_bf16_vec4f(x[u32(load_bf16_vec4f(y[2]).x)]) * 2);",
  );
});

Deno.test("with 64-bit integers words are stored in pairs, those of bf16 as well", () => {
  const code = storeArrays(shader("y[1] = x[0];"), [0], true);
  assert.deepEqual(types(code), ["array<u64>", "array<vec2<u64>>", "array<u32>"]);
  assert.equal(
    body(code),
    "y[min(u32(1), 0x0fffffff)] = store_pairs_vec4f(load_bf16_vec4f(x[min(u32(0), 0x0fffffff)]));",
  );
});

Deno.test("elements of two are one word of 64 bits", () => {
  const code = shader("y[1] = x[0];").replaceAll("vec4f", "vec2f"), pairs = storeArrays(code, [], true);
  assert.deepEqual(types(pairs), ["array<u64>", "array<u64>", "array<u32>"]);
  assert.equal(body(pairs), "y[min(u32(1), 0x0fffffff)] = store_pair(load_pair(x[min(u32(0), 0x0fffffff)]));");
  assert.throws(() => storeArrays(code, [0], true), /Cannot store 'x' as bf16: it is an array of vec2f/);
});

Deno.test("words of bf16 that are stored in pairs end in a minimum with ones that the shader starts with", () => {
  const code = storeArrays(shader("y[1] = x[0];"), [1], true);
  assert.match(
    body(code),
    /^all_ones = select\(0u, 0xffffffffu, arrayLength\(&x\) > 0\); y\[.*\] = store_bf16_vec4f\(/,
  );
  assert.match(code, /fn store_bf16_vec4f(?:.|\n)*min\(.*, all_ones\)(?:.|\n)*var<private> all_ones: u32;/);
});

Deno.test("an array whose elements are not stored whole keeps its words, and cannot be bf16", () => {
  for (const store of ["y[0].x = 1.0;", "y[0][1] = 1.0;", "y[0] += x[1];"]) {
    assert.deepEqual(types(storeArrays(shader(store), [], true)), ["array<vec2<u64>>", "array<vec4f>", "array<u32>"]);
    assert.throws(() => storeArrays(shader(store), [1], true), /Cannot store 'y' as bf16: assign whole vectors/);
  }
  assert.throws(() => storeArrays(shader(""), [2], false), /Cannot store 'i' as bf16: it is an array of u32/);
  assert.throws(
    () => storeArrays(shader(""), [3], false),
    /Cannot store bindings 3 as bf16: not all of them are arrays/,
  );
});

/** The contract of a kernel and its dispatches: names, bindings, parameters, and what is said of errors. */
import assert from "node:assert/strict";
import { openGpu } from "../gpu/device.ts";
import { kernel, list, optional, read, record, table, uniform, write } from "../gpu/kernel.ts";
import { PipelineCache } from "../gpu/pipelines.ts";
import { shaderText } from "../gpu/shader_text.ts";
import type { Constants } from "../gpu/template.ts";
import { as, type Dispatch, dispatch, input, output, scratch, uniformInput } from "./op.ts";

const TEXT = `// Weighted sums.
@compute @workgroup_size(SIZE)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  let i = gid.x;
  if (i >= params.length) { return; }
  var sum = load_x0(i) * scales.first;
#for k in 1..COUNT
  sum += load_x$k(i) * f32(params.weights[$k].numerator) / factors[$k].x;
#endfor
#if BIAS
  sum += bias[i % 4];
#endif
  store_y(i, sum);
}`;
const sums = kernel("sums", TEXT, {
  buffers: {
    x: list(read("vec4f", "bf16")),
    bias: optional(read("f32")),
    factors: uniform("vec4f"),
    scales: record("first", "second"),
    y: write("vec4f", "bf16"),
  },
  params: { length: "u32", weights: table({ numerator: "u32" }) },
});
const buffers = { x: [input(0), input(1)], factors: uniformInput(2, 64), scales: uniformInput(3, 32), y: output(0) };
const params = { length: 7, weights: [{ numerator: 3 }, { numerator: 5 }] };
const workgroups = [1, 1, 1] as const;
const constants = { SIZE: 64, COUNT: 2, BIAS: false };

const textOf = ({ kernel, interface: bound, constants }: Dispatch, bf16: string[] = [], words64 = false): string =>
  shaderText(kernel, bound, constants, new Set(bf16), { words64, enableSubgroups: false }).code;

Deno.test("bindings and struct Params follow the declaration, in its order and without what a variant lacks", () => {
  const plain = textOf(dispatch(sums, { constants, buffers, params, workgroups }));
  assert.deepEqual(plain.split("\n").filter((line) => /^(struct|@group)/.test(line)), [
    "struct Row_weights { @size(16) numerator: u32 }",
    "struct Params { length: u32, @align(16) weights: array<Row_weights, 2> }",
    "struct Record_scales { first: f32, second: f32 }",
    "@group(0) @binding(0) var<storage, read> x0: array<vec4f>;",
    "@group(0) @binding(1) var<storage, read> x1: array<vec4f>;",
    "@group(0) @binding(2) var<uniform> factors: array<vec4f, 4>;",
    "@group(0) @binding(3) var<uniform> scales: Record_scales;",
    "@group(0) @binding(4) var<storage, read_write> y: array<vec4f>;",
    "@group(0) @binding(5) var<uniform> params: Params;",
  ]);
  const more = dispatch(sums, {
    constants: { ...constants, BIAS: true },
    buffers: { ...buffers, bias: scratch(0) },
    params,
    workgroups,
  });
  assert.match(
    textOf(more),
    /@binding\(2\) var<storage, read> bias: array<f32>;\n@group\(0\) @binding\(3\) var<uniform> fac/,
  );
  assert.deepEqual(more.bindings, [
    input(0),
    input(1),
    scratch(0),
    uniformInput(2, 64),
    uniformInput(3, 32),
    output(0),
  ]);
});

Deno.test("parameters are words in the order of the declaration; rows of tables begin at multiples of four", () => {
  assert.deepEqual(dispatch(sums, { constants, buffers, params, workgroups }).params, [
    ...[7, 0, 0, 0],
    ...[3, 0, 0, 0],
    ...[5, 0, 0, 0],
  ]);
  const plain = kernel("plain", "", { buffers: {}, params: { rows: table({ a: "u32" }), size: "i32" } });
  assert.deepEqual(dispatch(plain, { buffers: {}, params: { rows: [], size: -1 }, workgroups }).params, [-1, 0, 0, 0]);
});

Deno.test("arrays are read and written in the form in which a variant stores them", () => {
  const one = dispatch(sums, { constants, buffers, params, workgroups });
  const bf16 = textOf(one, ["x0", "y"]), words = textOf(one, ["y"], true);
  assert.match(bf16, /x0: array<vec2u>;\n.*x1: array<vec4f>;/);
  assert.match(
    bf16,
    /fn load_x0\(i: u32\) -> vec4f \{\n {2}let stored = x0\[i\];\n {2}let w = stored;\n {2}return bitcast/,
  );
  assert.match(bf16, /fn store_y\(i: u32, v: vec4f\) \{[^}]*y\[i\] = packed;\n\}/);
  assert.doesNotMatch(bf16, /all_ones|load_y/);
  assert.match(words, /x0: array<vec2<u64>>;\n(.*\n){3}.*y: array<u64>;/);
  assert.match(words, /y\[min\(i, 0x0fffffff\)\] = packed;/);
  // Words of bf16 that are stored in pairs end in a minimum with ones that the shader starts with.
  assert.match(words, /fn main\(.*\{ all_ones = select\(0u, 0xffffffffu, arrayLength\(&x0\) > 0\);/);
  assert.match(words, /var<private> all_ones: u32;/);
});

Deno.test("elements of one type among several, and single ones stored as bf16", () => {
  const text = "fn main() { store_y(0, load_x(1)); }";
  const several = kernel("several", text, {
    buffers: { x: read(["vec4f", "f32"], "bf16"), y: write(["vec4f", "f32"]) },
  });
  const made = dispatch(several, { buffers: { x: as("f32", input(0)), y: as("f32", output(0)) }, workgroups });
  assert.match(textOf(made, ["x"]), /x: array<u32>;[^]*let stored = x\[i \/ 2\];\n {2}return bitcast<f32>/);
  assert.match(textOf(made), /y: array<f32>;[^]*fn store_y\(i: u32, v: f32\) \{\n {2}let packed = v;/);
  assert.throws(
    () => dispatch(several, { buffers: { x: as("vec2f", input(0)), y: output(0) }, workgroups }),
    /Cannot bind 'x' of kernel 'several' as vec2f: it has vec4f, f32/,
  );
});

Deno.test("a name that is missing, left over or misspelt is a type error, and one at run time where types do not see it", () => {
  const launch = { workgroups }, none = { ...buffers, y: undefined }, extra = { ...buffers, z: input(0) };
  const refused = (what: RegExp, make: () => Dispatch) => assert.throws(make, what);
  // @ts-expect-error: y is undefined
  refused(/Kernel 'sums' needs a buffer 'y'/, () => dispatch(sums, { ...launch, params, buffers: none }));
  // @ts-expect-error: it is called y
  refused(/has no buffer 'Y'/, () => dispatch(sums, { ...launch, params, buffers: { ...buffers, Y: output(0) } }));
  refused(/Kernel 'sums' has no buffer 'z'/, () => dispatch(sums, { ...launch, params, buffers: extra }));
  // @ts-expect-error: length is missing
  refused(/needs a parameter 'length'/, () => dispatch(sums, { ...launch, buffers, params: { weights: [] } }));
  // @ts-expect-error: params are missing
  refused(/needs a parameter 'length'/, () => dispatch(sums, { ...launch, buffers }));
  // @ts-expect-error: it is called length
  refused(/has no parameter 'Length'/, () => dispatch(sums, { ...launch, buffers, params: { ...params, Length: 1 } }));
  // @ts-expect-error: rows have a numerator
  dispatch(sums, { ...launch, buffers, params: { length: 1, weights: [{ nominator: 1 }] } });
  const storage = { ...buffers, factors: input(2) };
  refused(/'factors' .* it is a uniform range/, () => dispatch(sums, { ...launch, params, buffers: storage }));
});

/** What is said of a shader of some lines, whose kernel has x (read), y (written), n and rows. */
function problem(lines: string, constants: Constants = {}, rows = [{ a: 1 }]): string {
  const text = `fn main() {\n${lines}\n}`, declared = { n: "u32", rows: table({ a: "u32" }) } as const;
  const some = kernel("some", text, { buffers: { x: read("vec4f"), y: write("f32") }, params: declared });
  const made = dispatch(some, {
    constants,
    buffers: { x: input(0), y: output(0) },
    params: { n: 1, rows },
    workgroups,
  });
  try {
    textOf(made);
  } catch (error) {
    assert(error instanceof SyntaxError);
    return error.message;
  }
  return "";
}

Deno.test("names that are not used, or used and not declared, are errors with the file, and the line where there is one", () => {
  const good = "y[0] = load_x(params.n).x + f32(params.rows[0].a + N);";
  assert.equal(problem(good, { N: 1 }), "");
  assert.equal(problem(good, { N: 1, M: 2 }), "shaders/some.wgsl: no line of kernel 'some' reads M");
  assert.equal(
    problem("y[0] = load_x(0).x;"),
    "shaders/some.wgsl: no line of kernel 'some' reads params.n, params.rows, params.a",
  );
  assert.equal(
    problem("#if N\ny[0] = load_x(params.n).x + f32(params.rows[0].a);\n#endif", { N: 0 }),
    "shaders/some.wgsl: this variant of kernel 'some' does not use the buffer 'x'",
  );
  const cases: [string, string][] = [
    ["y[0] = load_z(0).x;", "this variant of kernel 'some' binds no buffer 'z'"],
    ["y[0] = x[0].x;", "'x' may be stored in another form: use load_x and store_x"],
    ["store_x(0, vec4f());", "kernel 'some' declares that it only reads 'x'"],
    ["y[0] = f32(params.m);", "kernel 'some' declares no parameter 'm'"],
    ["let a = $(M + 1);", "Unknown name 'M' in shader expression 'M + 1'"],
    ["#if M", "#endif is missing"],
    ["#for i in 0", "this must be '#for NAME in FROM..TO'"],
    ["#what", "this directive is unknown, or begins nowhere"],
    ["let a = $(1 +);", "Something is missing at the end of shader expression '1 +'"],
  ];
  for (const [line, what] of cases) {
    assert.equal(problem(`// first\n${line}\n${good}`, { N: 1 }), `shaders/some.wgsl:3: ${what}\n  ${line}`);
  }
});

Deno.test("what the compiler says names file and line of the shader, not of the expanded text", async () => {
  const gpu = await openGpu();
  try {
    const cache = new PipelineCache(gpu);
    const compiled = async (line: string) => {
      const text = `@compute @workgroup_size(1)\nfn main() {\n#for k in 0..3\n  y[$k] = 1.0;\n#endfor\n  ${line}\n}`;
      const some = kernel("some", text, { buffers: { y: write("f32") } });
      await cache.compile(cache.variant(dispatch(some, { buffers: { y: output(0) }, workgroups }), []), "a test");
    };
    await compiled("y[3] = 2.0;");
    await assert.rejects(
      compiled("y[3] = missing;"),
      /^Error: Cannot compile shader 'some' for a test: shaders\/some\.wgsl:6: .*missing.*\n {2}y\[3\] = missing;$/,
    );
    await assert.rejects(compiled("y[3] = 1u;"), /shaders\/some\.wgsl:6: /);
  } finally {
    gpu.device.destroy();
  }
});

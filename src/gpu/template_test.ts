import assert from "node:assert/strict";
import { type Constants, declarations, evaluate, expandLines } from "./template.ts";

const FILE = "shaders/some.wgsl";
const expand = (text: string, constants: Constants) => expandLines([{ file: FILE, text }], constants);
const lines = (text: string, constants: Constants) => expand(text, constants).map(({ text }) => text.trim());

Deno.test("expressions follow C's precedence; / rounds down and % is never negative", () => {
  const cases: [string, number][] = [
    ["1 + 2 * 3", 7],
    ["(1 + 2) * 3", 9],
    ["7 / 2", 3],
    ["-1 % 4", 3],
    ["-1 / 4", -1],
    ["2 < 3 && 3 <= 3", 1],
    ["!A || B == 5", 1],
    ["A != 1", 0],
    ["B - 2 - 1", 2],
  ];
  for (const [text, value] of cases) assert.equal(evaluate(text, { A: true, B: 5 }), value, text);
});

Deno.test("malformed expressions and directives are refused by name", () => {
  for (const text of ["1 +", "(1", "UNKNOWN", "1 2", "a ? b"]) {
    assert.throws(() => evaluate(text, {}), SyntaxError, text);
  }
  for (const source of ["#if 1", "#for i in 0..2", "#for i 0..2\n#endfor", "#endif", "#what"]) {
    assert.throws(() => expand(source, {}), SyntaxError, source);
  }
});

Deno.test("conditions, loops and substitutions nest", () => {
  const source = `
#for i in 0..N
#if i % 2 == 0
even$i = x[$(i * 2 + 1)];
#else
odd$(i)_ = $(N - i);
#endif
#endfor`;
  assert.deepEqual(lines(source, { N: 3 }), ["even0 = x[1];", "odd1_ = 2;", "even2 = x[5];"]);
});

Deno.test("directives and expressions may name constants by number", () => {
  const source = "#for k in 0..2\n#if NORM$k\nstats$k at $(FIRST + SLOT$k)\n#endif\n#endfor";
  assert.deepEqual(lines(source, { NORM0: false, NORM1: true, SLOT1: 4, FIRST: 10 }), ["stats1 at 14"]);
});

Deno.test("constants are declared with their kind", () => {
  const text = declarations({ A: 3, B: true, EPS: 1e-5, BIG: 1e21 }).join("\n");
  assert.match(text, /const A = 3;/);
  assert.match(text, /const B = true;/);
  assert.match(text, /const EPS = 0\.00001;|const EPS = 1e-5;/);
});

import assert from "node:assert/strict";
import { type Genotype, parseGenotype } from "../space/genotype.ts";
import { DARTS_V2 } from "../space/published.ts";
import { DARTS } from "../space/space.ts";
import { cellSvg, genotypeText } from "./cell_svg.ts";

Deno.test({
  name: "the drawing is one self-contained document, the same bytes each time, made without permissions",
  permissions: "none",
  async fn() {
    const svg = await cellSvg(DARTS_V2);
    assert.equal(svg, await cellSvg(structuredClone(DARTS_V2)));
    assert.match(svg, /^<svg class="idarts-cells"[^>]*>\n<title>[^]*<\/svg>\n$/);
    assert.match(svg, /@media \(prefers-color-scheme:dark\)/);
    assert.doesNotMatch(svg, /<script|href|url\(|@import|<!--| id=/);
    const open = [...svg.matchAll(/<([a-z]+)[^>]*[^/]>/g)].length;
    assert.equal(open, [...svg.matchAll(/<\/[a-z]+>/g)].length);
  },
});

Deno.test("every operation and every output edge is drawn", async () => {
  const svg = await cellSvg(DARTS_V2);
  const count = (pattern: RegExp): number => [...svg.matchAll(pattern)].length;
  assert.equal(count(/class="node state"/g), 2 * 7);
  assert.equal(count(/class="node separable"/g), 5);
  assert.equal(count(/class="node dilated"/g), 1);
  assert.equal(count(/class="node skip"/g), 5);
  assert.equal(count(/class="node pool"/g), 5);
  assert.equal(count(/class="edge output"/g), 8);
  assert.equal(count(/class="edge/g), 2 * (16 + 4));
  assert(svg.includes(">sep conv 3×3<"));
});

Deno.test("other shapes are drawn too: one node, a source read twice, a node that is no output", async () => {
  const choice = (op: string, from: number) => ({ op, from });
  const genotype: Genotype = {
    normal: {
      nodes: [[choice("sep_conv_3x3", 1), choice("skip_connect", 1)]],
      concat: [2],
    },
    reduce: {
      nodes: DARTS.primitives.slice(1).map((op, i) => [choice(op, i), choice(op, i + 1)] as const),
      concat: [8],
    },
  };
  const svg = await cellSvg(genotype);
  assert.equal([...svg.matchAll(/class="edge output"/g)].length, 2);
});

Deno.test("an edge that is cut looks cut, not like an operation", async () => {
  const svg = await cellSvg(parseGenotype("|nor_conv_3x3~0|+|none~0|skip_connect~1|", "cell"));
  const count = (pattern: RegExp): number => [...svg.matchAll(pattern)].length;
  assert.deepEqual([count(/class="node none"/g), count(/class="edge cut"/g), count(/class="edge"/g)], [1, 2, 4]);
  assert.match(svg, /\.cut path\{stroke-dasharray/);
});

Deno.test("the text has a line for each node", () => {
  assert.equal(
    genotypeText({
      ...DARTS_V2,
      reduce: { nodes: DARTS_V2.reduce.nodes.slice(0, 2), concat: [3] },
    }),
    `normal
  2 = sep_conv_3x3(0) + sep_conv_3x3(1)
  3 = sep_conv_3x3(0) + sep_conv_3x3(1)
  4 = sep_conv_3x3(1) + skip_connect(0)
  5 = skip_connect(0) + dil_conv_3x3(2)
  output = concat(2, 3, 4, 5)
reduce
  2 = max_pool_3x3(0) + max_pool_3x3(1)
  3 = skip_connect(2) + max_pool_3x3(1)
  output = concat(3)
`,
  );
});

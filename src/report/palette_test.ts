import assert from "node:assert/strict";
import { parseGenotype } from "../space/genotype.ts";
import { PRIMITIVES } from "../space/primitives.ts";
import { cellSvg } from "./cell_svg.ts";
import { operationLook, paletteVariables } from "./palette.ts";

/** Contrast of two colours (WCAG 2.1). */
function contrast(...colours: readonly [string, string]): number {
  const [a, b] = colours.map((hex) => {
    const [r, g, b] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255)
      .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
  });
  return Math.max(a, b) / Math.min(a, b);
}

Deno.test("palette: no two operations look or read alike, and each stands out from its paper", () => {
  for (const [scheme, card] of [["light", "#ffffff"], ["dark", "#14181d"]] as const) {
    const colours = new Map(paletteVariables(scheme).split(";").map((rule) => rule.split(":") as [string, string]));
    const seen = new Map<string, string>();
    for (const { name } of PRIMITIVES) {
      const { colour } = operationLook(name), hex = colours.get(colour.slice("var(".length, -1));
      assert.ok(hex, `${name} has no colour ${colour}`);
      assert.equal(seen.get(hex), undefined, `${name} has the colour of ${seen.get(hex)}`);
      assert.ok(contrast(hex, card) >= 3, `${name} on ${scheme} paper: ${contrast(hex, card).toFixed(2)}`);
      seen.set(hex, name);
    }
  }
  for (const key of ["label", "title"] as const) {
    assert.equal(new Set(PRIMITIVES.map((primitive) => primitive[key])).size, PRIMITIVES.length, key);
  }
});

Deno.test("palette: what shares a hue differs in its dashes", () => {
  for (const a of PRIMITIVES) {
    for (const b of PRIMITIVES) {
      if (a === b || a.family !== b.family) continue;
      assert.notDeepEqual(operationLook(a.name).dash, operationLook(b.name).dash, `${a.name} and ${b.name}`);
    }
  }
});

Deno.test("palette: noise and the convolutions of NAS-Bench-201 are drawn with labels and hues of their own", async () => {
  const svg = await cellSvg(parseGenotype("|nor_conv_1x1~0|+|nor_conv_3x3~0|noise~1|", "cell"));
  const drawn = [...svg.matchAll(/class="node (?!state)(\w+)"[^]*?>([^<]+)<\/text>/g)].map((
    [, family, text],
  ) => [family, text]);
  assert.deepEqual(drawn, [["convolution", "nor conv 1×1"], ["convolution", "nor conv 3×3"], ["noise", "noise"]]);
  assert.match(svg, /\.noise path\{fill/);
});

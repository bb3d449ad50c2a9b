/**
 * Pictures of a genotype: an SVG with its cells for people and pages, and a few lines of text for terminals.
 * The layout is Graphviz' (wasm, no permissions). Not responsible for writing files.
 * @module
 */
import { type Graph, instance, type Viz } from "@viz-js/viz";
import { CELL_KINDS, type CellKind, skeletonOf, ZERO_PRIMITIVE } from "../space/space.ts";
import type { CellGenotype, Genotype } from "../space/genotype.ts";

/** Fill, line and text colour. */
type Colours = readonly [fill: string, line: string, text: string];

/** A group of operations drawn alike; the first whose pattern matches the name is taken. */
interface Family {
  readonly name: string;
  readonly pattern: RegExp;
  readonly light: Colours;
  readonly dark: Colours;
}

const FAMILIES: readonly Family[] = [
  {
    name: "none",
    pattern: new RegExp(`^${ZERO_PRIMITIVE}$`),
    light: ["#ffffff", "#b9c1cb", "#7a8592"],
    dark: ["#14181d", "#4a545f", "#8c97a5"],
  },
  {
    name: "skip",
    pattern: /^skip/,
    light: ["#eceff3", "#8b96a5", "#3b4653"],
    dark: ["#2b323b", "#7d8997", "#d3dae2"],
  },
  {
    name: "pool",
    pattern: /pool/,
    light: ["#fdeecb", "#cf9217", "#6b4a05"],
    dark: ["#40320f", "#c8932c", "#f7dfa8"],
  },
  {
    name: "separable",
    pattern: /^sep_conv/,
    light: ["#dcecfd", "#3b82c8", "#143f6b"],
    dark: ["#14304c", "#5a9fe0", "#cfe5fb"],
  },
  {
    name: "dilated",
    pattern: /^dil_conv/,
    light: ["#eae2fb", "#8158c9", "#42247c"],
    dark: ["#2f2250", "#a583e6", "#e5dafb"],
  },
  {
    name: "other",
    pattern: /^/,
    light: ["#dff3e6", "#3a9a62", "#16502f"],
    dark: ["#15382a", "#56b981", "#cdf0db"],
  },
];

/** Colours of what is not an operation: background, lines, captions and states. */
const PAGE = {
  light: {
    ground: "#ffffff",
    line: "#6b7684",
    text: "#1f2933",
    state: "#ffffff",
  },
  dark: {
    ground: "#14181d",
    line: "#8c97a5",
    text: "#e6ebf0",
    state: "#1f252c",
  },
} as const;

const FONT = "Helvetica,Arial,sans-serif";

let viz: Promise<Viz> | undefined;

/**
 * Draws the cells, the normal one above. Self-contained, follows the viewer's light or dark scheme; the same
 * genotype gives the same bytes.
 * @returns an SVG document, `<svg ...>...</svg>` with a final line end
 */
export async function cellSvg(genotype: Genotype): Promise<string> {
  viz ??= instance();
  const drawn = (await viz).renderString(graphOf(genotype), { format: "svg" });
  const description = genotypeText(genotype).trim();
  return drawn
    .slice(drawn.indexOf("<svg"))
    .replace(/<!--[^]*?-->\n/g, "")
    .replace(/ id="[^"]*"/g, "")
    .replace(/<title>[^<]*<\/title>\n/g, "")
    .replace(/ xmlns:xlink="[^"]*"| xml:space="[^"]*"/g, "")
    .replace(
      /<svg ([^>]*)>/,
      `<svg class="idarts-cells" role="img" $1>
<title>${kindsIn(genotype).length > 1 ? "Normal and reduction cell" : "Cell"}</title>
<desc>${description}</desc>
<style>
${styleSheet()}
</style>`,
    );
}

/**
 * The genotype as text, a line for each node; node numbers as in genotypes, the cell's inputs coming first.
 * @example The first lines of DARTS' published cell
 * ```ts
 * import { genotypeText } from "./cell_svg.ts";
 * import { DARTS_V2 } from "../space/published.ts";
 * import assert from "node:assert/strict";
 * assert.deepEqual(genotypeText(DARTS_V2).split("\n").slice(0, 2), [
 *   "normal",
 *   "  2 = sep_conv_3x3(0) + sep_conv_3x3(1)",
 * ]);
 * ```
 */
export function genotypeText(genotype: Genotype): string {
  const { inputs, output } = skeletonOf(genotype);
  return kindsIn(genotype).map((kind) => {
    const { nodes, concat } = genotype[kind];
    const texts = nodes.map((choices) => choices.map(({ op, from }) => `${op}(${from})`));
    const width = Math.max(...texts.map(([first, ...more]) => more.length > 0 ? first.length : 0));
    const lines = texts.map(([first, ...more], i) =>
      `  ${i + inputs} = ${[more.length > 0 ? first.padEnd(width) : first, ...more].join(" + ")}\n`
    );
    return `${kind}\n${lines.join("")}  output = ${output === "last" ? concat[0] : `concat(${concat.join(", ")})`}\n`;
  }).join("");
}

/** The kinds of cell that a genotype has. */
const kindsIn = (genotype: Genotype): CellKind[] => CELL_KINDS.filter((kind) => genotype[kind].nodes.length > 0);

/** Graphviz' input: a cluster for each cell; operations are boxes between the states they connect. */
function graphOf(genotype: Genotype): Graph {
  return {
    directed: true,
    graphAttributes: {
      rankdir: "LR",
      nodesep: 0.16,
      ranksep: 0.28,
      pad: 0.15,
      bgcolor: PAGE.light.ground,
      fontname: FONT,
      fontsize: 15,
    },
    nodeAttributes: { fontname: FONT, fontsize: 12, height: 0.3, width: 0.3 },
    edgeAttributes: { arrowsize: 0.6 },
    // Graphviz stacks clusters from the bottom in left-to-right graphs.
    subgraphs: kindsIn(genotype).toReversed().map((kind) =>
      clusterOf(kind, genotype[kind], skeletonOf(genotype).inputs)
    ),
  };
}

function clusterOf(
  kind: CellKind,
  { nodes, concat }: CellGenotype,
  inputs: 1 | 2,
): NonNullable<Graph["subgraphs"]>[number] {
  const state = (index: number): string => `${kind} ${index}`;
  const output = `${kind} output`;
  const caption = (text: string, index: string): { html: string } => ({
    html: `${text}<sub><font point-size="9">${index}</font></sub>`,
  });
  const states = [
    ...["k−2", "k−1"].slice(2 - inputs).map((index, i) => ({ name: state(i), label: caption("c", index) })),
    ...nodes.map((_, i) => ({ name: state(i + inputs), label: String(i + inputs) })),
    { name: output, label: caption("c", "k") },
  ];
  const choices = nodes.flatMap((pair, i) =>
    pair.map((choice, slot) => ({
      ...choice,
      name: `${kind} ${i + inputs} ${slot}`,
      to: state(i + inputs),
    }))
  );
  return {
    name: `cluster_${kind}`,
    graphAttributes: {
      label: inputs === 1 ? "Cell" : kind === "normal" ? "Normal cell" : "Reduction cell",
      labeljust: "l",
      class: "cell",
      penwidth: 0,
      bgcolor: "transparent",
      margin: 8,
    },
    nodes: [
      ...states.map(({ name, label }, i) => ({
        name,
        attributes: {
          label,
          class: "state",
          shape: i < inputs || name === output ? "box" : "circle",
          style: "rounded",
          margin: "0.1,0.04",
        },
      })),
      ...choices.map(({ name, op }) => ({
        name,
        attributes: {
          label: labelOf(op),
          class: familyOf(op),
          shape: "box",
          style: "rounded,filled",
          margin: "0.2,0.04",
        },
      })),
    ],
    edges: [
      ...choices.flatMap(({ name, op, from, to }) => {
        const cut: Record<string, string> = op === ZERO_PRIMITIVE ? { class: "cut" } : {};
        return [
          { tail: state(from), head: name, attributes: { arrowhead: "none", ...cut } },
          { tail: name, head: to, attributes: cut },
        ];
      }),
      ...concat.map((node) => ({
        tail: state(node),
        head: output,
        attributes: { class: "output" },
      })),
    ],
  };
}

/** The name of the group that an operation is drawn with. */
export function familyOf(op: string): string {
  return FAMILIES.find(({ pattern }) => pattern.test(op))!.name;
}

/** `sep_conv_3x3` as a reader would write it: `sep conv 3×3`. */
function labelOf(op: string): string {
  return op.replaceAll("_", " ").replace(/(\d)x(\d)/g, "$1×$2");
}

/** Rules for the light scheme, then those for the dark one; plain CSS 2 so that every converter follows. */
function styleSheet(): string {
  const rules = (scheme: "light" | "dark"): string => {
    const { ground, line, text, state } = PAGE[scheme];
    return [
      rule(".graph>polygon", `fill:${ground}`),
      rule("text", `fill:${text}`),
      rule(".edge path", `stroke:${line}`),
      rule(".edge polygon", `fill:${line};stroke:${line}`),
      rule(".state path", `fill:${state};stroke:${line}`),
      rule(".state ellipse", `fill:${state};stroke:${line}`),
      ...FAMILIES.flatMap(({ name, [scheme]: [fill, stroke, ink] }) => [
        rule(`.${name} path`, `fill:${fill};stroke:${stroke}`),
        rule(`.${name} text`, `fill:${ink}`),
      ]),
    ].join("\n");
  };
  return [
    rules("light"),
    rule(".cell text", "font-weight:bold"),
    rule(".output path", "stroke-dasharray:4 3"),
    rule(".cut path", "stroke-dasharray:1 4"),
    `@media (prefers-color-scheme:dark){\n${rules("dark")}\n}`,
  ].join("\n");
}

/** One CSS rule that applies inside our drawings only, so that it can be put into a page. */
function rule(selector: string, declarations: string): string {
  return `.idarts-cells ${selector}{${declarations}}`;
}

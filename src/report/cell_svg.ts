/**
 * Pictures of a genotype: an SVG with its cells for people and pages, and a few lines of text for terminals.
 * The layout is Graphviz' (wasm, no permissions). Not responsible for writing files.
 * @module
 */
import { type Graph, instance, type Viz } from "@viz-js/viz";
import { CELL_KINDS, type CellKind, skeletonOf, ZERO_PRIMITIVE } from "../space/space.ts";
import type { CellGenotype, Genotype } from "../space/genotype.ts";
import { findPrimitive } from "../space/primitives.ts";
import { FAMILY_BOXES } from "./palette.ts";

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

type Cluster = NonNullable<Graph["subgraphs"]>[number];

/** An operation of a node in a drawing: `name` is its box, `from` and `to` are the states that it connects. */
interface DrawnChoice {
  readonly op: string;
  readonly name: string;
  readonly from: string;
  readonly to: string;
}

function clusterOf(kind: CellKind, { nodes, concat }: CellGenotype, inputs: 1 | 2): Cluster {
  const state = (index: number): string => `${kind} ${index}`, output = `${kind} output`;
  const choices = nodes.flatMap((node, i) =>
    node.map(({ op, from }, slot): DrawnChoice => (
      { op, name: `${kind} ${i + inputs} ${slot}`, from: state(from), to: state(i + inputs) }
    ))
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
      ...["k−2", "k−1"].slice(2 - inputs).map((index, i) => stateBox(state(i), caption("c", index), "box")),
      ...nodes.map((_, i) => stateBox(state(i + inputs), String(i + inputs), "circle")),
      stateBox(output, caption("c", "k"), "box"),
      ...choices.map(operationBox),
    ],
    edges: [
      ...choices.flatMap(operationEdges),
      ...concat.map((node) => ({ tail: state(node), head: output, attributes: { class: "output" } })),
    ],
  };
}

const caption = (text: string, index: string): { html: string } => ({
  html: `${text}<sub><font point-size="9">${index}</font></sub>`,
});

const stateBox = (name: string, label: string | { html: string }, shape: "box" | "circle") => ({
  name,
  attributes: { label, class: "state", shape, style: "rounded", margin: "0.1,0.04" },
});

function operationBox({ name, op }: DrawnChoice) {
  const { title, family } = findPrimitive(op);
  return {
    name,
    attributes: { label: title, class: family, shape: "box", style: "rounded,filled", margin: "0.2,0.04" },
  };
}

/** The two halves of the line on which an operation stands; that of one which outputs zeros is cut. */
function operationEdges({ name, op, from, to }: DrawnChoice) {
  const cut: Record<string, string> = op === ZERO_PRIMITIVE ? { class: "cut" } : {};
  return [
    { tail: from, head: name, attributes: { arrowhead: "none", ...cut } },
    { tail: name, head: to, attributes: cut },
  ];
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
      ...FAMILY_BOXES.flatMap((
        [family, { [scheme]: [fill, stroke, ink] }],
      ) => [rule(`.${family} path`, `fill:${fill};stroke:${stroke}`), rule(`.${family} text`, `fill:${ink}`)]),
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

/**
 * The part of a report about the decision: what each rule picks, the score of every operation, and how far the
 * operations of a node resemble each other.
 * @module
 */
import type { MethodReport, NodeSelection, ScoredCandidate } from "../discretize/choice.ts";
import type { DiscretizationReport, NodeSummary } from "../discretize/discretize.ts";
import { RULES } from "../discretize/registry.ts";
import { findPrimitive, PRIMITIVES } from "../space/primitives.ts";
import { CELL_KINDS, type CellKind, skeletonOf } from "../space/space.ts";
import { areaKeys, figure, type Part, stackedBars } from "./charts.ts";
import { edgeWeightTable } from "./edge_weights.ts";
import { certaintyPart } from "./certainty.ts";
import { type Content, type Html, html, trusted } from "./markup.ts";
import { fixed, lead, narrow, percent } from "./numbers.ts";
import { CLOSE, otherWay, picksTable } from "./picks.ts";
import { type Look, operationLook } from "./palette.ts";
import type { ReportInput } from "./report_input.ts";
import { KIND_NAMES } from "./search_section.ts";
import { dataTable, meter, scroller } from "./tables.ts";

/** Condition numbers from here on stand for a singular matrix. */
const SINGULAR = 1e7;

/** What is said where only the rule of the weights can decide. */
const BLIND =
  "No statistics of the operations' outputs were collected, so only the rule of the mixture's weights applies.";

/** What has to be chosen, and how. */
const TWO_OPERATIONS =
  "The mixture has to be replaced by two operations per node. Each rule scores every operation on every edge into a " +
  "node; the two best ones stay, whatever edges they are on.";
const TWO_EDGES =
  "The mixture has to be replaced by two operations per node. Each rule scores every operation on every edge into a " +
  "node; the best operation of an edge stands for it, and the two best edges stay (perturbation ranks edges by what the " +
  "supernet loses without them).";
const EVERY_EDGE =
  "The mixture has to be replaced by one operation per edge. Each rule scores every operation on every edge, and the " +
  "best one stays. “none” cuts an edge: it adds nothing to the node and is not missed, so its score is 0 by every rule " +
  "but that of the weights.";

/** Parts of the variance listed per node. */
const LARGEST = 4;

/** The section. */
export async function choiceSection({ discretization }: ReportInput): Promise<Html> {
  const { methods, nodes, chosen, options, keep = "edges", images } = discretization;
  const rules = methods.map(({ method }) =>
    html`
      <dt>${method}</dt>
      <dd>${summaryOf(method)}</dd>
    `
  );
  const { everyEdge } = skeletonOf(methods[0].genotype), kinds = kindsOf(methods);
  const basis = images === undefined ? "the images" : `${images} images`, limit = CLOSE * 100;
  return html`
    <section id="choice">
      <h2>Why these operations</h2>
      <p>${everyEdge ? EVERY_EDGE : keep === "edges" ? TWO_EDGES : TWO_OPERATIONS} This run's cell follows
      <strong>${chosen}</strong>; the others are what it would have been.</p>
      <dl class="rules">${rules}</dl>
      <h3>What each rule picks</h3>
      ${picksTable(discretization)}
      <p class="caption">Operation and the node that it reads (${everyEdge
        ? "0 is the cell's input"
        : "0 and 1 are the outputs of the two cells before"}), its score,
      and in small print its lead over the next operation ${keep === "edges"
        ? "on the same edge"
        : "that does not stay"}; <span class="close">≈</span> marks a lead
      below ${discretization.certainty
        ? `twice its noise (${limit}% of the score where that is not known)`
        : `${limit}% of the score`}, where another seed or other images may well decide differently. Scores compare within
      one node and one rule only.</p>
      ${await otherWay(discretization)}
      ${certaintyPart(discretization)}
      <h3>Scores of all operations</h3>
      <p class="caption">Rows are the nodes read, columns the operations. Colour runs from the node's lowest positive score
      to its highest one; red is below zero: the operation works against the node. <span class="pick">Framed</span>:
      picked${everyEdge
        ? ""
        : html`, 1 before 2; <span class="pick other">dotted</span>: picked the other way`}. Rules that decorrelate used ${basis}, scope ${options
        .scope}, shrinkage ${options
        .shrinkage}.</p>
      ${kinds.map((kind, i) => scoreTables(methods, kind, chosen, i === 0))}
      ${edgeTable(discretization)}
      ${nodes
        ? await resemblance(nodes, kinds, skeletonOf(methods[0].genotype).inputs)
        : html`<p class="note">${BLIND}</p>`}
    </section>
  `;
}

/** How much the edges into each node weigh; nothing where they have no weights of their own. */
function edgeTable(discretization: DiscretizationReport): Html | false {
  const found = edgeWeightTable(discretization);
  if (!found) return false;
  const rows = found.rows.map((
    { node, weights },
  ): Content[] => [node, ...weights.map((weight) => weight === undefined ? "·" : fixed(weight))]);
  return html`
    <h3>How much the edges weigh</h3>
    ${dataTable("Weights of the edges", [
      { name: "node" },
      ...found.sources.map((from) => ({ name: `from ${from}`, kind: "num" as const })),
    ], rows)}
    <p class="caption">Softmax of the learnt betas over the edges that enter a node (PC-DARTS): what an edge carries is
    multiplied by its weight, and rule alpha multiplies its scores by it.</p>
  `;
}

type Summaries = Readonly<Record<CellKind, readonly NodeSummary[]>>;

/** The kinds of cell that there are choices for. */
const kindsOf = ([{ genotype }]: readonly MethodReport[]): readonly CellKind[] => skeletonOf(genotype).kinds;

async function resemblance(nodes: Summaries, kinds: readonly CellKind[], inputs: number): Promise<Html> {
  const bars = await Promise.all(kinds.map((kind) => shareBars(nodes[kind], kind, inputs)));
  return html`
    <h3>How much the operations of a node resemble each other</h3>
    ${conditions(nodes, inputs)}
    <p class="caption">Condition number of the correlation matrix of a node's operations: 1 if they have nothing in common,
    large if some nearly follow from others, and then scores without decorrelation count the same thing several times. R²
    is the part of the node's variance that the operations explain, 1 but for rounding. Shares are squared zca scores;
    they add up to R².</p>
    <div class="figures">${bars}</div>
  `;
}

function summaryOf(method: string): string {
  return RULES.find(({ name }) => name === method)?.summary ?? "a rule of its own";
}

/** For each node of a kind the tables of all rules, side by side. */
function scoreTables(methods: readonly MethodReport[], kind: CellKind, chosen: string, open: boolean): Html {
  const { inputs } = skeletonOf(methods[0].genotype);
  const nodes = methods[0].nodes[kind].map(({ node }) => {
    const tables = methods.map((m) =>
      scroller(
        `Scores by ${m.method}, ${kind} node ${node + inputs}`,
        scoreTable(m, kind, node, m.method === chosen),
      )
    );
    return html`
      <h4>Node ${node + inputs}</h4>
      <div class="heats">${tables}</div>
    `;
  });
  const heading = `${KIND_NAMES[kind][0].toUpperCase()}${KIND_NAMES[kind].slice(1)}`;
  const state = open && trusted(` open="open"`);
  return html`<details${state}><summary>${heading}</summary>${nodes}</details>`;
}

function scoreTable(report: MethodReport, kind: CellKind, node: number, chosen: boolean): Html {
  const { scores, choices, edgeMargin } = report.nodes[kind][node], other = report.other?.nodes[kind][node];
  const ranked = !skeletonOf(report.genotype).everyEdge;
  const ops = PRIMITIVES.filter(({ name }) => scores.some(({ op }) => op === name));
  const sources = [...new Set(scores.map(({ from }) => from))];
  const above = scores.map(({ score }) => score).filter((s) => s > 0);
  const low = Math.min(...above), high = Math.max(...above), deepest = Math.max(...scores.map(({ score }) => -score));
  const cell = (found: ScoredCandidate | undefined): Html => {
    if (!found) return html`<td class="none">·</td>`;
    const { score } = found, rank = rankOf(choices, found), elsewhere = other && rankOf(other.choices, found) >= 0;
    const heat = score > 0 ? (high > low ? (score - low) / (high - low) : 1) : deepest > 0 ? -score / deepest : 0;
    const pick = rank >= 0 ? "pick" : elsewhere ? "pick other" : "";
    const names = ["heat", score < 0 ? "below" : "", pick].filter((name) => name !== "").join(" ");
    const order = ranked && rank >= 0 && html`<sup>${rank + 1}</sup>`;
    return html`<td class="${names}" style="--v:${heat.toFixed(2)}">${narrow(score)}${order}</td>`;
  };
  const edges = edgeMargin === null ? "" : `, lead of its second edge over the third ${lead(edgeMargin)}`;
  const columns = ops.map(({ label }) => {
    const [first, ...more] = label.split(" ");
    return html`<th scope="col">${first}${more.map((word) => html`<br />${word}`)}</th>`;
  });
  const rows = sources.map((from) => {
    const cells = ops.map(({ name }) => cell(scores.find((s) => s.from === from && s.op === name)));
    return html`<tr><th scope="row">${from}</th>${cells}</tr>`;
  });
  return html`
    <table class="${chosen ? "scores chosen" : "scores"}">
      <caption><span>${report.method}</span><small>${edges}</small></caption>
      <thead>
        <tr><th scope="col">from</th>${columns}</tr>
      </thead>
      <tbody>${rows}</tbody>
    </table>
  `;
}

/** The place of an operation among the kept ones; -1 where it is none of them. */
function rankOf(choices: NodeSelection["choices"], { edge, op }: ScoredCandidate): number {
  return choices.findIndex((choice) => choice.edge === edge && choice.op === op);
}

/** A row for each node: condition, R^2, what carries it. */
function conditions(nodes: Summaries, inputs: number): Html {
  const text = (value: number): string => value >= SINGULAR ? "singular" : fixed(value, value < 10 ? 1 : 0);
  const rows = CELL_KINDS.flatMap((kind) =>
    nodes[kind].map(({ node, condition, rSquared, shares }): Content[] => {
      const largest = shares.toSorted((a, b) => b.share - a.share).slice(0, LARGEST);
      return [
        `${kind} ${node + inputs}`,
        text(condition.mean),
        text(condition.max),
        meter(Math.log10(Math.max(1, condition.max)) / Math.log10(SINGULAR), "condition number on a logarithmic scale"),
        fixed(rSquared.min, 4),
        shares.filter(({ dead }) => dead > 0).length,
        largest.map(({ op, from, share }, i) => {
          const name = `${findPrimitive(op).label}(${from})`;
          return [i > 0 && ", ", html`<span class="nowrap">${name} ${percent(share)}</span>`];
        }),
      ];
    })
  );
  return dataTable("Condition numbers and shares", [
    { name: "node" },
    { name: "condition, mean", kind: "num" },
    { name: "largest", kind: "num" },
    { name: "1 … 10⁷" },
    { name: "R², least", kind: "num" },
    { name: "constant", kind: "num" },
    { name: "largest shares of the variance", kind: "wide" },
  ], rows);
}

/** Shares of each node's variance, summed over the edges, as bars. */
async function shareBars(nodes: readonly NodeSummary[], kind: CellKind, inputs: number): Promise<Html> {
  const ops = PRIMITIVES.filter(({ name }) => nodes.some(({ shares }) => shares.some(({ op }) => op === name)));
  const looks = new Map<string, Look>(ops.map(({ name, label }) => [label, operationLook(name)]));
  const parts = nodes.flatMap(({ node, shares }) =>
    ops.map(({ name, label }): Part => ({
      bar: `node ${node + inputs}`,
      name: label,
      value: shares.filter(({ op }) => op === name).reduce((sum, { share }) => sum + share, 0),
    }))
  );
  const heading = `Shares of the variance, ${KIND_NAMES[kind]}`;
  const bars = await stackedBars({
    label: `Stacked bars: ${heading}`,
    x: "share of the node's variance",
    format: ".0%",
    parts,
    looks,
  });
  const caption =
    "What makes up each node after its operations are whitened, summed over the edges: broad parts carry the " +
    "node, whether or not a rule picks them.";
  return figure(heading, caption, bars, areaKeys(looks));
}

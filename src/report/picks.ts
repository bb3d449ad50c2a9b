/**
 * What each rule picks, as tables of a report: the run's own way to keep operations, and the other one beside it. Not
 * responsible for how it was chosen.
 * @module
 */
import type { CellsCertainty } from "../discretize/certainty.ts";
import type { NodeSelection, Selection } from "../discretize/choice.ts";
import type { DiscretizationReport } from "../discretize/discretize.ts";
import { otherKeep } from "../discretize/decisions.ts";
import { findPrimitive } from "../space/primitives.ts";
import { CELL_KINDS, type CellKind, type Keep, skeletonOf } from "../space/space.ts";
import { certaintyOf, isClose } from "./certainty.ts";
import { cellSvg } from "./cell_svg.ts";
import { type Content, type Html, html, trusted } from "./markup.ts";
import { fixed, lead } from "./numbers.ts";
import { operationLook } from "./palette.ts";
import { scroller } from "./tables.ts";

/** A lead below this part of the score is marked as close. */
export const CLOSE = 0.05;

/** What a node keeps each way, in words. */
const WAYS: Readonly<Record<Keep, string>> = {
  edges: "the two best edges of a node stay, with one operation each",
  operations: "the two best operations of a node stay, also where both are on one edge",
};

/** The cells of a rule. */
interface Column extends Selection {
  readonly method: string;
  /** How certain each node is, where that is known. */
  readonly certainty?: CellsCertainty["nodes"];
}

/** What a rule keeps, operation by operation. */
function picksOf({ nodes }: Selection): string[] {
  return CELL_KINDS.flatMap((kind) =>
    nodes[kind].flatMap(({ node, choices }) => choices.map(({ edge, op }) => `${kind} ${node} ${edge} ${op}`))
  );
}

/** How many of the operations that `a` keeps `b` keeps too. */
export function sharedPicks(a: Selection, b: Selection): number {
  const kept = new Set(picksOf(b));
  return picksOf(a).filter((pick) => kept.has(pick)).length;
}

/** Nodes that keep two operations of one edge. */
export function doubledNodes({ nodes }: Selection): number {
  const doubled = ({ choices }: NodeSelection): boolean =>
    new Set(choices.map(({ edge }) => edge)).size < choices.length;
  return CELL_KINDS.reduce((sum, kind) => sum + nodes[kind].filter(doubled).length, 0);
}

/** What each rule picks, the run's own way. */
export function picksTable(discretization: DiscretizationReport & { readonly chosen: string }): Html {
  const { methods, chosen } = discretization, reference = methods.find(({ method }) => method === chosen)!;
  const columns = methods.map((each): Column => ({
    ...each,
    certainty: certaintyOf(discretization, each)?.nodes,
  }));
  return table("What each rule picks", columns, chosen, [`as ${chosen}`, (column) => sharedPicks(column, reference)]);
}

/** What each rule picks the other way to keep, and the chosen rule's cells that way; nothing where every edge stays. */
export async function otherWay(
  discretization: DiscretizationReport & { readonly chosen: string },
): Promise<Html | false> {
  const { methods, chosen, keep = "edges" } = discretization;
  const own = new Map(methods.map((each) => [each.method, each]));
  const columns = methods.flatMap(({ method, other }): Column[] =>
    other ? [{ ...other, method, certainty: certaintyOf(discretization, { method })?.other?.nodes }] : []
  );
  const drawn = columns.find(({ method }) => method === chosen);
  if (!drawn) return false;
  const way = otherKeep(keep);
  return html`
    <h3>What each rule picks if ${WAYS[way]}</h3>
    ${table(
      "What each rule picks the other way",
      columns,
      chosen,
      ["as above", (column) => sharedPicks(column, own.get(column.method)!)],
    )}
    <p
      class="caption">The same scores, read the other way: option keep, ${way} instead of ${keep}. The lead is over the
    next operation ${way === "edges" ? "on the same edge" : "that does not stay"}.</p>
    <details><summary>The cells of ${chosen} that way</summary>
    ${scroller(
      "Picture of the cells the other way",
      html`<div class="cells">${trusted(await cellSvg(drawn.genotype))}</div>`,
    )}
    ${scroller("The cells the other way as text", html`<pre>${drawn.text}</pre>`)}
    </details>
  `;
}

/** A row for each node and rank, a column for each rule, then totals. */
function table(
  name: string,
  columns: readonly Column[],
  chosen: string,
  [label, agreement]: readonly [string, (column: Column) => number],
): Html {
  const { inputs } = skeletonOf(columns[0].genotype), all = picksOf(columns[0]).length;
  const mark = ({ method }: Column): Content => method === chosen && "chosen";
  const rows = CELL_KINDS.flatMap((kind) =>
    columns[0].nodes[kind].flatMap(({ node, choices }) =>
      choices.map((_, rank) => {
        const cells = columns.map((c) => html`<td class="${mark(c)}">${pickOf(c, kind, node, rank)}</td>`);
        const head = html`<th scope="rowgroup" rowspan="${choices.length}">${kind} ${node + inputs}</th>`;
        return rank === 0 ? html`<tr class="first">${head}${cells}</tr>` : html`<tr>${cells}</tr>`;
      })
    )
  );
  const total = (name: string, of: (column: Column) => number, most = all): Html => {
    const cells = columns.map((c) => html`<td class="${mark(c)}">${of(c)} of ${most}</td>`);
    return html`<tr class="total"><th scope="row">${name}</th>${cells}</tr>`;
  };
  const nodes = CELL_KINDS.reduce((sum, kind) => sum + columns[0].nodes[kind].length, 0);
  const totals = [
    total("skip-connections", ({ skips }) => skips),
    total("without weights", ({ parameterFree }) => parameterFree),
    ...columns.some((column) => doubledNodes(column) > 0)
      ? [total("nodes with two of one edge", doubledNodes, nodes)]
      : [],
    total(label, agreement),
  ];
  const heads = columns.map((c) => html`<th scope="col" class="${mark(c)}">${c.method}</th>`);
  return scroller(
    name,
    html`
      <table class="picks">
        <thead>
          <tr><th scope="col">node</th>${heads}</tr>
        </thead>
        <tbody>${rows}</tbody>
        <tbody>${totals}</tbody>
      </table>
    `,
  );
}

function pickOf({ nodes, certainty }: Column, kind: CellKind, node: number, rank: number): Content {
  const { op, from, score, margin } = nodes[kind][node].choices[rank];
  const close = isClose(nodes[kind][node], rank, certainty?.[kind][node], CLOSE);
  const ahead = margin === null ? "alone" : lead(margin);
  const operation = html`<span class="op" style="--c:${operationLook(op).colour}">${findPrimitive(op).label}</span>`;
  const details = html`<span class="from">(${from})</span> <span class="score">${fixed(score)}</span>`;
  const mark = html`<span class="close">≈</span>`;
  return [operation, " ", details, " ", html`<small>${ahead}</small>`, close && [" ", mark]];
}

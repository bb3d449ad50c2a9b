/**
 * How certain each rule's choice is, summed up for reports and the terminal, and as a part of a report. Not responsible
 * for how it was found out.
 * @module
 */
import type { CellsCertainty, NodeCertainty, RuleCertainty } from "../discretize/certainty.ts";
import type { MethodReport, NodeSelection, Selection } from "../discretize/choice.ts";
import { decisionName, otherKeep } from "../discretize/decisions.ts";
import type { DiscretizationReport } from "../discretize/discretize.ts";
import { CELL_KINDS, skeletonOf } from "../space/space.ts";
import { type Content, type Html, html } from "./markup.ts";
import { fixed, percent, plural } from "./numbers.ts";
import { dataTable } from "./tables.ts";

/** Share of the samples from which a choice counts as certain. */
const CERTAIN = 0.95;

/** Times its noise below which a lead is marked as close. */
const CLOSE_NOISES = 2;

/** How certain the cells of a rule are, in a few numbers. */
export interface CertaintySummary {
  readonly method: string;
  /** Whether it is of the cells the other way to keep. */
  readonly otherWay: boolean;
  /** Nodes, and those that keep the same operations in {@linkcode CERTAIN} of the samples or more. */
  readonly nodes: number;
  readonly certain: number;
  /** Share of the samples in which a node keeps the same operations, mean over nodes. */
  readonly same: number;
  /** The smallest lead of a node over its noise, median over nodes; null where no node leaves anything out. */
  readonly lead: number | null;
  /** Rank correlation of the two halves, mean over nodes. */
  readonly agreement: number;
  /** Operations that both halves keep, and all that are kept. */
  readonly shared: number;
  readonly kept: number;
}

/** The smallest lead that decides a node, in units of its noise; null where there is no lead. */
function leadOverNoise({ choices, edgeMargin }: NodeSelection, certainty: NodeCertainty): number | null {
  const leads = [
    ...choices.map(({ margin }, i) => [margin, certainty.choices[i].noise] as const),
    [edgeMargin, certainty.edgeNoise] as const,
  ].flatMap(([lead, noise]) => lead === null || noise === null ? [] : [noise > 0 ? lead / noise : Infinity]);
  return leads.length === 0 ? null : Math.min(...leads);
}

function median(values: readonly number[]): number | null {
  const sorted = values.toSorted((a, b) => a - b), middle = (sorted.length - 1) / 2;
  return sorted.length === 0 ? null : (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2;
}

/**
 * For each rule that depends on images how certain its cells are, those of the other way to keep after them; nothing where
 * that is not known.
 */
export function certaintySummaries({ methods, certainty }: DiscretizationReport): CertaintySummary[] {
  const rules = certainty?.rules ?? [], of = (name: string) => methods.find(({ method }) => method === name)!;
  return [
    ...rules.map((rule) => summaryOf(rule.method, false, of(rule.method), rule)),
    ...rules.flatMap(({ method, other }) => other ? [summaryOf(method, true, of(method).other!, other)] : []),
  ];
}

function summaryOf(
  method: string,
  otherWay: boolean,
  cells: Pick<Selection, "nodes">,
  { nodes, shared }: CellsCertainty,
): CertaintySummary {
  const all = CELL_KINDS.flatMap((kind) => nodes[kind]);
  const mean = (of: (node: NodeCertainty) => number): number =>
    all.reduce((sum, node) => sum + of(node), 0) / all.length;
  const leads = CELL_KINDS.flatMap((kind) => nodes[kind].map((node, i) => leadOverNoise(cells.nodes[kind][i], node)));
  return {
    method,
    otherWay,
    nodes: all.length,
    certain: all.filter(({ same }) => same >= CERTAIN).length,
    same: mean(({ same }) => same),
    lead: median(leads.filter((lead) => lead !== null)),
    agreement: mean(({ agreement }) => agreement),
    shared,
    kept: all.reduce((sum, { choices }) => sum + choices.length, 0),
  };
}

/** A lead in units of its noise, for people. */
export function leadText(lead: number | null): string {
  return lead === Infinity ? "∞" : fixed(lead, 1);
}

/** Whether the lead of a kept operation is too small to count on: in units of its noise, or of its score. */
export function isClose(
  { choices }: NodeSelection,
  rank: number,
  certainty: NodeCertainty | undefined,
  part: number,
): boolean {
  const { margin, score } = choices[rank], noise = certainty?.choices[rank].noise;
  return margin !== null && margin < (typeof noise === "number" ? CLOSE_NOISES * noise : part * Math.abs(score));
}

/** How certain the cells of a rule are; undefined where that is not known. */
export function certaintyOf(
  { certainty }: DiscretizationReport,
  { method }: Pick<MethodReport, "method">,
): RuleCertainty | undefined {
  return certainty?.rules.find((each) => each.method === method);
}

/** The part of a report; nothing where it is not known. */
export function certaintyPart(discretization: DiscretizationReport): Html | false {
  const { certainty, methods, keep = "edges" } = discretization, summaries = certaintySummaries(discretization);
  if (!certainty || summaries.length === 0) return false;
  const { inputs } = skeletonOf(methods[0].genotype), [{ nodes }] = certainty.rules;
  const perNode = CELL_KINDS.flatMap((kind) =>
    nodes[kind].map(({ node }, i): Content[] => [
      `${kind} ${node + inputs}`,
      ...certainty.rules.map((rule) => percent(rule.nodes[kind][i].same, 0)),
    ])
  );
  const number = (name: string) => ({ name, kind: "num" as const });
  return html`
    <h3>How certain the choice is</h3>
    ${dataTable(
      "How certain the choice is",
      [
        { name: "rule" },
        number(`nodes alike in ${CERTAIN * 100}% of samples`),
        number("samples alike, mean"),
        number("least lead, in its noise"),
        number("rank correlation of halves"),
        number("kept by both halves"),
      ],
      summaries.map((s) => [
        decisionName({ rule: s.method, keep: s.otherWay ? otherKeep(keep) : keep }),
        `${s.certain} of ${s.nodes}`,
        percent(s.same, 0),
        leadText(s.lead),
        fixed(s.agreement, 2),
        `${s.shared} of ${s.kept}`,
      ]),
    )}
    <p class="caption">The same decision on other images: ${plural(certainty.samples, "sample")} of the ${certainty
      .parts}
    parts of the images, drawn with replacement (bootstrap), and the two halves of the images. A sample is alike at a node
    if the node keeps the same operations. The noise of a lead is its standard deviation over samples; the least lead is
    the smallest one that decides a node, median over nodes. Rank correlation is Spearman's, of the scores of a node's
    operations. Rules that read no such statistics do not depend on the images. Another seed of the search is another
    matter: a study tells how far its cells agree. Names in “.operations” are cells of a node's two best
    operations, whatever edges they are on.</p>
    <details><summary>Samples alike, node by node</summary>
    ${dataTable("Samples alike, node by node", [
      { name: "node" },
      ...certainty.rules.map(({ method }) => number(method)),
    ], perNode)}
    </details>
  `;
}

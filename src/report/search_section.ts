/**
 * The part of a report about the search: its curves over the epochs, each with a sentence on what it means.
 * @module
 */
import type { EpochRecord } from "../search/records.ts";
import { changesOf, settledOf } from "../search/settled.ts";
import { PRIMITIVES } from "../space/primitives.ts";
import { CELL_KINDS, type CellKind, skeletonOf } from "../space/space.ts";
import { figure, type LineChart, lineChart, lineKeys, type Series } from "./charts.ts";
import { type Content, type Html, html } from "./markup.ts";
import { fixed, type Measured, percent } from "./numbers.ts";
import { operationLook, seriesLook, solidLook } from "./palette.ts";
import type { ReportInput } from "./report_input.ts";
import { dataTable } from "./tables.ts";

/** How a report calls the cells of a kind. */
export const KIND_NAMES: Readonly<Record<CellKind, string>> = { normal: "normal cells", reduce: "reduction cells" };

/** A curve: chart, heading and caption; `last` writes the last value of each line into the legend. */
export interface Curve extends Omit<LineChart, "label" | "x"> {
  readonly heading: string;
  readonly caption: Content;
  readonly last?: (value: number) => string;
  /** What the legend says, where that is not every line. */
  readonly keys?: readonly Series[];
}

/** A curve over epochs as a figure. */
export async function curve(c: Curve): Promise<Html> {
  const chart = await lineChart({ ...c, label: `Line chart over epochs: ${c.heading}`, x: "epoch" });
  return figure(c.heading, c.caption, chart, lineKeys(c.keys ?? c.series, c.last));
}

/** A solid line of one measurement over epochs, told apart by the position `index`. */
export function series<T extends { readonly epoch: number }>(
  name: string,
  index: number,
  epochs: readonly T[],
  of: (epoch: T) => Measured,
): Series {
  return { name, look: seriesLook(index), points: epochs.map((e) => [e.epoch, of(e)]) };
}

/** The section, or one sentence where no epoch was recorded. */
export async function searchSection({ epochs, config, discretization }: ReportInput): Promise<Html> {
  const { kinds, inputs } = skeletonOf(discretization.methods[0].genotype);
  const curves = epochs.length === 0 ? [] : [
    ...learningCurves(epochs),
    ...kinds.map((kind) => weightCurve(epochs, kind)),
    entropyCurve(epochs, kinds),
    ...kinds.flatMap((kind) => normCurve(epochs, kind, String(config["node-norm"] ?? "unknown"), inputs)),
    imbalanceCurve(epochs),
    skipCurve(epochs, discretization.methods.reduce((n, m) => Math.max(n, choices(m.nodes)), 0)),
    ...changeCurve(epochs),
  ];
  const { stopped } = discretization;
  const drawn: Html[] = [];
  for (const each of curves) drawn.push(await curve(each));
  const figures = html`<div class="figures">${drawn}</div>`;
  const none = html`<p class="note">No epoch of this search was recorded, so there are no curves.</p>`;
  return html`
    <section id="search">
      <h2>How the search went</h2>
      <p>One large network, the <em>supernet</em>, is trained whose every edge carries all operations at once, mixed by
      weights that are learnt too. Half of the training images train the operations, the other half the mixture.</p>
      ${stopped && html`<p>It ended after epoch ${stopped.epoch} of ${String(config.epochs)}: ${stopped.text}.</p>`}
      ${drawn.length > 0 ? figures : none}
      ${settledTable(epochs)}
    </section>
  `;
}

function choices(nodes: Readonly<Record<CellKind, readonly { readonly choices: readonly unknown[] }[]>>): number {
  return CELL_KINDS.flatMap((kind) => nodes[kind].flatMap((node) => node.choices)).length;
}

/** Loss, accuracy and learning rate of the supernet. */
export function learningCurves(epochs: readonly EpochRecord[]): Curve[] {
  const names = ["operations' half", "mixture's half", "evaluated"];
  return [
    {
      heading: "Loss",
      caption:
        "Cross-entropy of the supernet while its operations and its mixture are trained, and evaluated after each " +
        "epoch on images of the mixture's half, with the running statistics of batch normalisation (which need many " +
        "steps to settle).",
      format: ".2f",
      last: (v) => fixed(v),
      series: [
        series(names[0], 0, epochs, (e) => e.trainLoss),
        series(names[1], 1, epochs, (e) => e.valLoss),
        series(names[2], 2, epochs, (e) => e.evalLoss),
      ],
    },
    {
      heading: "Accuracy",
      caption:
        "Share of images that the supernet gets right: a sign that it learns, not the accuracy of the found cell, " +
        "which has to be trained from scratch.",
      format: ".0%",
      last: (v) => percent(v),
      series: [
        series(names[0], 0, epochs, (e) => e.trainAccuracy),
        series(names[1], 1, epochs, (e) => e.valAccuracy),
        series(names[2], 2, epochs, (e) => e.evalAccuracy),
      ],
    },
    {
      heading: "Learning rate",
      caption: "Step size for the weights of the operations; that of the mixture stays constant.",
      format: "~g",
      zero: true,
      last: (v) => String(Number(v.toPrecision(3))),
      series: [series("weights", 0, epochs, (e) => e.weightLr)],
    },
  ];
}

/** The mixture of the cells of a kind. */
export function weightCurve(epochs: readonly EpochRecord[], kind: CellKind): Curve {
  const known = new Set(epochs.flatMap((e) => Object.keys(e.meanWeights[kind])));
  const ops = PRIMITIVES.filter(({ name }) => known.has(name));
  return {
    heading: `Mixture, ${KIND_NAMES[kind]}`,
    caption:
      "Softmax weight of each operation (from the learnt alphas), mean over all edges: lines that part from the thin " +
      "dotted one are operations that the search comes to like or dislike.",
    format: ".3f",
    last: (v) => fixed(v),
    series: [
      ...ops.map(({ name, label }): Series => ({
        name: label,
        look: operationLook(name),
        points: epochs.map((e) => [e.epoch, e.meanWeights[kind][name]]),
      })),
      {
        name: "uniform",
        look: { colour: "var(--muted)", dash: [1, 3] },
        points: epochs.map((e) => [e.epoch, 1 / ops.length]),
        reference: true,
      },
    ],
  };
}

function entropyCurve(epochs: readonly EpochRecord[], kinds: readonly CellKind[]): Curve {
  return {
    heading: "How undecided the mixture is",
    caption:
      "Entropy of the mixture relative to a uniform one, mean over edges: 1 means that all operations weigh the " +
      "same, 0 that one has all the weight.",
    format: "~g",
    last: (v) => fixed(v, 4),
    series: kinds.map((kind, i) => series(KIND_NAMES[kind], i, epochs, (e) => e.alphaEntropy[kind])),
  };
}

function normCurve(epochs: readonly EpochRecord[], kind: CellKind, norm: string, inputs: number): Curve[] {
  const nodes = [...new Set(epochs.flatMap((e) => e.nodes.filter((n) => n.kind === kind).map((n) => n.node)))]
    .sort((a, b) => a - b);
  if (nodes.length === 0) return [];
  const mean = (e: EpochRecord, node: number, of: "before" | "after"): number => {
    const found = e.nodes.filter((n) => n.kind === kind && n.node === node);
    return found.reduce((sum, n) => sum + n[of], 0) / found.length;
  };
  const line = (node: number, i: number, of: "before" | "after"): Series => ({
    name: `node ${node + inputs}${of === "before" ? "" : " after normalisation"}`,
    look: of === "before" ? solidLook(i) : { ...solidLook(i), dash: [3, 3] },
    points: epochs.map((e) => [e.epoch, mean(e, node, of)]),
  });
  const plain = norm === "none";
  const before = nodes.map((node, i) => line(node, i, "before"));
  const after = plain ? [] : nodes.map((node, i) => line(node, i, "after"));
  return [{
    heading: `Size of the nodes, ${KIND_NAMES[kind]}`,
    caption: plain
      ? "Root mean square of each node's sum, mean over cells; this search did not normalise nodes, so large ones weigh " +
        "more in gradients and scores."
      : `Root mean square of each node's sum before normalisation (solid) and after it (dashed, by '${norm}'), mean over ` +
        "cells: without it large nodes would weigh more in gradients and scores.",
    format: ".2f",
    zero: true,
    series: [...before, ...after],
    keys: plain ? before : [...before, { name: "after", look: { colour: "var(--muted)", dash: [3, 3] }, points: [] }],
  }];
}

function imbalanceCurve(epochs: readonly EpochRecord[]): Curve {
  return {
    heading: "Imbalance of the nodes",
    caption:
      "Largest over smallest node of a cell, mean over cells: 1 means that all nodes are of one size, which is what " +
      "node normalisation is for.",
    format: ".1f",
    reach: [1],
    last: (v) => fixed(v, 2),
    series: [
      series("before normalisation", 0, epochs, (e) => e.imbalance.before),
      series("after", 2, epochs, (e) => e.imbalance.after),
    ],
  };
}

function skipCurve(epochs: readonly EpochRecord[], most: number): Curve {
  const methods = [...new Set(epochs.flatMap((e) => Object.keys(e.skips)))];
  return {
    heading: "Skip-connections",
    caption:
      `How many of the ${most} operations would be skip-connections if each rule decided now: in plain DARTS they ` +
      "take over in long searches and spoil the cell.",
    format: "d",
    zero: true,
    whole: true,
    reach: [0, 4],
    last: (v) => String(v),
    series: methods.map((method, i) => series(method, i, epochs, (e) => e.skips[method])),
  };
}

function changeCurve(epochs: readonly EpochRecord[]): Curve[] {
  const changes = Object.entries(changesOf(epochs));
  if (changes.length === 0 || epochs.length < 2) return [];
  return [{
    heading: "Changes of mind",
    caption:
      "How many of the operations that each rule would pick changed since the epoch before: 0 for many epochs in " +
      "a row means that the choice has settled.",
    format: "d",
    zero: true,
    whole: true,
    reach: [0, 4],
    last: (v) => String(v),
    series: changes.map(([method, counts], i) => ({
      name: method,
      look: seriesLook(i),
      points: epochs.map((e, at) => [e.epoch, counts[at]]),
    })),
  }];
}

/** For each rule how long it would have picked the same cells; nothing where no epoch says what was picked. */
function settledTable(epochs: readonly EpochRecord[]): Html | false {
  const settled = settledOf(epochs);
  if (settled.length === 0) return false;
  const rows = settled.map(({ method, epochs: same, since, changes }) => [
    method,
    `${same} of ${epochs.length}`,
    since,
    changes,
  ]);
  return html`
    <h3>Whether the choice has settled</h3>
    ${dataTable("Whether the choice has settled", [
      { name: "rule" },
      { name: "epochs with the same cells", kind: "num" },
      { name: "since epoch", kind: "num" },
      { name: "changes", kind: "num" },
    ], rows)}
    <p class="caption">What each rule would have picked after each epoch, on a probe of few images. Cells that still change
    in the last epochs may well be others after one epoch more.</p>
  `;
}

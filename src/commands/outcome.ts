/**
 * What a search or a discretisation found, as text for people: the cell, what each rule picked, and the evidence.
 * @module
 */
import { decisionName, otherKeep } from "../discretize/decisions.ts";
import type { DiscretizationReport, NodeSummary } from "../discretize/discretize.ts";
import { genotypeText } from "../report/cell_svg.ts";
import { certaintySummaries, leadText } from "../report/certainty.ts";
import { edgeWeightTable } from "../report/edge_weights.ts";
import { fixed } from "../report/numbers.ts";
import { type EpochRecord, meanEntropy } from "../search/records.ts";
import { changedPicks, changesOf, settledOf } from "../search/settled.ts";
import { findPrimitive } from "../space/primitives.ts";
import { CELL_KINDS, skeletonOf } from "../space/space.ts";
import { methodReport } from "../report/run_pictures.ts";
import { percent, table } from "./terminal.ts";

/** An operation and the node that it reads, short: `sep 3×3(0)`. */
function short(choice: { readonly op: string; readonly from: number }): string {
  return `${findPrimitive(choice.op).label}(${choice.from})`;
}

/** The cell of the chosen rule, drawn in characters and as the text that others exchange. */
export function cellLines(report: DiscretizationReport, chosen: string): string[] {
  const { genotype, text } = methodReport(report, chosen);
  return [
    `The cell (rule: ${chosen})`,
    ...indent(genotypeText(genotype)),
    "",
    genotype.skeleton ? "As text" : "As Python text",
    `  ${text}`,
  ];
}

function indent(text: string): string[] {
  return text.trimEnd().split("\n").map((line) => `  ${line}`);
}

/** Side by side what each rule picked at each node, in the order of the choices, with its score. */
export function comparisonLines(report: DiscretizationReport): string[] {
  const { methods } = report, rows: string[][] = [], { inputs, everyEdge } = skeletonOf(methods[0].genotype);
  for (const kind of CELL_KINDS) {
    for (const { node, choices } of methods[0].nodes[kind]) {
      for (const rank of choices.keys()) {
        const label = rank === 0 ? `${kind} ${node + inputs}` : "";
        rows.push([
          label,
          ...methods.map((m) => {
            const choice = m.nodes[kind][node].choices[rank];
            return `${short(choice).padEnd(11)} ${choice.score.toFixed(3).padStart(6)}`;
          }),
        ]);
      }
    }
  }
  const all = rows.length;
  rows.push(["skips", ...methods.map((m) => `${m.skips} of ${all}`)]);
  rows.push(["no weights", ...methods.map((m) => `${m.parameterFree} of ${all}`)]);
  const { options: { scope, shrinkage }, measured, keep = "edges" } = report;
  const ranked = everyEdge || keep === "operations" ? "" : "; edges are ranked by what it loses without them";
  const whole = measured && [
    `(perturbation: accuracy that the supernet loses without the operation, of ${percent(measured.accuracy)} on ` +
    `${measured.count} images${ranked})`,
  ];
  return [
    `What each rule picked: operation(source) and score; ${everyEdge ? "" : `keep ${keep}, `}scope ${scope}, ` +
    `shrinkage ${shrinkage}`,
    ...table(["node", ...methods.map((m) => m.method)], rows),
    ...whole ?? [],
    ...otherWayLines(report),
  ];
}

/** What each rule picks the other way to keep, node by node where it differs; nothing where every edge stays. */
function otherWayLines({ methods, keep = "edges" }: DiscretizationReport): string[] {
  if (methods.some(({ other }) => other === undefined)) return [];
  const way = otherKeep(keep), { inputs } = skeletonOf(methods[0].genotype);
  const rows = CELL_KINDS.flatMap((kind) =>
    methods[0].nodes[kind].flatMap(({ node }) => {
      const texts = methods.map(({ nodes, other }) => {
        const [own, instead] = [nodes, other!.nodes].map((of) => of[kind][node].choices.map(short));
        return own.toSorted().join() === instead.toSorted().join() ? "the same" : instead.join(", ");
      });
      return texts.every((text) => text === "the same") ? [] : [[`${kind} ${node + inputs}`, ...texts]];
    })
  );
  const kept = way === "edges" ? "two best edges, one operation each" : "two best operations, of one edge too";
  return [
    "",
    `The other way, keep ${way} (a node's ${kept})${rows.length === 0 ? ": every rule picks the same" : ""}`,
    ...rows.length === 0 ? [] : table(["node", ...methods.map((m) => m.method)], rows),
  ];
}

/** How much the edges into each node weigh, after an empty line; nothing where they have no weights of their own. */
export function edgeWeightLines(report: DiscretizationReport): string[] {
  const found = edgeWeightTable(report);
  if (!found) return [];
  const rows = found.rows.map(({ node, weights }) => [node, ...weights.map((w) => w === undefined ? "-" : fixed(w))]);
  return [
    "",
    "How much the edges into a node weigh (softmax of the betas; rule alpha multiplies its scores by it)",
    ...table(["node", ...found.sources.map((source) => `from ${source}`)], rows),
  ];
}

/** Per node: how far its candidates are correlated, and which of them carry its variance. */
export function varianceLines(report: DiscretizationReport): string[] {
  const { nodes, methods } = report;
  if (!nodes) return [];
  const { inputs } = skeletonOf(methods[0].genotype);
  const rows = CELL_KINDS.flatMap((kind) =>
    nodes[kind].map((summary) => [
      `${kind} ${summary.node + inputs}`,
      summary.condition.max >= 1e7 ? "singular" : summary.condition.max.toFixed(0),
      sumOfShares(summary).toFixed(4),
      summary.shares.toSorted((a, b) => b.share - a.share).slice(0, 4).map((c) => `${short(c)} ${percent(c.share)}`)
        .join(", "),
    ])
  );
  return [
    "Where a node's variance comes from (zca squared; the shares of all candidates add up to 1)",
    ...table(["node", "condition", "sum", "largest shares"], rows),
  ];
}

function sumOfShares({ shares }: NodeSummary): number {
  return shares.reduce((sum, { share }) => sum + share, 0);
}

/** How certain each rule's choice is as far as it depends on the images, after an empty line; nothing where not known. */
export function certaintyLines(report: DiscretizationReport): string[] {
  const summaries = certaintySummaries(report), { certainty } = report;
  if (!certainty || summaries.length === 0) return [];
  const { keep = "edges" } = report;
  const rows = summaries.map((s) => [
    decisionName({ rule: s.method, keep: s.otherWay ? otherKeep(keep) : keep }),
    `${s.certain} of ${s.nodes}`,
    percent(s.same),
    leadText(s.lead),
    fixed(s.agreement, 2),
    `${s.shared} of ${s.kept}`,
  ]);
  return [
    "",
    `How certain the choice is: the same on ${certainty.samples} samples of the images (in ${certainty.parts} parts), and`,
    "on their two halves: nodes that keep the same operations in 95% of the samples, in how many a node does, the least",
    "lead that decides a node in units of its noise (median), rank correlation of the halves, what both keep",
    ...table(["rule", "nodes", "alike", "lead", "ranks", "both halves"], rows),
  ];
}

/** The epochs of a run, a row each. */
export function epochLines(epochs: readonly EpochRecord[]): string[] {
  if (epochs.length === 0) return [];
  // Metrics that were read back from a file hold null for what was not finite.
  const number = (value: number | null, digits = 3): string => value === null ? "-" : value.toFixed(digits);
  const methods = Object.keys(epochs[0].skips);
  const changes = changesOf(epochs);
  const rows = epochs.map((e, i) => [
    String(e.epoch),
    number(e.trainLoss),
    percent(e.trainAccuracy),
    number(e.valLoss),
    e.valAccuracy === null ? "-" : percent(e.valAccuracy),
    number(e.evalLoss),
    percent(e.evalAccuracy),
    number(meanEntropy(e)),
    number(e.imbalance.before, 2),
    number(e.imbalance.after, 2),
    methods.map((m) => e.skips[m]).join("/"),
    methods.map((m) => changes[m]?.[i] ?? "-").join("/"),
    number(e.secondsPerStep),
  ]);
  const header = [
    "epoch",
    "train",
    "acc",
    "val",
    "acc",
    "eval",
    "acc",
    "entropy",
    "norms",
    "after",
    "skips",
    "changed",
    "s/step",
  ];
  return [
    "Measured (losses and accuracies; entropy of the alphas, 1 = undecided; largest over smallest node norm before",
    `and after normalisation; skip-connections picked by ${methods.join("/")}, and how many`,
    "of the operations that they picked changed since the epoch before)",
    ...table(header, rows),
  ];
}

/** Whether the choice has settled: how long each rule would have picked the same cells. */
export function settledLines(epochs: readonly EpochRecord[], report: DiscretizationReport): string[] {
  const settled = settledOf(epochs), last = epochs.at(-1);
  if (settled.length === 0 || !last) return [];
  const rows = settled.map(({ method, epochs: same, since, changes }) => {
    const final = report.methods.find((m) => m.method === method), probed = last.genotypes[method];
    const moved = final === undefined ? "-" : String(changedPicks(probed, final.text));
    return [method, `${same} of ${epochs.length}`, String(since), String(changes), moved];
  });
  return [
    "Whether the choice has settled: epochs to the last one with the same cells, since when, how often they changed, and",
    "operations in which the decision (on more images) differs from what the last epoch would have picked",
    ...table(["rule", "same", "since", "changes", "differs"], rows),
  ];
}

/** One epoch on one line. */
export function epochLine(e: EpochRecord, epochs: number, used: readonly string[]): string {
  const chosen = used.map((m) => `${m} ${e.skips[m]}`).join(", ");
  return `epoch ${String(e.epoch).padStart(String(epochs).length)}/${epochs}  ` +
    `train ${e.trainLoss.toFixed(3)} ${percent(e.trainAccuracy)}  ` +
    (e.valLoss === null ? "alphas frozen  " : `val ${e.valLoss.toFixed(3)} ${percent(e.valAccuracy!)}  `) +
    `eval ${e.evalLoss.toFixed(3)} ${percent(e.evalAccuracy)}  ` +
    `norms ${e.imbalance.before.toFixed(2)} to ${e.imbalance.after.toFixed(2)}  skips: ${chosen}`;
}

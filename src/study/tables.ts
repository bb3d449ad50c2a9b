/**
 * The tables of a study's report, once as data, and written as Markdown and CSV. Not responsible for the page.
 * @module
 */
import { type Named, nameOf } from "../base/options.ts";
import { findPrimitive } from "../space/primitives.ts";
import { CELL_KINDS, type CellKind, edgesOf, skeletonOf } from "../space/space.ts";
import { count, fixed, plural } from "../report/numbers.ts";
import { KIND_NAMES } from "../report/search_section.ts";
import type { Count, Results, SearchResult } from "./results.ts";
import type { Estimate, Verdict } from "./statistics.ts";
import { CONTROL_KEYS, searchLabel, spaceOfSetting, type Study } from "./study_file.ts";
import type { Comparison, Summary } from "./summary.ts";

/** A table for people. */
export interface Table {
  /** What it shows. */
  readonly title: string;
  /** How to read it, in a sentence or two. */
  readonly note: string;
  readonly columns: readonly string[];
  /** How many columns are text; the others are figures. */
  readonly texts: number;
  readonly rows: readonly (readonly string[])[];
}

/** `83.21 ± 0.15`; the second number is the standard error. */
function meanText({ mean, error }: Estimate, digits: number, scale = 1): string {
  if (mean === null) return "–";
  return fixed(mean * scale, digits) + (error === null ? "" : ` ± ${fixed(error * scale, digits)}`);
}

/** `82.9 to 83.5`. */
function intervalText({ interval }: Estimate, digits: number, scale = 1): string {
  return interval === null ? "–" : interval.map((end) => fixed(end * scale, digits)).join(" to ");
}

/** Percentage points. */
const POINTS = 100;

/** What a comparison says, in words that do not make more of it than it is. */
function verdictText({ verdict, difference: { interval } }: Comparison): string {
  const [low, high] = (interval ?? [0, 0]).map((end) => Math.abs(end * POINTS).toFixed(2));
  const said: Record<Verdict, string> = {
    "higher": `higher, by ${low} to ${high} points`,
    "lower": `lower, by ${high} to ${low} points`,
    "not told apart": "not told apart",
    "too few": "too few, or too alike, to tell",
  };
  return said[verdict];
}

/** Tables of what the study found: searches, retrained cells, comparisons, correlations. */
export function summaryTables(
  study: Study,
  results: Results,
  { searches, agreements, accuracies, comparisons }: Summary,
): Table[] {
  return [
    searchTable(study.decisions, searches),
    agreementTable(study, agreements),
    ...(study.trainConfigs ? [accuracyTable(results, accuracies), comparisonTable(comparisons)] : []),
    ...(searches.some(({ alike }) => Object.keys(alike).length > 0) ? [alikeTable(searches)] : []),
    ...study.settings.flatMap((_, setting) => correlationTables(study, results.searches, setting)),
  ];
}

function searchTable(rules: readonly string[], searches: Summary["searches"]): Table {
  return {
    title: "The searches when they are read off",
    note: "Mean ± standard error over n searches (seeds). Imbalance: largest over smallest norm of a cell's nodes, " +
      "before and after node normalisation. None: mean softmax weight of the operation that outputs zeros. Entropy: " +
      "1 means that the mixture is undecided. Skips: skip-connections in both cells that a rule chose.",
    columns: [
      "setting",
      "n",
      "accuracy of the supernet, %",
      "imbalance before",
      "imbalance after",
      "weight of none",
      "entropy",
      ...rules.map((rule) => `skips, ${rule}`),
    ],
    texts: 1,
    rows: searches.map((s) => [
      s.setting,
      String(s.evalAccuracy.n),
      meanText(s.evalAccuracy, 1, POINTS),
      meanText(s.imbalanceBefore, 2),
      meanText(s.imbalanceAfter, 2),
      meanText(s.none, 3),
      meanText(s.entropy, 4),
      ...rules.map((rule) => meanText(s.skips[rule], 1)),
    ]),
  };
}

/** Title of the table of correlations by pair. */
export const ALIKE_TITLE = "Correlation of two operations of one edge";

function alikeTable(searches: Summary["searches"]): Table {
  const pairs = [...new Set(searches.flatMap(({ alike }) => Object.keys(alike)))];
  return {
    title: ALIKE_TITLE,
    note:
      "Of their outputs, mean over edges, cells and kinds of cell, then mean ± standard error over searches, when " +
      "they are read off: near 1, both say the same.",
    columns: ["setting", ...pairs.map((pair) => pair.split(" ").map(short).join(" · "))],
    texts: 1,
    rows: searches.map(({ setting, alike }) => [
      setting,
      ...pairs.map((pair) => alike[pair] ? meanText(alike[pair], 2) : "–"),
    ]),
  };
}

function agreementTable(study: Study, agreements: Summary["agreements"]): Table {
  const share = (value: number): string => fixed(value * POINTS, 1);
  const inputs = new Map(study.settings.map(({ label }, i) => [label, skeletonOf(spaceOfSetting(study, i)).inputs]));
  const nodeName = ({ kind, node }: { readonly kind: CellKind; readonly node: number }, setting: string): string =>
    `${kind} ${node + inputs.get(setting)!}`;
  const nodes = [...new Set(agreements.flatMap((a) => a.nodes.map((node) => nodeName(node, a.setting))))];
  return {
    title: "Agreement of the cells of several searches",
    note:
      "Operations that the cells of two searches (seeds) have in common, in percent of those that are kept, mean over " +
      "all pairs; the same of random cells of the space, and what 95 % of sets of as many random cells do not exceed. " +
      "Beyond chance: (common − random) / (100 % − random), 1 where all searches find one cell, 0 where the seed alone " +
      "decides; also for each node by itself. Ranks: Spearman's correlation of scores between the halves of a search's " +
      "images; alike: samples of these images (bootstrap) in which a node keeps the same operations. High there and near " +
      "0 here means: the images leave no doubt, the seed decides.",
    columns: [
      "setting",
      "cells by",
      "n",
      "in common, %",
      "random, %",
      "95 % of random, %",
      "beyond chance",
      "ranks",
      "alike, %",
      ...nodes,
    ],
    texts: 2,
    rows: agreements.map((a) => {
      const byNode = new Map(a.nodes.map((node) => [nodeName(node, a.setting), node.beyond]));
      return [
        a.setting,
        a.rule,
        String(a.n),
        share(a.observed),
        share(a.chance),
        share(a.limit),
        fixed(a.beyond, 2),
        meanText(a.ranks, 2),
        meanText(a.same, 0, POINTS),
        ...nodes.map((name) => fixed(byNode.get(name), 2)),
      ];
    }),
  };
}

function accuracyTable({ trainings }: Results, accuracies: Summary["accuracies"]): Table {
  const split = [...new Set(trainings.map((each) => each.split))].join(" and ") || "test";
  return {
    title: "Accuracy of retrained cells",
    note: `On ${split} images, in percent; mean, standard error and 95 % confidence interval (Student's t) over n ` +
      "searches, or n random cells: it covers how searches differ, not which test images there are. Several trainings " +
      "of one cell count once, by their mean. Free: operations without weights among those of both cells.",
    columns: ["setting", "cells by", "n", "different cells", "accuracy, %", "95 % interval", "skips", "free"],
    texts: 2,
    rows: accuracies.map((a) => [
      a.setting,
      a.rule,
      String(a.accuracy.n),
      String(a.cells),
      meanText(a.accuracy, 2, POINTS),
      intervalText(a.accuracy, 2, POINTS),
      meanText(a.skips, 1),
      meanText(a.parameterFree, 1),
    ]),
  };
}

function comparisonTable(comparisons: readonly Comparison[]): Table {
  return {
    title: "Comparisons",
    note: comparisonNote(comparisons.length),
    columns: ["setting", "what", "n", "difference, points", "95 % interval", "verdict"],
    texts: 2,
    rows: comparisons.map((c) => [
      c.setting,
      `${c.what}${c.paired ? " (paired)" : ""}`,
      String(c.difference.n),
      meanText(c.difference, 2, POINTS),
      intervalText(c.difference, 2, POINTS),
      verdictText(c),
    ]),
  };
}

function comparisonNote(comparisons: number): string {
  return "Difference of mean accuracies in percentage points with its 95 % interval: by Welch's t test, or paired, where " +
    "both cells come from the same search. “Not told apart” means that the interval holds 0: the data allow either " +
    "sign, and any size within the interval. " +
    (comparisons > 1
      ? `These are ${comparisons} comparisons without a correction: where nothing differed, about one in twenty would ` +
        "still be called higher or lower."
      : "");
}

const short = (op: string): string => findPrimitive(op).label;

/** Correlation of the candidates of every edge, mean over the searches of a setting. */
export interface Correlations {
  readonly kind: CellKind;
  /** Pairs of operations. */
  readonly pairs: readonly string[];
  /** For each edge its name and a value for each pair; undefined where it has no such pair. */
  readonly edges: readonly { readonly name: string; readonly values: readonly (number | undefined)[] }[];
}

/** {@linkcode Correlations} of the cells of a kind; undefined without any search. */
export function correlationsOf(
  study: Study,
  searches: readonly SearchResult[],
  setting: number,
  kind: CellKind,
): Correlations | undefined {
  const found = new Map<number, Map<string, number[]>>();
  if (study.settings[setting].source !== setting) return undefined;
  for (const { correlations } of searches.filter((each) => each.setting === setting)) {
    for (const { edge, ops, matrix } of correlations[kind]) {
      const pairs = found.get(edge) ?? new Map<string, number[]>();
      ops.forEach((op, i) =>
        ops.slice(i + 1).forEach((other, j) => {
          const name = `${short(op)} · ${short(other)}`;
          pairs.set(name, [...pairs.get(name) ?? [], matrix[i][i + 1 + j]]);
        })
      );
      found.set(edge, pairs);
    }
  }
  if (found.size === 0) return undefined;
  const pairs = [...new Set([...found.values()].flatMap((of) => [...of.keys()]))];
  const mean = (values: readonly number[] | undefined): number | undefined =>
    values && values.reduce((a, b) => a + b, 0) / values.length;
  const named = new Map(
    edgesOf(spaceOfSetting(study, setting)).map(({ index, from, to }) => [index, `${from} → ${to}`]),
  );
  const edges = [...found].sort(([a], [b]) => a - b).map(([edge, of]) => ({
    name: named.get(edge) ?? String(edge),
    values: pairs.map((pair) => mean(of.get(pair))),
  }));
  return { kind, pairs, edges };
}

function correlationTables(study: Study, searches: readonly SearchResult[], setting: number): Table[] {
  return CELL_KINDS.flatMap((kind) => {
    const found = correlationsOf(study, searches, setting, kind);
    if (!found) return [];
    return [{
      title: `Correlation of candidates, ${KIND_NAMES[kind]}, ${searchLabel(study.settings[setting])}`,
      note: "Correlation of the outputs of two candidate operations of one edge (source → node), mean over cells and " +
        "searches: what is near 1 says the same twice.",
      columns: ["edge", ...found.pairs],
      texts: 1,
      rows: found.edges.map(({ name, values }) => [name, ...values.map((value) => fixed(value, 2))]),
    }];
  });
}

/** How far a study is, in sentences. */
export function progressText({ progress: { search, discretize, train }, unknown, failures }: Results): string {
  const of = ({ done, failed, claimed, open }: Count, one: string, many: string): string =>
    `${count(done)} of ${plural(done + failed + claimed + open, one, many)} done` +
    (claimed > 0 ? `, ${claimed} under way` : "") + (failed > 0 ? `, ${failed} failed` : "");
  const parts = [of(search, "search", "searches"), of(train, "training", "trainings")];
  const measured = of(discretize, "measurement for a rule", "measurements for a rule");
  if (Object.values(discretize).some((runs) => runs > 0)) parts.splice(1, 0, measured);
  return parts.join("; ") +
    (unknown > 0 ? `; up to ${unknown} more trainings wait for their cells` : "") +
    (failures.length > 0 ? `. Failed: ${failures.map((f) => `${f.name} (${f.message})`).join("; ")}` : "") + ".";
}

const cellText = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ");

/** The tables as a Markdown document. */
export function markdown(title: string, progress: string, tables: readonly Table[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(cellText).join(" | ")} |`;
  const parts = tables.map(({ title, note, columns, texts, rows }) =>
    [
      `## ${title}`,
      "",
      note,
      "",
      line(columns),
      line(columns.map((_, i) => i < texts ? "---" : "---:")),
      ...rows.map(line),
      "",
    ].join("\n")
  );
  return [`# ${title}`, "", progress, "", ...parts].join("\n");
}

/** Every retrained cell as a line of CSV, with the keys that the study varies as columns. */
export function csv(study: Study, { trainings, searches }: Results): string {
  const keys = [...new Set(study.settings.flatMap(({ values }) => Object.keys(values)))];
  const seeds = new Map(searches.map(({ name, seed }) => [name, seed]));
  const quote = (value: unknown): string => {
    const text = nameOf((value ?? "") as string | number | Named);
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const header = [
    ...keys,
    "rule",
    "unit",
    "search-seed",
    "train-seed",
    "accuracy",
    "split",
    "skips",
    "free",
    "run",
    "cell",
  ];
  const rows = trainings.map((t) => [
    // Random cells belong to a space and a data set, not to the setting that stands for these.
    ...keys.map((key) => t.rule === null && !CONTROL_KEYS.includes(key) ? "" : study.settings[t.setting].values[key]),
    t.rule ?? "random",
    t.unit,
    seeds.get(t.unit),
    t.seed,
    t.accuracy,
    t.split,
    t.skips,
    t.parameterFree,
    t.name,
    t.cell,
  ]);
  return [header, ...rows].map((row) => row.map(quote).join(",")).join("\n") + "\n";
}

/**
 * The report of a study as one HTML page that needs nothing else. The same results give the same bytes. Not
 * responsible for what the numbers mean: that stands in the tables.
 * @module
 */
import { areaKeys, figure, intervals, type Series } from "../report/charts.ts";
import { type Content, type Html, html } from "../report/markup.ts";
import { plural } from "../report/numbers.ts";
import { page, type Part, tileList } from "../report/page.ts";
import { seriesLook, solidLook } from "../report/palette.ts";
import { type Curve, curve, KIND_NAMES } from "../report/search_section.ts";
import { dataTable, scroller } from "../report/tables.ts";
import { CELL_KINDS, type CellKind, skeletonOf } from "../space/space.ts";
import type { Results } from "./results.ts";
import type { EpochFigures } from "./run_result.ts";
import { searchLabel, spaceOfSetting, type Study } from "./study_file.ts";
import { isSource } from "./tasks.ts";
import { RANDOM, type Summary } from "./summary.ts";
import { ALIKE_TITLE, type Correlations, correlationsOf, progressText, type Table } from "./tables.ts";

/** What a page is made from. */
export interface PageInput {
  readonly title: string;
  /** Version of this package. */
  readonly version: string;
  readonly study: Study;
  readonly results: Results;
  readonly summary: Summary;
  readonly tables: readonly Table[];
}

/** The page. */
export async function studyPage({ title, version, study, results, summary, tables }: PageInput): Promise<string> {
  const [searchTable, agreementTable, ...rest] = tables, retrained = study.trainConfigs ? rest.slice(0, 2) : [];
  const adapter = results.adapters.join("; ") || "none yet";
  const parts: Part[] = [
    study.trainConfigs && {
      id: "accuracy",
      name: "Retrained cells",
      content: section(
        "accuracy",
        "What the cells are worth",
        html`${await accuracyChart(results, summary)} ${retrained.map(tableOf)}`,
      ),
    },
    {
      id: "searches",
      name: "Searches",
      content: section(
        "searches",
        "How the searches went",
        html`${tableOf(searchTable)} ${agreements(agreementTable)} <div class="figures">${await curves(
          study,
          results,
        )}</div>`,
      ),
    },
    { id: "norms", name: "Nodes", content: section("norms", "Size of the nodes", await normCurves(study, results)) },
    {
      id: "correlations",
      name: "Correlations",
      content: section(
        "correlations",
        "How alike candidates are",
        html`${tables.filter(({ title }) => title === ALIKE_TITLE).map(tableOf)} ${correlationHeats(study, results)}`,
      ),
    },
    {
      id: "settings",
      name: "Study",
      content: section(
        "settings",
        "The study",
        html`<p>Adapter: <bdi>${adapter}</bdi>.</p>${scroller("The study's file", html`<pre>${study.text}</pre>`)}`,
      ),
    },
  ].filter((part) => part !== undefined);
  const { search, train } = results.progress;
  const header = html`
    <p class="lead">${plural(study.settings.length, "setting")} of a search, ${plural(
      study.decisions.length,
      "way",
    )} to read a cell off each (${study.decisions.join(", ")}).
    ${progressText(results)}</p>
    ${tileList([
      ["searches", String(search.done)],
      ["trainings", study.trainConfigs ? String(train.done) : undefined],
      ["random cells for each space and data set", study.random > 0 ? String(study.random) : undefined],
    ])}
  `;
  return page(title, { version, adapter }, header, parts);
}

function section(id: string, heading: string, content: Content): Html {
  return html`
    <section id="${id}"><h2>${heading}</h2>${content}</section>
  `;
}

/** Settings of one search have no agreement. */
function agreements(table: Table): Html {
  if (table.rows.length > 0) return tableOf(table);
  return html`<p class="note">How far several searches agree is told of settings with two seeds or more.</p>`;
}

function tableOf({ title, note, columns, texts, rows }: Table): Html {
  const kinds = columns.map((name, i) => ({ name, ...(i < texts ? {} : { kind: "num" as const }) }));
  return html`<h3>${title}</h3>${dataTable(title, kinds, rows)}<p class="caption">${note}</p>`;
}

async function accuracyChart({ trainings }: Results, { accuracies }: Summary): Promise<Content> {
  if (accuracies.length === 0) return html`<p class="note">No cell has been trained yet.</p>`;
  const rules = [...new Set(accuracies.map(({ rule }) => rule))];
  const looks = new Map(
    rules.map((rule, i) => [rule, rule === RANDOM ? { colour: "var(--muted)", dash: [] } : solidLook(i)]),
  );
  const rows = accuracies.map(({ setting, rule, accuracy: { mean, interval }, values }) => ({
    name: `${rule}: ${setting}`,
    look: looks.get(rule)!,
    mean: mean! * 100,
    interval: interval && [interval[0] * 100, interval[1] * 100] as const,
    points: values.map((value) => value * 100),
  }));
  const chart = await intervals({
    label: "Accuracy of retrained cells by rule and setting",
    x: "accuracy, %",
    format: ".1f",
    rows,
  });
  const n = plural(new Set(trainings.map(({ name }) => name)).size, "training");
  return figure(
    "Accuracy of retrained cells",
    `Single cells (ticks), means (dots) and 95 % confidence intervals (lines), from ${n}. Intervals that overlap may still differ and the ` +
      "other way round: see the comparisons below.",
    chart,
    areaKeys(looks),
  );
}

/** The mean over the searches of a setting, epoch by epoch. */
function meanLine(
  { searches }: Results,
  setting: number,
  of: (point: EpochFigures) => number | null | undefined,
): (readonly [number, number])[] {
  const points = searches.filter((each) => each.setting === setting).flatMap(({ epochs }) => epochs);
  return [...Map.groupBy(points, ({ epoch }) => epoch)].sort(([a], [b]) => a - b).flatMap(([epoch, at]) => {
    const values = at.map(of).filter((value) => typeof value === "number");
    return values.length === 0 ? [] : [[epoch, values.reduce((a, b) => a + b, 0) / values.length] as const];
  });
}

async function curves(study: Study, results: Results): Promise<Content> {
  if (results.searches.length === 0) return html`<p class="note">No search has finished yet.</p>`;
  const lines = (of: (point: EpochFigures) => number | null | undefined): Series[] =>
    study.settings.map((each, i) => ({
      ...each,
      name: searchLabel(each),
      look: seriesLook(i),
      points: meanLine(results, i, of),
    }))
      .filter((each, i) => isSource(each, i) && each.points.length > 0);
  const none = lines((e) => e.none);
  const list: Curve[] = [
    {
      heading: "Imbalance of the nodes before normalisation",
      caption: "Largest over smallest node of a cell, mean over cells and searches; 1: all nodes are of one size.",
      format: ".2f",
      reach: [1],
      series: lines((e) => e.imbalance.before),
    },
    {
      heading: "Imbalance of the nodes after normalisation",
      caption: "The same for what the next nodes see; without normalisation it is that of before.",
      format: ".2f",
      reach: [1, 1.1],
      series: lines((e) => e.imbalance.after),
    },
    ...(none.length === 0 ? [] : [{
      heading: "Weight of none",
      caption: "Mean softmax weight of the operation that outputs zeros, over all edges: plain DARTS drifts into it.",
      format: ".3f",
      series: none,
    }]),
    ...study.decisions.map((rule): Curve => ({
      heading: `Skip-connections by ${rule}`,
      caption: "Skip-connections in both cells if the rule decided after this epoch.",
      format: ".1f",
      zero: true,
      reach: [0, 2],
      series: lines((e) => e.skips[rule]),
    })).filter(({ series }) => series.length > 0),
    {
      heading: "Accuracy of the supernet",
      caption: "On images of the mixture's half: a sign that it learns, not the accuracy of a cell.",
      format: ".0%",
      series: lines((e) => e.evalAccuracy),
    },
    {
      heading: "How undecided the mixture is",
      caption: "Entropy of the mixture relative to a uniform one.",
      format: "~g",
      series: lines((e) => e.entropy),
    },
  ];
  const drawn: Html[] = [];
  for (const each of list) drawn.push(await curve(each));
  return none.length > 0 ? drawn : [...drawn, html`<p class="note">No space of this study has a weight of none.</p>`];
}

async function normCurves(study: Study, results: Results): Promise<Content> {
  const drawn: Html[] = [];
  for (const [setting, each] of study.settings.entries()) {
    if (!isSource(each, setting)) continue;
    const { inputs } = skeletonOf(spaceOfSetting(study, setting));
    for (const kind of CELL_KINDS) {
      const nodes = Math.max(
        0,
        ...results.searches.filter((each) => each.setting === setting)
          .flatMap(({ epochs }) => epochs.map(({ norms }) => norms[kind].length)),
      );
      if (nodes > 0) drawn.push(await curve(normCurve(results, setting, searchLabel(each), kind, nodes, inputs)));
    }
  }
  if (drawn.length === 0) return html`<p class="note">No search has finished yet.</p>`;
  return html`<div class="figures">${drawn}</div>`;
}

function normCurve(
  results: Results,
  setting: number,
  label: string,
  kind: CellKind,
  nodes: number,
  inputs: number,
): Curve {
  return {
    heading: `${KIND_NAMES[kind]}, ${label}`,
    caption: "Root mean square of each node's sum before normalisation, mean over cells and searches.",
    format: ".2f",
    zero: true,
    series: Array.from({ length: nodes }, (_, node): Series => ({
      name: `node ${node + inputs}`,
      look: seriesLook(node),
      points: meanLine(results, setting, (e) => e.norms[kind][node]?.before),
    })),
  };
}

function correlationHeats(study: Study, { searches }: Results): Content {
  const heats = study.settings.flatMap((each, setting) =>
    CELL_KINDS.map((kind) => correlationsOf(study, searches, setting, kind))
      .filter((found) => found !== undefined).map((found) => heatTable(searchLabel(each), found))
  );
  if (heats.length === 0) return html`<p class="note">No search has finished yet, or no edge has two candidates.</p>`;
  return html`
    <p>Correlation of the outputs of two candidate operations of one edge (source → node), mean over cells and searches.
    What is near 1 says the same twice: such candidates share the credit when they are decorrelated.</p>
    <div class="heats">${heats}</div>
  `;
}

function heatTable(label: string, { kind, pairs, edges }: Correlations): Html {
  const title = `${KIND_NAMES[kind]}, ${label}`;
  const head = pairs.map((pair) => html`<th scope="col"><span>${pair}</span></th>`);
  const rows = edges.map(({ name, values }) => {
    const cells = values.map((value) => {
      if (value === undefined) return html`<td class="none">–</td>`;
      const shade = `--v:${Math.min(1, Math.abs(value)).toFixed(2)}`;
      return html`<td class="${value < 0 ? "heat below" : "heat"}" style="${shade}">${value.toFixed(2)}</td>`;
    });
    return html`<tr><th scope="row">${name}</th>${cells}</tr>`;
  });
  const table = html`
    <table class="scores matrix">
      <thead>
        <tr><th scope="col"><span>edge</span></th>${head}</tr>
      </thead>
      <tbody>${rows}</tbody>
    </table>
  `;
  return html`<div><h3>${title}</h3>${scroller(title, table)}</div>`;
}

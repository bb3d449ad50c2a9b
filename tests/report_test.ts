/**
 * The HTML report: complete, well-formed, deterministic, small, and safe whatever names it is given.
 * @module
 */
import "../src/platform/deno.ts";
import assert from "node:assert/strict";
import { Random } from "../src/base/random.ts";
import { edgeWeightLines } from "../src/commands/outcome.ts";
import { softmaxWeights } from "../src/discretize/mixture.ts";
import { discretize } from "../src/discretize/discretize.ts";
import type { Selection } from "../src/discretize/choice.ts";
import { rulesOf } from "../src/discretize/registry.ts";
import type { NodeStatistics } from "../src/discretize/statistics.ts";
import { gramOf } from "../src/discretize/testing.ts";
import { html } from "../src/report/markup.ts";
import {
  count,
  duration,
  fieldTime,
  fixed,
  lead,
  magnitude,
  mebibytes,
  narrow,
  percent,
  significant,
} from "../src/report/numbers.ts";
import { autoReportHtml, type AutoReportInput, latencyText } from "../src/report/auto_report.ts";
import { reportHtml } from "../src/report/html_report.ts";
import type { EvaluationPart, ReportInput } from "../src/report/report_input.ts";
import type { TrainingReportInput } from "../src/report/report_input.ts";
import { trainingReportHtml } from "../src/report/training_report.ts";
import { resolveSearchConfig, SEARCH_OPTIONS } from "../src/search/config.ts";
import { type EpochRecord, imbalanceOf, summariseWeights } from "../src/search/records.ts";
import { DARTS_V2 } from "../src/space/published.ts";
import {
  candidatesOf,
  CELL_KINDS,
  type CellKind,
  DARTS,
  edgesOf,
  type Keep,
  S3,
  type Space,
} from "../src/space/space.ts";

/** A discretisation of random alphas, and of random outputs where `cells` are given. */
function discretization(space: Space, cells: readonly CellKind[] = ["normal", "reduce", "reduce"], keep?: Keep) {
  const random = new Random(3, "report"), width = space.primitives.length;
  const draw = (length: number) => Float64Array.from({ length }, () => random.normal());
  const length = edgesOf(space).length * width, alphas = { normal: draw(length), reduce: draw(length) };
  const statistics = cells.flatMap((kind, cell) => {
    const weights = softmaxWeights(space, kind, alphas[kind]);
    return Array.from({ length: space.nodes }, (_, node): NodeStatistics => {
      const candidates = candidatesOf(space, kind, node);
      const z = candidates.map(() => [...draw(80)]);
      const w = candidates.map(({ edge, op }) => weights[edge * width + space.primitives.indexOf(op)]);
      return { kind, cell, node, candidates, count: 80, gram: gramOf(z, w) };
    });
  });
  const report = discretize({ space, alphas, statistics, keep });
  return { ...report, chosen: report.methods[0].method, images: 64 };
}

type Found = ReturnType<typeof discretization>;

function epochRecord(found: Found, epoch: number): EpochRecord {
  const nodes = (["normal", "reduce"] as const).flatMap((kind, cell) =>
    [0, 1, 2, 3].map((node) => ({ cell, kind, node, before: 0.5 + node / 4 + epoch / 100, after: 1 }))
  );
  return {
    step: epoch * 8,
    epoch,
    trainLoss: 2 / epoch,
    trainAccuracy: 1 - 1 / (epoch + 1),
    valLoss: 2.5 / epoch,
    valAccuracy: 1 - 1 / (epoch + 0.5),
    evalLoss: 3 / epoch,
    evalAccuracy: 1 - 1 / (epoch + 0.2),
    weightLr: 0.1 / epoch,
    ...summariseWeights(found),
    nodes,
    imbalance: imbalanceOf(nodes),
    skips: Object.fromEntries(found.methods.map(({ method }, i) => [method, i])),
    genotypes: {},
    secondsPerStep: 1.5,
  };
}

/** A report of the search alone. */
function searched(epochs = 3, space = DARTS, cells?: readonly CellKind[]): ReportInput {
  const found = discretization(space, cells);
  const config = resolveSearchConfig({ space: space.name as "s3", epochs: 3 });
  return {
    environment: { version: "0.1.0", adapter: "a software adapter" },
    data: { name: "mnist", fingerprint: "00ff", count: 60000, channels: 1, height: 28, width: 28, classes: 3 },
    config: SEARCH_OPTIONS.toRecord(config),
    epochs: Array.from({ length: epochs }, (_, i) => epochRecord(found, i + 1)),
    discretization: found,
  };
}

function evaluation(classNames: readonly string[]): EvaluationPart {
  const confusion = classNames.map((_, i) => classNames.map((_, j) => i === j ? 90 + i : (i + 2 * j) % 5));
  return { split: "test", classNames, confusion, loss: 0.25 };
}

/** Everything there can be; `name` stands wherever users, files or drivers choose a text. */
function complete(name: (what: string) => string = (what) => what): ReportInput {
  const base = searched();
  return {
    ...base,
    title: name("title"),
    environment: { version: "0.1.0", adapter: name("adapter"), runtime: name("runtime"), folder: name("folder") },
    data: { ...base.data, name: name("data"), fingerprint: name("fingerprint") },
    config: { ...base.config, data: name("path"), [name("key")]: name("value") },
    supernet: { parameters: 72638, gpuBytes: 174e6, seconds: 3725 },
    training: {
      epochs: [1, 2, 3].map((epoch) => ({
        epoch,
        trainLoss: 1 / epoch,
        trainAccuracy: 1 - 1 / (1 + epoch),
        valLoss: 1.2 / epoch,
        valAccuracy: 1 - 1 / (1.5 + epoch),
        learningRate: 0.025 / epoch,
      })),
      config: { batchSize: 96, note: name("note") },
      seconds: 512,
    },
    cost: {
      parameters: 3349342,
      macs: 529.91e6,
      activationBytes: 5e6,
      form: name("form"),
      channels: 36,
      cells: 20,
      input: [3, 32, 32],
      convention: name("convention"),
      layers: [{ name: name("layer"), parameters: 1000, macs: 2000 }, { name: "head", parameters: 1, macs: 2 }],
    },
    evaluation: { ...evaluation([name("class a"), name("class b"), "c"]), split: name("split") },
    commands: [{ purpose: name("purpose"), command: name("command") }],
  };
}

/** Everything that a report of a training alone can hold. */
function trained(name: (what: string) => string = (what) => what): TrainingReportInput {
  const { config: _, epochs: _epochs, discretization: _found, supernet: _supernet, training, ...shared } = complete(
    name,
  );
  return { ...shared, training: training!, cell: { genotype: DARTS_V2, name: name("cell") } };
}

/** The report of an `auto` run of two candidates, without pictures. */
function raced(name: (what: string) => string = (what) => what): AutoReportInput {
  const { environment, data, config, cost, evaluation, commands } = complete(name);
  const shared = { origin: "plain", rungs: 2, steps: 2300, seconds: 61, accuracy: 0.75, interval: [0.7, 0.8] } as const;
  return {
    ...{ environment, data, config, cost, commands: commands! },
    leaderboard: [
      { ...shared, name: name("plain 8x3"), parameters: 51_544, macs: 5_603_840, latency: 0.0131 },
      { ...shared, name: name("plain 16x3"), parameters: 187_296, macs: 21_955_584, accuracy: 0.74 },
    ],
    trivial: [{ name: name("the largest class"), accuracy: 0.25, interval: [0.2, 0.3] }],
    ...{ held: 160, splits: 1, genotype: DARTS_V2, verdict: name("It paid."), seconds: 297 },
    test: { ...evaluation!, accuracy: 0.74, interval: [0.67, 0.8] },
    ...{ wrong: [], notes: [name("a note")] },
  };
}

/** The elements of a document in order, `name` and `/name`; fails where it is not well-formed or an id is not unique. */
function elements(document: string): string[] {
  assert(/^<!DOCTYPE html>\n/.test(document));
  const open: string[] = [], found: string[] = [], ids = new Set<string>();
  const tag = /<(\/?)([a-zA-Z][a-zA-Z0-9]*)((?:\s+[a-zA-Z][a-zA-Z0-9:-]*="[^"<]*")*)\s*(\/?)>/y;
  for (let at = document.indexOf("<", 1); at < document.length;) {
    tag.lastIndex = at;
    const match = tag.exec(document);
    assert(match, `no tag at ${at}: ${document.slice(at, at + 80)}`);
    const [whole, closing, name, attributes, empty] = match;
    found.push(closing + name);
    if (closing) assert.equal(open.pop(), name, `at ${at}`);
    else if (!empty) open.push(name);
    const names = [...attributes.matchAll(/\s([a-zA-Z][a-zA-Z0-9:-]*)="/g)].map(([, attribute]) => attribute);
    assert.equal(new Set(names).size, names.length, `attributes of ${whole}`);
    const id = / id="([^"]*)"/.exec(attributes)?.[1];
    assert(id === undefined || !ids.has(id), `id ${id}`);
    if (id) ids.add(id);
    at += whole.length;
    const next = document.indexOf("<", at), text = document.slice(at, next < 0 ? undefined : next) + attributes;
    if (open.at(-1) !== "style") assert.doesNotMatch(text, /&(?!(?:[a-z]+|#\d+|#x[0-9a-f]+);)/i);
    at = next < 0 ? document.length : next;
  }
  assert.deepEqual(open, []);
  return found;
}

/** Nothing in the document may be fetched or run. */
function expectSelfContained(document: string): void {
  assert.match(document, /http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;;/);
  assert.doesNotMatch(document, /<(?:script|link|iframe|object|embed|img|image|base|form)\b/i);
  assert.doesNotMatch(document, /\s(?:src|srcset|on[a-z]+|xlink:href|action)="/i);
  assert.doesNotMatch(document, /url\(|@import/i);
  for (const [, target] of document.matchAll(/\shref="([^"]*)"/g)) assert.match(target, /^#[a-z]+$/);
}

const HEADINGS = {
  always: ["The cell", "How the search went", "Why these operations", "Settings and environment"],
  training: ["Training", "Loss in training", "Configuration of the training"],
  cost: ["Cost"],
  evaluation: ["Evaluation on the split images"],
  commands: ["Do it again"],
} as const;

/** Texts of all headings. */
function headings(document: string): string[] {
  return [...document.matchAll(/<h[1-6]>(?:<bdi>)?([^<]*)/g)].map(([, text]) => text);
}

Deno.test({
  name: "report: one self-contained, well-formed document, the same bytes each time, made without permissions",
  permissions: "none",
  async fn() {
    const document = await reportHtml(complete());
    assert.equal(document, await reportHtml(structuredClone(complete())));
    elements(document);
    expectSelfContained(document);
    assert(document.length < 1_000_000, `${document.length} characters`);
    assert.match(document, /@media \(prefers-color-scheme:dark\)/);
    const charts = [...document.matchAll(/<svg class="chart" role="img" aria-label="([^"]+)"/g)];
    assert.equal(charts.length, 10 + 2 + 3);
    assert.equal(new Set(charts.map(([, label]) => label)).size, charts.length);
    for (const [, heading] of document.matchAll(/<figure>\n<h4>([^<]*)<\/h4>/g)) assert(heading.length > 0);
    assert.equal([...document.matchAll(/<figcaption>[^<]{20,}/g)].length, charts.length);
    assert.doesNotMatch(document.replace(/<style>[^]*?<\/style>/g, ""), /undefined|NaN|\[object|Infinity/);
  },
});

Deno.test("report: every part stands or is left out by itself", async () => {
  const { training, cost, evaluation, commands, ...rest } = complete(),
    parts = { training, cost, evaluation, commands };
  for (const names of [[], ["training"], ["cost"], ["evaluation"], ["commands"], Object.keys(parts)]) {
    const chosen = Object.fromEntries(Object.entries(parts).filter(([name]) => names.includes(name)));
    const document = await reportHtml({ ...rest, ...chosen }), found = headings(document);
    elements(document);
    for (const [part, texts] of Object.entries(HEADINGS)) {
      for (const text of texts) {
        assert.equal(found.includes(text), part === "always" || names.includes(part), `${names}: ${text}`);
      }
    }
    const untrained = names.includes("training") || names.includes("evaluation") ? 0 : 1;
    assert.equal([...document.matchAll(/The cell itself has not been trained/g)].length, untrained);
    const sections = new Set([...document.matchAll(/<section id="([a-z]+)"/g)].map(([, id]) => id));
    for (const [, link] of document.matchAll(/href="#([a-z]+)"/g)) assert(sections.delete(link), link);
    assert.equal(sections.size, 0, "every section has a link");
  }
});

/** Makes a report with hostile texts in all places where users, files or drivers choose one. */
async function expectHarmless(report: (name?: (what: string) => string) => Promise<string>): Promise<void> {
  const plain = elements(await report());
  const hostile = [
    `"><script>alert(1)</script>`,
    `</title></style></pre><img src=x onerror="alert(1)">`,
    `' onmouseover='alert(1)`,
    `<!-- &amp; ]]> --!> $& $1 \${x} {{y}}`,
    `\u0000\u0007\ud800\u202e${"long ".repeat(200)}`,
  ];
  for (const text of hostile) {
    const document = await report((what) => text + what);
    assert.deepEqual(elements(document), plain, text);
    expectSelfContained(document.replaceAll(/&#39; on[a-z]+=/g, ""));
    assert(document.includes(String(html`${text}class a`)), text);
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(document, /[\u0000-\u0008\u000b\u000c\u000e-\u001f]/);
    assert(document.isWellFormed());
  }
}

Deno.test("report: hostile names change no element and reach the page as text", async () => {
  await expectHarmless((name) => reportHtml(complete(name)));
});

Deno.test("report of a training alone: the same with hostile names, and for titles made of them", async () => {
  await expectHarmless((name) => trainingReportHtml(trained(name)));
  await expectHarmless((name) => trainingReportHtml({ ...trained(name), title: undefined }));
  const document = await trainingReportHtml(trained());
  expectSelfContained(document);
  const found = headings(document);
  for (
    const part of [
      "The cell",
      ...Object.entries(HEADINGS).flatMap(([key, texts]) => key === "always" ? [] : texts),
    ]
  ) {
    assert(found.includes(part), part);
  }
});

Deno.test("report of auto: hostile names are harmless, and of an ensemble all members count", async () => {
  await expectHarmless((name) => autoReportHtml(raced(name)));
  const ensemble = { members: 3, parameters: 154_632, macs: 16_811_520, latency: 0.0178 };
  const [single, three] = await Promise.all([autoReportHtml(raced()), autoReportHtml({ ...raced(), ensemble })]);
  for (const document of [single, three]) {
    elements(document);
    expectSelfContained(document);
    assert.doesNotMatch(document.replace(/<style>[^]*?<\/style>/g, ""), /undefined|NaN|\[object|Infinity/);
  }
  const tile = (value: string): string => `<dd>${value}</dd>`;
  for (const text of [magnitude(154_632), magnitude(16_811_520), latencyText(0.0178)].map(tile)) {
    assert.deepEqual([single.includes(text), three.includes(text)], [false, true], text);
  }
  for (const text of [magnitude(51_544), latencyText(0.0131)].map(tile)) assert(single.includes(text), text);
  assert.match(three, /plain 8x3<\/bdi>, an ensemble of 3: /);
  assert.doesNotMatch(single, /ensemble|mirror image/);
  const answers = [{ ...ensemble, members: 1 }, ensemble].map((each) =>
    autoReportHtml({ ...raced(), ensemble: { ...each, mirrored: true } })
  );
  const [one, all] = await Promise.all(answers), both = "the mirror image of each image is looked at, too\\.";
  assert.match(one, new RegExp(`plain 8x3</bdi>: ${both}`));
  assert.match(
    all,
    new RegExp(`an ensemble of 3: they were trained apart, and the mean of their logits counts; ${both}`),
  );
});

Deno.test("report: charts hold the values that were measured", async () => {
  const document = await reportHtml(searched());
  for (
    const title of [
      "operations' half, epoch 3: 0.67",
      "evaluated, epoch 2: 1.50",
      "node 4 after normalisation, epoch 1: 1.00",
      "zca, epoch 3: 1",
    ]
  ) {
    assert(document.includes(`<title>${title}</title>`), title);
  }
  assert.match(document, /zca<b>1<\/b>/);
});

Deno.test("report: the tables mark what each rule picked", async () => {
  const input = searched(), document = await reportHtml(input), { methods } = input.discretization;
  const picks = [...document.matchAll(/<td class="heat[^"]* pick"/g)].length;
  assert.equal(picks, methods.length * 16);
  const texts = (selection: Selection) =>
    CELL_KINDS.flatMap((kind) =>
      selection.nodes[kind].flatMap(({ node, choices }) =>
        choices.map(({ edge, op }) => `${kind} ${node} ${edge} ${op}`)
      )
    );
  const elsewhere = methods.map((m) => texts(m.other!).filter((pick) => !texts(m).includes(pick)).length);
  assert.ok(elsewhere.some((count) => count > 0));
  assert.equal(
    [...document.matchAll(/<td class="heat[^"]* pick other"/g)].length,
    elsewhere.reduce((sum, count) => sum + count, 0),
    "what the other way picks is dotted",
  );
  for (const kind of CELL_KINDS) {
    for (const { choices } of methods[0].nodes[kind]) {
      for (const { score } of choices) assert(document.includes(`<span class="score">${fixed(score)}</span>`));
    }
  }
  const candidates = edgesOf(DARTS).length * 7 * 2;
  assert.equal([...document.matchAll(/<td class="heat/g)].length, methods.length * candidates);
  assert.match(document, /<td class="chosen">16 of 16<\/td>/);
});

Deno.test("report: both ways to keep stand side by side, each with its cells", async () => {
  const input = searched(1), other = discretization(DARTS, ["normal", "reduce", "reduce"], "operations");
  const [edges, operations] = await Promise.all([
    reportHtml(input),
    reportHtml({ ...input, discretization: other }),
  ]);
  const heading = /<h3>What each rule picks if (.*?)<\/h3>[^]*?<table class="picks">([^]*?)<\/table>/;
  const [, asOperations, beside] = heading.exec(edges)!, [, asEdges] = heading.exec(operations)!;
  assert.match(asOperations, /two best operations of a node stay, also where both are on one edge/);
  assert.match(asEdges, /two best edges of a node stay, with one operation each/);
  for (const { other: cells } of input.discretization.methods) {
    for (const { choices } of [...cells!.nodes.normal, ...cells!.nodes.reduce]) {
      for (const { score } of choices) assert(beside.includes(`<span class="score">${fixed(score)}</span>`));
    }
  }
  for (const document of [edges, operations]) {
    elements(document);
    assert.equal([...document.matchAll(/<svg class="idarts-cells"/g)].length, 2, "the cells of both ways are drawn");
    assert.match(document, /nodes with two of one edge/);
  }
  const [first] = input.discretization.methods,
    doubled = [...first.other!.nodes.normal, ...first.other!.nodes.reduce]
      .filter(({ choices: [a, b] }) => a.edge === b.edge).length;
  assert.match(beside, new RegExp(`nodes with two of one edge</th><td class="chosen">${doubled} of 8`));
  assert.match(operations, /kept two for each node, also of one edge/);
  const old = input.discretization.methods.map(({ other: _, ...method }) => method);
  const without = await reportHtml({ ...input, discretization: { ...input.discretization, methods: old } });
  assert.doesNotMatch(without, heading, "files of versions that knew one way");
});

Deno.test("report: a run without epochs, with one, with gaps, and with very many", async () => {
  const none = await reportHtml(searched(0));
  elements(none);
  assert.match(none, /No epoch of this search was recorded/);
  const one = await reportHtml(searched(1));
  elements(one);
  assert.match(one, /<title>evaluated, epoch 1: 3.00<\/title>/);
  const gaps = searched(3),
    lost = { trainLoss: null, evalAccuracy: null, secondsPerStep: null } as unknown as EpochRecord;
  const document = await reportHtml({ ...gaps, epochs: gaps.epochs.map((e) => ({ ...e, ...lost })) });
  elements(document);
  assert.doesNotMatch(document, /NaN|>null</);
  assert.match(document, /<dt>accuracy of the supernet<\/dt>\s*<dd>–<\/dd>/);
  const many = await reportHtml(searched(600));
  assert(many.length < 2_000_000, `${many.length} characters`);
});

Deno.test("report: the weights of the edges, where they have some", async () => {
  const base = searched(), { weights } = base.discretization, heading = "How much the edges weigh";
  const weighted = (kind: CellKind) => weights[kind].map((edge) => ({ ...edge, edgeWeight: (edge.edge + 1) / 1000 }));
  const discretization = {
    ...base.discretization,
    weights: { normal: weighted("normal"), reduce: weighted("reduce") },
  };
  assert(!headings(await reportHtml(base)).includes(heading));
  const document = await reportHtml({ ...base, discretization });
  elements(document);
  assert(headings(document).includes(heading));
  const [table] = document.slice(document.indexOf(heading)).match(/<table[^]*?<\/table>/)!;
  const rows = [...table.matchAll(/<tr><th scope="row">(.*?)<\/tr>/g)].map(([, row]) => row.replace(/<[^>]*>/g, " "));
  assert.equal(rows.length, 8);
  assert.match(rows[0], /^normal 2\s+0\.001\s+0\.002\s+·\s+·\s+·\s*$/);
  const lines = edgeWeightLines(discretization);
  assert.deepEqual(edgeWeightLines(base.discretization), []);
  assert.deepEqual([lines.length, lines[3]], [11, "  normal 2   0.001   0.002       -       -       -"]);
  assert.equal(lines[10], "  reduce 5   0.010   0.011   0.012   0.013   0.014");
  assert.match(rows[7], /^reduce 5\s+0\.010\s+0\.011\s+0\.012\s+0\.013\s+0\.014\s*$/);
});

Deno.test("report: other spaces, and a search without statistics", async () => {
  const small = await reportHtml(searched(2, S3)), blind = await reportHtml(searched(2, DARTS, []));
  elements(small);
  elements(blind);
  assert.match(small, /operations that the\s+space “s3” has for it/);
  assert.match(blind, /No statistics of the operations&#39; outputs/);
  assert(!headings(blind).includes("How much the operations of a node resemble each other"));
});

Deno.test("report: many classes are listed by what goes wrong, and the file stays small", async () => {
  const names = (n: number): string[] => Array.from({ length: n }, (_, i) => `class ${i}`);
  const few = await reportHtml({ ...searched(), evaluation: evaluation(names(32)) });
  assert.match(few, /<caption>Confusion matrix/);
  const many = await reportHtml({ ...searched(), evaluation: evaluation(names(1000)) });
  elements(many);
  assert.match(many, /the 40 hardest of 1000/);
  assert.doesNotMatch(many, /<caption>Confusion matrix/);
  assert(many.length < 1_000_000, `${many.length} characters`);
  const empty = await reportHtml({
    ...searched(),
    evaluation: { split: "test", classNames: ["a", "b"], confusion: [[0, 0], [3, 1]] },
  });
  elements(empty);
  assert.doesNotMatch(empty, /NaN/);
  assert.match(empty, /25\.00% of 4 images right/);
});

Deno.test("report: what does not fit together is refused", async () => {
  const base = searched();
  await assert.rejects(
    reportHtml({ ...base, discretization: { ...base.discretization, chosen: "luck" } }),
    new RegExp(
      `RangeError: Cannot report on rule 'luck' as it must be one of ${rulesOf().map((r) => r.name).join(", ")}`,
    ),
  );
  for (const confusion of [[[1, 2]], [[1], [2]], [[1, -1], [0, 1]], [[1, 0.5], [0, 1]]]) {
    await assert.rejects(
      reportHtml({ ...base, evaluation: { split: "test", classNames: ["a", "b"], confusion } }),
      /RangeError: Cannot report on the evaluation as its confusion matrix must be 2 rows of 2 counts/,
    );
  }
});

Deno.test("report: what the search took in the field's terms, by who did the work", async () => {
  const input = { ...searched(1), supernet: { seconds: 8640, cpuSeconds: 18_000 } };
  const of = async (adapter: string, supernet: typeof input.supernet | { seconds: number }) => {
    const page = await reportHtml({ ...input, supernet, environment: { ...input.environment, adapter } });
    return /<dt>cost of the search<\/dt>\s*<dd>(.*?)<\/dd>/.exec(page)?.[1];
  };
  assert.equal(await of("llvmpipe (LLVM 15.0.6, 256 bits)", input.supernet), "5 core-hours");
  assert.equal(await of("NVIDIA Tesla V100", input.supernet), "0.1 GPU-days");
  assert.equal(await of("llvmpipe", { seconds: 1 }), undefined, "runs of earlier versions have no CPU time");
});

Deno.test("report: numbers for people", () => {
  assert.deepEqual([3350, 99.96, 11.3, 9.3, 2.6, 12, 1, 0.2, 0.012689, 0.00001234, 0, -0.5, NaN].map(significant), [
    ...["3,350", "100", "11.3", "9.3", "2.6", "12", "1", "0.2", "0.0127", "0.0000123", "0", "−0.5", "–"],
  ]);
  assert.deepEqual([fieldTime(8640, false), fieldTime(18000, true), fieldTime(undefined, true)], [
    "0.1 GPU-days",
    "5 core-hours",
    "–",
  ]);
  assert.deepEqual([fixed(-0.0001), fixed(-1.5, 1), fixed(null), fixed(NaN)], ["0.000", "−1.5", "–", "–"]);
  assert.deepEqual([narrow(0.1984), narrow(-0.012), narrow(1.25)], [".198", "−.012", "1.250"]);
  assert.deepEqual([lead(0.0001), lead(0), lead(0.25)], ["<0.001", "+0.000", "+0.250"]);
  assert.deepEqual([percent(0.9918), percent(1, 0), count(1930618), count(0)], ["99.2%", "100%", "1,930,618", "0"]);
  assert.deepEqual([magnitude(3349342), magnitude(999), mebibytes(2 ** 20)], ["3.35 M", "999", "1.00 MiB"]);
  assert.deepEqual([duration(0.85), duration(1.25), duration(245), duration(3599.9), duration(7620)], [
    "850 ms",
    "1.3 s",
    "4 min 05 s",
    "1 h 00 min",
    "2 h 07 min",
  ]);
});

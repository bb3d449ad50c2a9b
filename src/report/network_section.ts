/**
 * The part of a report about the network that was built from the cell: training, size, and what it confuses.
 * @module
 */
import { type Content, type Html, html } from "./markup.ts";
import { count, duration, fixed, known, magnitude, mebibytes, percent } from "./numbers.ts";
import type { CostPart, EvaluationPart, ReportInput, TrainingPart } from "./report_input.ts";
import { curve, series } from "./search_section.ts";
import { dataTable, meter, pairTable, scroller } from "./tables.ts";

/** Largest number of classes whose confusion matrix is drawn in full. */
const MOST_CLASSES = 32;

/** Classes, and confusions, that are listed when there are too many for all. */
const MOST_ROWS = 40;

/** The section, or nothing when there is no derived network yet. */
export async function networkSection(
  { training, cost, evaluation }: Pick<ReportInput, "training" | "cost" | "evaluation">,
): Promise<Content> {
  if (!training && !cost && !evaluation) return "";
  const parts = [
    training && await trainingPart(training),
    cost && costPart(cost),
    evaluation && evaluationPart(evaluation),
  ];
  return html`
    <section id="network">
      <h2>The network made of this cell</h2>
      <p>The picked operations alone, stacked into a network${training && " and trained from scratch"}.</p>
      ${parts}
    </section>
  `;
}

/** The curves of a training. */
export async function trainingPart({ epochs, seconds }: TrainingPart): Promise<Html> {
  const has = (key: "valLoss" | "valAccuracy" | "learningRate"): boolean => epochs.some((e) => known(e[key]));
  const curves = epochs.length === 0 ? [] : [
    await curve({
      heading: "Loss in training",
      caption: "Cross-entropy of the training steps (with augmentation and drop path, where used) and on validation " +
        "images: a validation loss that rises again means overfitting.",
      format: ".2f",
      last: (v) => fixed(v),
      series: [
        series("training", 0, epochs, (e) => e.trainLoss),
        ...(has("valLoss") ? [series("validation", 1, epochs, (e) => e.valLoss)] : []),
      ],
    }),
    await curve({
      heading: "Accuracy in training",
      caption: "Share of images that the network gets right, in the training steps and on validation images.",
      format: ".0%",
      last: (v) => percent(v),
      series: [
        series("training", 0, epochs, (e) => e.trainAccuracy),
        ...(has("valAccuracy") ? [series("validation", 1, epochs, (e) => e.valAccuracy)] : []),
      ],
    }),
    ...(has("learningRate")
      ? [
        await curve({
          heading: "Learning rate in training",
          caption: "Step size of the weights in each epoch.",
          format: "~g",
          zero: true,
          last: (v) => String(Number(v.toPrecision(3))),
          series: [series("weights", 0, epochs, (e) => e.learningRate)],
        }),
      ]
      : []),
  ];
  const time = known(seconds) && html`<p class="caption">Trained in ${duration(seconds)}.</p>`;
  const figures = html`<div class="figures">${curves}</div>`;
  const none = html`<p class="note">No epoch of training was recorded.</p>`;
  return html`<h3>Training</h3>${curves.length > 0 ? figures : none}${time}`;
}

function costPart(cost: CostPart): Html {
  const { form, cells, channels, input, parameters, macs, activationBytes, convention, layers } = cost;
  const rows: [Content, Content][] = [
    ["parameters", html`${magnitude(parameters)} <small>${count(parameters)}</small>`],
    ["MACs for one image", html`${magnitude(macs)} <small>${count(macs)}</small>`],
  ];
  if (activationBytes !== undefined) rows.push(["memory of activations", mebibytes(activationBytes)]);
  if (form !== undefined) rows.push(["form", form]);
  if (cells !== undefined) rows.push(["cells", cells]);
  if (channels !== undefined) rows.push(["channels of the first cells", channels]);
  if (input) rows.push(["image", input.join(" × ")]);
  return html`
    <h3>Cost</h3>
    ${pairTable("Cost of the network", rows)}
    <p class="caption">Parameters decide the size of the file, multiply-accumulate operations (MACs) most of the time for an
    image.${convention && ` ${convention}`}</p>
    ${layers && layers.length > 0 && layerTable(layers)}
  `;
}

function layerTable(layers: NonNullable<CostPart["layers"]>): Html {
  const total = layers.reduce((sum, { macs }) => sum + macs, 0);
  const table = dataTable(
    "Cost of each part",
    [
      { name: "part" },
      { name: "parameters", kind: "num" },
      { name: "MACs", kind: "num" },
      { name: "of all MACs" },
    ],
    layers.map(({ name, parameters, macs }) => [
      html`<bdi>${name}</bdi>`,
      count(parameters),
      count(macs),
      meter(total > 0 ? macs / total : 0, "part of all MACs"),
    ]),
  );
  return html`<details><summary>Cost of each part</summary>${table}</details>`;
}

/** Share of the images that lie on the matrix' diagonal; undefined when there are none. */
export function accuracyOf({ confusion }: EvaluationPart): number | undefined {
  const right = confusion.reduce((sum, row, i) => sum + row[i], 0);
  const all = confusion.reduce((sum, row) => sum + row.reduce((a, b) => a + b, 0), 0);
  return all === 0 ? undefined : right / all;
}

function evaluationPart(evaluation: EvaluationPart): Html {
  const { split, classNames, confusion, loss } = evaluation, images = confusion.flat().reduce((a, b) => a + b, 0);
  const cost = known(loss) && `, mean cross-entropy ${fixed(loss)}`;
  return html`
    <h3>Evaluation on the ${split} images</h3>
    <p>${percent(accuracyOf(evaluation), 2)} of ${count(images)} images right${cost}.</p>
    ${classTable(evaluation)} ${classNames.length <= MOST_CLASSES ? matrix(evaluation) : worst(evaluation)}
  `;
}

interface ClassRow {
  readonly name: string;
  readonly total: number;
  readonly accuracy: number;
  /** The class that it is most often taken for. */
  readonly other: { readonly name: string; readonly n: number } | undefined;
}

function classTable({ classNames, confusion }: EvaluationPart): Html {
  const all = classNames.map((name, i): ClassRow => {
    const row = confusion[i], total = row.reduce((a, b) => a + b, 0);
    const others = row.map((n, j) => ({ name: classNames[j], n: j === i ? 0 : n }));
    const other = others.reduce((a, b) => b.n > a.n ? b : a, { name: "", n: 0 });
    return { name, total, accuracy: total === 0 ? NaN : row[i] / total, other: other.n > 0 ? other : undefined };
  });
  // Classes without images come last.
  const rows = all.toSorted((a, b) => (known(a.accuracy) ? a.accuracy : 2) - (known(b.accuracy) ? b.accuracy : 2));
  const shown = rows.slice(0, MOST_ROWS);
  const table = dataTable(
    "Accuracy of each class",
    [
      { name: "class" },
      { name: "right", kind: "num" },
      { name: "" },
      { name: "images", kind: "num" },
      { name: "most often taken for" },
    ],
    shown.map(({ name, total, accuracy, other }) => [
      html`<bdi>${name}</bdi>`,
      percent(accuracy),
      meter(accuracy, "right"),
      count(total),
      other ? html`<bdi>${other.name}</bdi> <small>${count(other.n)} ×</small>` : "–",
    ]),
  );
  const part = shown.length < rows.length && ` (the ${shown.length} hardest of ${rows.length})`;
  return html`
    ${table}
    <p class="caption">How many images of each class are recognised, the hardest class first${part}.</p>
  `;
}

function matrix({ classNames, confusion }: EvaluationPart): Html {
  const rows = confusion.map((row, i) => {
    const total = row.reduce((a, b) => a + b, 0);
    const cells = row.map((n, j) => {
      if (n === 0) return html`<td class="none">·</td>`;
      const heat = i === j ? n / total : 0.2 + 0.8 * Math.sqrt(n / total);
      return html`<td class="${i === j ? "heat" : "heat below"}" style="--v:${heat.toFixed(2)}">${n}</td>`;
    });
    return html`<tr><th scope="row"><bdi>${classNames[i]}</bdi></th>${cells}</tr>`;
  });
  const columns = classNames.map((name) => html`<th scope="col"><span><bdi>${name}</bdi></span></th>`);
  const table = html`
    <table class="scores matrix">
      <caption>Confusion matrix</caption>
      <thead>
        <tr><th scope="col">true ↓ taken for →</th>${columns}</tr>
      </thead>
      <tbody>${rows}</tbody>
    </table>
  `;
  return html`
    ${scroller("Confusion matrix", table)}
    <p class="caption">Number of images by their true class (rows) and the class that the network sees (columns): blue is
    right, red wrong, the stronger the larger its part of the row (of its square root for what is wrong, so that rare
    confusions show).</p>
  `;
}

function worst({ classNames, confusion }: EvaluationPart): Html {
  const pairs = confusion.flatMap((row, i) => row.flatMap((n, j) => i === j || n === 0 ? [] : [{ i, j, n }]))
    .sort((a, b) => b.n - a.n).slice(0, MOST_ROWS);
  const table = dataTable(
    "Most frequent confusions",
    [{ name: "true class" }, { name: "taken for" }, { name: "images", kind: "num" }],
    pairs.map(({ i, j, n }) => [html`<bdi>${classNames[i]}</bdi>`, html`<bdi>${classNames[j]}</bdi>`, count(n)]),
  );
  return html`
    ${table}
    <p class="caption">The most frequent confusions; with ${classNames
      .length} classes a full matrix could not be read.</p>
  `;
}

/**
 * How a trained network does, as text for people: epochs, accuracy per class, what it confuses.
 * @module
 */
import type { Evaluation } from "../train/evaluation.ts";
import type { TrainRecord } from "../train/records.ts";
import { count, percent, table } from "./terminal.ts";

/** Most classes whose confusion matrix is printed. */
const MOST_COLUMNS = 12;

/** Most rows of the table of classes. */
const MOST_ROWS = 30;

/** Longest name of a column of the confusion matrix. */
const COLUMN = 6;

/** `97.25%`: as fine as a few thousand images tell. */
export function finePercent(share: number): string {
  return `${(share * 100).toFixed(2)}%`;
}

/** Accuracy of each class, the hardest first where there are too many, and the confusion matrix where it is narrow. */
export function evaluationLines({ perClass, confusion }: Evaluation, classNames: readonly string[]): string[] {
  const rows = classNames.map((name, k) => {
    const images = confusion[k].reduce((a, b) => a + b, 0), share = perClass[k];
    const wrong = confusion[k].map((n, other) => other === k ? 0 : n), most = Math.max(...wrong);
    const taken = most > 0 ? `${classNames[wrong.indexOf(most)]} (${count(most)})` : "";
    return { share: share ?? 2, cells: [name, count(images), share === null ? "-" : percent(share), taken] };
  });
  const sorted = rows.length > MOST_ROWS ? rows.toSorted((a, b) => a.share - b.share) : rows;
  const shown = sorted.slice(0, MOST_ROWS).map(({ cells }) => cells);
  const which = shown.length < rows.length ? `, the ${shown.length} hardest of ${rows.length}` : "";
  return [
    `Accuracy of each class${which}`,
    ...table(["class", "images", "right", "most often taken for"], shown),
    ...(classNames.length > MOST_COLUMNS ? [] : ["", ...matrixLines(confusion, classNames)]),
  ];
}

function matrixLines(confusion: Evaluation["confusion"], classNames: readonly string[]): string[] {
  const short = classNames.map((name) => name.length > COLUMN ? `${[...name].slice(0, COLUMN - 1).join("")}.` : name);
  return [
    "Confusion matrix (rows: classes of the images; columns: what they were taken for)",
    ...table(["", ...short], confusion.map((row, k) => [classNames[k], ...row.map((n) => n === 0 ? "-" : count(n))])),
  ];
}

/** One epoch of a training on one line. */
export function trainLine(e: TrainRecord, epochs: number): string {
  const validation = e.valLoss === null ? "" : `  val ${e.valLoss.toFixed(3)} ${percent(e.valAccuracy!)}`;
  return `epoch ${String(e.epoch).padStart(String(epochs).length)}/${epochs}  ` +
    `train ${e.trainLoss.toFixed(3)} ${percent(e.trainAccuracy)}${validation}  lr ${rate(e.lr)}` +
    (e.best ? "  best so far" : "");
}

const rate = (lr: number): string => String(Number(lr.toPrecision(3)));

/** Most epochs of a training that are printed at its end. */
const MOST_EPOCHS = 20;

/** The epochs of a training, a row each; the first and the last ones of many. */
export function trainLines(epochs: readonly TrainRecord[]): string[] {
  if (epochs.length === 0) return [];
  // Metrics that were read back from a file hold null for what was not finite.
  const number = (value: number | null): string => value === null ? "-" : value.toFixed(3);
  const share = (value: number | null): string => value === null ? "-" : percent(value);
  const auxiliary = epochs.some((e) => e.auxiliaryLoss !== null);
  const rows = epochs.map((e) => [
    String(e.epoch),
    number(e.trainLoss),
    share(e.trainAccuracy),
    ...(auxiliary ? [number(e.auxiliaryLoss)] : []),
    number(e.valLoss),
    share(e.valAccuracy),
    rate(e.lr),
    number(e.secondsPerStep),
    e.best ? "best so far" : "",
  ]);
  const left = rows.length - MOST_EPOCHS, half = MOST_EPOCHS / 2;
  const shown = left > 0 ? [...rows.slice(0, half), ...rows.slice(-half)] : rows;
  const header = ["epoch", "train", "acc", ...(auxiliary ? ["auxiliary"] : []), "val", "acc", "lr", "s/step", ""];
  return [
    "Measured (losses and accuracies of the training steps, and on the validation images)" +
    (left > 0 ? `; ${left} epochs in the middle left out` : ""),
    ...table(header, shown),
  ];
}

/**
 * What a page shows of a run that is going on: numbers, the cells as they would be picked now, curves. They are made of
 * the files of its folder, with the drawings of the report. Not responsible for bringing them to a page.
 * @module
 */
import type { RunFolder } from "../run/run_folder.ts";
import { readRecords } from "../run/metrics_file.ts";
import { runKind } from "../run/run_record.ts";
import { EPOCH_SHAPE, type EpochRecord } from "../search/records.ts";
import { readSearch } from "../search/run_record.ts";
import { parseGenotype } from "../space/genotype.ts";
import { CELL_KINDS, skeletonOf } from "../space/space.ts";
import { EPOCH_SHAPE as TRAIN_EPOCH_SHAPE } from "../train/records.ts";
import { readTraining } from "../train/run_record.ts";
import { formatGenotypeText } from "../space/genotype.ts";
import type { LiveUpdate } from "./live_view.ts";
import { type Content, type Html, html } from "./markup.ts";
import { trainingPart } from "./network_section.ts";
import { duration, fixed, percent } from "./numbers.ts";
import type { RunProgress } from "../run/phase.ts";
import type { StepClock } from "./step_clock.ts";
import { cellPart, tileList } from "./page.ts";
import { curve, learningCurves, weightCurve } from "./search_section.ts";

/**
 * Everything that the files in `folder` say of its run: a search or a training.
 * @throws {FailureError} for damaged files, {UsageError} for a run of another kind.
 */
export async function liveRun(folder: RunFolder): Promise<LiveUpdate> {
  return runKind(folder) === "train" ? await liveTraining(folder) : await liveSearch(folder);
}

async function liveSearch(folder: RunFolder): Promise<LiveUpdate> {
  const { config: { epochs: all, discretizer } } = readSearch(folder);
  const epochs = readRecords(folder, EPOCH_SHAPE), last = epochs.at(-1);
  if (last === undefined) {
    return { news: "The search has begun.", progress: { share: 0, text: "no epoch is done yet" } };
  }
  const text = last.genotypes[discretizer] ?? Object.values(last.genotypes)[0];
  const genotype = parseGenotype(text, `epoch ${last.epoch}`), { kinds } = skeletonOf(genotype);
  const curves = [...learningCurves(epochs).slice(0, 2), ...kinds.map((kind) => weightCurve(epochs, kind))];
  const drawn: Html[] = [];
  for (const each of curves) drawn.push(await curve(each));
  const operations = CELL_KINDS.flatMap((kind) => genotype[kind].nodes.flat()).length;
  return {
    ...said("search", last, all),
    parts: {
      numbers: numbers(last, all, [
        ["loss of the supernet", fixed(last.evalLoss)],
        ["accuracy of the supernet", percent(last.evalAccuracy)],
        ["skip-connections", `${last.skips[discretizer]} of ${operations}`],
      ]),
      cells: String((await cellPart(genotype, text)).content),
      curves: section("How the search goes", html`<div class="figures">${drawn}</div>`),
    },
  };
}

async function liveTraining(folder: RunFolder): Promise<LiveUpdate> {
  const { config: { epochs: all }, genotype } = readTraining(folder);
  const epochs = readRecords(folder, TRAIN_EPOCH_SHAPE), last = epochs.at(-1);
  const cells = String((await cellPart(genotype, formatGenotypeText(genotype))).content);
  if (last === undefined) return { news: "The training has begun.", parts: { cells } };
  const curves = epochs.map(({ lr, ...epoch }) => ({ ...epoch, learningRate: lr }));
  return {
    ...said("training", last, all),
    parts: {
      numbers: numbers(last, all, [
        ["loss", fixed(last.trainLoss)],
        ["accuracy on validation images", last.valAccuracy === null ? undefined : percent(last.valAccuracy)],
      ]),
      cells,
      training: section("The network made of this cell", await trainingPart({ epochs: curves })),
    },
  };
}

/** Where a run is, in the midst of an epoch. */
export function liveProgress(
  what: string,
  clock: StepClock,
  progress: RunProgress & { readonly trainLoss: number },
): NonNullable<LiveUpdate["progress"]> {
  const { epoch, epochs, step, stepsPerEpoch, trainLoss } = progress, { share, left } = clock.left(progress);
  const place = `epoch ${epoch + 1} of ${epochs}, step ${step} of ${stepsPerEpoch}`;
  return { share, text: `${what}: ${place}, ${left}; loss ${fixed(trainLoss)}` };
}

type Epoch = Pick<EpochRecord, "epoch" | "trainLoss" | "secondsPerStep">;

function said(what: string, { epoch, trainLoss }: Epoch, all: number): LiveUpdate {
  const text = `${what}, ${epoch} of ${all} epochs done`;
  return {
    news: `Epoch ${epoch} of ${all} of the ${what}: loss ${fixed(trainLoss)}`,
    progress: { share: epoch / all, text },
  };
}

function numbers(
  { epoch, secondsPerStep }: Epoch,
  all: number,
  more: readonly (readonly [string, string | undefined])[],
): string {
  return String(tileList([["epochs", `${epoch} of ${all}`], ...more, ["a step", duration(secondsPerStep)]]));
}

function section(heading: string, content: Content): string {
  return String(html`
    <section>
      <h2>${heading}</h2>
      ${content}
    </section>
  `);
}

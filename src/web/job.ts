/**
 * The work of the page: a search, a short training of the found cell, its report and its files, all in folders of the
 * page's memory. What is there already is gone on with. Not responsible for messages between threads, nor for keeping
 * the folders.
 * @module
 */
import { removeFiles } from "../platform/browser.ts";
import { exists, makeFolder, readBytes, readJson, writeAtomic } from "../base/files.ts";
import { formatYaml, parseYamlOptions } from "../base/options.ts";
import { openPart, openTrainData } from "../train/open_data.ts";
import type { Dataset } from "../data/dataset.ts";
import { exportOnnx } from "../export/onnx.ts";
import type { Gpu } from "../gpu/device.ts";
import { liveProgress, liveRun } from "../report/live.ts";
import type { LiveUpdate } from "../report/live_view.ts";
import { percent, plural } from "../report/numbers.ts";
import { finishSearch, finishTraining } from "../report/run_pictures.ts";
import { runReport } from "../report/run_report.ts";
import { StepClock } from "../report/step_clock.ts";
import { stopwatch } from "../run/result_file.ts";
import { RunFolder } from "../run/run_folder.ts";
import { resolveSearchLayers, SEARCH_OPTIONS, SEARCH_PRESETS, type SearchConfig } from "../search/config.ts";
import { OUTCOME_FILE, readOutcome } from "../search/outcome_file.ts";
import { search } from "../search/search.ts";
import type { Genotype } from "../space/genotype.ts";
import { resolveTrainLayers, TRAIN_OPTIONS, TRAIN_PRESETS, type TrainConfig } from "../train/config.ts";
import { train } from "../train/train.ts";

/** Folders of the page: the images, and what was made of them. */
export const IMAGES = "images", RUNS = "runs";
const SEARCH = `${RUNS}/search`, TRAINING = `${RUNS}/training`, JOB = `${RUNS}/job.json`;
const REPORT = "report.html", MODEL = "model.onnx";

/** What a person may choose: options as YAML. */
export interface Choices {
  /** Of the search. */
  readonly search: string;
  /** Of the training. */
  readonly train: string;
}

/** What is to be done. */
export interface Job extends Choices {
  /** The folder of the images. */
  readonly data: string;
}

/** What a person is offered: the same as `--preset demo`. */
export const OFFERED: Choices = {
  search: formatYaml(SEARCH_OPTIONS.objectLayer(SEARCH_PRESETS.demo).values),
  train: formatYaml(TRAIN_OPTIONS.objectLayer(TRAIN_PRESETS.demo).values),
};

/** A file that a person may take away. */
export interface Download {
  /** Its name. */
  readonly name: string;
  /** What it is, in a few words. */
  readonly title: string;
  /** Its type. */
  readonly type: string;
  /** Its content. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Who is told what. */
export interface Observers {
  /** Told where the work is. */
  readonly tell: (update: LiveUpdate) => void;
  /** Told in one sentence what is to be heeded. */
  readonly warn: (message: string) => void;
  /** Told whenever the folders may have changed. */
  readonly keep: () => void;
  /** Stops the work, with a checkpoint. */
  readonly signal: AbortSignal;
}

/** The job that was begun and not finished; undefined where there is none. */
export function begunJob(): Job | undefined {
  return exists(JOB) ? readJson(JOB) as Job : undefined;
}

/** Notes what is to be done. Throws UsageError for options that there are not. */
export function beginJob(job: Job): void {
  configs(job);
  makeFolder(RUNS);
  writeAtomic(JOB, JSON.stringify(job));
}

/** Whether the job at hand is past its search: its training has begun. */
export function trainingBegun(): boolean {
  return exists(`${TRAINING}/config.json`);
}

/** Takes a job back of which nothing was done. */
export function tidyRuns(): void {
  if (!exists(`${SEARCH}/config.json`)) removeFiles(RUNS);
}

function configs({ data, search, train }: Job): { forSearch: SearchConfig; forTraining: TrainConfig } {
  const layer = (source: string, text: string) => ({ source, values: { ...parseYamlOptions(source, text), data } });
  return {
    forSearch: resolveSearchLayers([layer("the options of the search", search)]),
    forTraining: resolveTrainLayers([layer("the options of the training", train)]),
  };
}

/** What the folders say of the job, for a page that was opened anew. */
export async function shownJob(): Promise<LiveUpdate> {
  const updates: LiveUpdate[] = [];
  for (const folder of [SEARCH, TRAINING]) {
    if (exists(`${folder}/config.json`)) updates.push(await liveRun(RunFolder.view(folder)));
  }
  return { ...updates.at(-1), parts: Object.assign({}, ...updates.map(({ parts }) => parts)) };
}

/**
 * Does the job, or goes on with it; {@linkcode downloads} are what came of it.
 * @throws the signal's reason where it was stopped; called again it goes on to the same bits
 */
export async function perform(job: Job, observers: Observers): Promise<void> {
  const { tell, warn, keep, signal } = observers, { forSearch, forTraining } = configs(job);
  const reading = {
    warn,
    data: {
      signal,
      warn,
      onProgress: (done: number, all: number) =>
        tell({ progress: { share: 0, text: `reading images, ${done} of ${all}` } }),
    },
  };
  tell({ news: "The images are read.", progress: { share: 0, text: "reading images" } });
  const genotype = await searched(forSearch, () => openPart(forSearch, "train", reading), observers);
  const data = await openTrainData(forTraining, reading);
  const clock = new StepClock(forTraining.epochs), time = stopwatch();
  const folder = RunFolder.enter(TRAINING, { warn }), begun = folder.begun;
  try {
    const result = await train(forTraining, genotype, data, {
      folder,
      signal,
      warn,
      name: "the cell that was found",
      search: SEARCH,
      onStart: (_plan, gpu, stepsPerEpoch) => tellStart(tell, "training", gpu, forTraining.epochs * stepsPerEpoch),
      onProgress: (progress) => {
        tell({ progress: liveProgress("Training", clock, progress) });
        keep();
      },
      onEpoch: () => void tellRun(folder, observers),
      onTest: (done, all) =>
        tell({ progress: { share: done / all, text: `measuring test images, ${done} of ${all}` } }),
    });
    await finishTraining(folder, result, begun ? undefined : time());
    tell({ progress: { share: 1, text: "writing the report" } });
    await tellRun(folder, observers);
    const right = result.test ? `: the network gets ${percent(result.test.accuracy)} of the test images right` : "";
    tell({ news: `Done${right}.`, progress: { share: 1, text: "" } });
    folder.writeFile(REPORT, await runReport(TRAINING));
    folder.writeFile(MODEL, await exportOnnx(result.model));
  } finally {
    folder.discardIfEmpty();
    folder.close();
  }
}

/** The cell: found now, or before. */
async function searched(config: SearchConfig, open: () => Promise<Dataset>, observers: Observers): Promise<Genotype> {
  const { tell, warn, keep, signal } = observers;
  const folder = RunFolder.enter(SEARCH, { warn }), begun = folder.begun, time = stopwatch();
  try {
    if (!exists(folder.file(OUTCOME_FILE))) {
      const clock = new StepClock(config.epochs), data = await open();
      const result = await search(config, data, {
        folder,
        signal,
        warn,
        onStart: (_plan, gpu, stepsPerEpoch) => tellStart(tell, "search", gpu, config.epochs * stepsPerEpoch),
        onProgress: (progress) => {
          tell({ progress: liveProgress("Search", clock, progress) });
          keep();
        },
        onEpoch: () => void tellRun(folder, observers),
      });
      await finishSearch(folder, result, begun ? undefined : time());
    }
    await tellRun(folder, observers);
    const { chosen, methods } = readOutcome(SEARCH);
    return methods.find(({ method }) => method === chosen)!.genotype;
  } finally {
    folder.discardIfEmpty();
    folder.close();
  }
}

function tellStart(tell: Observers["tell"], what: string, gpu: Gpu, steps: number): void {
  const where = gpu.software ? `${gpu.name}, on the CPU` : gpu.name;
  tell({
    news: `The ${what} begins: ${plural(steps, "step")} on ${where}.`,
    progress: { share: 0, text: `${what}: compiling shaders; after the first steps it is known how long it will take` },
  });
}

/** Pictures are drawn one after the other. */
let drawing = Promise.resolve();

/** Tells what is in a folder now. */
function tellRun(folder: RunFolder, { tell, keep, warn }: Observers): Promise<void> {
  keep();
  return drawing = drawing.then(async () => {
    const { news, parts } = await liveRun(folder);
    tell({ news, parts });
  }).catch((error) => warn(`The pictures could not be drawn: ${error instanceof Error ? error.message : error}`));
}

/** What a finished job leaves; undefined for one that is not finished. */
export function downloads(): Download[] | undefined {
  if (!exists(`${TRAINING}/${MODEL}`)) return undefined;
  const file = (path: string, title: string, type: string): Download => ({
    name: path.split("/").at(-1)!,
    title,
    type,
    bytes: readBytes(path),
  });
  return [
    file(`${TRAINING}/${REPORT}`, "the report", "text/html"),
    file(`${SEARCH}/genotype.json`, "the cells, as JSON", "application/json"),
    file(`${SEARCH}/genotype.txt`, "the cells, as Python text", "text/plain"),
    file(`${SEARCH}/cells.svg`, "the cells, as a picture", "image/svg+xml"),
    file(`${SEARCH}/metrics.jsonl`, "what was measured after each epoch of the search", "application/jsonl"),
    file(`${TRAINING}/${MODEL}`, "the trained network as an ONNX model", "application/octet-stream"),
  ];
}

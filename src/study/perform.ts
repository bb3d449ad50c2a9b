/**
 * One task of a study: a search, a decision or a training in its folder, with all files that a run by hand has but the
 * report. Not responsible for which task it is (`worker.ts`), nor for what is said meanwhile.
 * @module
 */
import { FailureError } from "../base/errors.ts";
import { baseName, exists, fileError } from "../base/files.ts";
import { VERSION } from "../base/version.ts";
import { rulesOf } from "../discretize/registry.ts";
import { type Gpu, openGpu } from "../gpu/device.ts";
import { finishSearch, finishTraining, writePictured } from "../report/run_pictures.ts";
import { stopwatch } from "../run/result_file.ts";
import { RunFolder } from "../run/run_folder.ts";
import { resolveSpace } from "../space/definition.ts";
import { rediscretize } from "../search/rediscretize.ts";
import { checkImages, readSearch } from "../search/run_record.ts";
import { search, type SearchRunOptions } from "../search/search.ts";
import type { TrainRunOptions } from "../train/records.ts";
import { openPart, openTrainData, type OpenTrainOptions } from "../train/open_data.ts";
import { train } from "../train/train.ts";
import type { DiscretizeTask, SearchTask, TrainTask } from "./tasks.ts";
import type { Assignment } from "./worker.ts";

/** Who is told what; all optional. */
export interface Observers extends OpenTrainOptions {
  /** Told where a search is. */
  readonly search?: Pick<SearchRunOptions, "onProgress" | "onMeasured">;
  /** Told where a training is. */
  readonly train?: Pick<TrainRunOptions, "onProgress" | "onTest">;
}

/** Does one task. @returns false where it was stopped */
export async function performTask(assignment: Assignment, observers: Observers): Promise<boolean> {
  const { task, signal } = assignment;
  try {
    if (task.kind === "search") await searchTask(task, assignment, observers);
    else if (task.kind === "train") await trainTask(task, assignment, observers);
    else await discretizeTask(task, assignment, observers);
    return true;
  } catch (error) {
    if (signal.aborted && error === signal.reason) return false;
    throw error;
  }
}

/** Runs something in the folder of a run. */
async function inFolder(path: string, { warn }: Observers, run: (folder: RunFolder) => Promise<void>): Promise<void> {
  using folder = RunFolder.enter(path, { warn });
  try {
    await run(folder);
  } finally {
    folder.discardIfEmpty(); // what has begun is not empty
  }
}

/** The same observers; reading images stops by a signal. */
function stoppedBy(observers: Observers, signal: AbortSignal | undefined): Observers {
  return { ...observers, data: { ...observers.data, signal } };
}

async function searchTask({ config }: SearchTask, assignment: Assignment, observers: Observers): Promise<void> {
  const { path, resume, signal, started: onStart } = assignment, { warn } = observers;
  await inFolder(path, observers, async (folder) => {
    const data = await openPart(config, "train", stoppedBy(observers, signal)), time = stopwatch();
    try {
      const result = await search(config, data, { ...observers.search, folder, signal, onStart, warn });
      await finishSearch(folder, result, resume ? undefined : time());
    } finally {
      data.stream?.close();
    }
  });
}

async function trainTask({ config, genotype }: TrainTask, assignment: Assignment, observers: Observers): Promise<void> {
  const { path, resume, signal, started: onStart, input } = assignment, { warn } = observers, name = baseName(input!);
  await inFolder(path, observers, async (folder) => {
    const data = await openTrainData(config, stoppedBy(observers, signal)), time = stopwatch();
    try {
      const result = await train(config, genotype, data, { ...observers.train, folder, signal, onStart, warn, name });
      await finishTraining(folder, result, resume ? undefined : time());
    } finally {
      for (const part of Object.values(data)) part?.stream?.close();
    }
  });
}

/** Decides by a rule that measures the supernet of a finished search. */
async function discretizeTask(
  { rule, config: { perturbationImages } }: DiscretizeTask,
  { path, input: source, signal, started }: Assignment,
  observers: Observers,
): Promise<void> {
  removeFolder(path);
  const searched = RunFolder.view(source!), { config, data: expected } = readSearch(searched), { classes } = expected;
  const checkpoint = searched.readCheckpoint(), images = config.statisticsImages;
  if (!checkpoint) throw new FailureError(`Cannot discretise '${source}' as it must hold a checkpoint`);
  const data = await openPart(config, "train", stoppedBy(observers, signal));
  let gpu: Gpu | undefined;
  try {
    checkImages(data, expected, "put them back");
    gpu = await openGpu();
    const report = await rediscretize(config, data, checkpoint, {
      ...{ gpu, perturbationImages, classes, source, signal, warn: observers.warn },
      methods: rulesOf(undefined, rule, resolveSpace(config.space)),
      onMeasured: (done, all) => {
        started();
        observers.search?.onMeasured?.(done, all);
      },
    });
    const context = { adapter: gpu.name, run: source, step: checkpoint.step, data: data.name, images };
    await writePictured(path, report, rule, { version: VERSION, ...context });
  } finally {
    gpu?.device.destroy();
    data.stream?.close();
  }
}

/** Removes what a worker that died left of a task that begins anew. */
function removeFolder(path: string): void {
  try {
    if (exists(path)) Deno.removeSync(path, { recursive: true });
  } catch (error) {
    throw fileError(error, "write", path);
  }
}

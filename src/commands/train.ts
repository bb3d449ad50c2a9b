/**
 * `idarts train`: a network of a cell trained from scratch in a run folder, new or resumed, and measured at the end.
 * @module
 */
import type { Command } from "commander";
import { UsageError } from "../base/errors.ts";
import { joinPath } from "../base/files.ts";
import type { Layer } from "../base/options.ts";
import { VERSION } from "../base/version.ts";
import { MNIST_FOLDER } from "../data/dataset.ts";
import { DATA_OPTION_LIST } from "../data/config.ts";
import type { Gpu } from "../gpu/device.ts";
import { SEARCH_OPTIONS } from "../search/config.ts";
import { finishTraining } from "../report/run_pictures.ts";
import { stopwatch } from "../run/result_file.ts";
import type { RunFolder } from "../run/run_folder.ts";
import { costOf } from "../space/cost.ts";
import type { NetworkConfig } from "../space/derived.ts";
import { resolveTrainLayers, TRAIN_OPTIONS, TRAIN_PRESETS, type TrainConfig } from "../train/config.ts";
import { openTrainData } from "../train/open_data.ts";
import type { TrainPlan } from "../train/programs.ts";
import { type GenotypeOrigin, readTraining } from "../train/run_record.ts";
import { HARMLESS_TRAIN_OPTIONS, networkConfig, train, type TrainData, validationOf } from "../train/train.ts";
import { dataText, telling } from "./data_sets.ts";
import { evaluationLines, finePercent, trainLine, trainLines } from "./evaluation_text.ts";
import { addConfiguration, configurationLayers, type Parsed, presetText, refuseChanges } from "./flags.ts";
import { modelCommands, writeReport } from "./report_files.ts";
import { memoryText } from "./plan_text.ts";
import { freshPath, runName } from "./run_files.ts";
import { addRunFlags, type Job, newRunFolder, resumedJob, RUN_EXIT_HELP, type Running, runVerb } from "./run_verb.ts";
import { GENOTYPE_HELP, openGenotype, publishedText } from "./sources.ts";
import { StepClock } from "../report/step_clock.ts";
import { addWatchFlag, openLive } from "./watch.ts";
import type { LiveServer } from "./live_server.ts";
import { liveProgress } from "../report/live.ts";
import { commandLine, count, duration, magnitude, mebibytes, pairs, percent, type Terminal } from "./terminal.ts";
import { errorText } from "./wording.ts";
import { EVALUATION_FILE } from "../train/evaluation_file.ts";
import { EPOCH_SHAPE, type TrainRecord, type TrainResult, type TrainRunOptions } from "../train/records.ts";
import { hostBytes } from "../run/memory.ts";
import { METRICS_FILE, readRecords } from "../run/metrics_file.ts";

/** Declares the verb. */
export function trainCommand(program: Command): Command {
  const command = program.command("train [genotype]")
    .summary("train a network of a cell from scratch")
    .description(
      `Trains a network of a cell from scratch. The genotype is ${GENOTYPE_HELP}; of a search its data are taken too. ` +
        "The best epoch is chosen by the images in val/, where the data have it, else by a part of the training images " +
        "that is held out; the test images are looked at once, at the end. Where there is val/ but no test/, nothing is " +
        "measured at the end, or, with --val-images 0, val/ is. Everything is written into a run folder: configuration, metrics, checkpoints, the models of the best " +
        "and the last epoch, and the accuracy of each class. --params and --macs pick the size of the network.",
    );
  addRunFlags(command, "'train' in the search's, else runs/<data>-<genotype>-...");
  addWatchFlag(command);
  addConfiguration(command, TRAIN_OPTIONS.options, TRAIN_PRESETS);
  const mnist = { read: [MNIST_FOLDER, "runs"], write: ["runs"] };
  command.addHelpText(
    "after",
    `
${presetText(TRAIN_PRESETS)}

Examples:
  The cell of a search, on its data, in a few minutes:
    ${commandLine(["train", "runs/mnist-demo", "--preset", "demo"], mnist)}
  A published cell within a budget of parameters, on CIFAR-10 (fetched by 'data fetch cifar10'):
    ${
      commandLine(["train", "DARTS_V2", "--data", "cifar10", "--params", "1M"], {
        read: [".cache/cifar-10-binary.tar.gz", "runs"],
        write: ["runs"],
      })
    }
  After Ctrl-C, a kill or a power cut:
    ${commandLine(["train", "--resume", "runs/mnist-demo/train"], mnist)}

${publishedText()}

${RUN_EXIT_HELP}`,
  );
  return command;
}

interface TrainJob extends Job {
  readonly config: TrainConfig;
  readonly origin: GenotypeOrigin;
}

/**
 * Runs the verb.
 * @returns the exit code
 */
export async function runTrain(parsed: Parsed, [source]: readonly string[]): Promise<number> {
  return await runVerb("train", parsed, (warn) => openJob(parsed, source, warn), async (job, running) => {
    const { terminal, options: { warn, signal } } = running;
    const data = await openTrainData(job.config, { warn, data: telling(terminal, signal), describe: errorText });
    try {
      await using live = openLive(job.folder, parsed.watch, terminal);
      return await trainIn(job, data, running, live);
    } finally {
      for (const part of Object.values(data)) part?.stream?.close();
    }
  });
}

/**
 * What the user asked to train: the genotype that `source` names, on the data of its search unless `parsed` says others.
 * @throws {UsageError} without a genotype, and for unknown keys and values
 */
export function trainingOf(
  parsed: Parsed,
  source: string | undefined,
): { config: TrainConfig; origin: GenotypeOrigin } {
  if (source === undefined) {
    throw new UsageError(`Cannot train without a genotype: name ${GENOTYPE_HELP}`);
  }
  const { run, network: _, ...origin } = openGenotype(source), layers: Layer[] = [];
  if (run) {
    const values = SEARCH_OPTIONS.toRecord(run.config);
    layers.push({
      source: `the search in '${origin.search}'`,
      values: Object.fromEntries(DATA_OPTION_LIST.map(({ key }) => [key, values[key]])),
    });
  }
  const config = resolveTrainLayers([...layers, ...configurationLayers(parsed, TRAIN_OPTIONS, TRAIN_PRESETS)]);
  return { config, origin };
}

function openJob(parsed: Parsed, source: string | undefined, warn: (message: string) => void): TrainJob {
  const { resume, preset } = parsed;
  if (typeof resume === "string") {
    if (source !== undefined) {
      throw new UsageError(
        `Cannot use a genotype together with --resume: the run has its own, so leave '${source}' away`,
      );
    }
    return resumedJob(parsed, resume, warn, (folder) => resumeIn(folder, parsed));
  }
  const { config, origin } = trainingOf(parsed, source), { name, search } = origin;
  const path = search === null
    ? `runs/${runName(config.data)}-${name.replace(/\.[^.]*$/, "")}-${preset ?? config.seed}`
    : joinPath(search, "train");
  return { config, origin, folder: newRunFolder(parsed, () => freshPath(path), warn), resume: false };
}

function resumeIn(folder: RunFolder, parsed: Parsed): TrainJob {
  const { config: stored, genotype, name, search } = readTraining(folder), origin = { genotype, name, search };
  const config = resolveTrainLayers([
    { source: folder.file("config.json"), values: TRAIN_OPTIONS.toRecord(stored) },
    ...configurationLayers(parsed, TRAIN_OPTIONS, TRAIN_PRESETS),
  ]);
  refuseChanges(TRAIN_OPTIONS, folder.path, stored, config, HARMLESS_TRAIN_OPTIONS);
  return { config, origin, folder, resume: true };
}

/** What the best epoch is chosen by. */
function validationText(config: TrainConfig, data: TrainData): string {
  const { count: images, held } = validationOf(config, data);
  if (images === 0) return "no images: the last epoch is kept";
  return `${count(images)} ${held ? "of these, held out" : "images of its own"}, to choose the best epoch by`;
}

/** Says what is about to run. */
function tellStart(
  { config, origin, folder, resume }: TrainJob,
  data: TrainData,
  terminal: Terminal,
  gpu: Gpu,
  network: NetworkConfig,
  planned: TrainPlan,
  stepsPerEpoch: number,
): void {
  const { parameters, macs } = costOf(network), { channels, cells, form } = network;
  terminal.event({
    event: "start",
    version: VERSION,
    folder: folder.path,
    resume,
    adapter: gpu.name,
    genotype: origin.genotype,
    network: { form, channels, cells },
    parameters,
    macs,
    gpuBytes: planned.bytes,
    ...(gpu.software ? { processBytes: planned.bytes + hostBytes(planned) } : {}),
    stepsPerEpoch,
    config: TRAIN_OPTIONS.toRecord(config),
  });
  terminal.line(`idarts ${VERSION}: ${resume ? "going on with a training" : "training"}`);
  pairs([
    ["data", dataText(data.train, config.images)],
    ["validation", validationText(config, data)],
    ["test", data.test ? `${count(data.test.count)} images, looked at once at the end` : "no images"],
    [
      "network",
      `cell '${origin.name}', ${form} form, ${cells} cells, ${channels} channels: ${count(parameters)} parameters, ` +
      `${magnitude(macs)} MACs`,
    ],
    ["steps", `${config.epochs} epochs of ${stepsPerEpoch} steps, batch ${config.batchSize}, seed ${config.seed}`],
    ["adapter", gpu.name],
    ["GPU memory", memoryText(planned, gpu)],
    ["run folder", folder.path],
  ]).forEach((line) => terminal.line(line));
  terminal.progress(() => "compiling shaders ...");
}

async function trainIn(job: TrainJob, data: TrainData, running: Running, live?: LiveServer): Promise<void> {
  const { terminal, options } = running;
  const { config, origin, folder, resume } = job, time = stopwatch();
  terminal.progress(() => "opening the GPU and planning the network ...");
  const network = networkConfig(config, origin.genotype, data.train);
  let started = false;
  const onStart = (plan: TrainPlan, gpu: Gpu, stepsPerEpoch: number): void => {
    if (!started) tellStart(job, data, terminal, gpu, network, plan, stepsPerEpoch); // not once more, on a new device
    started = true;
  };
  const onEpoch = (record: TrainRecord): void => {
    terminal.event({ event: "epoch", ...record });
    terminal.line(trainLine(record, config.epochs));
  };
  const result = await train(config, origin.genotype, data, {
    ...options,
    ...trainObservers(new StepClock(config.epochs), terminal, live),
    name: origin.name,
    search: origin.search,
    onStart,
    onEpoch,
  });
  const taken = time(), { seconds } = taken, { parameters } = costOf(network);
  await finishTraining(folder, result, resume ? undefined : taken);
  terminal.progress(() => "writing the report ...");
  tell(job, result, terminal, { seconds, resumed: resume, report: await writeReport(folder), parameters });
}

/** Shows where a training is. */
export function trainObservers(
  clock: StepClock,
  terminal: Terminal,
  live?: LiveServer,
): Pick<TrainRunOptions, "onProgress" | "onTest"> {
  return {
    onProgress: (progress) => {
      live?.tell(liveProgress("Training", clock, progress));
      terminal.progress(() =>
        clock.line(progress, `train ${progress.trainLoss.toFixed(3)} ${percent(progress.trainAccuracy)}`)
      );
    },
    onTest: (done, total) => terminal.progress(() => `test images: ${count(done)} of ${count(total)}`),
  };
}

function tell(
  { config, folder }: TrainJob,
  { modelFile, model, best, test, plan }: TrainResult,
  terminal: Terminal,
  { seconds, resumed, report, parameters }: { seconds: number; resumed: boolean; report: string; parameters: number },
): void {
  const epochs = readRecords(folder, EPOCH_SHAPE), file = (name: string): string => folder.file(name);
  terminal.event({
    event: "result",
    folder: folder.path,
    classNames: model.classNames,
    best,
    test,
    parameters,
    gpuBytes: plan.bytes,
    seconds,
    files: { model: file(modelFile), evaluation: file(EVALUATION_FILE), metrics: file(METRICS_FILE), report },
  });
  const steps = epochs.map((e) => e.secondsPerStep), mean = steps.reduce((a, b) => a + b, 0) / steps.length;
  const which = best ? `epoch ${best.epoch}, the best by validation (${percent(best.accuracy)})` : "the last epoch";
  [
    "",
    ...trainLines(epochs),
    "",
    ...(test ? [...evaluationLines(test, model.classNames), ""] : []),
    ...pairs([
      ...(test
        ? [[
          "test accuracy",
          `${finePercent(test.accuracy)} of ${count(test.count)} images, loss ${test.loss.toFixed(4)}`,
        ]]
        : []) as [string, string][],
      ["time", `${duration(seconds)} ${resumed ? "since it was resumed" : "in all"}, ${duration(mean)} a step`],
      ["GPU memory", `${mebibytes(plan.bytes)} at most`],
      ["model", `${file(modelFile)} (${which})`],
      ["evidence", `${file(EVALUATION_FILE)}, ${file(METRICS_FILE)}`],
      ["report", report],
      ["run folder", folder.path],
    ]),
    ...modelCommands(folder.path, config).flatMap(({ purpose, command }) => ["", `${purpose}:`, `  ${command}`]),
  ].forEach((line) => terminal.line(line));
}

/**
 * `idarts train`: a network of a cell trained from scratch in a run folder, new or resumed, and measured at the end.
 * @module
 */
import { type Command, Option as Flag } from "commander";
import { UsageError } from "../base/errors.ts";
import { joinPath } from "../base/files.ts";
import type { Layer } from "../base/options.ts";
import { VERSION } from "../base/version.ts";
import { type Dataset, MNIST_FOLDER, partsOf } from "../data/dataset.ts";
import { DATA_OPTION_LIST } from "../data/config.ts";
import type { Gpu } from "../gpu/device.ts";
import { SEARCH_OPTIONS } from "../search/config.ts";
import { writeResult } from "../run/result_file.ts";
import { RunFolder } from "../run/run_folder.ts";
import { costOf } from "../space/cost.ts";
import type { NetworkConfig } from "../space/derived.ts";
import { resolveTrainLayers, TRAIN_OPTIONS, TRAIN_PRESETS, type TrainConfig } from "../train/config.ts";
import type { TrainPlan } from "../train/programs.ts";
import { type GenotypeOrigin, readTraining } from "../train/run_record.ts";
import { HARMLESS_TRAIN_OPTIONS, networkConfig, train, type TrainData, validationOf } from "../train/train.ts";
import { dataPlaces, dataText, openConfigured, openTest, openValidation } from "./data_sets.ts";
import { evaluationLines, finePercent, trainLine, trainLines } from "./evaluation_text.ts";
import {
  addConfiguration,
  configurationLayers,
  OUTPUT_GROUP,
  type Parsed,
  presetText,
  refuseChanges,
} from "./flags.ts";
import { modelCommands, writeReport } from "./report_files.ts";
import { freshPath, runName } from "./run_files.ts";
import { GENOTYPE_HELP, openGenotype, publishedText } from "./sources.ts";
import { StepClock } from "./step_clock.ts";
import { type Host, listenForStop, tellStopped } from "./stop.ts";
import { commandLine, count, duration, magnitude, mebibytes, pairs, percent, Terminal } from "./terminal.ts";
import { writeCells } from "./train_files.ts";
import { EVALUATION_FILE } from "../train/evaluation_file.ts";
import { EPOCH_SHAPE, type TrainRecord, type TrainResult } from "../train/records.ts";
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
  command.addOption(
    new Flag("--out <folder>", "run folder to make (default: 'train' in the search's, else runs/<data>-<genotype>-...)")
      .helpGroup(OUTPUT_GROUP),
  );
  command.addOption(
    new Flag("--resume <run>", "go on with the run in this folder, to the same bits as if it had never stopped")
      .helpGroup(OUTPUT_GROUP),
  );
  command.addOption(new Flag("--json", "one JSON line for each event: start, epoch, result").helpGroup(OUTPUT_GROUP));
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

Ctrl-C stops after the current step, with a checkpoint; a second one stops at once.
Exit codes: 0 done, 1 it could not be done, 2 wrong use, 130 stopped by Ctrl-C (143 by SIGTERM).`,
  );
  return command;
}

/** What to run, and where. */
interface Job {
  readonly config: TrainConfig;
  readonly origin: GenotypeOrigin;
  readonly folder: RunFolder;
  readonly resume: boolean;
}

/**
 * Runs the verb.
 * @param hints whether to say at the end what can be done next
 * @param host the verb that runs this one as a part of its own
 * @returns the exit code
 */
export async function runTrain(
  parsed: Parsed,
  [source]: readonly string[],
  hints = true,
  host?: Host,
): Promise<number> {
  const terminal = host?.terminal ?? new Terminal(parsed.json === true);
  const warn = (message: string): void => terminal.warn(message);
  using stop = host?.stop ??
    listenForStop(() => terminal.note("stopping after the current step; Ctrl-C again quits at once"));
  const job = typeof parsed.resume === "string"
    ? resumeJob(parsed, parsed.resume, source, warn)
    : newJob(parsed, source, warn);
  using folder = job.folder;
  let done = false, stoppedAt: number | undefined;
  const data: { train?: Dataset; val?: Dataset; test?: Dataset } = {};
  try {
    data.train = await openConfigured(job.config, "train", terminal);
    data.val = await openValidation(job.config, terminal);
    // Images that have chosen the epoch can no longer measure it: they do not stand in for test images then.
    if (!data.val || partsOf(job.config.data).includes("test")) data.test = await openTest(job.config, terminal);
    const finish = await trainIn(job, data as TrainData, terminal, stop.signal, (step) => stoppedAt = step);
    if (!host) await finish(hints);
    done = true;
    return 0;
  } catch (error) {
    if (!stop.signal.aborted || error !== stop.signal.reason) throw error;
    const again = commandLine(["train", "--resume", folder.path], {
      read: [...dataPlaces(job.config.data), folder.path],
      write: [folder.path],
    });
    tellStopped(terminal, folder.path, stoppedAt, again);
    return stop.exitCode();
  } finally {
    terminal.close();
    for (const part of Object.values(data)) part?.stream?.close();
    if (!done && !job.resume) folder.discardIfEmpty();
  }
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

function newJob(parsed: Parsed, source: string | undefined, warn: (message: string) => void): Job {
  const { config, origin } = trainingOf(parsed, source);
  const name = origin.name.replace(/\.[^.]*$/, ""), preset = parsed.preset as string | undefined;
  const path = (parsed.out as string | undefined) ??
    freshPath(
      origin.search === null
        ? `runs/${runName(config.data)}-${name}-${preset ?? config.seed}`
        : joinPath(origin.search, "train"),
    );
  if (path === "") throw new UsageError("Cannot use --out as it must name a folder: it is empty");
  return { config, origin, folder: RunFolder.create(path, { warn }), resume: false };
}

function resumeJob(parsed: Parsed, path: string, source: string | undefined, warn: (message: string) => void): Job {
  if (parsed.out !== undefined) {
    throw new UsageError(`Cannot use --out together with --resume: the run stays in '${path}', so leave --out away`);
  }
  if (source !== undefined) {
    throw new UsageError(
      `Cannot use a genotype together with --resume: the run has its own, so leave '${source}' away`,
    );
  }
  const folder = RunFolder.open(path, { warn });
  try {
    const { config: stored, genotype, name, search } = readTraining(folder), origin = { genotype, name, search };
    const config = resolveTrainLayers([
      { source: folder.file("config.json"), values: TRAIN_OPTIONS.toRecord(stored) },
      ...configurationLayers(parsed, TRAIN_OPTIONS, TRAIN_PRESETS),
    ]);
    refuseChanges(TRAIN_OPTIONS, path, stored, config, HARMLESS_TRAIN_OPTIONS);
    return { config, origin, folder, resume: true };
  } catch (error) {
    folder.close();
    throw error;
  }
}

/** What the best epoch is chosen by. */
function validationText(config: TrainConfig, data: TrainData): string {
  const { count: images, held } = validationOf(config, data);
  if (images === 0) return "no images: the last epoch is kept";
  return `${count(images)} ${held ? "of these, held out" : "images of its own"}, to choose the best epoch by`;
}

/** Says what is about to run. */
function tellStart(
  { config, origin, folder, resume }: Job,
  data: TrainData,
  terminal: Terminal,
  adapter: string,
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
    adapter,
    genotype: origin.genotype,
    network: { form, channels, cells },
    parameters,
    macs,
    gpuBytes: planned.bytes,
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
    ["adapter", adapter],
    ["GPU memory", mebibytes(planned.bytes)],
    ["run folder", folder.path],
  ]).forEach((line) => terminal.line(line));
  terminal.progress(() => "compiling shaders ...");
}

/** @returns what remains to be done: to write the report and to say what came out */
async function trainIn(
  job: Job,
  data: TrainData,
  terminal: Terminal,
  signal: AbortSignal,
  onStopped: (step: number) => void,
): Promise<(hints: boolean) => Promise<void>> {
  const { config, origin, folder, resume } = job, began = performance.now();
  terminal.progress(() => "opening the GPU and planning the network ...");
  const clock = new StepClock(config.epochs), network = networkConfig(config, origin.genotype, data.train);
  let started = false;
  const onStart = (plan: TrainPlan, { name }: Gpu, stepsPerEpoch: number): void => {
    if (!started) tellStart(job, data, terminal, name, network, plan, stepsPerEpoch); // not once more, on a new device
    started = true;
  };
  const onEpoch = (record: TrainRecord): void => {
    terminal.event({ event: "epoch", ...record });
    terminal.line(trainLine(record, config.epochs));
  };
  const result = await train(config, origin.genotype, data, {
    folder,
    signal,
    name: origin.name,
    search: origin.search,
    onStart,
    onEpoch,
    onStopped,
    onProgress: (progress) =>
      terminal.progress(() =>
        clock.line(progress, `train ${progress.trainLoss.toFixed(3)} ${percent(progress.trainAccuracy)}`)
      ),
    onTest: (done, total) => terminal.progress(() => `test images: ${count(done)} of ${count(total)}`),
    warn: (message) => terminal.warn(message),
  });
  const seconds = (performance.now() - began) / 1000, { parameters } = costOf(network);
  await writeCells(folder, origin.genotype);
  writeResult(folder.path, { parameters, gpuBytes: result.plan.bytes, ...(resume ? {} : { seconds }) });
  return async (hints) => {
    terminal.progress(() => "writing the report ...");
    tell(job, result, terminal, { seconds, report: await writeReport(folder), parameters, hints });
  };
}

function tell(
  { config, folder }: Job,
  { modelFile, model, best, test, plan }: TrainResult,
  terminal: Terminal,
  { seconds, report, parameters, hints }: { seconds: number; report: string; parameters: number; hints: boolean },
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
      ["time", `${duration(seconds)} in all, ${duration(mean)} a step`],
      ["GPU memory", `${mebibytes(plan.bytes)} at most`],
      ["model", `${file(modelFile)} (${which})`],
      ["evidence", `${file(EVALUATION_FILE)}, ${file(METRICS_FILE)}`],
      ["report", report],
      ["run folder", folder.path],
    ]),
    ...(hints ? modelCommands(folder.path, config) : []).flatMap((
      { purpose, command },
    ) => ["", `${purpose}:`, `  ${command}`]),
  ].forEach((line) => terminal.line(line));
}

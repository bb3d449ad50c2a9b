/**
 * Writes `report.html` of a run from the files in its folder. Not responsible for what a report looks like.
 * @module
 */
import { FailureError, UsageError } from "../base/errors.ts";
import { exists, folderOf, joinPath, writeAtomic } from "../base/files.ts";
import { VERSION } from "../base/version.ts";
import { reportHtml } from "../report/html_report.ts";
import type { CostPart, Environment, ReportInput } from "../report/report_input.ts";
import { trainingReportHtml } from "../report/training_report.ts";
import { SEARCH_OPTIONS } from "../search/config.ts";
import { OUTCOME_FILE, readOutcome } from "../search/outcome_file.ts";
import { EPOCH_SHAPE } from "../search/records.ts";
import { RunFolder } from "../run/run_folder.ts";
import { runKind, type RunRecord } from "../run/run_record.ts";
import { readSearch, type SearchRecord } from "../search/run_record.ts";
import { costOf, type NetworkCost } from "../space/cost.ts";
import type { NetworkConfig } from "../space/derived.ts";
import { type Genotype, parseGenotypeJson } from "../space/genotype.ts";
import { TRAIN_OPTIONS } from "../train/config.ts";
import { readTraining, type TrainingRecord } from "../train/run_record.ts";
import { networkConfig } from "../train/train.ts";
import { EVALUATION_FILE, readEvaluation } from "../train/evaluation_file.ts";
import { EPOCH_SHAPE as TRAIN_EPOCH_SHAPE } from "../train/records.ts";
import { dataPlaces } from "./data_sets.ts";
import { flagsOf } from "./flags.ts";
import { otherRule } from "./run_files.ts";
import { commandLine } from "./terminal.ts";
import { readResult } from "./train_files.ts";
import { METRICS_FILE, readRecords } from "../run/metrics_file.ts";

/** Name of the report in a run folder. */
export const REPORT_FILE = "report.html";

/** Files that a report of `folder` may be made from. */
export const REPORT_SOURCES: string = ["config.json", METRICS_FILE, OUTCOME_FILE, EVALUATION_FILE].join(", ");

/** What a MAC, a parameter and activation memory are, in a sentence each. */
export const COST_CONVENTION =
  "Parameters are all trained weights without those of the auxiliary classifier. MACs are multiply-accumulates of " +
  "convolutions and linear layers for one image; batch norms, pools, activations and sums are not counted. Activation " +
  "memory is that of the results of all layers for one image, in 32-bit floats.";

/** Costs of the parts of a network: stems, cells, classifier. */
export function partCosts(
  layers: NetworkCost["layers"],
): { name: string; parameters: number; macs: number; activationBytes: number }[] {
  const parts = new Map<string, { name: string; parameters: number; macs: number; activationBytes: number }>();
  for (const { name, parameters, macs, activationBytes } of layers) {
    const part = /^cells\.\d+|^[^./]+/.exec(name)?.[0] ?? name;
    const sum = parts.get(part) ?? { name: part, parameters: 0, macs: 0, activationBytes: 0 };
    sum.parameters += parameters;
    sum.macs += macs;
    sum.activationBytes += activationBytes;
    parts.set(part, sum);
  }
  return [...parts.values()];
}

function costPart(network: NetworkConfig): CostPart {
  const { form, channels, cells, inputChannels, height, width } = network, cost = costOf(network);
  const { parameters, macs, activationBytes, layers } = cost;
  return {
    ...{ parameters, macs, activationBytes, form, channels, cells },
    convention: COST_CONVENTION,
    input: [inputChannels, height, width],
    layers: partCosts(layers),
  };
}

function environment({ adapter }: RunRecord, folder: string): Environment {
  return { version: VERSION, adapter, runtime: `Deno ${Deno.version.deno}`, folder };
}

type SearchPart = Pick<ReportInput, "data" | "config" | "epochs" | "discretization" | "supernet">;

function searchPart(folder: RunFolder, run: SearchRecord): SearchPart {
  if (!exists(folder.file(OUTCOME_FILE))) {
    throw new FailureError(
      `Cannot report on '${folder.path}' as its search must have finished: go on with 'search --resume ${folder.path}'`,
    );
  }
  return {
    data: run.data,
    config: SEARCH_OPTIONS.toRecord(run.config),
    epochs: readRecords(folder, EPOCH_SHAPE),
    discretization: readOutcome(folder.path),
    supernet: readResult(folder),
  };
}

/** The commands that make a search again and go on from it. */
function searchCommands(path: string, { config }: SearchRecord): { purpose: string; command: string }[] {
  const data = dataPlaces(config.data);
  return [
    {
      purpose: "Search again, to the same bits",
      command: commandLine(["search", ...flagsOf(SEARCH_OPTIONS, config, path), "--out", `${path}-again`], {
        read: [...data, folderOf(path)],
        write: [folderOf(path)],
      }),
    },
    {
      purpose: "Decide again by another rule",
      command: commandLine(["discretize", path, "--method", otherRule(config.discretizer)], {
        read: [...data, path],
        write: [],
      }),
    },
  ];
}

/** A command that trains the cell of a search. */
export function trainCommand(path: string, data: string): string {
  return commandLine(["train", path, "--preset", "demo"], { read: [...dataPlaces(data), path], write: [path] });
}

/** The commands that make a training again and use its model. */
export function modelCommands(path: string, config: TrainingRecord["config"]): { purpose: string; command: string }[] {
  const data = dataPlaces(config.data), images = { read: [path, "image.png"], write: [] };
  return [
    {
      purpose: "Measure it on the test images",
      command: commandLine(["evaluate", path], { read: [...data, path], write: [] }),
    },
    { purpose: "Classify an image of your own", command: commandLine(["predict", path, "image.png"], images) },
    {
      purpose: "Take it elsewhere as ONNX",
      command: commandLine(["export", path, "--format", "onnx"], { read: [path], write: [path] }),
    },
  ];
}

/** The input of a report on the search in `folder`, which is to be found at `path`. */
function searchReport(folder: RunFolder, path: string): ReportInput {
  const run = readSearch(folder), part = searchPart(folder, run), { chosen, methods } = part.discretization;
  const { genotype } = methods.find(({ method }) => method === chosen)!;
  return {
    environment: environment(run, path),
    ...part,
    cost: publishedCost(genotype, run),
    commands: [
      ...searchCommands(path, run),
      { purpose: "Train the cell, briefly", command: trainCommand(path, run.config.data) },
    ],
  };
}

/** Cost of the cell in the network that papers make of it, on images of this size; nothing for images too small. */
function publishedCost(genotype: Genotype, { data }: SearchRecord): CostPart | undefined {
  const { classes, channels: inputChannels, height, width } = data;
  try {
    return costPart({ genotype, form: "cifar", channels: 36, cells: 20, classes, inputChannels, height, width });
  } catch (error) {
    if (error instanceof UsageError) return undefined;
    throw error;
  }
}

/** The search that found the cell of a training, where it can still be read: as noted, around it or beside it. */
function searchOf(folder: RunFolder, { search, genotype }: TrainingRecord): [RunFolder, SearchRecord] | undefined {
  if (search === null) return undefined;
  const around = folderOf(folder.path);
  for (const path of new Set([search, around, joinPath(around, "search")])) {
    try {
      const found = RunFolder.view(path, { warn: () => {} }), run = readSearch(found);
      const cell = parseGenotypeJson(JSON.stringify(found.readJson("genotype.json")), path);
      if (JSON.stringify(cell) === JSON.stringify(genotype)) return [found, run];
    } catch (error) {
      if (!(error instanceof FailureError || error instanceof UsageError)) throw error;
    }
  }
  return undefined;
}

/** The report on the training in `folder`, to be found at `path`, with the search that found its cell where that can be read. */
async function trainingReport(folder: RunFolder, path: string): Promise<string> {
  const record = readTraining(folder), { config, data, genotype, name } = record, found = searchOf(folder, record);
  const evaluation = exists(folder.file(EVALUATION_FILE)) ? readEvaluation(folder) : undefined, test = evaluation?.test;
  const epochs = readRecords(folder, TRAIN_EPOCH_SHAPE), above = folderOf(path);
  const again = commandLine(
    [
      "train",
      joinPath(path, "genotype.json"),
      ...flagsOf(TRAIN_OPTIONS, config, path),
      "--out",
      `${path}-again`,
    ],
    { read: [...dataPlaces(config.data), above], write: [above] },
  );
  const shared = {
    environment: environment(record, path),
    training: {
      epochs: epochs.map(({ lr, ...epoch }) => ({ ...epoch, learningRate: lr })),
      config: TRAIN_OPTIONS.toRecord(config),
      seconds: readResult(folder).seconds,
    },
    cost: costPart(networkConfig(config, genotype, data)),
    ...(evaluation && test ? { evaluation: { split: "test", classNames: evaluation.classNames, ...test } } : {}),
    commands: [
      ...(found ? searchCommands(found[0].path, found[1]) : []),
      { purpose: "Train again, to the same bits", command: again },
      ...modelCommands(path, config),
    ],
  };
  if (found) return await reportHtml({ ...searchPart(...found), ...shared });
  return await trainingReportHtml({ ...shared, data, cell: { genotype, name } });
}

async function textOf(folder: RunFolder, path: string): Promise<string> {
  return runKind(folder) === "train"
    ? await trainingReport(folder, path)
    : await reportHtml(searchReport(folder, path));
}

/**
 * Writes the report of the run in `folder`, by default into it.
 * @param path where the run is found by those who read the report; other than where it is as long as it is not moved there
 * @returns the path of the report
 * @throws {FailureError} for a search that has not finished, and for damaged files.
 */
export async function writeReport(
  folder: RunFolder,
  file: string = folder.file(REPORT_FILE),
  path: string = folder.path,
): Promise<string> {
  const text = await textOf(folder, path).catch((error) => {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    throw new FailureError(
      `Cannot report on '${folder.path}' as its files do not fit together (${error.message.split("\n")[0]}): one of ` +
        `${REPORT_SOURCES} is damaged`,
      { cause: error },
    );
  });
  writeAtomic(file, text);
  return file;
}

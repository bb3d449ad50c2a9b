/**
 * The report on a run from the files in its folder. Not responsible for what a report looks like.
 * @module
 */
import { platform } from "../platform/platform.ts";
import { FailureError, UsageError } from "../base/errors.ts";
import { exists, folderOf, joinPath } from "../base/files.ts";
import { VERSION } from "../base/version.ts";
import { reportHtml } from "./html_report.ts";
import type { CommandPart, CostPart, Environment, ReportInput } from "./report_input.ts";
import { trainingReportHtml } from "./training_report.ts";
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
import { readResult } from "../run/result_file.ts";
import { METRICS_FILE, readRecords } from "../run/metrics_file.ts";

/** Files that a report of `folder` may be made from. */
export const REPORT_SOURCES: string = ["config.json", METRICS_FILE, OUTCOME_FILE, EVALUATION_FILE].join(", ");

/** What a MAC, a parameter and activation memory are, in a sentence each. */
export const COST_CONVENTION =
  "Parameters are all trained weights without those of the auxiliary classifier. MACs are multiply-accumulates of " +
  "convolutions and linear layers for one image; batch norms, pools, activations and sums are not counted. Activation " +
  "memory is that of the results of all layers for one image, in 32-bit floats.";

/** Costs of the parts of a network: stems, cells, classifier; of an ensemble those of all members together. */
export function partCosts(
  layers: NetworkCost["layers"],
): { name: string; parameters: number; macs: number; activationBytes: number }[] {
  const parts = new Map<string, { name: string; parameters: number; macs: number; activationBytes: number }>();
  for (const { name, parameters, macs, activationBytes } of layers) {
    const part = /^(?:members\.\d+\/)?(?:mirrored\/)?(cells\.\d+|[^./]+)/.exec(name)?.[1] ?? name;
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
  return { version: VERSION, adapter, runtime: platform().name, folder };
}

type SearchPart = Pick<ReportInput, "data" | "config" | "epochs" | "discretization" | "supernet">;

function searchPart(folder: RunFolder, run: SearchRecord): SearchPart {
  if (!exists(folder.file(OUTCOME_FILE))) {
    throw new FailureError(
      `Cannot report on '${folder.path}' as its search must have finished`,
      { remedies: [{ kind: "resume" }] },
    );
  }
  return {
    data: run.data,
    config: SEARCH_OPTIONS.toRecord(run.config),
    epochs: readRecords(folder, EPOCH_SHAPE),
    discretization: readOutcome(folder.path),
    supernet: { ...readResult(folder), adapter: run.adapter },
  };
}

/** The input of a report on the search in `folder`, which is to be found at `path`. */
function searchReport(folder: RunFolder, path: string, commands?: RunCommands): ReportInput {
  const run = readSearch(folder), part = searchPart(folder, run), { chosen, methods } = part.discretization;
  const { genotype } = methods.find(({ method }) => method === chosen)!;
  return {
    environment: environment(run, path),
    ...part,
    cost: publishedCost(genotype, run),
    commands: commands?.({ search: [path, run] }),
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
async function trainingReport(folder: RunFolder, path: string, commands?: RunCommands): Promise<string> {
  const record = readTraining(folder), { config, data, genotype, name } = record, found = searchOf(folder, record);
  const evaluation = exists(folder.file(EVALUATION_FILE)) ? readEvaluation(folder) : undefined, test = evaluation?.test;
  const epochs = readRecords(folder, TRAIN_EPOCH_SHAPE);
  const shared = {
    environment: environment(record, path),
    training: {
      epochs: epochs.map(({ lr, ...epoch }) => ({ ...epoch, learningRate: lr })),
      config: TRAIN_OPTIONS.toRecord(config),
      seconds: readResult(folder).seconds,
    },
    cost: costPart(networkConfig(config, genotype, data)),
    ...(evaluation && test ? { evaluation: { split: "test", classNames: evaluation.classNames, ...test } } : {}),
    commands: commands?.({ ...(found ? { search: [found[0].path, found[1]] } : {}), training: [path, record] }),
  };
  // A search on other images would say that it is their accuracy.
  if (found && found[1].data.fingerprint === data.fingerprint) {
    return await reportHtml({ ...searchPart(...found), ...shared });
  }
  return await trainingReportHtml({ ...shared, data, cell: { genotype, name } });
}

/** Runs that a report is on, and where each is found. */
export interface ReportedRuns {
  /** The search. */
  readonly search?: readonly [path: string, record: SearchRecord];
  /** The training; absent in the report on a search. */
  readonly training?: readonly [path: string, record: TrainingRecord];
}

/** The commands that a report lists, for those who have a command line. */
export type RunCommands = (runs: ReportedRuns) => readonly CommandPart[];

/** How {@linkcode runReport} is made. */
export interface RunReportOptions {
  /** Where the run is found by those who read the report; other than where it is as long as it is not moved there. */
  readonly path?: string;
  /** The commands that it lists; none if left out. */
  readonly commands?: RunCommands;
}

/**
 * The report on the run in `folder`, one HTML page that needs nothing else. That of a training includes the search that
 * found its cell where that can still be read and had the same images.
 * @param folder a run folder, or its path
 * @throws {FailureError} for a search that has not finished, and for damaged files.
 * @throws {UsageError} where there is no run, or one of `auto`.
 */
export async function runReport(folder: RunFolder | string, options: RunReportOptions = {}): Promise<string> {
  const run = typeof folder === "string" ? RunFolder.view(folder) : folder, { path = run.path, commands } = options;
  try {
    return runKind(run) === "train"
      ? await trainingReport(run, path, commands)
      : await reportHtml(searchReport(run, path, commands));
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    throw new FailureError(
      `Cannot report on '${run.path}' as its files do not fit together (${error.message.split("\n")[0]}): one of ` +
        `${REPORT_SOURCES} is damaged`,
      { cause: error },
    );
  }
}

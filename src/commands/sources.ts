/**
 * What users name on the command line: a genotype (a published name, a file, a run) or a trained model (a file, a
 * run). Not responsible for what is done with it.
 * @module
 */
import { AUTO_MODEL, readAuto } from "../auto/auto.ts";
import { FailureError, UsageError } from "../base/errors.ts";
import { baseName, exists, folderOf, joinPath, readText } from "../base/files.ts";
import { nearest } from "../base/options.ts";
import { RunFolder } from "../run/run_folder.ts";
import type { NetworkConfig } from "../space/derived.ts";
import { type Genotype, parseGenotype } from "../space/genotype.ts";
import { PUBLISHED_GENOTYPES, PUBLISHED_ORIGINS } from "../space/published.ts";
import { type DataRecord, type RunKind, runKind } from "../run/run_record.ts";
import { readSearch, type SearchRecord } from "../search/run_record.ts";
import { modelFile } from "../train/open_run.ts";
import { loadModel, type Model } from "../train/model_file.ts";
import { type GenotypeOrigin, readTraining } from "../train/run_record.ts";
import { wrapText } from "./terminal.ts";

/** What a genotype may be named by, for help texts. */
export const GENOTYPE_HELP: string =
  "a genotype file (JSON, Python or NAS-Bench-201 text), the run folder of a search or of 'auto', or a " +
  `published name (${Object.keys(PUBLISHED_GENOTYPES).join(", ")})`;

/** The published cells and where they come from, a section for the end of a help text. */
export function publishedText(): string {
  const names = Object.keys(PUBLISHED_ORIGINS), width = Math.max(...names.map((name) => name.length));
  const lines = Object.entries(PUBLISHED_ORIGINS).flatMap(([name, origin]) =>
    wrapText(origin, 95 - width).map((line, i) => `  ${(i === 0 ? name : "").padEnd(width)}  ${line}`)
  );
  return ["Published cells:", ...lines].join("\n");
}

/** What a model may be named by, for help texts. */
export const MODEL_HELP =
  "the run folder of 'auto' or of a training, or a model file (model.safetensors, best.safetensors, last.safetensors)";

/** Largest genotype file that is read, in bytes. */
const MAX_GENOTYPE_BYTES = 1 << 20;

/** A genotype with what is known about it. */
export interface GenotypeSource extends GenotypeOrigin {
  /** The search that found it. */
  readonly run?: SearchRecord;
  /** The network that was trained of it. */
  readonly network?: NetworkConfig;
}

/** A trained model with what is known about it. */
export interface ModelSource {
  /** Its file. */
  readonly file: string;
  /** The model. */
  readonly model: Model;
  /** What it was trained on, if it lies in a run folder that may be read. */
  readonly training?: TrainedOn;
}

/** What a model was trained on. */
export interface TrainedOn {
  /** The data, as they were named, and the share of each class that was for testing. */
  readonly config: { readonly data: string; readonly testFraction: number };
  /** The images. */
  readonly data: DataRecord;
}

/** Whether `path` is a folder. Throws FailureError where that cannot be told. */
export function isFolder(path: string): boolean {
  return exists(path) && Deno.statSync(path).isDirectory;
}

const isRun = (path: string): boolean => exists(joinPath(path, "config.json"));

/** The run of `kind` that `path` is, or that lies in it; `path` itself if there is none. */
function runIn(path: string, kind: RunKind): string {
  const inner = joinPath(path, kind);
  return !isRun(path) && isRun(inner) ? inner : path;
}

/**
 * The genotype that a user named.
 * @throws {UsageError} for what is none of the things that it may be.
 * @throws {FailureError} for damaged and foreign files, and for a search that has not finished.
 */
export function openGenotype(text: string): GenotypeSource {
  if (Object.hasOwn(PUBLISHED_GENOTYPES, text)) {
    return { genotype: PUBLISHED_GENOTYPES[text], name: text, search: null };
  }
  // What looks like a name is one, unless there is a file of that name: looking for it may not be permitted.
  const named = /^\w+$/.test(text) && Deno.permissions.querySync({ name: "read", path: text }).state !== "granted";
  if (text === "" || named || !exists(text)) {
    const names = Object.keys(PUBLISHED_GENOTYPES), near = nearest(text, names);
    throw new UsageError(
      `Cannot find genotype '${text.slice(0, 200)}' as it must be a file, a run folder or one of ${
        names.join(", ")
      }: ` +
        (near !== undefined ? `did you mean '${near}'?` : `check the path${named ? " and --allow-read" : ""}`),
    );
  }
  if (isFolder(text)) return genotypeOfFolder(runIn(text, "search"));
  if (/\.safetensors$/i.test(text)) {
    const { network } = loadModel(text);
    return { genotype: network.genotype, name: baseName(text), search: null, network };
  }
  return { genotype: readGenotype(text), name: baseName(text), search: null };
}

function readGenotype(file: string): Genotype {
  return parseGenotype(readText(file, { maxBytes: MAX_GENOTYPE_BYTES }), `'${file}'`);
}

/** The network of a run of `auto`. @throws {FailureError} where it has none yet. */
function modelOfAuto(path: string): { readonly file: string; readonly model: Model } {
  const file = joinPath(path, AUTO_MODEL);
  if (exists(file)) return { file, model: loadModel(file) };
  throw new FailureError(`Cannot find a model in '${path}' as it has none yet: go on with 'auto' first`);
}

function genotypeOfFolder(path: string): GenotypeSource {
  const file = joinPath(path, "genotype.json"), name = baseName(path);
  if (!isRun(path)) {
    if (exists(file)) return { genotype: readGenotype(file), name, search: null }; // of `discretize --out`
    throw new UsageError(
      `Cannot find a genotype in '${path}' as it must be the run folder of a search: it holds no 'config.json'`,
    );
  }
  const folder = RunFolder.view(path);
  if (runKind(folder) === "auto") {
    const { model: { network } } = modelOfAuto(path);
    return { genotype: network.genotype, name, search: null, network };
  }
  if (runKind(folder) === "train") {
    const { genotype, name, search } = readTraining(folder), model = modelFile(folder);
    return { genotype, name, search, ...(exists(model) ? { network: loadModel(model).network } : {}) };
  }
  const run = readSearch(folder);
  if (!exists(file)) {
    throw new FailureError(
      `Cannot find a genotype in '${path}' as its search must have finished: go on with 'search --resume ${path}' first`,
    );
  }
  return { genotype: readGenotype(file), name: path, search: path, run };
}

/**
 * The model that a user named.
 * @throws {UsageError} for what is none of the things that it may be.
 * @throws {FailureError} for damaged and foreign files, and for a training without a model yet.
 */
export function openModel(text: string): ModelSource {
  if (text === "" || !exists(text)) {
    throw new UsageError(
      `Cannot find the model '${text.slice(0, 200)}' as it must be ${MODEL_HELP}: it does not exist, so check the path`,
    );
  }
  if (!isFolder(text)) return { file: text, model: loadModel(text), training: trainingBeside(text) };
  if (isRun(text) && runKind(RunFolder.view(text)) === "auto") {
    const { file, model } = modelOfAuto(text);
    return { file, model, training: trainingBeside(file) };
  }
  const folder = openTraining(text), training = readTraining(folder), file = modelFile(folder);
  if (!exists(file)) {
    throw new FailureError(
      `Cannot find a model in '${folder.path}' as its training must have done an epoch: go on with ` +
        `'train --resume ${folder.path}' first`,
    );
  }
  return { file, model: loadModel(file), training };
}

/** The training that a user named by its folder, or by one that holds it. */
function openTraining(path: string): RunFolder {
  const found = runIn(path, "train");
  if (!isRun(found)) {
    throw new UsageError(
      `Cannot find a model in '${path}' as it must be the run folder of a training: it holds no 'config.json'`,
    );
  }
  const folder = RunFolder.view(found);
  if (runKind(folder) !== "search") return folder;
  const inner = joinPath(found, "train");
  if (isRun(inner)) return RunFolder.view(inner);
  throw new UsageError(`Cannot find a model in '${path}' as it is a search: train its cell first with 'train ${path}'`);
}

/** What a model was trained on whose file lies in a run folder; none where that may not be read, as it is not needed. */
function trainingBeside(file: string): TrainedOn | undefined {
  const path = folderOf(file);
  try {
    if (!isRun(path)) return undefined;
    const folder = RunFolder.view(path);
    return runKind(folder) === "auto" ? readAuto(folder) : readTraining(folder);
  } catch (error) {
    if (error instanceof FailureError || error instanceof UsageError) return undefined;
    throw error;
  }
}

/**
 * A trained network as one safetensors file: weights and running statistics, and in the metadata everything that
 * inference needs (genotype, sizes, class names, preprocessing). A file is untrusted: reading it gives a model whose
 * tensors are exactly those of its network, or throws one sentence. Not responsible for running it.
 * @module
 */
import { FailureError, UsageError } from "../base/errors.ts";
import { readBytes, writeAtomic } from "../base/files.ts";
import { showValue } from "../base/options.ts";
import { decodeTensors, duplicateKey, encodeTensors, type TensorEntry } from "../base/safetensors.ts";
import { Graph, type Tensor } from "../graph/graph.ts";
import type { Arena } from "../graph/variables.ts";
import { Builder } from "../nn/layers.ts";
import { fillArenas } from "../nn/state.ts";
import { NetworkVariables } from "../nn/variables.ts";
import { buildNetwork, checkNetwork, NETWORK_FORMS, type NetworkConfig, networkImages } from "../space/derived.ts";
import { checkGenotype } from "../space/genotype.ts";

/** A trained network. */
export interface Model {
  /** Cells and sizes. */
  readonly network: NetworkConfig;
  /** Name of each class, in the order of the logits. */
  readonly classNames: readonly string[];
  /** Mean of each channel that pixels (in 0..1) are centred by. */
  readonly mean: readonly number[];
  /** Standard deviation of each channel that they are divided by then; 0 counts as 1. */
  readonly std: readonly number[];
  /** Version of the program that wrote it. */
  readonly version: string;
  /** How it came about (data, epoch, accuracy, ...), for people: not needed for inference. */
  readonly notes: Readonly<Record<string, unknown>>;
  /** `weights/<name>` and `running/<name>` (rows: mean, variance), by name. */
  readonly tensors: ReadonlyMap<string, TensorEntry>;
}

/** Value of the metadata key `format`. */
export const MODEL_FORMAT = "idarts-model/1";

/** Largest values that a reader accepts; a real model has less of everything. */
const LIMITS = { channels: 4096, cells: 256, classes: 100_000, inputChannels: 64, height: 8192, width: 8192 } as const;
const MAX_METADATA = 16 << 20;

/** A model's graph for a batch: logits `[batch, classes]` of normalised images `[channels, batch, height, width]`. */
export interface Inference {
  /** The graph. */
  readonly graph: Graph;
  /** The graph input `images`: `(pixel / 255 - mean) / std`. */
  readonly images: Tensor;
  /** Its result `[batch, classes]`. */
  readonly logits: Tensor;
  /** Weights and running statistics that the graph reads. */
  readonly variables: NetworkVariables;
  /** Contents of the arenas `weights` and `running`, in storage order. */
  readonly values: ReadonlyMap<Arena, Float32Array<ArrayBuffer>>;
}

/**
 * Builds the graph of a model, for running and for exporting it.
 * @param file what to blame
 * @throws {FailureError} when its tensors are not those of its network.
 */
export function buildInference(model: Pick<Model, "network" | "tensors">, batch: number, file = "model"): Inference {
  const graph = new Graph(), variables = new NetworkVariables(), images = networkImages(graph, model.network, batch);
  const { logits } = buildNetwork(new Builder(graph, variables, false), model.network, images);
  const arenas = [variables.weights, variables.running], filled = fillArenas(arenas, model.tensors, file, "network");
  return { graph, images, logits, variables, values: new Map(arenas.map((arena, i) => [arena, filled[i]])) };
}

/** The bytes of a model file; equal models give equal bytes. */
export function encodeModel(model: Model): Uint8Array<ArrayBuffer> {
  const { network, classNames, mean, std, version, notes } = model, { genotype, form, channels, cells } = network;
  const { classes, inputChannels, height, width } = network;
  return encodeTensors([...model.tensors], [
    ["format", MODEL_FORMAT],
    ["version", version],
    ["genotype", JSON.stringify(genotype)],
    ["network", JSON.stringify({ form, channels, cells, classes, inputChannels, height, width })],
    ["classes", JSON.stringify(classNames)],
    ["preprocessing", JSON.stringify({ scale: 1 / 255, mean, std })],
    ["notes", JSON.stringify(notes)],
  ]);
}

/**
 * Reads the bytes of a model file; `file` names it in errors.
 * @throws {FailureError} for whatever is not exactly a model.
 */
export function decodeModel(bytes: Uint8Array<ArrayBuffer>, file: string): Model {
  const { tensors, metadata } = decodeTensors(bytes, file);
  const fail = (what: string, cause?: unknown): never => {
    throw new FailureError(`Cannot use '${file}' as a model as ${what}: the file is damaged or of another program`, {
      cause,
    });
  };
  const format = metadata.get("format");
  if (format !== MODEL_FORMAT) {
    throw new FailureError(
      `Cannot use '${file}' as a model as its format must be '${MODEL_FORMAT}' and is ` +
        `${format === undefined ? "missing" : showValue(format)}: take a file that a training or saveModel wrote`,
    );
  }
  const json = (key: string): unknown => {
    const text = metadata.get(key);
    if (text === undefined) return fail(`its metadata must have '${key}'`);
    if (text.length > MAX_METADATA) return fail(`its '${key}' must be at most ${MAX_METADATA} characters long`);
    try {
      const value: unknown = JSON.parse(text);
      if (duplicateKey(text) === undefined) return value;
    } catch (error) {
      return fail(`its '${key}' must be JSON`, error);
    }
    return fail(`its '${key}' must have each key once`);
  };
  const sizes = record(json("network")), preprocessing = record(json("preprocessing")), notes = record(json("notes"));
  const form = NETWORK_FORMS.find((each) => each === sizes?.form);
  if (!sizes || !form) return fail(`its network must have a form, one of ${NETWORK_FORMS.join(", ")}`);
  const number = (key: keyof typeof LIMITS): number => {
    const value = sizes[key];
    if (Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= LIMITS[key]) {
      return value as number;
    }
    return fail(`the ${key} of its network must be a whole number from 1 to ${LIMITS[key]}`);
  };
  const network: NetworkConfig = {
    genotype: checkGenotype(json("genotype"), `the genotype in '${file}'`),
    form,
    channels: number("channels"),
    cells: number("cells"),
    classes: number("classes"),
    inputChannels: number("inputChannels"),
    height: number("height"),
    width: number("width"),
  };
  const classNames = json("classes"), { classes, inputChannels } = network;
  if (
    !Array.isArray(classNames) || classNames.length !== classes || !classNames.every((name) => typeof name === "string")
  ) {
    return fail(`its classes must be ${classes} names`);
  }
  const perChannel = (key: "mean" | "std", least: number): number[] => {
    const list = preprocessing?.[key];
    const good = Array.isArray(list) && list.length === inputChannels &&
      list.every((v) => typeof v === "number" && v >= least && v <= 1e6);
    return good ? list : fail(`the ${key} of its preprocessing must be ${inputChannels} numbers`);
  };
  if (preprocessing?.scale !== 1 / 255) return fail("the scale of its preprocessing must be 1/255");
  const model: Model = {
    network,
    classNames,
    mean: perChannel("mean", -1e6),
    std: perChannel("std", 0),
    version: metadata.get("version") ?? fail("its metadata must have 'version'"),
    notes: notes ?? fail("its notes must be a mapping"),
    tensors,
  };
  try {
    checkNetwork(network);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return fail(`its network cannot be built (${error.message})`, error);
  }
  // Every cell has weights: a file with fewer tensors cannot be that deep, and need not be built to find out.
  if (tensors.size < network.cells) return fail(`it must hold the tensors of ${network.cells} cells`);
  for (const [name, { data }] of tensors) {
    if (!(data instanceof Float32Array) || !data.every(Number.isFinite)) {
      return fail(`tensor '${name.slice(0, 60)}' must be finite numbers of type F32`);
    }
  }
  buildInference(model, 1, file);
  return model;
}

const record = (value: unknown): Record<string, unknown> | undefined =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? value as Record<string, unknown> : undefined;

/** Writes a model file, atomically. Throws FailureError. */
export function saveModel(path: string, model: Model): void {
  writeAtomic(path, encodeModel(model));
}

/** Reads a model file. Throws FailureError. */
export function loadModel(path: string): Model {
  return decodeModel(readBytes(path), path);
}

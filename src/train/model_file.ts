/**
 * A trained network as one safetensors file: weights and running statistics, and in the metadata everything that
 * inference needs (genotype, sizes, class names, preprocessing). A file is untrusted: reading it gives a model whose
 * tensors are exactly those of its network, or throws one sentence. Not responsible for running it.
 * @module
 */
import { FailureError, UsageError } from "../base/errors.ts";
import { readBytes, writeAtomic } from "../base/files.ts";
import { showValue } from "../base/options.ts";
import {
  aBoolean,
  aText,
  checkShape,
  listOf,
  mapping,
  mappingOf,
  oneOf,
  optional,
  type Shape,
  shape,
  whole,
} from "../base/shape.ts";
import { decodeTensors, duplicateKey, encodeTensors, type TensorEntry } from "../base/safetensors.ts";
import { Graph, type Tensor } from "../graph/graph.ts";
import type { Precision } from "../graph/tensor_type.ts";
import type { Arena } from "../graph/variables.ts";
import { Builder } from "../nn/layers.ts";
import { fillArenas } from "../nn/state.ts";
import { NetworkVariables } from "../nn/variables.ts";
import {
  buildNetwork,
  checkNetwork,
  NETWORK_FORMS,
  type NetworkConfig,
  networkImages,
  POOLINGS,
} from "../space/derived.ts";
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
  /**
   * `weights/<name>` and `running/<name>` (rows: mean, variance), by name; names of an ensemble's begin with
   * `members.0.`, `members.1.`, ...
   */
  readonly tensors: ReadonlyMap<string, TensorEntry>;
}

/** Value of the metadata key `format`. */
const MODEL_FORMAT = "idarts-model/1";

/** Largest values that a reader accepts; a real model has less of everything. */
const LIMITS = {
  ...{ channels: 4096, cells: 256, classes: 100_000, inputChannels: 64, height: 8192, width: 8192, members: 64 },
} as const;
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
 * @param precision how activations are stored
 * @throws {FailureError} when its tensors are not those of its network.
 */
export function buildInference(
  model: Pick<Model, "network" | "tensors">,
  batch: number,
  file = "model",
  precision: Precision = "f32",
): Inference {
  const graph = new Graph(precision),
    variables = new NetworkVariables(),
    images = networkImages(graph, model.network, batch);
  const { logits } = buildNetwork(new Builder(graph, variables, false), model.network, images);
  const arenas = [variables.weights, variables.running], filled = fillArenas(arenas, model.tensors, file, "network");
  return { graph, images, logits, variables, values: new Map(arenas.map((arena, i) => [arena, filled[i]])) };
}

/** A network as text, cells and sizes: equal networks give equal texts. */
export function networkTexts({ genotype, ...network }: NetworkConfig): { genotype: string; sizes: string } {
  const { form, channels, cells, classes, inputChannels, height, width, pooling, members, mirrored } = network;
  const sizes: Sizes = { form, channels, cells, classes, inputChannels, height, width, pooling, members, mirrored };
  return { genotype: JSON.stringify(genotype), sizes: JSON.stringify(sizes) };
}

/** The bytes of a model file; equal models give equal bytes. */
export function encodeModel(model: Model): Uint8Array<ArrayBuffer> {
  const { network, classNames, mean, std, version, notes } = model, { genotype, sizes } = networkTexts(network);
  return encodeTensors([...model.tensors], [
    ["format", MODEL_FORMAT],
    ["version", version],
    ["genotype", genotype],
    ["network", sizes],
    ["classes", JSON.stringify(classNames)],
    ["preprocessing", JSON.stringify({ scale: 1 / 255, mean, std })],
    ["notes", JSON.stringify(notes)],
  ]);
}

/** What the metadata of a model file say about its network, besides the genotype. */
type Sizes = Omit<NetworkConfig, "genotype">;

const SIZES_SHAPE: Shape<Sizes> = mapping<Sizes>({
  form: oneOf(...NETWORK_FORMS),
  channels: whole(1, LIMITS.channels),
  cells: whole(1, LIMITS.cells),
  classes: whole(1, LIMITS.classes),
  inputChannels: whole(1, LIMITS.inputChannels),
  height: whole(1, LIMITS.height),
  width: whole(1, LIMITS.width),
  pooling: optional(oneOf(...POOLINGS)),
  members: optional(whole(1, LIMITS.members)),
  mirrored: optional(aBoolean),
});

interface Preprocessing extends Pick<Model, "mean" | "std"> {
  readonly scale: number;
}

function preprocessingShape(channels: number): Shape<Preprocessing> {
  const within = (least: number) =>
    shape<number>(`a number from ${least} to 1e6`, (v) => typeof v === "number" && v >= least && v <= 1e6);
  return mapping<Preprocessing>({
    scale: shape("1/255", (value) => value === 1 / 255),
    mean: listOf(within(-1e6), channels),
    std: listOf(within(0), channels),
  });
}

function damaged(file: string, what: string, cause?: unknown): FailureError {
  return new FailureError(`Cannot use '${file}' as a model as ${what}: the file is damaged or of another program`, {
    cause,
  });
}

/** A field of the metadata, which is JSON of a shape. */
function field<T>(metadata: ReadonlyMap<string, string>, key: string, of: Shape<T>, file: string): T {
  const text = metadata.get(key);
  if (text === undefined) throw damaged(file, `its metadata must have '${key}'`);
  if (text.length > MAX_METADATA) throw damaged(file, `its '${key}' must be at most ${MAX_METADATA} characters long`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw damaged(file, `its '${key}' must be JSON`, error);
  }
  if (duplicateKey(text) !== undefined) throw damaged(file, `its '${key}' must have each key once`);
  return checkShape(of, value, `'${file}'`, key);
}

/** Everything but the tensors. */
function readMetadata(metadata: ReadonlyMap<string, string>, file: string): Omit<Model, "tensors"> {
  const format = metadata.get("format"), version = metadata.get("version");
  if (format !== MODEL_FORMAT) {
    throw new FailureError(
      `Cannot use '${file}' as a model as its format must be '${MODEL_FORMAT}' and is ` +
        `${format === undefined ? "missing" : showValue(format)}: take a file that a training or saveModel wrote`,
    );
  }
  if (version === undefined) throw damaged(file, "its metadata must have 'version'");
  const sizes = field(metadata, "network", SIZES_SHAPE, file), anything = shape<unknown>("a value", () => true);
  const { pooling, members, mirrored, ...rest } = sizes, { classes, inputChannels } = rest;
  const genotype = checkGenotype(field(metadata, "genotype", anything, file), `the genotype in '${file}'`);
  const { mean, std } = field(metadata, "preprocessing", preprocessingShape(inputChannels), file);
  return {
    network: {
      ...{ genotype, ...rest },
      ...(pooling && { pooling }),
      ...(members && { members }),
      ...(mirrored && { mirrored }),
    },
    classNames: field(metadata, "classes", listOf(aText, classes), file),
    mean,
    std,
    version,
    notes: field(metadata, "notes", mappingOf(anything), file),
  };
}

/**
 * Reads the bytes of a model file; `file` names it in errors.
 * @throws {FailureError} for whatever is not exactly a model.
 */
export function decodeModel(bytes: Uint8Array<ArrayBuffer>, file: string): Model {
  const { tensors, metadata } = decodeTensors(bytes, file), model: Model = { ...readMetadata(metadata, file), tensors };
  try {
    checkNetwork(model.network);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw damaged(file, `its network cannot be built (${error.message})`, error);
  }
  // Every cell has weights: a file with fewer tensors cannot be that deep, and need not be built to find out.
  const { cells, members = 1 } = model.network, all = cells * members;
  if (tensors.size < all) throw damaged(file, `it must hold the tensors of ${all} cells`);
  for (const [name, { data }] of tensors) {
    if (!(data instanceof Float32Array) || !data.every(Number.isFinite)) {
      throw damaged(file, `tensor '${name.slice(0, 60)}' must be finite numbers of type F32`);
    }
  }
  buildInference(model, 1, file);
  return model;
}

/** Writes a model file, atomically. Throws FailureError. */
export function saveModel(path: string, model: Model): void {
  writeAtomic(path, encodeModel(model));
}

/** Reads a model file. Throws FailureError. */
export function loadModel(path: string): Model {
  return decodeModel(readBytes(path), path);
}

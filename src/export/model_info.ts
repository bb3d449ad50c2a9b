/**
 * What exported files say about a model besides its weights, and the values of its weights.
 * @module
 */
import { preparationSteps } from "../data/decode.ts";
import { elementCount } from "../graph/tensor_type.ts";
import type { Arena } from "../graph/variables.ts";
import { formatGenotypeText } from "../space/genotype.ts";
import type { Inference, Model } from "../train/model_file.ts";
import type { VariableValues } from "./onnx_graph.ts";

/** What every exported file is told. */
export interface ExportOptions {
  /** Name of the model; `network` if left out. */
  readonly name?: string;
}

/** What a user of an exported model has to know. */
export interface ModelInfo extends Pick<Model, "classNames" | "mean" | "std" | "version">, ExportOptions {
  /** Name of the model. */
  readonly name: string;
  /** More metadata, by key. */
  readonly notes: Readonly<Record<string, string>>;
}

/** What a model file says. */
export function describeModel(model: Model, { name = "network" }: ExportOptions = {}): ModelInfo {
  const { classNames, mean, std, version, network: { genotype, ...sizes } } = model;
  const notes = { genotype: formatGenotypeText(genotype), network: JSON.stringify(sizes) };
  return { name, classNames, mean, std: std.map((s) => s || 1), version, notes };
}

/**
 * What the input holds: `unit`: pixels from 0 to 1; `byte`: from 0 to 255; `normalized`: pixels of 0..1 from which
 * the mean was subtracted, divided by the standard deviation. The first two are normalised inside the graph.
 */
export type PixelScale = "unit" | "byte" | "normalized";

/** Every {@linkcode PixelScale}, the default first. */
export const PIXEL_SCALES: readonly PixelScale[] = ["unit", "byte", "normalized"];

const RANGE: Readonly<Record<PixelScale, readonly [number, number] | null>> = {
  unit: [0, 1],
  byte: [0, 255],
  normalized: null,
};

/** How image files are brought to the network's input; none for shapes that they are not brought to. */
function stepsFor(channels: number, height: number, width: number): string[] | undefined {
  if (height !== width || (channels !== 1 && channels !== 3)) return undefined;
  return preparationSteps({ size: height, channels });
}

/** Name of what the channels of an image are. */
function colours(channels: number): string {
  return channels === 1 ? "grey" : channels === 3 ? "RGB" : `${channels} channels`;
}

/** A line on what the input holds; `shape` is that of the network's images, `[C, N, H, W]`. */
export function inputText(info: ModelInfo, [channels, , height, width]: readonly number[], pixels: PixelScale): string {
  const range = RANGE[pixels];
  const what = range
    ? `pixels from ${range[0]} to ${range[1]}, not normalised`
    : `(pixel - mean) / std with pixels in 0..1, mean [${info.mean}] and std [${info.std}]`;
  return `float32 [N, ${channels}, ${height}, ${width}], ${colours(channels)}, ${what}`;
}

/**
 * The metadata of exported files: `classes` and `preprocessing` (JSON; how image files become the input, with every
 * step), `version`, and the notes (of a model file:
 * `genotype` as Python text and `network`, its sizes, as JSON).
 * @param shape of the network's images, `[C, N, H, W]`
 */
export function modelMetadata(info: ModelInfo, shape: readonly number[], pixels: PixelScale): Record<string, string> {
  const [channels, , height, width] = shape, { mean, std } = info, steps = stepsFor(channels, height, width);
  const normalization = pixels === "normalized" ? "by the caller" : "in the graph";
  const preprocessing = {
    ...{ layout: "NCHW", channels, colours: colours(channels), height, width },
    ...{ pixels, range: RANGE[pixels], normalization, mean, std, steps },
  };
  return {
    classes: JSON.stringify(info.classNames),
    preprocessing: JSON.stringify(preprocessing),
    version: info.version,
    ...info.notes,
  };
}

/**
 * Checks that a description fits a network.
 * @throws {RangeError} naming the field.
 */
export function checkModelInfo(info: ModelInfo, { images, logits }: Inference): void {
  const [channels] = images.type.shape, [, classes] = logits.type.shape;
  for (const [field, wanted] of [["classNames", classes], ["mean", channels], ["std", channels]] as const) {
    if (info[field].length === wanted) continue;
    throw new RangeError(
      `Cannot export '${info.name}' as ${field} must have ${wanted} entries: it has ${info[field].length}`,
    );
  }
}

/** Values of variables from the contents of their arenas, in storage order as `Runtime.readArena` gives them. */
export function arenaValues(contents: ReadonlyMap<Arena, Float32Array>): VariableValues {
  return ({ name, arena, offset, type }) => {
    const data = contents.get(arena);
    if (data) return data.subarray(offset, offset + elementCount(type));
    throw new RangeError(
      `Cannot export '${name}' as the contents of arena '${arena.name}' must be given: they are not`,
    );
  };
}

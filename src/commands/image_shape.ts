/**
 * What images a plan is made for: those of `--data`, or as `--shape` and `--classes` say, which need no data.
 * @module
 */
import { FailureError, text, UsageError } from "../base/errors.ts";
import { defineOptions, type Option } from "../base/options.ts";
import type { Dataset } from "../data/dataset.ts";
import type { DataConfig } from "../data/config.ts";
import { openConfigured } from "./data_sets.ts";
import { type Parsed, parseShape } from "./flags.ts";
import type { Terminal } from "./terminal.ts";

const OPTIONS = defineOptions([
  {
    key: "shape",
    kind: "string",
    default: null,
    group: "Images",
    help: "channels x height x width of the images, like 3x32x32 (default: those of --data)",
  },
  {
    key: "classes",
    kind: "int",
    min: 2,
    max: 100000,
    default: null,
    group: "Images",
    help: "number of classes, with --shape",
  },
]);

/** The options `--shape` and `--classes`. */
export const SHAPE_OPTIONS: readonly Option[] = OPTIONS.options;

/** Shape of the images, their classes, and how many there are where that is known. */
export type ImageShape =
  & Pick<Dataset, "channels" | "height" | "width" | "classes">
  & Partial<Pick<Dataset, "count">>;

/**
 * The shape that {@linkcode SHAPE_OPTIONS} give, else that of the configured data.
 * @throws {UsageError} where one option is without the other; {FailureError} where there are neither options nor data.
 */
export async function shapeOf(config: DataConfig, parsed: Parsed, terminal: Terminal): Promise<ImageShape> {
  const { shape, classes } = OPTIONS.resolve([OPTIONS.flagLayer(parsed)]);
  if (shape !== null) {
    if (classes === null) throw new UsageError("Cannot use --shape without --classes: add --classes 10, say");
    return { ...parseShape(shape), classes };
  }
  if (classes !== null) throw new UsageError("Cannot use --classes without --shape: add --shape 3x32x32, say");
  try {
    return await openConfigured(config, "train", terminal);
  } catch (error) {
    if (!(error instanceof FailureError)) throw error;
    throw new FailureError(text`${error}; or give --shape and --classes, which need no data`, { cause: error });
  }
}

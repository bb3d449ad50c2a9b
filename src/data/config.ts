/**
 * The options that say which images are taken and how a folder of them is read: the same for searches and trainings.
 * Not responsible for what each of them changes about images.
 * @module
 */
import { FORMATS } from "./formats.ts";
import type { DataOptions } from "./options.ts";

const words = (list: readonly string[]): string => list.join(", ").replace(/, ([^,]+)$/, " or $1");

/** What may be named as data, for help texts. */
export const DATA_HELP: string =
  `${words(FORMATS.flatMap(({ known }) => known.map(({ name }) => name)))} (once fetched), ` +
  `or the path of ${words(FORMATS.map(({ noun }) => noun))}`;

/** Whether images are flipped at random: one option of searches and trainings, with a default for each. */
export const FLIP_OPTION = {
  key: "flip",
  kind: "choice",
  choices: ["auto", "on", "off"],
  group: "Data",
  help: "whether images are flipped at random; auto: as suits the data (folders of images and CIFAR are, MNIST is not)",
} as const;

/** The options. */
export const DATA_OPTION_LIST = [
  { key: "data", kind: "string", default: "mnist", group: "Data", help: DATA_HELP },
  {
    key: "image-size",
    kind: "int",
    min: 8,
    max: 1024,
    default: null,
    group: "Data",
    help: "folders of images: side of the square that each is cropped and resized to (default: 64, of auto 32)",
  },
  {
    key: "colours",
    kind: "choice",
    choices: ["auto", "grey", "rgb"],
    default: "auto",
    group: "Data",
    help: "folders of images: what they are taken as; auto: grey if all of up to 2,048 that are looked at are",
  },
  {
    key: "test-fraction",
    kind: "number",
    min: 0.01,
    max: 0.9,
    default: 0.2,
    group: "Data",
    help: "folders of images without test/ and val/: share of each class that is kept for testing",
  },
] as const;

/** Their values in a resolved configuration. */
export type DataConfig = Required<DataOptions>;

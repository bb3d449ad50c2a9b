/**
 * `idarts predict <model> <images...>`: what a trained model takes image files for.
 * @module
 */
import { type Command, Option as Flag } from "commander";
import { FailureError } from "../base/errors.ts";
import { joinPath } from "../base/files.ts";
import { defineOptions } from "../base/options.ts";
import { printable } from "../base/printable.ts";
import { openCodec } from "../data/codec.ts";
import { rangeSuspicions } from "../data/image_checks.ts";
import { FORMAT_NAMES } from "../data/image_format.ts";
import { Predictor } from "../train/inference.ts";
import type { Model } from "../train/model_file.ts";
import { finePercent } from "./evaluation_text.ts";
import { addOptions, OUTPUT_GROUP, type Parsed } from "./flags.ts";
import { isFolder, MODEL_HELP, openModel } from "./sources.ts";
import { bar } from "../report/step_clock.ts";
import { commandLine, printError, Terminal } from "./terminal.ts";
import { errorText } from "./wording.ts";

const OPTIONS = defineOptions([
  {
    key: "top",
    kind: "int",
    min: 1,
    max: 100000,
    default: 5,
    group: "Prediction",
    help: "how many classes to show of each image, the most probable first",
  },
  {
    key: "invert",
    kind: "boolean",
    default: false,
    group: "Prediction",
    help: "swap bright and dark first: for digits in ink on paper, which MNIST has bright on black",
  },
]);

/** Images that are decoded and predicted at a time. */
const CHUNK = 256;

/** Declares the verb. */
export function predictCommand(program: Command): Command {
  const command = program.command("predict <model> <images...>")
    .summary("what a trained model takes image files for")
    .description(
      `Classifies image files (${FORMAT_NAMES}): class names with probabilities. The model is ${MODEL_HELP}. Images of any size: the ` +
        "largest square in the middle is resized to what the model takes, turned to grey where it takes grey.",
    );
  addOptions(command, OPTIONS.options);
  command.addOption(new Flag("--json", "one JSON line for each image").helpGroup(OUTPUT_GROUP));
  command.addHelpText(
    "after",
    `
Examples:
  ${commandLine(["predict", "runs/mnist-demo/train", "seven.png"], { read: ["runs", "seven.png"], write: [] })}
  ${
      commandLine(["predict", "best.safetensors", "a.jpg", "b.jpg", "--top", "1", "--json"], {
        read: ["best.safetensors", "a.jpg", "b.jpg"],
        write: [],
      })
    }

Exit codes: 0 done, 1 it could not be done (for some of the images, say), 2 wrong use.`,
  );
  return command;
}

/** What a model says about an image: classes, the most probable first. */
export interface Prediction {
  readonly file: string;
  readonly classes: readonly { readonly name: string; readonly probability: number }[];
}

/**
 * Classifies image files.
 * @param failed told of those that cannot be read
 * @param warn told of those that look wrong
 * @throws {UsageError} for a model that image files cannot be brought to.
 */
async function predictFiles(
  model: Model,
  files: readonly string[],
  invert: boolean,
  failed: (error: FailureError) => void,
  done: (prediction: Prediction) => void,
  warn: (message: string) => void = () => {},
): Promise<void> {
  openCodec().catch(() => {}); // compiled while the device is opened; preparing an image says what was wrong with it
  await using predictor = await Predictor.open(model);
  for (let start = 0; start < files.length; start += CHUNK) {
    const names: string[] = [], samples: Uint8Array[] = [];
    for (const path of files.slice(start, start + CHUNK)) {
      try {
        if (isFolder(path)) {
          throw new FailureError(
            `Cannot classify '${path}' as it must be an image file: it is a folder, so name the images in it, ` +
              `as in ${joinPath(path, "*.png")}`,
          );
        }
        samples.push(await predictor.prepare(path));
        names.push(path);
      } catch (error) {
        if (!(error instanceof FailureError)) throw error;
        failed(error);
      }
    }
    if (samples.length === 0) continue;
    rangeSuspicions(null, samples.map((data, i) => ({ name: names[i], data }))).forEach(warn);
    const size = samples[0].length, images = new Uint8Array(samples.length * size);
    samples.forEach((sample, i) => images.set(invert ? sample.map((v) => 255 - v) : sample, i * size));
    const rows = await predictor.probabilities({ images, count: samples.length });
    rows.forEach((row, i) => {
      const classes = [...row].map((probability, k) => ({ name: model.classNames[k], probability }));
      done({ file: names[i], classes: classes.sort((a, b) => b.probability - a.probability) });
    });
  }
}

/** An image and its most probable classes. */
function predictionLines({ file, classes }: Prediction, top: number): string[] {
  const shown = classes.slice(0, top).map(({ name, probability }) => ({ name: printable(name), probability }));
  const width = Math.max(...shown.map(({ name }) => name.length));
  return [
    `${file}: ${classes[0].name}`,
    ...shown.map(({ name, probability }) =>
      `  ${name.padEnd(width)}  ${finePercent(probability).padStart(7)}  ${bar(probability)}`
    ),
  ];
}

/** Runs the verb. @returns the exit code */
export async function runPredict(parsed: Parsed, [path, ...files]: readonly string[]): Promise<number> {
  const terminal = new Terminal(parsed.json === true), options = OPTIONS.resolve([OPTIONS.flagLayer(parsed)]);
  const { model } = openModel(path);
  let failures = 0;
  terminal.progress(() => "opening the GPU ...");
  try {
    await predictFiles(
      model,
      files,
      options.invert,
      (error) => {
        failures++;
        terminal.close();
        printError(errorText(error));
      },
      (prediction) => {
        const { file, classes } = prediction, [{ name, probability }] = classes;
        terminal.event({
          event: "prediction",
          ...{ image: file, class: name, probability, top: classes.slice(0, options.top) },
        });
        predictionLines(prediction, options.top).forEach((line) => terminal.line(line));
      },
      (message) => terminal.warn(message),
    );
    return failures > 0 ? 1 : 0;
  } finally {
    terminal.close();
  }
}

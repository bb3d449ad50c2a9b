/**
 * `idarts evaluate <model>`: how well a trained model does on a data set.
 * @module
 */
import { type Command, Option as Flag } from "commander";
import { UsageError } from "../base/errors.ts";
import { defineOptions } from "../base/options.ts";
import { type Dataset, MNIST_FOLDER, partsOf, type SharedOut } from "../data/dataset.ts";
import { DATA_HELP } from "../data/config.ts";
import { evaluateModel } from "../train/inference.ts";
import type { Model } from "../train/model_file.ts";
import { openForNetwork } from "./data_sets.ts";
import { evaluationLines, finePercent } from "./evaluation_text.ts";
import { addOptions, OUTPUT_GROUP, type Parsed } from "./flags.ts";
import { VERSION } from "../base/version.ts";
import { MODEL_HELP, openModel, type TrainedOn } from "./sources.ts";
import { commandLine, count, duration, pairs, Terminal } from "./terminal.ts";

const OPTIONS = defineOptions([
  {
    key: "data",
    kind: "string",
    default: null,
    group: "Data",
    help: `${DATA_HELP} (default: those that the model was trained on)`,
  },
  {
    key: "split",
    kind: "choice",
    choices: ["test", "train", "val"],
    default: "test",
    group: "Data",
    help: "which part of the data",
  },
  {
    key: "images",
    kind: "int",
    min: 1,
    default: null,
    group: "Data",
    help: "take this many images, spread evenly (default: all)",
  },
  {
    key: "test-fraction",
    kind: "number",
    min: 0.01,
    max: 0.9,
    default: null,
    group: "Data",
    help: "folders of images without test/ and val/: share of each class that is for testing (default: the training's)",
  },
  {
    key: "batch-size",
    kind: "int",
    min: 1,
    max: 4096,
    default: null,
    group: "Run",
    help:
      "images at a time; changes nothing but memory and time (default: as suits the network, at most 64 on a CPU and 256 on a GPU)",
  },
]);

/** Declares the verb. */
export function evaluateCommand(program: Command): Command {
  const command = program.command("evaluate <model>")
    .summary("accuracy of a trained model on a data set")
    .description(
      `Measures a trained model: accuracy, mean loss, accuracy of each class, confusion matrix. The model is ${MODEL_HELP}. ` +
        "Batch norms use their running statistics; images are normalised as in training and not changed at random.",
    );
  addOptions(command, OPTIONS.options);
  command.addOption(new Flag("--json", "everything as one JSON line").helpGroup(OUTPUT_GROUP));
  command.addHelpText(
    "after",
    `
Examples:
  ${commandLine(["evaluate", "runs/mnist-demo/train"], { read: [MNIST_FOLDER, "runs"], write: [] })}
  ${
      commandLine(["evaluate", "best.safetensors", "--data", "photos", "--split", "val"], {
        read: ["best.safetensors", "photos"],
        write: [],
      })
    }

Exit codes: 0 done, 1 it could not be done, 2 wrong use.`,
  );
  return command;
}

/** About test images that were drawn from the folder `spec`: the model may have been trained on some of them. */
function shareWarnings({ notes }: Model, { shared, name }: Dataset, spec: string, training?: TrainedOn): string[] {
  if (!shared || training && !isSame(spec, training.config.data)) return []; // the model never saw these
  const before = training?.data.shared;
  if (before) {
    if (before.train === shared.train && before.test === shared.test) return [];
    const count = ({ train, test }: SharedOut): string => `${train} files to train on and ${test} to test on`;
    return [
      `'${name}' is shared out otherwise than when the model was trained (now ${count(shared)}, then ${
        count(before)
      }): ` +
      "images for testing may be ones that it was trained on, so the figures flatter",
    ];
  }
  return !training && notes.data !== name ? [] : [
    `Nothing says how '${name}' was shared out when the model was trained: where files were added since, or the share ` +
    "was another one, it knows some of those for testing, so the figures flatter",
  ];
}

/** Whether two paths lead to one place. */
function isSame(one: string, other: string): boolean {
  if (one === other) return true;
  try {
    return Deno.realPathSync(one) === Deno.realPathSync(other);
  } catch { // one of them is gone, or may not be looked at
    return false;
  }
}

/** Runs the verb. @returns the exit code */
export async function runEvaluate(parsed: Parsed, [path]: readonly string[]): Promise<number> {
  const terminal = new Terminal(parsed.json === true), options = OPTIONS.resolve([OPTIONS.flagLayer(parsed)]);
  const { file, model, training } = openModel(path), spec = options.data ?? training?.config.data;
  if (spec === undefined) {
    throw new UsageError(
      `Cannot evaluate '${path}' without data as it lies in no run folder that may be read: name them with --data`,
    );
  }
  const split = options.split as "test" | "train" | "val", began = performance.now();
  let data: Dataset | undefined;
  try {
    data = await openForNetwork(spec, model.network, {
      split,
      limit: options.images ?? undefined,
      testFraction: options.testFraction ?? training?.config.testFraction,
    }, terminal);
    warnOfClasses(model, data, terminal);
    if (split === "test") shareWarnings(model, data, spec, training).forEach((each) => terminal.warn(each));
    if (split === "test" && !partsOf(spec).includes("test")) {
      terminal.warn(
        `'${data.name}' has no test/, so its val/ images stand in: where they chose the best epoch, they flatter`,
      );
    }
    terminal.progress(() => "opening the GPU ...");
    const { count: images, loss, accuracy, perClass, confusion } = await evaluateModel(model, data, {
      batch: options.batchSize ?? undefined,
      onProgress: (done, total) => terminal.progress(() => `${count(done)} of ${count(total)} images`),
    });
    const seconds = (performance.now() - began) / 1000, { classNames } = model;
    terminal.event({
      event: "result",
      version: VERSION,
      model: file,
      data: data.name,
      split,
      ...{ count: images, loss, accuracy, classNames, perClass, confusion, seconds },
    });
    [
      `${file} on the ${split} images of '${data.name}'`,
      "",
      ...evaluationLines({ count: images, loss, accuracy, perClass, confusion }, classNames),
      "",
      ...pairs([
        [`${split} accuracy`, `${finePercent(accuracy)} of ${count(images)} images`],
        ["loss", loss.toFixed(4)],
        ["time", duration(seconds)],
      ]),
    ].forEach((line) => terminal.line(line));
    return 0;
  } finally {
    terminal.close();
    data?.stream?.close();
  }
}

/** As many classes under other names may be another task. */
function warnOfClasses({ classNames }: Model, data: Dataset, terminal: Terminal): void {
  const other = data.classNames.findIndex((name, i) => name !== classNames[i]);
  if (other < 0 || data.classes !== classNames.length) return;
  terminal.warn(
    `The classes of '${data.name}' are called otherwise than those of the model ('${data.classNames[other]}' is ` +
      `'${classNames[other]}' there): make sure that they are the same`,
  );
}

/**
 * `idarts demo`: the whole way in a few minutes, by the same steps that the other verbs take.
 * @module
 */
import { type Command, Option as Flag } from "commander";
import { FailureError } from "../base/errors.ts";
import { exists, joinPath, readText, writeAtomic } from "../base/files.ts";
import { encodePng } from "../data/codec.ts";
import { type Dataset, MNIST_FOLDER } from "../data/dataset.ts";
import { DATA_OPTION_LIST } from "../data/config.ts";
import { genotypeText } from "../report/cell_svg.ts";
import { SEARCH_OPTIONS } from "../search/config.ts";
import { RunFolder } from "../run/run_folder.ts";
import { openConfigured } from "./data_sets.ts";
import { finePercent } from "./evaluation_text.ts";
import { exportOnnx } from "../export/onnx.ts";
import { addOptions, OUTPUT_GROUP, type Parsed } from "./flags.ts";
import { predictFiles, type Prediction, predictionLines } from "./predict.ts";
import { REPORT_FILE, writeReport } from "./report_files.ts";
import { expectFresh, freshPath, removeIfEmpty } from "./run_files.ts";
import { runSearch } from "./search.ts";
import { openModel } from "./sources.ts";
import { commandLine, count, duration, pairs, Terminal } from "./terminal.ts";
import { runTrain } from "./train.ts";
import { readTraining } from "../train/run_record.ts";
import { readEvaluation } from "../train/evaluation_file.ts";

/** Options of a search that the demo takes. */
const KEYS: readonly string[] = [...DATA_OPTION_LIST.map(({ key }) => key), "seed"];

/** Side that the images of a folder get, unless told otherwise: at their usual size it would take an hour. */
const IMAGE_SIZE = "32";

/** Where the demo puts its runs, unless told otherwise. */
const FOLDER = "runs/demo";

/** Declares the verb. */
export function demoCommand(program: Command): Command {
  const command = program.command("demo")
    .summary("the whole way in a few minutes: search, train, evaluate, export, predict, report")
    .description(
      "Searches a cell, trains a network of it, measures that on the test images, exports it as ONNX, classifies one of " +
        "the test images, and writes a report of everything. A few minutes on two cores: small networks that show the " +
        "way, not what it can lead to.",
    );
  addOptions(command, SEARCH_OPTIONS.options.filter(({ key }) => KEYS.includes(key)));
  command.addOption(
    new Flag("--out <folder>", `folder to make (default: ${FOLDER}, numbered)`).helpGroup(OUTPUT_GROUP),
  );
  command.addOption(new Flag("--json", "one JSON line for each event").helpGroup(OUTPUT_GROUP));
  command.addHelpText(
    "after",
    `
Example:
  ${commandLine(["demo"], { read: [MNIST_FOLDER, "runs"], write: ["runs"] })}

Exit codes: 0 done, 1 it could not be done, 2 wrong use, 130 stopped by Ctrl-C (143 by SIGTERM).`,
  );
  return command;
}

/** Runs the verb. @returns the exit code */
export async function runDemo(parsed: Parsed): Promise<number> {
  const out = (parsed.out as string | undefined) ?? freshPath(FOLDER);
  expectFresh(out);
  const made = !exists(out);
  try {
    return await demoIn(out, parsed);
  } finally {
    if (made) removeIfEmpty(out);
  }
}

async function demoIn(out: string, parsed: Parsed): Promise<number> {
  const terminal = new Terminal(parsed.json === true), began = performance.now();
  const file = (name: string) => joinPath(out, name);
  const heading = (text: string): void => ["", `== ${text}`, ""].forEach((line) => terminal.line(line));
  const { json, seed, debug } = parsed,
    shared = { json, preset: "demo", ...(seed === undefined ? {} : { seed }), debug };

  heading("1 of 4: search a cell");
  const searched = await runSearch({ imageSize: IMAGE_SIZE, ...parsed, ...shared, out: file("search") }, [], false);
  if (searched !== 0) return searched;
  heading("2 of 4: train a network of this cell, and measure it on the test images");
  const trained = await runTrain({ ...shared, out: file("train") }, [file("search")], false);
  if (trained !== 0) return trained;

  heading("3 of 4: export it, and classify one of the test images");
  const { model } = openModel(file("train")), onnx = exportOnnx(model);
  writeAtomic(file("model.onnx"), onnx);
  const { config } = readTraining(RunFolder.view(file("train")));
  const image = await writeTestImage(
    await openConfigured(config, "test", terminal),
    file("test-image.png"),
    config.seed,
  );
  let prediction: Prediction | undefined;
  await predictFiles(model, [file("test-image.png")], false, (error) => {
    throw error;
  }, (each) => prediction = each);
  const [best] = prediction!.classes;
  predictionLines(prediction!, 3).forEach((line) => terminal.line(line));
  terminal.line(`  (its label says '${image}')`);

  heading("4 of 4: report");
  const folder = RunFolder.view(file("train")), report = await writeReport(folder, file(REPORT_FILE));
  const test = readEvaluation(folder).test, seconds = (performance.now() - began) / 1000;
  terminal.event({
    event: "demo",
    folder: out,
    testAccuracy: test?.accuracy,
    prediction: { image: file("test-image.png"), label: image, class: best.name, probability: best.probability },
    seconds,
    files: { report, onnx: file("model.onnx"), picture: file("search/cells.svg") },
  });
  [
    `Done in ${duration(seconds)}: this cell was found`,
    ...genotypeText(model.network.genotype).trimEnd().split("\n").map((line) => `  ${line}`),
    `  ${readText(file("search/genotype.txt")).trim()}`,
    "",
    ...pairs([
      ["picture", file("search/cells.svg")],
      ["test accuracy", test ? `${finePercent(test.accuracy)} of ${count(test.count)} images` : "-"],
      ["model.onnx", `${file("model.onnx")} (${count(onnx.length)} bytes)`],
      [
        "prediction",
        `${file("test-image.png")} is a '${best.name}' (${finePercent(best.probability)}; its label says '${image}')`,
      ],
      ["report", `${report} (open it in a browser)`],
    ]),
    "",
    "Classify an image of your own:",
    `  ${commandLine(["predict", file("train"), "image.png"], { read: [file("train"), "image.png"], write: [] })}`,
  ].forEach((line) => terminal.line(line));
  return 0;
}

/** Writes one of the test images as a PNG file. @returns the name of its class */
async function writeTestImage(data: Dataset, file: string, seed: number): Promise<string> {
  const { channels, height, width } = data, size = channels * height * width, plane = height * width;
  const index = seed % data.count;
  const planes = data.stream ? await data.stream.load(index) : data.images.subarray(index * size, (index + 1) * size);
  data.stream?.close();
  if (planes === null) throw new FailureError(`Cannot read image ${index} of '${data.name}': look at its files`);
  const shown = channels === 3 ? 3 : 1, pixels = new Uint8Array(shown * plane);
  for (let c = 0; c < shown; c++) for (let i = 0; i < plane; i++) pixels[i * shown + c] = planes[c * plane + i];
  writeAtomic(file, await encodePng({ width, height, channels: shown, data: pixels, orientation: 1 }));
  return data.classNames[data.labels[index]];
}

/**
 * `idarts discretize <run>`: decides again from a checkpoint, by another rule, with other options or on other images.
 * @module
 */
import { type Command, Option as Flag } from "commander";
import { FailureError } from "../base/errors.ts";
import { joinPath } from "../base/files.ts";
import { defineOptions } from "../base/options.ts";
import { VERSION } from "../base/version.ts";
import { MNIST_FOLDER } from "../data/dataset.ts";
import type { DiscretizationReport } from "../discretize/discretize.ts";
import type { DecorrelationOptions } from "../discretize/scope.ts";
import { RULES, rulesOf } from "../discretize/registry.ts";
import { type Gpu, openGpu } from "../gpu/device.ts";
import { methodReport, writePictured } from "../report/run_pictures.ts";
import { KEEP_OPTION } from "../search/config.ts";
import { RunFolder } from "../run/run_folder.ts";
import { rediscretize } from "../search/rediscretize.ts";
import { checkImages, readSearch } from "../search/run_record.ts";
import { resolveSpace } from "../space/definition.ts";
import type { Keep } from "../space/space.ts";
import { openConfigured } from "./data_sets.ts";
import { addOptions, OUTPUT_GROUP, type Parsed } from "./flags.ts";
import { cellLines, certaintyLines, comparisonLines, edgeWeightLines, varianceLines } from "./outcome.ts";
import { expectFresh } from "./run_files.ts";
import { commandLine, pairs, Terminal } from "./terminal.ts";

const OPTIONS = defineOptions([
  {
    key: "method",
    kind: "choice",
    choices: RULES.map(({ name }) => name),
    default: null,
    group: "Discretisation",
    help: "rule whose cell is the result (default: the run's)",
  },
  { ...KEEP_OPTION, default: null, help: `${KEEP_OPTION.help} (default: the run's)` },
  {
    key: "perturbation-images",
    kind: "int",
    min: 1,
    default: null,
    group: "Discretisation",
    help: "images of the architecture half on which method perturbation evaluates the supernet (default: the run's)",
  },
  {
    key: "scope",
    kind: "choice",
    choices: ["node", "edge"],
    default: null,
    group: "Discretisation",
    help: "decorrelate all candidates of a node, or those of one edge (default: the run's)",
  },
  {
    key: "shrinkage",
    kind: "number",
    min: 0,
    max: 1,
    default: null,
    group: "Discretisation",
    help: "weight of the identity in the correlation matrix that is inverted (default: the run's)",
  },
  {
    key: "statistics-images",
    kind: "int",
    min: 1,
    default: null,
    group: "Discretisation",
    help: "images of the architecture half for the statistics (default: the run's)",
  },
  {
    key: "data",
    kind: "string",
    default: null,
    group: "Discretisation",
    help: "other data of the same image shape for the statistics (default: the run's)",
  },
]);

/** Declares the verb. */
export function discretizeCommand(program: Command): Command {
  const command = program.command("discretize <run>")
    .summary("decide again from the checkpoint of a run")
    .description(
      "Decides again which operations stay, from the newest checkpoint of a run (finished, stopped or still running). " +
        "Prints the cell and the evidence; with --out, writes them into a folder of their own. The run stays as it is.\n\n" +
        "Rules:\n" + RULES.map(({ name, summary }) => `  ${name.padEnd(12)} ${summary}`).join("\n"),
    );
  addOptions(command, OPTIONS.options);
  command.addOption(
    new Flag("--out <folder>", "write the outcome into this folder, which must be new (runs/mnist-demo/zca, say)")
      .helpGroup(OUTPUT_GROUP),
  );
  command.addOption(new Flag("--json", "the whole report as one JSON line").helpGroup(OUTPUT_GROUP));
  command.addHelpText(
    "after",
    `
Examples:
  ${commandLine(["discretize", "runs/mnist-demo", "--method", "zca"], { read: [MNIST_FOLDER, "runs"], write: [] })}
  ${
      commandLine(["discretize", "runs/mnist-demo", "--scope", "edge", "--out", "runs/mnist-demo/edge"], {
        read: [MNIST_FOLDER, "runs"],
        write: ["runs"],
      })
    }

Exit codes: 0 done, 1 it could not be done, 2 wrong use.`,
  );
  return command;
}

/** Runs the verb. @returns the exit code */
export async function runDiscretize(parsed: Parsed, [path]: readonly string[]): Promise<number> {
  const terminal = new Terminal(parsed.json === true),
    warn = (message: string): void => terminal.warn(message);
  const options = OPTIONS.resolve([OPTIONS.flagLayer(parsed)]), out = parsed.out as string | undefined;
  const folder = RunFolder.view(path, { warn }), { config, data: expected } = readSearch(folder);
  const method = options.method ?? config.discretizer, checkpoint = folder.readCheckpoint();
  if (!checkpoint) {
    throw new FailureError(
      `Cannot discretise '${path}' as it must hold a checkpoint: go on with 'search --resume ${path}' first`,
    );
  }
  const data = await openConfigured({ ...config, data: options.data ?? config.data }, "train", terminal);
  checkImages(data, expected, options.data === null ? "name the data with --data if that is what you want" : null);
  const images = options.statisticsImages ?? config.statisticsImages;
  terminal.progress(() => "opening the GPU and taking statistics ...");
  if (out !== undefined) expectFresh(out);
  let gpu: Gpu | undefined;
  try {
    gpu = await openGpu();
    const report = await rediscretize(config, data, checkpoint, {
      ...{ gpu, images, warn, source: folder.path, classes: expected.classes },
      methods: rulesOf(undefined, method, resolveSpace(config.space)),
      perturbationImages: options.perturbationImages ?? undefined,
      onMeasured: (done, all) =>
        terminal.progress(() => `measuring the supernet without each operation, ${done}/${all} ...`),
      keep: (options.keep ?? undefined) as Keep | undefined,
      scope: (options.scope ?? undefined) as DecorrelationOptions["scope"] | undefined,
      shrinkage: options.shrinkage ?? undefined,
    });
    const context = { version: VERSION, adapter: gpu.name, run: path, step: checkpoint.step, data: data.name, images };
    if (out !== undefined) await writePictured(out, report, method, context);
    tell(report, method, context, out, terminal);
    return 0;
  } finally {
    gpu?.device.destroy();
    terminal.close();
  }
}

/** Says what came out. */
function tell(
  report: DiscretizationReport,
  method: string,
  context: { readonly run: string; readonly step: number; readonly data: string; readonly images: number },
  out: string | undefined,
  terminal: Terminal,
): void {
  const { genotype, text } = methodReport(report, method), { run, step, images, data } = context;
  terminal.event({ event: "result", chosen: method, genotype, python: text, ...context, report });
  [
    `${run} after ${step} steps; statistics of ${images} images of '${data}' at most`,
    "",
    ...cellLines(report, method),
    "",
    ...comparisonLines(report),
    ...edgeWeightLines(report),
    ...certaintyLines(report),
    "",
    ...varianceLines(report),
    ...(out === undefined ? [] : ["", ...pairs([["picture", joinPath(out, "cells.svg")], ["written to", out]])]),
  ].forEach((line) => terminal.line(line));
}

/**
 * `idarts cost <genotype>`: parameters, multiply-accumulates and memory of networks of a cell.
 * @module
 */
import { type Command, Option as Flag } from "commander";
import { defineOptions } from "../base/options.ts";
import { costOf, type NetworkCost, scaleNetwork } from "../space/cost.ts";
import { NETWORK_FORMS, type NetworkConfig, type NetworkForm, publishedSize } from "../space/derived.ts";
import type { Genotype } from "../space/genotype.ts";
import { budgetOf, SIZE_OPTION_LIST } from "../space/size_options.ts";
import { addOptions, OUTPUT_GROUP, type Parsed, parseShape } from "./flags.ts";
import { COST_CONVENTION, partCosts } from "../report/run_report.ts";
import { GENOTYPE_HELP, openGenotype, publishedText } from "./sources.ts";
import { commandLine, count, mebibytes, table, Terminal, wrapText } from "./terminal.ts";

const OPTIONS = defineOptions([
  {
    key: "form",
    kind: "choice",
    choices: NETWORK_FORMS,
    default: null,
    group: "Network",
    help: "which stem (default: both; of a trained model its own)",
  },
  {
    key: "shape",
    kind: "string",
    default: null,
    group: "Network",
    help: "channels x height x width of the images (default: 3x32x32, imagenet form 3x224x224)",
  },
  {
    key: "classes",
    kind: "int",
    min: 2,
    max: 100000,
    default: null,
    group: "Network",
    help: "number of classes (default: 10, imagenet form 1000)",
  },
  ...SIZE_OPTION_LIST,
]);

type Options = ReturnType<typeof OPTIONS.resolve>;

/** The data of the papers. */
const PUBLISHED: Readonly<Record<NetworkForm, Pick<NetworkConfig, "classes" | "inputChannels" | "height" | "width">>> =
  {
    cifar: { classes: 10, inputChannels: 3, height: 32, width: 32 },
    imagenet: { classes: 1000, inputChannels: 3, height: 224, width: 224 },
  };

/** Declares the verb. */
export function costCommand(program: Command): Command {
  const command = program.command("cost <genotype>")
    .summary("parameters, MACs and memory of networks of a cell")
    .description(
      `Counts networks of a cell, without data and without a GPU. The genotype is ${GENOTYPE_HELP}; of a trained model ` +
        `(run folder or file) its own network is counted, changed by what is given. ${COST_CONVENTION} The peak is the ` +
        "most that inference of one image holds at once besides weights.",
    );
  addOptions(command, OPTIONS.options);
  command.addOption(new Flag("--parts", "stems, cells and classifier one by one").helpGroup(OUTPUT_GROUP));
  command.addOption(new Flag("--layers", "every layer, in order of execution").helpGroup(OUTPUT_GROUP));
  command.addOption(new Flag("--json", "everything as one JSON line").helpGroup(OUTPUT_GROUP));
  command.addHelpText(
    "after",
    `
Examples:
  ${commandLine(["cost", "DARTS_V2"], { read: [], write: [] })}
  ${commandLine(["cost", "runs/mnist-demo", "--shape", "1x28x28", "--params", "500k"], { read: ["runs"], write: [] })}

${publishedText()}

Exit codes: 0 done, 1 it could not be done, 2 wrong use.`,
  );
  return command;
}

/** The networks that the options ask for; what they leave open is as in `own`, else as in the papers. */
function networks(genotype: Genotype, own: NetworkConfig | undefined, options: Options): NetworkConfig[] {
  const shape = options.shape === null ? undefined : parseShape(options.shape), budget = budgetOf(options);
  const asked = options.form === null ? own?.form : options.form as NetworkForm;
  return (asked ? [asked] : NETWORK_FORMS).flatMap((form) => {
    const known = own?.form === form ? own : undefined;
    const { classes, inputChannels, height, width } = known ?? PUBLISHED[form];
    const base = {
      genotype,
      form,
      classes: options.classes ?? classes,
      inputChannels: shape?.channels ?? inputChannels,
      height: shape?.height ?? height,
      width: shape?.width ?? width,
      ...(own && { pooling: own.pooling, members: own.members, mirrored: own.mirrored }),
    };
    // What has one form only, and images that are too small for the ImageNet form, leave it away unless asked for.
    if (!asked && form === "imagenet" && (genotype.skeleton || Math.min(base.height, base.width) < 32)) return [];
    if (budget) return [scaleNetwork(base, budget, options.cells ?? undefined)];
    const { channels, cells } = known ?? publishedSize(genotype, form);
    return [{ ...base, channels: options.initChannels ?? channels, cells: options.cells ?? cells }];
  });
}

/** Runs the verb. @returns the exit code */
export function runCost(parsed: Parsed, [source]: readonly string[]): Promise<number> {
  const terminal = new Terminal(parsed.json === true), options = OPTIONS.resolve([OPTIONS.flagLayer(parsed)]);
  const { genotype, name, network } = openGenotype(source);
  const found = networks(genotype, network, options).map((config) => ({ config, cost: costOf(config) }));
  terminal.event({
    event: "cost",
    name,
    convention: COST_CONVENTION,
    networks: found.map(({ config: { genotype: _, ...config }, cost: { layers, ...cost } }) => ({
      ...config,
      ...cost,
      parts: partCosts(layers),
      ...(parsed.layers === true ? { layers } : {}),
    })),
  });
  [
    `Networks of the cell '${name}'`,
    ...table(
      ["form", "image", "classes", "cells", "channels", "parameters", "MACs", "activations", "peak"],
      found.map(({ config, cost }) => [
        config.form,
        `${config.inputChannels}x${config.height}x${config.width}`,
        count(config.classes),
        count(config.cells),
        count(config.channels),
        count(cost.parameters),
        count(cost.macs),
        mebibytes(cost.activationBytes),
        mebibytes(cost.peakBytes),
      ]),
    ),
    ...(parsed.parts === true ? found.flatMap((each) => ["", ...partLines(each.config, each.cost)]) : []),
    ...(parsed.layers === true ? found.flatMap((each) => ["", ...layerLines(each.config, each.cost)]) : []),
    "",
    ...wrapText(`${COST_CONVENTION} The peak is the most that inference of one image holds at once besides weights.`),
  ].forEach((line) => terminal.line(line));
  return Promise.resolve(0);
}

function partLines({ form }: NetworkConfig, { layers }: NetworkCost): string[] {
  const rows = partCosts(layers).map((p) => [
    p.name,
    count(p.parameters),
    count(p.macs),
    mebibytes(p.activationBytes),
  ]);
  return [`Parts of the ${form} form`, ...table(["part", "parameters", "MACs", "activations"], rows)];
}

function layerLines({ form }: NetworkConfig, { layers }: NetworkCost): string[] {
  const rows = layers.map((layer) => [
    layer.name,
    layer.op,
    layer.shape.join("x"),
    count(layer.parameters),
    count(layer.macs),
    mebibytes(layer.activationBytes),
  ]);
  const header = ["layer", "operation", "result", "parameters", "MACs", "activations"];
  return [`Layers of the ${form} form`, ...table(header, rows)];
}

/**
 * `idarts tune`: measures the variants of every kernel that a search or a training runs, and writes which were the
 * fastest ones into a file that `--tuning` takes.
 * @module
 */
import { type Command, Option as Flag } from "commander";
import { UsageError } from "../base/errors.ts";
import { exists, folderOf, makeFolder, readText, writeAtomic } from "../base/files.ts";
import { formatYaml, MAX_YAML_BYTES, parseYamlOptions } from "../base/options.ts";
import { MNIST_FOLDER } from "../data/dataset.ts";
import type { DataConfig } from "../data/config.ts";
import { openGpu } from "../gpu/device.ts";
import type { PlanTarget } from "../graph/plan.ts";
import { adapterText, checkTuning, type KernelTimes, tune } from "../graph/tuning.ts";
import type { Presets } from "../base/options.ts";
import { SEARCH_PRESETS, type SearchConfig } from "../search/config.ts";
import { checkMemory, memoryBudget, type Planned } from "../run/memory.ts";
import { planSearch } from "../search/programs.ts";
import { supernetConfig } from "../search/search.ts";
import { TRAIN_OPTIONS, TRAIN_PRESETS } from "../train/config.ts";
import { planTraining } from "../train/programs.ts";
import { networkConfig } from "../train/train.ts";
import { addConfiguration, addOptions, addSearchOptions, type Parsed, presetText, searchConfig } from "./flags.ts";
import { type ImageShape, SHAPE_OPTIONS, shapeOf } from "./image_shape.ts";
import { GENOTYPE_HELP } from "./sources.ts";
import { commandLine, count, duration, percent, table, Terminal } from "./terminal.ts";
import { trainingOf } from "./train.ts";

/** Where a tuning is kept unless `--out` says otherwise. */
const DEFAULT_FILE = "runs/tuning.yaml";

/** Declares the verbs. @param adorn adds what all verbs have */
export function tuneCommands(program: Command, adorn: (command: Command) => void): { search: Command; train: Command } {
  const group = program.command("tune")
    .summary("measure which kernels are fast on this adapter")
    .description("Measures the variants of every kernel of a search or a training on this adapter, once.");
  adorn(group);
  return { search: searchVerb(group), train: trainVerb(group) };
}

const PURPOSE =
  "on noise and writes the fastest ones into a file for --tuning; one that is there is extended by what it does not " +
  "know yet. Other variants add up in another order: a run keeps a copy of its tuning, and has the bits that it makes.";

function searchVerb(group: Command): Command {
  const command = group.command("search")
    .summary("the kernels of a search")
    .description(`Runs the kernels of a search ${PURPOSE} Takes the options of 'search'.`);
  addTuneOptions(command);
  addSearchOptions(command);
  return command.addHelpText("after", closing(SEARCH_PRESETS, ["search"]));
}

function trainVerb(group: Command): Command {
  const command = group.command("train <genotype>")
    .summary("the kernels of a training")
    .description(
      `Runs the kernels of a training of a cell ${PURPOSE} The genotype is ${GENOTYPE_HELP}. Takes the options of 'train'.`,
    );
  addTuneOptions(command);
  addConfiguration(command, TRAIN_OPTIONS.options, TRAIN_PRESETS);
  return command.addHelpText("after", closing(TRAIN_PRESETS, ["train", "DARTS_V2"]));
}

function addTuneOptions(command: Command): void {
  const group = "Output:";
  command.addOption(new Flag("--out <file>", `the tuning, YAML (default: ${DEFAULT_FILE})`).helpGroup(group));
  command.addOption(new Flag("--json", "one JSON line for each kernel, and one for the result").helpGroup(group));
  addOptions(command, SHAPE_OPTIONS);
}

function closing(presets: Presets, words: readonly string[]): string {
  const places = { read: [MNIST_FOLDER, "runs"], write: ["runs"] };
  return `
${presetText(presets)}

Example:
  ${commandLine(["tune", ...words, "--preset", "demo"], places)}
  ${commandLine([...words, "--preset", "demo", "--tuning", DEFAULT_FILE], places)}

Exit codes: 0 done, 1 it could not be done, 2 wrong use.`;
}

/** Runs the verb for a search. @returns the exit code */
export async function runTuneSearch(parsed: Parsed): Promise<number> {
  const config = searchConfig(parsed);
  return await runTune(parsed, config, (shape, limits, batch) => {
    return planSearch(supernetConfig({ ...config, batchSize: batch }, shape), config, limits);
  });
}

/** Runs the verb for a training. @returns the exit code */
export async function runTuneTrain(parsed: Parsed, [source]: readonly string[]): Promise<number> {
  const { config, origin } = trainingOf(parsed, source);
  return await runTune(parsed, config, (shape, limits, batch) => {
    return planTraining(networkConfig(config, origin.genotype, shape), batch, config, limits);
  });
}

async function runTune(
  parsed: Parsed,
  config: DataConfig & Pick<SearchConfig, "batchSize" | "memoryLimit" | "tuning">,
  planOf: (shape: ImageShape, limits: PlanTarget, batch: number) => Planned,
): Promise<number> {
  const terminal = new Terminal(parsed.json === true), { out = DEFAULT_FILE } = parsed as { out?: string };
  if (out === "") throw new UsageError("Cannot use --out as it must name a file: it is empty");
  if (typeof config.tuning === "object") {
    throw new UsageError("Cannot use --tuning with tune, which extends the file that --out names: leave it away");
  }
  const known = exists(out)
    ? checkTuning(parseYamlOptions(out, readText(out, { maxBytes: MAX_YAML_BYTES })), `'${out}'`)
    : undefined;
  const shape = await shapeOf(config, parsed, terminal), gpu = await openGpu(), began = performance.now();
  try {
    if (known && known.name !== adapterText(gpu)) {
      throw new UsageError(
        `Cannot extend '${out}' on adapter '${
          adapterText(gpu)
        }' as it is of '${known.name}': name another file with --out`,
      );
    }
    const planned = planOf(shape, gpu.limits, config.batchSize), { plans } = planned;
    const sized = (batch: number) => planOf(shape, gpu.limits, batch);
    checkMemory(planned, memoryBudget(gpu, config.memoryLimit), config.batchSize, sized);
    terminal.line(`Measuring on ${gpu.name}`);
    const measured: KernelTimes[] = [];
    const tuning = await tune(gpu, plans, known, (times, done, all) => {
      measured.push(times);
      terminal.event({ event: "kernel", ...times, nanoseconds: Object.fromEntries(times.nanoseconds) });
      terminal.progress(() => `kernel ${count(done)} of ${count(all)}`);
    });
    terminal.close();
    makeFolder(folderOf(out));
    writeAtomic(out, formatYaml(tuning));
    const seconds = (performance.now() - began) / 1000, { before, after, rows } = summary(measured);
    terminal.event({ event: "tuned", file: out, adapter: gpu.name, kernels: measured.length, before, after, seconds });
    const lines = measured.length === 0 ? ["Nothing to measure: the file knows every kernel."] : [
      ...table(["operation", "kernels", "changed", "ms before", "ms after"], rows),
      "",
      `The measured kernels of one run of every program take ${
        percent(after / before)
      } of their time without a tuning.`,
    ];
    [...lines, `Written to ${out} after ${duration(seconds)}.`].forEach((line) => terminal.line(line));
    return 0;
  } finally {
    terminal.close();
    gpu.device.destroy();
  }
}

/** Milliseconds with the first and with the chosen variants, in all and by operation. */
function summary(measured: readonly KernelTimes[]): { before: number; after: number; rows: string[][] } {
  const first = ({ nanoseconds, uses }: KernelTimes) => [...nanoseconds.values()][0] * uses / 1e6;
  const best = ({ nanoseconds, chosen, uses }: KernelTimes) => nanoseconds.get(chosen)! * uses / 1e6;
  const total = (times: readonly KernelTimes[], of: (t: KernelTimes) => number) =>
    times.reduce((sum, t) => sum + of(t), 0);
  const rows = [...Map.groupBy(measured, ({ key }) => key.split(" ")[0])].map(([op, times]) => [
    op,
    count(times.length),
    count(times.filter(({ chosen, nanoseconds }) => chosen !== [...nanoseconds.keys()][0]).length),
    total(times, first).toFixed(1),
    total(times, best).toFixed(1),
  ]);
  return { before: total(measured, first), after: total(measured, best), rows };
}

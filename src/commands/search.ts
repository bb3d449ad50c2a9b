/**
 * `idarts search`: a search in a run folder, new or resumed, with what it found and measured at the end.
 * @module
 */
import type { Command } from "commander";
import { UsageError } from "../base/errors.ts";
import { nameOf } from "../base/options.ts";
import { VERSION } from "../base/version.ts";
import { type Dataset, MNIST_FOLDER } from "../data/dataset.ts";
import { RULES } from "../discretize/registry.ts";
import type { Gpu } from "../gpu/device.ts";
import { SEARCH_OPTIONS, SEARCH_PRESETS, type SearchConfig } from "../search/config.ts";
import type { SearchPlan } from "../search/programs.ts";
import { fieldTime } from "../report/numbers.ts";
import { finishSearch, methodReport } from "../report/run_pictures.ts";
import { stopwatch } from "../run/result_file.ts";
import type { RunFolder } from "../run/run_folder.ts";
import { settledOf } from "../search/settled.ts";
import { readSearch } from "../search/run_record.ts";
import { harmlessSearchOptions, search, type SearchResult, type SearchRunOptions } from "../search/search.ts";
import { weightCount } from "../space/supernet.ts";
import { dataText, openConfigured } from "./data_sets.ts";
import { addSearchOptions, type Parsed, presetText, refuseChanges, searchConfig, searchLayers } from "./flags.ts";
import {
  cellLines,
  certaintyLines,
  comparisonLines,
  edgeWeightLines,
  epochLine,
  epochLines,
  settledLines,
  varianceLines,
} from "./outcome.ts";
import { memoryText } from "./plan_text.ts";
import { trainCommand, writeReport } from "./report_files.ts";
import { freshPath, otherRule, runName } from "./run_files.ts";
import {
  addRunFlags,
  type Job,
  newRunFolder,
  resumedJob,
  RUN_EXIT_HELP,
  type Running,
  runPlaces,
  runVerb,
} from "./run_verb.ts";
import { StepClock } from "../report/step_clock.ts";
import { addWatchFlag, openLive } from "./watch.ts";
import type { LiveServer } from "./live_server.ts";
import { liveProgress } from "../report/live.ts";
import { fetchHint } from "./wording.ts";
import { commandLine, count, duration, mebibytes, pairs, type Terminal } from "./terminal.ts";
import { EPOCH_SHAPE, type EpochRecord } from "../search/records.ts";
import { hostBytes } from "../run/memory.ts";
import { METRICS_FILE, readRecords } from "../run/metrics_file.ts";

/** Declares the verb. */
export function searchCommand(program: Command): Command {
  const command = program.command("search")
    .summary("search a cell on images")
    .description(
      "Searches a cell: trains a supernet whose edges carry every operation, the weights of the operations on one half " +
        "of the training images and their mixture on the other half, then decides which operations stay. Images in val/ " +
        "and test/ are not looked at. Everything is written into a run folder: configuration, metrics, checkpoints, " +
        "genotypes (JSON and Python text), a picture and a report.",
    );
  addRunFlags(command, "runs/<data>-<preset or seed>, numbered");
  addWatchFlag(command);
  addSearchOptions(command);
  command.addHelpText(
    "after",
    `
${presetText(SEARCH_PRESETS)}

Examples:
  A first search in a few minutes, on MNIST (fetched by ${fetchHint("mnist")}):
    ${commandLine(["search", "--preset", "demo"], { read: [MNIST_FOLDER, "runs"], write: ["runs"] })}
  Fashion-MNIST, four times as many channels, from a file whose keys are the flags ('init-channels: 16'):
    ${
      commandLine(["search", "--config", "search.yaml", "--data", "fashion"], {
        read: ["fashion", "search.yaml", "runs"],
        write: ["runs"],
      })
    }
  After Ctrl-C, a kill or a power cut:
    ${commandLine(["search", "--resume", "runs/mnist-demo"], { read: [MNIST_FOLDER, "runs"], write: ["runs"] })}

${RUN_EXIT_HELP}`,
  );
  return command;
}

interface SearchJob extends Job {
  readonly config: SearchConfig;
}

/**
 * Runs the verb.
 * @returns the exit code
 */
export async function runSearch(parsed: Parsed): Promise<number> {
  return await runVerb("search", parsed, (warn) => openJob(parsed, warn), async (job, running) => {
    const data = await openConfigured(job.config, "train", running.terminal, running.options.signal);
    try {
      await using live = openLive(job.folder, parsed.watch, running.terminal);
      return await searchIn(job, data, running, live);
    } finally {
      data.stream?.close();
    }
  });
}

function openJob(parsed: Parsed, warn: (message: string) => void): SearchJob {
  const { resume, preset } = parsed;
  if (typeof resume === "string") return resumedJob(parsed, resume, warn, (folder) => resumeIn(folder, parsed));
  const config = searchConfig(parsed), name = `runs/${runName(config.data)}-${preset ?? config.seed}`;
  return { config, folder: newRunFolder(parsed, () => freshPath(name), warn), resume: false };
}

function resumeIn(folder: RunFolder, parsed: Parsed): SearchJob {
  const run = readSearch(folder), { discretizer } = run.config;
  if (!RULES.some(({ name }) => name === discretizer)) {
    throw new UsageError(
      `Cannot resume '${folder.path}' here as its rule '${discretizer}' is one of the program that began the search: ` +
        "go on with it there",
    );
  }
  const config = SEARCH_OPTIONS.resolve([
    { source: folder.file("config.json"), values: SEARCH_OPTIONS.toRecord(run.config) },
    ...searchLayers(parsed),
  ]) as SearchConfig;
  refuseChanges(SEARCH_OPTIONS, folder.path, run.config, config, harmlessSearchOptions(run.config));
  return { config, folder, resume: true };
}

/** Says what is about to run. */
function tellStart(
  { config, folder, resume }: SearchJob,
  data: Dataset,
  terminal: Terminal,
  gpu: Gpu,
  planned: SearchPlan,
  stepsPerEpoch: number,
): void {
  const { bytes, variables } = planned;
  terminal.event({
    event: "start",
    version: VERSION,
    folder: folder.path,
    resume,
    adapter: gpu.name,
    parameters: weightCount(variables),
    gpuBytes: bytes,
    ...(gpu.software ? { processBytes: bytes + hostBytes(planned) } : {}),
    stepsPerEpoch,
    config: SEARCH_OPTIONS.toRecord(config),
  });
  terminal.line(`idarts ${VERSION}: ${resume ? "going on with a search" : "search"}`);
  pairs([
    ["data", dataText(data, config.images)],
    [
      "supernet",
      `space ${
        nameOf(config.space)
      }, ${config.cells} cells, ${config.initChannels} channels, node norm ${config.nodeNorm}: ` +
      `${count(weightCount(variables))} weights`,
    ],
    ["steps", `${config.epochs} epochs of ${stepsPerEpoch} steps, batch ${config.batchSize}, seed ${config.seed}`],
    ["adapter", gpu.name],
    ["GPU memory", memoryText(planned, gpu)],
    ["run folder", folder.path],
  ]).forEach((line) => terminal.line(line));
  terminal.progress(() => "compiling shaders ...");
}

async function searchIn(job: SearchJob, data: Dataset, running: Running, live?: LiveServer): Promise<void> {
  const { terminal, options } = running;
  const { config, folder, resume } = job, time = stopwatch();
  terminal.progress(() => "opening the GPU and planning the supernet ...");
  let started = false, software = false;
  const onStart = (plan: SearchPlan, gpu: Gpu, stepsPerEpoch: number): void => {
    if (!started) tellStart(job, data, terminal, gpu, plan, stepsPerEpoch); // not once more, on a new device
    started = true;
    software = gpu.software;
  };
  const onEpoch = (record: EpochRecord): void => {
    terminal.event({ event: "epoch", ...record });
    terminal.line(
      epochLine(record, config.epochs, [...new Set([config.discretizer, "alpha"])].filter((m) => m in record.skips)),
    );
  };
  const result = await search(config, data, {
    ...options,
    ...searchObservers(new StepClock(config.epochs), terminal, live),
    onStart,
    onEpoch,
  });
  const taken = time(), field = resume ? null : fieldTime(software ? taken.cpuSeconds : taken.seconds, software);
  await finishSearch(folder, result, resume ? undefined : taken);
  terminal.progress(() => "writing the report ...");
  tell(job, result, terminal, { seconds: taken.seconds, field, report: await writeReport(folder) });
}

/** Shows where a search is. */
export function searchObservers(
  clock: StepClock,
  terminal: Terminal,
  live?: LiveServer,
): Pick<SearchRunOptions, "onProgress" | "onMeasured"> {
  return {
    onProgress: (progress) => {
      live?.tell(liveProgress("Search", clock, progress));
      terminal.progress(() => {
        const { trainLoss, valLoss } = progress;
        const val = valLoss === null ? "alphas frozen" : `val ${valLoss.toFixed(3)}`;
        return clock.line(progress, `train ${trainLoss.toFixed(3)}, ${val}`);
      });
    },
    onMeasured: (done, all) =>
      terminal.progress(() => `measuring the supernet without each operation, ${done}/${all} ...`),
  };
}

function tell(
  { config, folder }: SearchJob,
  result: SearchResult,
  terminal: Terminal,
  { seconds, field, report }: { seconds: number; field: string | null; report: string },
): void {
  const epochs = readRecords(folder, EPOCH_SHAPE), chosen = config.discretizer, last = epochs.at(-1);
  const { genotype, text } = methodReport(result.report, chosen), file = (name: string): string => folder.file(name);
  terminal.event({
    event: "result",
    folder: folder.path,
    chosen,
    genotype,
    python: text,
    genotypes: Object.fromEntries(result.report.methods.map((m) => [m.method, m.text])),
    stopped: result.stopped,
    settled: settledOf(epochs),
    evalAccuracy: last?.evalAccuracy,
    evalLoss: last?.evalLoss,
    parameters: weightCount(result.plan.variables),
    gpuBytes: result.plan.bytes,
    seconds,
    files: {
      picture: file("cells.svg"),
      genotype: file("genotype.json"),
      discretization: file("discretization.json"),
      metrics: file(METRICS_FILE),
      report,
    },
  });
  const steps = epochs.map((e) => e.secondsPerStep), mean = steps.reduce((a, b) => a + b, 0) / steps.length;
  [
    "",
    ...cellLines(result.report, chosen),
    "",
    ...comparisonLines(result.report),
    ...edgeWeightLines(result.report),
    ...certaintyLines(result.report),
    "",
    ...varianceLines(result.report),
    "",
    ...epochLines(epochs),
    "",
    ...settledLines(epochs, result.report),
    "",
    ...pairs([
      ["ended", `after epoch ${result.stopped.epoch} of ${config.epochs}: ${result.stopped.text}`],
      [
        "time",
        `${duration(seconds)} ${field ? `in all (${field})` : "since it was resumed"}, ${
          duration(mean)
        } a step (architecture and weights)`,
      ],
      ["GPU memory", `${mebibytes(result.plan.bytes)} at most`],
      ["weights", `${count(weightCount(result.plan.variables))} in the supernet`],
      ["picture", file("cells.svg")],
      ["genotype", `${file("genotype.json")}, ${file("genotype.txt")}`],
      ["evidence", `${file("discretization.json")}, ${file(METRICS_FILE)}`],
      ["report", report],
      ["run folder", folder.path],
    ]),
    ...hintLines(config, folder.path),
  ].forEach((line) => terminal.line(line));
}

/** What can be done next. */
function hintLines(config: SearchConfig, path: string): string[] {
  const read = [...new Set(runPlaces(config, path).read)];
  return [
    "",
    "Train a network of this cell, briefly (without the preset: the published recipe, which takes days on a CPU):",
    `  ${trainCommand(path, config.data)}`,
    "",
    "Decide again from this search, by another rule or on other images:",
    `  ${commandLine(["discretize", path, "--method", otherRule(config.discretizer)], { read, write: [] })}`,
  ];
}

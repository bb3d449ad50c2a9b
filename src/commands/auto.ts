/**
 * `idarts auto <data>`: the best small network for some images in a time, with a report.
 * @module
 */
import { type Command, Option as Flag } from "commander";
import { auto, AUTO_MODEL, AUTO_ONNX, AUTO_RESULT, type AutoData } from "../auto/auto.ts";
import { AUTO_OPTIONS, type AutoConfig, resolveAutoLayers } from "../auto/config.ts";
import { type Interval, shareInterval } from "../auto/interval.ts";
import type { AutoEvent, AutoResult, Ensemble, SearchVerdict } from "../auto/records.ts";
import { UsageError } from "../base/errors.ts";
import { folderOf, joinPath, writeAtomic } from "../base/files.ts";
import { VERSION } from "../base/version.ts";
import { encodePng } from "../data/codec.ts";
import { type Dataset, partsOf } from "../data/dataset.ts";
import { DATA_HELP } from "../data/config.ts";
import { autoReportHtml, latencyText, onFront, type PicturePart, type StandingPart } from "../report/auto_report.ts";
import { RunFolder } from "../run/run_folder.ts";
import { costOf } from "../space/cost.ts";
import { dataPlaces, dataText, openConfigured, openTest } from "./data_sets.ts";
import { evaluationLines, finePercent } from "./evaluation_text.ts";
import { addOptions, flagsOf, OUTPUT_GROUP, type Parsed } from "./flags.ts";
import { COST_CONVENTION, partCosts } from "../report/run_report.ts";
import { REPORT_FILE } from "./report_files.ts";
import { runName } from "./run_files.ts";
import { hostName } from "./program.ts";
import { listenForStop } from "./stop.ts";
import { commandLine, count, duration, magnitude, pairs, percent, table, Terminal } from "./terminal.ts";

/** Side that the images of a folder get, unless told otherwise: at their usual size little could be trained in minutes. */
const IMAGE_SIZE = 32;

/** Declares the verb. */
export function autoCommand(program: Command): Command {
  const command = program.command("auto <data>")
    .summary("the best small network for your images in the time that you have")
    .description(
      `Finds the best small network for some images: ${DATA_HELP}. Plain residual networks, published cells and the ` +
        "cells of a search on these very images are trained at equal effort, the better half goes on, and the winner is " +
        "trained for the rest of the time and measured once on the test images. The folder always holds the best network " +
        "so far; the same command goes on after Ctrl-C, a kill or a power cut, and given several times, on any machines " +
        "that share the folder, it shares the trials.",
    );
  addOptions(command, AUTO_OPTIONS.options.filter(({ key }) => key !== "data"));
  command.addOption(
    new Flag("--out <folder>", "folder for everything (default: runs/auto-<data>)").helpGroup(OUTPUT_GROUP),
  );
  command.addOption(
    new Flag("--repeat <run>", "take the decisions of another run of auto again, whatever the clock says")
      .helpGroup(OUTPUT_GROUP),
  );
  command.addOption(new Flag("--json", "one JSON line for each event").helpGroup(OUTPUT_GROUP));
  const images = { read: [...dataPlaces("my-images"), "runs"], write: ["runs"] };
  command.addHelpText(
    "after",
    `
Examples:
  ${commandLine(["auto", "my-images", "--time", "10m"], images)}
  A network of at most 100,000 weights, in an hour:
    ${commandLine(["auto", "my-images", "--time", "1h", "--params", "100k"], images)}

Exit codes: 0 done, 1 it could not be done, 2 wrong use, 130 stopped by Ctrl-C (143 by SIGTERM).`,
  );
  return command;
}

/** Runs the verb. @returns the exit code */
export async function runAuto(parsed: Parsed, [data]: readonly string[]): Promise<number> {
  const terminal = new Terminal(parsed.json === true);
  const layers = [{ source: "the command line", values: { data } }, AUTO_OPTIONS.flagLayer(parsed)];
  const config = resolveAutoLayers(layers), path = (parsed.out as string | undefined) ?? `runs/auto-${runName(data)}`;
  if (path === "") throw new UsageError("Cannot use --out as it must name a folder: it is empty");
  const repeat = parsed.repeat as string | undefined;
  using stop = listenForStop(() => terminal.note("stopping after the current step; Ctrl-C again quits at once"));
  const flags = flagsOf(AUTO_OPTIONS, { ...config, data: "mnist" }, path), places = dataPlaces(data);
  const commandFor = (out: string, from: string | undefined): string =>
    commandLine(["auto", data, ...flags, "--out", out, ...(from === undefined ? [] : ["--repeat", from])], {
      read: [...places, out, ...(from === undefined ? [] : [from])],
      write: [out],
    });
  const again = commandFor(path, repeat);
  let opened: AutoData | undefined;
  try {
    const sets = opened = await openSets(
      { ...config, imageSize: config.imageSize ?? IMAGE_SIZE },
      terminal,
      stop.signal,
    );
    const warn = (message: string): void => terminal.warn(message);
    const result = await auto(config, sets, {
      ...{ folder: path, host: hostName(), signal: stop.signal, began: 0, repeat, warn },
      onEvent: (event) => tellEvent(event, config, sets, terminal),
      onProgress: (what, share) => terminal.progress(() => share > 0 ? `${what}: ${percent(share)}` : `${what} ...`),
    });
    terminal.progress(() => "writing the report ...");
    const report = await reportOf(result, config, sets, path, commandFor(`${path}-again`, path));
    writeAtomic(joinPath(path, REPORT_FILE), report);
    tellResult(result, path, terminal);
    return 0;
  } catch (error) {
    if (!stop.signal.aborted || error !== stop.signal.reason) throw error;
    const message = "Stopped: what was done is kept";
    terminal.close();
    terminal.event({ event: "stopped", folder: path, message });
    terminal.line(`${message}; go on with: ${again}`);
    return stop.exitCode();
  } finally {
    terminal.close();
    for (const set of [opened?.train, opened?.val, opened?.test]) set?.stream?.close();
  }
}

async function openSets(config: AutoConfig, terminal: Terminal, signal: AbortSignal): Promise<AutoData> {
  const parts = partsOf(config.data), train = await openConfigured(config, "train", terminal, signal);
  const val = parts.includes("val") ? await openConfigured(config, "val", terminal, signal) : undefined;
  const test = parts.includes("test") ? await openTest(config, terminal, signal) : undefined;
  return { train, val, test };
}

/** Says what happens. */
function tellEvent(event: AutoEvent, { time, steps }: AutoConfig, sets: AutoData, terminal: Terminal): void {
  const share = ({ accuracy, interval }: { accuracy: number; interval: Interval }): string =>
    `${percent(accuracy)} (${bounds(interval)})`;
  switch (event.event) {
    case "helps":
      terminal.event({ ...event });
      terminal.line("  another process leads this run: helping with its trials");
      break;
    case "helped": {
      const { candidate: { name }, rung, split, steps, seconds } = event;
      terminal.event({ event: "helped", name, rung, split, steps, seconds });
      terminal.line(`  ${name}, rung ${rung + 1}, split ${split + 1}: ${count(steps)} steps in ${duration(seconds)}`);
      break;
    }
    case "resumed":
      terminal.event({ ...event });
      terminal.line(`  going on: ${count(event.trials)} trials were done in ${duration(event.seconds)}`);
      break;
    case "trivial":
      terminal.event({ ...event });
      for (const { name, correct, count: images } of event.results) {
        terminal.line(`  ${share({ accuracy: correct / images, interval: shareInterval(correct, images) })}  ${name}`);
      }
      break;
    case "plan": {
      const { candidates, text } = event;
      terminal.event({
        event: "plan",
        candidates: candidates.map(({ name, parameters, macs }) => ({ name, parameters, macs })),
      });
      const [images, tried, how] = text, budget = steps === null ? time : `${count(steps)} steps`;
      pairs([
        [
          "data",
          `${dataText(sets.train)}; ${
            sets.test ? `${count(sets.test.count)} test images, looked at once at the end` : "no test images"
          }`,
        ],
        ["comparison", images],
        ["candidates", tried],
        ["plan", `${how}; ${budget} in all`],
      ]).forEach((line) => terminal.line(line));
      break;
    }
    case "trial": {
      const { candidate: { name, parameters, macs }, rung, standing, best } = event;
      const { steps, seconds, accuracy, interval } = standing;
      terminal.event({ event: "trial", name, rung, steps, seconds, accuracy, interval, parameters, macs, best });
      terminal.line(
        `  ${share(standing)}  ${name}, rung ${rung + 1}: ${count(steps)} steps in ${duration(seconds)}${
          best ? ", best so far" : ""
        }`,
      );
      break;
    }
    case "search": {
      const names = event.candidates.map(({ name }) => name);
      terminal.event({ ...event, candidates: names });
      terminal.line(
        `  search of ${count(event.steps)} steps in ${duration(event.seconds)}: ${names.join(", ") || "no cell"}`,
      );
      break;
    }
    case "final": {
      const { candidate: { name }, members, steps, kept } = event;
      terminal.event({ event: "final", name, members, steps, kept });
      terminal.line(
        members > 1
          ? `  ${name} was trained ${members} times, ${count(steps)} steps in all: they answer together`
          : `  ${name} was trained on for ${count(steps)} steps`,
      );
      break;
    }
  }
}

const bounds = ([low, high]: Interval): string => `${(100 * low).toFixed(1)} to ${(100 * high).toFixed(1)}`;

/** Whether the search paid. */
function verdictText({ searched, other, rung, difference, interval: [low, high] }: SearchVerdict): string {
  const points = (share: number): string => (100 * share).toFixed(1);
  const by = `${points(Math.abs(difference))} points ${difference >= 0 ? "above" : "below"} ${other}`;
  const judgement = low > 0 ? "the search paid" : high < 0 ? "the search did not pay" : "not told apart";
  const after = rung === undefined ? "" : ` after rung ${rung}, at equal effort`;
  return `The best searched cell, ${searched}, was ${by} on held-out images${after} (95 % interval ${points(low)} to ` +
    `${points(high)}): ${judgement}.`;
}

/** Where the candidates stand, as one part each. */
function costlyOf(leaderboard: AutoResult["leaderboard"]): StandingPart[] {
  return leaderboard.map(({ candidate, ...rest }) => ({ ...candidate, ...rest }));
}

/** Which answers the mean is of, and what they cost. */
function ensembleText({ members, mirrored, parameters, macs, latency }: Ensemble): string {
  const time = latency === undefined ? "" : `, ${latencyText(latency)}`;
  const whose = members > 1 ? `of ${members} such networks` : "of this network";
  return `${whose}${mirrored ? " to each image and its mirror image" : ""}: ${magnitude(parameters)} weights, ` +
    `${magnitude(macs)} MACs${time}`;
}

/** Says what came out. */
function tellResult(result: AutoResult, path: string, terminal: Terminal): void {
  const { leaderboard, test, model, winner, ensemble, search, notes, seconds, steps } = result,
    file = (name: string) => joinPath(path, name),
    costly = costlyOf(leaderboard);
  terminal.event({
    event: "result",
    folder: path,
    winner,
    ensemble,
    test,
    search,
    seconds,
    steps,
    notes,
    model: file(AUTO_MODEL),
    onnx: file(AUTO_ONNX),
    report: file(REPORT_FILE),
  });
  [
    "",
    ...table(
      ["candidate", "held out", "interval", "weights", "MACs", "latency", "rungs", "steps", "front"],
      costly.map(({ name, parameters, macs, accuracy, interval, latency, rungs, steps }, i) => [
        name,
        percent(accuracy),
        bounds(interval),
        magnitude(parameters),
        magnitude(macs),
        latencyText(latency),
        count(rungs),
        count(steps),
        onFront(costly[i], costly) ? "yes" : "",
      ]),
    ),
    "",
    ...(test ? [...evaluationLines(test, model.classNames), ""] : []),
    ...notes.map((note) => `  ${note}.`),
    ...(search ? [`  ${verdictText(search)}`] : []),
    ...pairs([
      ["winner", `${winner}${result.trainedOn ? ", trained on with all training images" : ""}`],
      ...(ensemble ? [["answers", ensembleText(ensemble)] as [string, string]] : []),
      ...(test
        ? [[
          "test accuracy",
          `${finePercent(test.accuracy)} of ${count(test.count)} images, 95 % interval ${bounds(test.interval)}`,
        ]]
        : []) as [string, string][],
      ["time", duration(seconds)],
      ["model", `${file(AUTO_MODEL)}, ${file(AUTO_ONNX)}`],
      ["evidence", file(AUTO_RESULT)],
      ["report", `${file(REPORT_FILE)} (open it in a browser)`],
    ]),
    "",
    "Classify an image of your own:",
    `  ${commandLine(["predict", path, "image.png"], { read: [path, "image.png"], write: [] })}`,
  ].forEach((line) => terminal.line(line));
}

/** The images of `data` that are shown, as data URLs. */
function picturesOf({ wrong, model: { classNames } }: AutoResult, data: Dataset | undefined): Promise<PicturePart[]> {
  if (!data || (data.channels !== 1 && data.channels !== 3)) return Promise.resolve([]);
  const { channels, height, width, images, stream } = data, plane = height * width;
  return Promise.all(wrong.map(async ({ index, label, predicted, rightProbability }) => {
    const pixels = new Uint8Array(channels * plane), size = channels * plane;
    const planes = stream ? await stream.load(index) : images.subarray(index * size, (index + 1) * size);
    for (let c = 0; planes && c < channels; c++) {
      for (let i = 0; i < plane; i++) pixels[i * channels + c] = planes[c * plane + i];
    }
    const png = await encodePng({ width, height, channels, data: pixels, orientation: 1 });
    const source = `data:image/png;base64,${png.toBase64()}`;
    return { source, label: classNames[label], predicted: classNames[predicted], rightProbability };
  }));
}

async function reportOf(
  result: AutoResult,
  config: AutoConfig,
  sets: AutoData,
  path: string,
  repeated: string,
): Promise<string> {
  const { model, test, search, trivial, leaderboard } = result, { network } = model, cost = costOf(network);
  const images = { read: [path, "image.png"], write: [] };
  return await autoReportHtml({
    environment: {
      version: VERSION,
      adapter: (RunFolder.view(path).readJson("config.json") as { adapter: string }).adapter,
      runtime: `Deno ${Deno.version.deno}`,
      folder: path,
    },
    data: sets.train,
    config: AUTO_OPTIONS.toRecord(config),
    leaderboard: costlyOf(leaderboard),
    trivial: trivial.map(({ name, correct, count }) => ({
      name,
      accuracy: correct / count,
      interval: shareInterval(correct, count),
    })),
    ensemble: result.ensemble,
    ...{ held: result.held, splits: result.splits, notes: result.notes, seconds: result.seconds },
    genotype: network.genotype,
    verdict: search ? verdictText(search) : undefined,
    cost: {
      ...{ parameters: cost.parameters, macs: cost.macs, activationBytes: cost.activationBytes },
      ...{ form: network.form, channels: network.channels, cells: network.cells },
      convention: COST_CONVENTION,
      input: [network.inputChannels, network.height, network.width],
      layers: partCosts(cost.layers),
    },
    test: test ? { ...test, split: "test", classNames: model.classNames } : undefined,
    wrong: await picturesOf(result, sets.test),
    commands: [
      { purpose: "Classify an image of your own", command: commandLine(["predict", path, "image.png"], images) },
      { purpose: "Take the decisions again, to the same bits", command: repeated },
      {
        purpose: "Take it elsewhere in another form",
        command: commandLine(["export", path, "--format", "safetensors"], {
          read: [path],
          write: [folderOf(joinPath(path, "x"))],
        }),
      },
    ],
  });
}

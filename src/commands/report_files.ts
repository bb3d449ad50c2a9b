/**
 * Writes `report.html` of a run, with the commands that do it again. Not responsible for what a report says.
 * @module
 */
import { folderOf, joinPath, writeAtomic } from "../base/files.ts";
import type { CommandPart } from "../report/report_input.ts";
import { type RunCommands, runReport } from "../report/run_report.ts";
import type { RunFolder } from "../run/run_folder.ts";
import { SEARCH_OPTIONS } from "../search/config.ts";
import type { SearchRecord } from "../search/run_record.ts";
import { TRAIN_OPTIONS } from "../train/config.ts";
import type { TrainingRecord } from "../train/run_record.ts";
import { dataPlaces } from "./data_sets.ts";
import { flagsOf } from "./flags.ts";
import { otherRule } from "./run_files.ts";
import { commandLine } from "./terminal.ts";

/** Name of the report in a run folder. */
export const REPORT_FILE = "report.html";

/** The commands that make a search again and go on from it. */
function searchCommands(path: string, { config }: SearchRecord): CommandPart[] {
  const data = dataPlaces(config.data);
  return [
    {
      purpose: "Search again, to the same bits",
      command: commandLine(["search", ...flagsOf(SEARCH_OPTIONS, config, path), "--out", `${path}-again`], {
        read: [...data, folderOf(path)],
        write: [folderOf(path)],
      }),
    },
    {
      purpose: "Decide again by another rule",
      command: commandLine(["discretize", path, "--method", otherRule(config.discretizer)], {
        read: [...data, path],
        write: [],
      }),
    },
  ];
}

/** A command that trains the cell of a search. */
export function trainCommand(path: string, data: string): string {
  return commandLine(["train", path, "--preset", "demo"], { read: [...dataPlaces(data), path], write: [path] });
}

/** The commands that make a training again and use its model. */
export function modelCommands(path: string, config: TrainingRecord["config"]): CommandPart[] {
  const data = dataPlaces(config.data), images = { read: [path, "image.png"], write: [] };
  return [
    {
      purpose: "Measure it on the test images",
      command: commandLine(["evaluate", path], { read: [...data, path], write: [] }),
    },
    { purpose: "Classify an image of your own", command: commandLine(["predict", path, "image.png"], images) },
    {
      purpose: "Take it elsewhere as ONNX",
      command: commandLine(["export", path, "--format", "onnx"], { read: [path], write: [path] }),
    },
  ];
}

/** The command that makes a training again. */
function againCommand(path: string, { config }: TrainingRecord): string {
  return commandLine(
    [
      "train",
      joinPath(path, "genotype.json"),
      ...flagsOf(TRAIN_OPTIONS, config, path),
      "--out",
      `${path}-again`,
    ],
    { read: [...dataPlaces(config.data), folderOf(path)], write: [folderOf(path)] },
  );
}

const commandsOf: RunCommands = ({ search, training }) => [
  ...(search ? searchCommands(...search) : []),
  ...(training
    ? [
      { purpose: "Train again, to the same bits", command: againCommand(...training) },
      ...modelCommands(training[0], training[1].config),
    ]
    : []),
  ...(search && !training
    ? [{ purpose: "Train the cell, briefly", command: trainCommand(search[0], search[1].config.data) }]
    : []),
];

/**
 * Writes the report of the run in `folder`, by default into it.
 * @param path where the run is found by those who read the report; other than where it is as long as it is not moved there
 * @returns the path of the report
 * @throws {FailureError} for a search that has not finished, and for damaged files.
 */
export async function writeReport(
  folder: RunFolder,
  file: string = folder.file(REPORT_FILE),
  path: string = folder.path,
): Promise<string> {
  writeAtomic(file, await runReport(folder, { path, commands: commandsOf }));
  return file;
}

/**
 * The files of a finished run that nothing goes on from: its cells as pictures and text, and its numbers. Not responsible
 * for what a run itself writes.
 * @module
 */
import { joinPath, makeFolder, writeAtomic } from "../base/files.ts";
import type { MethodReport } from "../discretize/choice.ts";
import type { DiscretizationReport } from "../discretize/discretize.ts";
import { type RunTime, writeResult } from "../run/result_file.ts";
import type { RunFolder } from "../run/run_folder.ts";
import { writeOutcome } from "../search/outcome_file.ts";
import type { SearchResult } from "../search/search.ts";
import { costOf } from "../space/cost.ts";
import { formatGenotypeJson, formatGenotypeText } from "../space/genotype.ts";
import { weightCount } from "../space/supernet.ts";
import type { TrainResult } from "../train/records.ts";
import { cellSvg } from "./cell_svg.ts";

/** Name of the drawing of the cells in a run folder. */
const PICTURE_FILE = "cells.svg";

/** The entry of the rule called `method`. */
export function methodReport(report: DiscretizationReport, method: string): MethodReport {
  return report.methods.find((each) => each.method === method)!;
}

/**
 * Writes the outcome of a discretisation into `folder` (see {@linkcode writeOutcome}), and `cells.svg`.
 * @throws {FailureError} when the folder cannot be written.
 */
export async function writePictured(
  folder: string,
  report: DiscretizationReport,
  chosen: string,
  context: Readonly<Record<string, unknown>>,
): Promise<void> {
  const picture = await cellSvg(methodReport(report, chosen).genotype);
  makeFolder(folder);
  writeAtomic(joinPath(folder, PICTURE_FILE), picture);
  writeOutcome(folder, report, chosen, context);
}

/**
 * Writes `cells.svg` and `result.json` of a search.
 * @param time that it took; undefined where other processes began it
 * @throws {FailureError} when the folder cannot be written.
 */
export async function finishSearch(
  folder: RunFolder,
  { genotype, plan }: SearchResult,
  time: RunTime | undefined,
): Promise<void> {
  folder.writeFile(PICTURE_FILE, await cellSvg(genotype));
  writeResult(folder.path, { parameters: weightCount(plan.variables), gpuBytes: plan.bytes, ...time });
}

/** The same of a training, and its cells as `genotype.json` and `genotype.txt`. */
export async function finishTraining(
  folder: RunFolder,
  { model: { network }, plan }: TrainResult,
  time: RunTime | undefined,
): Promise<void> {
  folder.writeFile("genotype.json", formatGenotypeJson(network.genotype));
  folder.writeFile("genotype.txt", formatGenotypeText(network.genotype) + "\n");
  folder.writeFile(PICTURE_FILE, await cellSvg(network.genotype));
  writeResult(folder.path, { parameters: costOf(network).parameters, gpuBytes: plan.bytes, ...time });
}

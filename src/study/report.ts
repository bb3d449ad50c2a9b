/**
 * Writes what a study has found so far: `report.html`, `report.md`, `results.csv`, `results.json` and `runs.jsonl` in its folder.
 * @module
 */
import { baseName, writeAtomic } from "../base/files.ts";
import type { StudyFolder } from "./study_folder.ts";
import { studyPage } from "./page.ts";
import { collect, type Results, runLines } from "./results.ts";
import type { Study } from "./study_file.ts";
import { summarise } from "./summary.ts";
import { csv, markdown, progressText, summaryTables, type Table } from "./tables.ts";

/** Value of the field `format` of `results.json`. */
const FORMAT = "idarts-study/1";

/** What was written. */
export interface StudyReport {
  readonly results: Results;
  readonly tables: readonly Table[];
  /** How far the study is. */
  readonly progress: string;
  /** Paths by kind. */
  readonly files: Readonly<Record<"html" | "markdown" | "csv" | "json" | "runs", string>>;
}

/** Writes the report. @param version of this package @throws {FailureError} for damaged runs, and where it cannot write */
export async function writeStudyReport(study: Study, folder: StudyFolder, version: string): Promise<StudyReport> {
  const results = collect(study, folder), summary = summarise(study, results), progress = progressText(results);
  const tables = summaryTables(study, results, summary), title = `Study ${baseName(folder.path)}`;
  const settings = study.settings.map(({ label, values, configs }) => ({
    label,
    values,
    seeds: configs.map(({ seed }) => seed),
  }));
  const { decisions, random } = study;
  const files = {
    html: folder.file("report.html"),
    markdown: folder.file("report.md"),
    csv: folder.file("results.csv"),
    json: folder.file("results.json"),
    runs: folder.file("runs.jsonl"),
  };
  writeAtomic(files.html, await studyPage({ title, version, study, results, summary, tables }));
  writeAtomic(files.markdown, markdown(title, progress, tables));
  writeAtomic(files.runs, runLines(study, folder));
  writeAtomic(files.csv, csv(study, results));
  writeAtomic(
    files.json,
    JSON.stringify({ format: FORMAT, settings, decisions, random, ...results, summary }, null, 1) + "\n",
  );
  return { results, tables, progress, files };
}

/**
 * `result.json` of an `auto` run: what came out, but for the network. Not responsible for finding it.
 * @module
 */
import { exists } from "../base/files.ts";
import { checkShape, mapping, oneOf } from "../base/shape.ts";
import { VERSION } from "../base/version.ts";
import type { RunFolder } from "../run/run_folder.ts";
import { loadModel } from "../train/model_file.ts";
import { AUTO_MODEL } from "./context.ts";
import type { AutoOutcome, AutoResult } from "./records.ts";
import { OUTCOME_SHAPE } from "./shapes.ts";

/** Name of the file. */
export const AUTO_RESULT = "result.json";

/** Value of its field `format`. */
const FORMAT = "idarts-auto-result/1";

/** What the file says. */
interface ResultFile extends AutoOutcome {
  readonly format: typeof FORMAT;
  readonly version: string;
  readonly adapter: string;
}

/** Writes it. @param adapter that the run ended on */
export function writeAutoResult(folder: RunFolder, adapter: string, outcome: AutoOutcome): void {
  const file: ResultFile = { format: FORMAT, version: VERSION, adapter, ...outcome };
  folder.writeJson(AUTO_RESULT, file);
}

/**
 * Reads it.
 * @throws {FailureError} naming the first field that is wrong.
 */
export function readAutoResult(folder: RunFolder): AutoOutcome {
  const value = folder.readJson(AUTO_RESULT), what = `'${folder.file(AUTO_RESULT)}'`;
  checkShape(mapping<Pick<ResultFile, "format">>({ format: oneOf(FORMAT) }), value, what);
  const { format: _, version: __, adapter: ___, ...outcome } = checkShape(OUTCOME_SHAPE, value, what) as ResultFile;
  return outcome;
}

/** What came out, where the run has come to its end. @throws {FailureError} where a file is damaged. */
export function endedResult(folder: RunFolder): AutoResult | undefined {
  if (!exists(folder.file(AUTO_RESULT))) return undefined;
  return { ...readAutoResult(folder), model: loadModel(folder.file(AUTO_MODEL)) };
}

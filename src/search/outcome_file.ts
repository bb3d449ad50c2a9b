/**
 * `discretization.json`: what a search, or a discretisation of one, decided and why. Not responsible for writing it.
 * @module
 */
import { FailureError } from "../base/errors.ts";
import { joinPath, readJson } from "../base/files.ts";
import { aText, checkShape, mapping, oneOf, optional, type Shape, whole } from "../base/shape.ts";
import type { DiscretizationReport } from "../discretize/discretize.ts";
import { DISCRETIZATION_SHAPE } from "../discretize/report_shape.ts";
import type { StopReason } from "./stopping.ts";

/** Its name. */
export const OUTCOME_FILE = "discretization.json";

/** What `discretization.json` holds. */
export interface Outcome extends DiscretizationReport {
  /** Name of the rule whose cell is the result. */
  readonly chosen: string;
  /** Images behind the statistics. */
  readonly images?: number;
  /** Why the search ended. */
  readonly stopped?: StopReason;
  /** Name of the adapter that a discretisation was made on. */
  readonly adapter?: string;
}

const context: Shape<Omit<Outcome, keyof DiscretizationReport>> = mapping({
  chosen: aText,
  images: optional(whole()),
  stopped: optional(mapping<StopReason>({ rule: oneOf("epochs", "skips", "stable"), epoch: whole(), text: aText })),
  adapter: optional(aText),
});

/**
 * Reads the outcome in a folder.
 * @throws {FailureError} where it is missing, damaged or of another program.
 */
export function readOutcome(folder: string): Outcome {
  const file = joinPath(folder, OUTCOME_FILE), what = `'${file}'`, value = readJson(file);
  const outcome = { ...checkShape(context, value, what), ...checkShape(DISCRETIZATION_SHAPE, value, what) };
  const { chosen, methods } = outcome;
  if (!methods.some(({ method }) => method === chosen)) {
    throw new FailureError(
      `Cannot use ${what} as its chosen must be one of ${methods.map(({ method }) => method).join(", ")} and is ` +
        `'${chosen}': the file is damaged or of another program`,
    );
  }
  return outcome;
}

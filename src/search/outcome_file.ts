/**
 * `discretization.json`: what a search, or a discretisation of one, decided and why; and the
 * genotypes beside it.
 * @module
 */
import { platform } from "../platform/platform.ts";
import { FailureError } from "../base/errors.ts";
import { joinPath, makeFolder, readJson, writeAtomic } from "../base/files.ts";
import { aText, checkShape, mapping, oneOf, optional, type Shape, whole } from "../base/shape.ts";
import type { Selection } from "../discretize/choice.ts";
import { decisionsOf } from "../discretize/decisions.ts";
import type { DiscretizationReport } from "../discretize/discretize.ts";
import { DISCRETIZATION_SHAPE } from "../discretize/report_shape.ts";
import { formatGenotypeJson } from "../space/genotype.ts";
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
 * Writes the outcome of a discretisation into `folder`: `genotype.json` and `.txt` (Python) of the chosen rule, those
 * of every rule in `genotypes/`, both ways to keep (`zca.json`, `zca.operations.json`), and last `discretization.json` with every score. Each file is atomic.
 * @param context what else `discretization.json` holds
 * @throws {FailureError} when the folder cannot be written.
 */
export function writeOutcome(
  folder: string,
  report: DiscretizationReport,
  chosen: string,
  context: Readonly<Record<string, unknown>>,
): void {
  const put = (name: string, text: string): void => writeAtomic(joinPath(folder, name), text);
  const inner = joinPath(folder, "genotypes");
  makeFolder(inner);
  if (platform().files.lstat(inner).isSymlink) {
    throw new FailureError(`Cannot write into '${inner}' as it must be a folder: it is a link, so move it away`);
  }
  const write = (name: string, { genotype, text }: Selection): void => {
    put(`${name}.json`, formatGenotypeJson(genotype));
    put(`${name}.txt`, text + "\n");
  };
  decisionsOf(report).forEach(({ name, cells }) => write(`genotypes/${name}`, cells));
  write("genotype", report.methods.find(({ method }) => method === chosen)!);
  put(OUTCOME_FILE, JSON.stringify({ chosen, ...context, ...report }, null, 1) + "\n");
}

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

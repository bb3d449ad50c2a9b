/**
 * The `config.json` of a training.
 * @module
 */
import type { RunFolder } from "../run/run_folder.ts";
import { readChecked, type RunRecord } from "../run/run_record.ts";
import { checkGenotype, type Genotype } from "../space/genotype.ts";
import { resolveTrainLayers, type TrainConfig } from "./config.ts";

/** Where a genotype came from. */
export interface GenotypeOrigin {
  /** The cells. */
  readonly genotype: Genotype;
  /** What it is called: a published name, or what the user named. */
  readonly name: string;
  /** The run folder of the search that found it, or null. */
  readonly search: string | null;
}

/** What a training's `config.json` says. */
export interface TrainingRecord extends RunRecord, GenotypeOrigin {
  /** The resolved configuration. */
  readonly config: TrainConfig;
}

/**
 * Reads the `config.json` of a training.
 * @throws {FailureError} where it is damaged or of another program.
 * @throws {UsageError} where the run is a search.
 */
export function readTraining(folder: RunFolder): TrainingRecord {
  return readChecked(folder, "train", ({ options: values, fields: { genotype, name, search } }, file, fail) => {
    if (typeof name !== "string") return fail("its name must be a text");
    if (search !== null && typeof search !== "string") return fail("its search must be a path or null");
    return {
      config: resolveTrainLayers([{ source: `'${file}'`, values }]),
      genotype: checkGenotype(genotype, `'${file}'`),
      name,
      search,
    };
  });
}

/**
 * What the tests of search spaces share: searches of six steps, and genotypes that both texts give back.
 * @module
 */
import assert from "node:assert/strict";
import {
  type Dataset,
  formatGenotypeJson,
  formatGenotypeText,
  type Genotype,
  parseGenotype,
  resolveSearchConfig,
  type SearchConfig,
  type SearchOptions,
} from "../mod.ts";
import { checkGenotype } from "../src/space/genotype.ts";
import { halves } from "./search_support.ts";

/** Their images. */
export const DATA: Dataset = halves(96, [1, 8, 8]);

/** A search of two epochs of three steps. */
export function tiny(values: SearchOptions = {}): SearchConfig {
  const base: SearchOptions = {
    cells: 3,
    initChannels: 2,
    batchSize: 8,
    epochs: 2,
    stepsPerEpoch: 3,
    checkpointSteps: 1,
    alphaLr: 0.05,
    alphaInit: 0.1,
    evalImages: 24,
    probeImages: 16,
    statisticsImages: 16,
  };
  return resolveSearchConfig({ ...base, ...values });
}

/** Both texts of a genotype give it back. */
export function roundTrip(genotype: Genotype): void {
  assert.deepEqual(parseGenotype(formatGenotypeJson(genotype), "g.json"), genotype);
  assert.deepEqual(parseGenotype(formatGenotypeText(genotype), "g.txt"), genotype);
  assert.deepEqual(checkGenotype(JSON.parse(JSON.stringify(genotype)), "g"), genotype);
}

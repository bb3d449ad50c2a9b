/**
 * What the tests of search spaces share: searches of six steps, and genotypes that both texts give back.
 * @module
 */
import assert from "node:assert/strict";
import {
  checkGenotype,
  type Dataset,
  formatGenotypeJson,
  formatGenotypeText,
  type Genotype,
  parseGenotype,
  resolveSearchConfig,
  type SearchConfig,
} from "../mod.ts";
import { halves } from "./search_support.ts";

/** Their images. */
export const DATA: Dataset = halves(96, [1, 8, 8]);

/** A search of two epochs of three steps. */
export function tiny(values: Record<string, unknown> = {}): SearchConfig {
  const base = {
    "cells": 3,
    "init-channels": 2,
    "batch-size": 8,
    "epochs": 2,
    "steps-per-epoch": 3,
    "checkpoint-steps": 1,
    "alpha-lr": 0.05,
    "alpha-init": 0.1,
    "eval-images": 24,
    "probe-images": 16,
    "statistics-images": 16,
  };
  return resolveSearchConfig([{ source: "test", values: { ...base, ...values } }]);
}

/** Both texts of a genotype give it back. */
export function roundTrip(genotype: Genotype): void {
  assert.deepEqual(parseGenotype(formatGenotypeJson(genotype), "g.json"), genotype);
  assert.deepEqual(parseGenotype(formatGenotypeText(genotype), "g.txt"), genotype);
  assert.deepEqual(checkGenotype(JSON.parse(JSON.stringify(genotype)), "g"), genotype);
}

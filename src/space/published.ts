/**
 * Published cells by name: the only list of them. Each is a fact taken from the authors' own code, in its order. Not
 * responsible for what a genotype is nor for its texts.
 * @module
 */
import type { CellGenotype, Genotype } from "./genotype.ts";

/** An operation and the node that it reads. */
type Pair = readonly [op: string, from: number];

/** Builds a cell from the two (operation, source) pairs of each node, concatenating all nodes. */
function cell(...nodes: readonly (readonly [Pair, Pair])[]): CellGenotype {
  const choice = ([op, from]: Pair) => ({ op, from });
  return { nodes: nodes.map(([a, b]) => [choice(a), choice(b)]), concat: nodes.map((_, i) => i + 2) };
}

/** DARTS, first order (arXiv 1806.09055; `DARTS_V1` of quark0/darts, `cnn/genotypes.py`). */
export const DARTS_V1: Genotype = {
  normal: cell(
    [["sep_conv_3x3", 1], ["sep_conv_3x3", 0]],
    [["skip_connect", 0], ["sep_conv_3x3", 1]],
    [["skip_connect", 0], ["sep_conv_3x3", 1]],
    [["sep_conv_3x3", 0], ["skip_connect", 2]],
  ),
  reduce: cell(
    [["max_pool_3x3", 0], ["max_pool_3x3", 1]],
    [["skip_connect", 2], ["max_pool_3x3", 0]],
    [["max_pool_3x3", 0], ["skip_connect", 2]],
    [["skip_connect", 2], ["avg_pool_3x3", 0]],
  ),
};

/** DARTS, second order (arXiv 1806.09055; `DARTS_V2` of quark0/darts, `cnn/genotypes.py`). */
export const DARTS_V2: Genotype = {
  normal: cell(
    [["sep_conv_3x3", 0], ["sep_conv_3x3", 1]],
    [["sep_conv_3x3", 0], ["sep_conv_3x3", 1]],
    [["sep_conv_3x3", 1], ["skip_connect", 0]],
    [["skip_connect", 0], ["dil_conv_3x3", 2]],
  ),
  reduce: cell(
    [["max_pool_3x3", 0], ["max_pool_3x3", 1]],
    [["skip_connect", 2], ["max_pool_3x3", 1]],
    [["max_pool_3x3", 0], ["skip_connect", 2]],
    [["skip_connect", 2], ["max_pool_3x3", 1]],
  ),
};

/** P-DARTS, searched on CIFAR-10 (arXiv 1904.12760; `PDARTS` of chenxin061/pdarts, `genotypes.py`). */
export const PDARTS: Genotype = {
  normal: cell(
    [["skip_connect", 0], ["dil_conv_3x3", 1]],
    [["skip_connect", 0], ["sep_conv_3x3", 1]],
    [["sep_conv_3x3", 1], ["sep_conv_3x3", 3]],
    [["sep_conv_3x3", 0], ["dil_conv_5x5", 4]],
  ),
  reduce: cell(
    [["avg_pool_3x3", 0], ["sep_conv_5x5", 1]],
    [["sep_conv_3x3", 0], ["dil_conv_5x5", 2]],
    [["max_pool_3x3", 0], ["dil_conv_3x3", 1]],
    [["dil_conv_3x3", 1], ["dil_conv_5x5", 3]],
  ),
};

/** PC-DARTS, searched on CIFAR-10 (arXiv 1907.05737; `PC_DARTS_cifar` of yuhuixu1993/PC-DARTS, `genotypes.py`). */
export const PC_DARTS_CIFAR: Genotype = {
  normal: cell(
    [["sep_conv_3x3", 1], ["skip_connect", 0]],
    [["sep_conv_3x3", 0], ["dil_conv_3x3", 1]],
    [["sep_conv_5x5", 0], ["sep_conv_3x3", 1]],
    [["avg_pool_3x3", 0], ["dil_conv_3x3", 1]],
  ),
  reduce: cell(
    [["sep_conv_5x5", 1], ["max_pool_3x3", 0]],
    [["sep_conv_5x5", 1], ["sep_conv_5x5", 2]],
    [["sep_conv_3x3", 0], ["sep_conv_3x3", 3]],
    [["sep_conv_3x3", 1], ["sep_conv_3x3", 2]],
  ),
};

/** PC-DARTS, searched on ImageNet (arXiv 1907.05737; `PC_DARTS_image` of yuhuixu1993/PC-DARTS, `genotypes.py`). */
export const PC_DARTS_IMAGE: Genotype = {
  normal: cell(
    [["skip_connect", 1], ["sep_conv_3x3", 0]],
    [["sep_conv_3x3", 0], ["skip_connect", 1]],
    [["sep_conv_3x3", 1], ["sep_conv_3x3", 3]],
    [["sep_conv_3x3", 1], ["dil_conv_5x5", 4]],
  ),
  reduce: cell(
    [["sep_conv_3x3", 0], ["skip_connect", 1]],
    [["dil_conv_5x5", 2], ["max_pool_3x3", 1]],
    [["sep_conv_3x3", 2], ["sep_conv_3x3", 1]],
    [["sep_conv_5x5", 0], ["sep_conv_3x3", 3]],
  ),
};

/**
 * Every published cell under its published name.
 * @example All of them
 * ```ts
 * import { PUBLISHED_GENOTYPES } from "./published.ts";
 * const names = Object.keys(PUBLISHED_GENOTYPES);
 * console.assert(names.join() === "DARTS_V1,DARTS_V2,PDARTS,PC_DARTS_cifar,PC_DARTS_image");
 * ```
 */
export const PUBLISHED_GENOTYPES: Readonly<Record<string, Genotype>> = {
  DARTS_V1,
  DARTS_V2,
  PDARTS,
  PC_DARTS_cifar: PC_DARTS_CIFAR,
  PC_DARTS_image: PC_DARTS_IMAGE,
};

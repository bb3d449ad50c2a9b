/**
 * Published cells by name: the only list of them. Each but one is a fact taken from the authors' own code, in its order;
 * that of iDARTS, whose authors have published no code, was inferred. Not responsible for what a genotype is nor for its
 * texts.
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
 * iDARTS (arXiv 2108.11014), inferred: a public list of genotypes of TNNLS papers calls this cell iDARTS (another method
 * has that name too, ICML 2021, with another cell), and the networks of it have the sizes that the paper publishes, 3.6M
 * parameters on CIFAR-10 and 5.1M on ImageNet. Node 5 of the normal cell takes two operations from the same source.
 */
export const IDARTS: Genotype = {
  normal: cell(
    [["skip_connect", 0], ["skip_connect", 1]],
    [["sep_conv_3x3", 0], ["sep_conv_3x3", 1]],
    [["sep_conv_5x5", 0], ["max_pool_3x3", 3]],
    [["sep_conv_3x3", 0], ["sep_conv_5x5", 0]],
  ),
  reduce: cell(
    [["max_pool_3x3", 0], ["avg_pool_3x3", 1]],
    [["sep_conv_3x3", 0], ["sep_conv_5x5", 1]],
    [["sep_conv_3x3", 0], ["avg_pool_3x3", 2]],
    [["sep_conv_3x3", 0], ["sep_conv_5x5", 1]],
  ),
};

/** A published cell and where it comes from. */
interface Published {
  readonly genotype: Genotype;
  /** For help and listings: the method, its paper and how the cell is known. */
  readonly origin: string;
}

const PUBLISHED: Readonly<Record<string, Published>> = {
  DARTS_V1: { genotype: DARTS_V1, origin: "DARTS, first order (arXiv 1806.09055)" },
  DARTS_V2: { genotype: DARTS_V2, origin: "DARTS, second order (arXiv 1806.09055)" },
  PDARTS: { genotype: PDARTS, origin: "P-DARTS, searched on CIFAR-10 (arXiv 1904.12760)" },
  PC_DARTS_cifar: { genotype: PC_DARTS_CIFAR, origin: "PC-DARTS, searched on CIFAR-10 (arXiv 1907.05737)" },
  PC_DARTS_image: { genotype: PC_DARTS_IMAGE, origin: "PC-DARTS, searched on ImageNet (arXiv 1907.05737)" },
  IDARTS: {
    genotype: IDARTS,
    origin: "iDARTS (arXiv 2108.11014), inferred: a public list of genotypes calls it so, and it has the parameters " +
      "that the paper publishes, 3.6M on CIFAR-10 and 5.1M on ImageNet; the authors have published no code",
  },
};

/**
 * Every published cell under its published name.
 * @example All of them
 * ```ts
 * import { PUBLISHED_GENOTYPES } from "./published.ts";
 * const names = Object.keys(PUBLISHED_GENOTYPES);
 * console.assert(names.join() === "DARTS_V1,DARTS_V2,PDARTS,PC_DARTS_cifar,PC_DARTS_image,IDARTS");
 * ```
 */
export const PUBLISHED_GENOTYPES: Readonly<Record<string, Genotype>> = Object.fromEntries(
  Object.entries(PUBLISHED).map(([name, { genotype }]) => [name, genotype]),
);

/** Where each published cell comes from, by its name, in the order of {@linkcode PUBLISHED_GENOTYPES}. */
export const PUBLISHED_ORIGINS: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(PUBLISHED).map(([name, { origin }]) => [name, origin]),
);

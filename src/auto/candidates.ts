/**
 * What is tried: plain residual networks, published cells, and the cells of a search, each at a size that suits data and
 * budget. Not responsible for training them.
 * @module
 */
import { UsageError } from "../base/errors.ts";
import type { Dataset } from "../data/dataset.ts";
import { type Budget as SizeBudget, costOf, scaleNetwork } from "../space/cost.ts";
import { checkNetwork, type NetworkConfig } from "../space/derived.ts";
import { type CellGenotype, formatGenotypeText, type Genotype, parseGenotype } from "../space/genotype.ts";
import { PUBLISHED_GENOTYPES } from "../space/published.ts";
import { batchFor } from "./trial.ts";

/** Where a candidate comes from. */
export type Origin = "plain" | "published" | "searched";

/** A network that is tried. */
export interface CandidateNetwork {
  /** What it is called, unique: `plain 16x3`, `IDARTS 8x5`, `zca 8x5`. */
  readonly name: string;
  /** Where it comes from. */
  readonly origin: Origin;
  /** Its cells. */
  readonly genotype: Genotype;
  /** Channels of the first cells. */
  readonly channels: number;
  /** Number of cells. */
  readonly cells: number;
  /** All weights. */
  readonly parameters: number;
  /** Multiply-accumulates for one image. */
  readonly macs: number;
}

/** What classifiers see: where things are tells much in small images (docs/results.md). */
export const POOLING = "pyramid" as const;

/** What a network must not exceed. */
export interface Constraints {
  /** Weights and multiply-accumulates. */
  readonly size?: SizeBudget;
}

/** Two 3x3 convolutions beside the identity (He et al. 2016), as a cell of NAS-Bench-201's skeleton. */
export const PLAIN_RESIDUAL: Genotype = parseGenotype(
  "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|nor_conv_3x3~1|none~2|",
  "the plain residual network",
);

/** The same in cells of DARTS' skeleton, which takes images of every size. */
const PLAIN_CELL: CellGenotype = {
  nodes: [
    [{ op: "nor_conv_3x3", from: 1 }, { op: "skip_connect", from: 0 }],
    [{ op: "nor_conv_3x3", from: 2 }, { op: "skip_connect", from: 1 }],
  ],
  concat: [3],
};

/** The plain residual network for images whose sides NAS-Bench-201's skeleton cannot halve twice. */
const PLAIN_ANY_SIZE: Genotype = { normal: PLAIN_CELL, reduce: PLAIN_CELL };

/** Channels, cells and, where that is known, images (with repetition) from which on a size is better than smaller ones. */
type Size = readonly [channels: number, cells: number, images?: number];

/** Sizes of plain networks, and of other cells of their skeleton, smallest first. */
const PLAIN_SIZES: readonly Size[] = [[8, 3], [16, 3, 30_000], [16, 6], [32, 3], [32, 6], [48, 9]];

/** Sizes of networks of DARTS' cells, smallest first. */
const CELL_SIZES: readonly Size[] = [[8, 3], [8, 5], [16, 5], [16, 8], [24, 8], [36, 8]];

/** Published cells that are tried, the first one first. */
const PUBLISHED = ["IDARTS", "DARTS_V2", "PC_DARTS_cifar"] as const;

/** Whether NAS-Bench-201's skeleton, which halves images twice, takes some. */
export function halvesTwice({ height, width }: Pick<Dataset, "height" | "width">): boolean {
  return height % 4 === 0 && width % 4 === 0;
}

/**
 * What channels of dense convolutions that had to be made fewer are a multiple of, where there are so many: others take up
 * to four times as long (187 ms a step with 10, 155 with 12, 41 with 8 and 115 with 16: Intel Xeon, batch 64, 32x32x3).
 */
const WHOLE = 8;

/** The candidate of a genotype at a size within the constraints, or undefined where none can be built. */
function candidateOf(
  kind: { readonly name: string; readonly origin: Origin; readonly genotype: Genotype },
  size: Size,
  data: Dataset,
  constraints: Constraints,
): CandidateNetwork | undefined {
  const { classes, channels: inputChannels, height, width } = data, { genotype } = kind;
  const base = { genotype, form: "cifar" as const, classes, inputChannels, height, width, pooling: POOLING };
  let network: NetworkConfig = { ...base, channels: size[0], cells: size[1] };
  try {
    checkNetwork(network);
    let cost = costOf(network);
    const { parameters = Infinity, macs = Infinity } = constraints.size ?? {};
    if (cost.parameters > parameters || cost.macs > macs) {
      network = scaleNetwork(base, constraints.size!, size[1]);
      if (slownessOf(kind) === 1 && network.channels > WHOLE) {
        network = { ...network, channels: network.channels - network.channels % WHOLE };
      }
      cost = costOf(network);
    }
    const { channels, cells } = network, name = `${kind.name} ${channels}x${cells}`;
    return { ...kind, name, channels, cells, parameters: cost.parameters, macs: cost.macs };
  } catch (error) {
    if (error instanceof UsageError) return undefined; // too small images, or no size within the constraints
    throw error;
  }
}

/** Steps, and passes over the images, that a candidate should be trained for at the least, or it is too large. */
const LEAST_STEPS = 1500, LEAST_PASSES = 6;
/**
 * Passes below which only the largest size that is worth it is tried: who learns fastest in a short trial is smaller, and
 * is behind in the end (docs/results.md).
 */
const FEW_PASSES = 50;

/** Steps that a candidate should have in its first trial, or it has no chance there. */
const CHANCE_STEPS = 300;
/** How much slower than dense convolutions the separable ones of DARTS' cells are, for each multiply-accumulate. */
const SEPARABLE_SLOWER = 3;

/** How much slower a multiply-accumulate of a network is than one of the plain network, about. */
export function slownessOf({ origin, genotype: { skeleton } }: Pick<CandidateNetwork, "origin" | "genotype">): number {
  return origin === "plain" || skeleton !== undefined ? 1 : SEPARABLE_SLOWER;
}

/**
 * The first candidate, and those of the others that can learn enough in their first trial to win it.
 * @param affordable multiply-accumulates of forward passes of a plain network that a trial pays for, about
 */
export function withChance(
  candidates: readonly CandidateNetwork[],
  { data, affordable }: { readonly data: Dataset; readonly affordable: number },
): CandidateNetwork[] {
  const most = affordable / CHANCE_STEPS / batchFor(data.count);
  return candidates.filter((candidate, i) => i === 0 || slownessOf(candidate) * candidate.macs <= most);
}

/** What decides on sizes. */
export interface SizeQuestion {
  /** The images. */
  readonly data: Dataset;
  /** What no network may exceed. */
  readonly constraints: Constraints;
  /** Multiply-accumulates of forward passes that all of the budget pays for, about; by what there is to be trained. */
  affordable(kind: Pick<CandidateNetwork, "origin" | "genotype">): number;
}

/** The sizes that are worth it: those that the budget can train well, the largest first; the smallest one if none is. */
function worthwhile(
  kind: { readonly name: string; readonly origin: Origin; readonly genotype: Genotype },
  sizes: readonly Size[],
  { data, constraints, affordable }: SizeQuestion,
): CandidateNetwork[] {
  const all = affordable(kind), batch = batchFor(data.count), passes = LEAST_PASSES * data.count;
  const candidates = new Map<string, CandidateNetwork>();
  for (const size of sizes) {
    const candidate = candidateOf(kind, size, data, constraints), [, , images = LEAST_STEPS * batch] = size;
    if (candidate && (candidates.size === 0 || candidate.macs * Math.max(images, passes) <= all)) {
      candidates.set(candidate.name, candidate);
    }
  }
  const fitting = [...candidates.values()].reverse();
  return fitting.filter(({ macs }, i) => i === 0 || all >= FEW_PASSES * data.count * macs);
}

/**
 * Plain residual networks and published cells, as many as asked for, those that are most likely to win first.
 * @throws {UsageError} when nothing fits the constraints.
 */
export function knownCandidates(count: number, question: SizeQuestion): CandidateNetwork[] {
  const genotype = halvesTwice(question.data) ? PLAIN_RESIDUAL : PLAIN_ANY_SIZE;
  const plain = worthwhile({ name: "plain", origin: "plain", genotype }, PLAIN_SIZES, question);
  const published = PUBLISHED.flatMap((name) =>
    worthwhile({ name, origin: "published", genotype: PUBLISHED_GENOTYPES[name] }, CELL_SIZES, question).slice(0, 1)
  );
  // A step of a published cell takes several of a plain network: where few plain sizes are worth it, few cells are.
  const few = published.slice(0, Math.max(1, plain.length));
  const inTurn = [plain[0], plain[1], few[0], plain[2], few[1], few[2]].filter((each) => each);
  if (inTurn.length === 0) {
    throw new UsageError(
      `Cannot build a network for images of ${question.data.height}x${question.data.width} within what it may cost: ` +
        "allow more weights and multiply-accumulates, or larger images",
    );
  }
  return inTurn.slice(0, Math.max(1, count));
}

/** Candidates of the cells of a search, equal cells once. @param cells by the names of their rules */
export function searchedCandidates(
  cells: readonly { readonly rule: string; readonly genotype: Genotype }[],
  count: number,
  question: SizeQuestion,
): CandidateNetwork[] {
  const distinct = new Map<string, { rules: string[]; genotype: Genotype }>();
  for (const { rule, genotype } of cells) {
    const text = formatGenotypeText(genotype), known = distinct.get(text);
    if (known) known.rules.push(rule);
    else distinct.set(text, { rules: [rule], genotype });
  }
  return [...distinct.values()].slice(0, count).flatMap(({ rules, genotype }) => {
    const sizes = genotype.skeleton === undefined ? CELL_SIZES : PLAIN_SIZES;
    return worthwhile({ name: `searched ${rules.join("+")}`, origin: "searched", genotype }, sizes, question).slice(
      0,
      1,
    );
  });
}

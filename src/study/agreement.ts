/**
 * How far the cells of several searches agree beyond chance, where chance is what random cells of the space do. Pure; not
 * responsible for which searches they are.
 * @module
 */
import { Random } from "../base/random.ts";
import type { Genotype } from "../space/genotype.ts";
import { randomGenotype } from "../space/random_genotype.ts";
import { type CellKind, choosableOf, incoming, type Keep, skeletonOf, type Space } from "../space/space.ts";

/** Share of operations that two cells have in common, mean over all pairs of cells. */
export interface Shared {
  /** Of the given cells. */
  readonly observed: number;
  /** Expected of two random cells. */
  readonly chance: number;
  /** (observed - chance) / (1 - chance): 1 where all cells are the same, 0 as random ones; null where all must be. */
  readonly beyond: number | null;
}

/** How far cells agree. */
export interface Agreement extends Shared {
  /** Cells. */
  readonly n: number;
  /** The agreement that 95 % of sets of as many random cells do not exceed: more of it is hardly chance. */
  readonly limit: number;
  /** At each node. */
  readonly nodes: readonly (Shared & {
    readonly kind: CellKind;
    /** Intermediate node, from 0. */
    readonly node: number;
  })[];
}

/** Random cells that sets are drawn from, sets, the place of the limit among them, and the seed of all that. */
const POOL = 1000, SETS = 1000, AT_LIMIT = 949, SEED = 0;

/** Operations that two random cells share at a node, expected, over those that are kept. */
function chanceAt(space: Space, kind: CellKind, node: number, keep: Keep): number {
  const candidates = choosableOf(space, kind, node), edges = incoming(space, node), { everyEdge } = skeletonOf(space);
  const kept = everyEdge ? edges.length : 2;
  // An operation is kept with probability p by each of the two: the expected number of shared ones is the sum of p^2.
  const probability = (edge: number): number => {
    if (keep === "operations" && !everyEdge) return 2 / candidates.length;
    return (everyEdge ? 1 : 2 / edges.length) / candidates.filter((each) => each.edge === edge).length;
  };
  return candidates.reduce((sum, { edge }) => sum + probability(edge) ** 2, 0) / kept;
}

/** The kept operations of each node, as words. */
function picksOf(genotype: Genotype, kind: CellKind): string[][] {
  return genotype[kind].nodes.map((choices, node) => choices.map(({ op, from }) => `${kind} ${node} ${from} ${op}`));
}

/** Pairs of equal words in lists that hold each word once at the most. */
function equalPairs(lists: readonly (readonly string[])[]): number {
  const counts = new Map<string, number>();
  let pairs = 0;
  for (const word of lists.flat()) {
    const before = counts.get(word) ?? 0;
    pairs += before;
    counts.set(word, before + 1);
  }
  return pairs;
}

const sharedOf = (observed: number, chance: number): Shared => ({
  observed,
  chance,
  beyond: chance < 1 ? (observed - chance) / (1 - chance) : null,
});

/**
 * How far cells of a space agree; undefined for fewer than two.
 * @param keep how their operations were kept, and those of random cells are
 */
export function agreementOf(space: Space, keep: Keep, cells: readonly Genotype[]): Agreement | undefined {
  const n = cells.length, pairs = n * (n - 1) / 2;
  if (n < 2) return undefined;
  let all = 0, shared = 0, byChance = 0;
  const nodes = skeletonOf(space).kinds.flatMap((kind) =>
    Array.from({ length: space.nodes }, (_, node) => {
      const lists = cells.map((cell) => picksOf(cell, kind)[node]), kept = lists[0].length;
      const equal = equalPairs(lists), chance = chanceAt(space, kind, node, keep);
      all += kept;
      shared += equal;
      byChance += chance * kept;
      return { kind, node, ...sharedOf(equal / pairs / kept, chance) };
    })
  );
  return { n, ...sharedOf(shared / pairs / all, byChance / all), limit: limitOf(space, keep, n) / pairs / all, nodes };
}

const LIMITS = new Map<string, number>();

/** Pairs of equal operations that 95 % of sets of `n` random cells do not exceed. */
function limitOf(space: Space, keep: Keep, n: number): number {
  const key = JSON.stringify([space, keep, n]), known = LIMITS.get(key);
  if (known !== undefined) return known;
  const size = Math.max(POOL, 2 * n), random = new Random(SEED, "agreement", n);
  const pool = Array.from({ length: size }, (_, index) => {
    const genotype = randomGenotype(space, SEED, index, keep);
    return skeletonOf(space).kinds.flatMap((kind) => picksOf(genotype, kind).flat());
  });
  const draw = (): string[][] => {
    const drawn = new Set<number>();
    while (drawn.size < n) drawn.add(random.below(size));
    return [...drawn].map((at) => pool[at]);
  };
  const sets = Array.from({ length: SETS }, () => equalPairs(draw())), limit = sets.sort((a, b) => a - b)[AT_LIMIT];
  LIMITS.set(key, limit);
  return limit;
}

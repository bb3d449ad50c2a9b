/**
 * Random cells, the control for every search: what an architecture is worth that nobody chose.
 * @module
 */
import { Random } from "../base/random.ts";
import { type CellGenotype, type Choice, type Genotype, genotypeOf } from "./genotype.ts";
import { type CellKind, choosableOf, incoming, type Keep, perKind, skeletonOf, type Space } from "./space.ts";

/**
 * The random genotype `index` of `space` under `seed`: for every node two different sources, or all where every edge
 * stays, and one of the operations that may be chosen on each of their edges, all equally likely.
 * @param keep with `operations` (see {@linkcode Keep}) two different operations of all that may be chosen at the node,
 * whatever edges they are on; without effect where every edge stays
 * @example The same numbers give the same cells
 * ```ts
 * import { randomGenotype } from "./random_genotype.ts";
 * import { S3 } from "./space.ts";
 * import assert from "node:assert/strict";
 * assert.deepEqual(randomGenotype(S3, 1, 2), randomGenotype(S3, 1, 2));
 * assert.notDeepEqual(randomGenotype(S3, 1, 2), randomGenotype(S3, 1, 3));
 * ```
 */
export function randomGenotype(space: Space, seed: number, index = 0, keep: Keep = "edges"): Genotype {
  const { everyEdge } = skeletonOf(space), random = new Random(seed, "random cell", index);
  const draw = <T>(from: readonly T[]): T => from[random.below(from.length)];
  const two = <T>(of: readonly T[]): T[] => Array.from(random.permutation(of.length).subarray(0, 2), (at) => of[at]);
  const cell = (kind: CellKind): CellGenotype["nodes"] =>
    Array.from({ length: space.nodes }, (_, node) => {
      const edges = incoming(space, node), options = choosableOf(space, kind, node);
      if (keep === "operations" && !everyEdge) return two(options).map(({ op, from }): Choice => ({ op, from }));
      const kept = everyEdge ? edges : two(edges);
      return kept.map(({ index, from }): Choice => ({ op: draw(options.filter((o) => o.edge === index)).op, from }));
    });
  return genotypeOf(space, perKind(space, cell, []));
}

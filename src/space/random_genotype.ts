/**
 * Random cells, the control for every search: what an architecture is worth that nobody chose.
 * @module
 */
import { Random } from "../base/random.ts";
import type { CellGenotype, Choice, Genotype } from "./genotype.ts";
import { CELL_KINDS, type CellKind, incoming, primitivesOf, type Space, ZERO_PRIMITIVE } from "./space.ts";

/**
 * The random genotype `index` of `space` under `seed`: for every node two different sources and an operation other
 * than `none` on each of their edges, all equally likely.
 * @example The same numbers give the same cells
 * ```ts
 * import { randomGenotype } from "./random_genotype.ts";
 * import { S3 } from "./space.ts";
 * import assert from "node:assert/strict";
 * assert.deepEqual(randomGenotype(S3, 1, 2), randomGenotype(S3, 1, 2));
 * assert.notDeepEqual(randomGenotype(S3, 1, 2), randomGenotype(S3, 1, 3));
 * ```
 */
export function randomGenotype(space: Space, seed: number, index = 0): Genotype {
  const random = new Random(seed, "random cell", index);
  const draw = <T>(from: readonly T[]): T => from[random.below(from.length)];
  const cell = (kind: CellKind): CellGenotype => ({
    nodes: Array.from({ length: space.nodes }, (_, node) => {
      const edges = incoming(space.nodes, node), [a, b] = random.permutation(edges.length);
      const choose = (at: number): Choice => ({
        op: draw(primitivesOf(space, kind, edges[at].index).filter((op) => op !== ZERO_PRIMITIVE)),
        from: edges[at].from,
      });
      return [choose(a), choose(b)] as const;
    }),
    concat: Array.from({ length: space.nodes }, (_, node) => node + 2),
  });
  const [normal, reduce] = CELL_KINDS.map(cell);
  return { normal, reduce };
}

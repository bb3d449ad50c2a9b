import assert from "node:assert/strict";
import { checkGenotype } from "./genotype.ts";
import { randomGenotype } from "./random_genotype.ts";
import { CELL_KINDS, skeletonOf, SPACES, ZERO_PRIMITIVE } from "./space.ts";

Deno.test("random genotypes: well formed, two different sources a node, every operation of the space but none", () => {
  for (const space of SPACES.filter((each) => !skeletonOf(each).everyEdge)) {
    const seen = new Set<string>(), sources = new Set<number>();
    for (let index = 0; index < 50; index++) {
      const genotype = randomGenotype(space, 3, index);
      assert.deepEqual(checkGenotype(genotype, "random"), genotype);
      for (const [node, [a, b]] of CELL_KINDS.flatMap((kind) => [...genotype[kind].nodes.entries()])) {
        assert.ok(a.from !== b.from && a.from < node + 2 && b.from < node + 2);
        for (const { op, from } of [a, b]) {
          seen.add(op);
          sources.add(from);
        }
      }
    }
    assert.deepEqual([...seen].sort(), space.primitives.filter((op) => op !== ZERO_PRIMITIVE).toSorted());
    assert.equal(sources.size, space.nodes + 1);
  }
});

import assert from "node:assert/strict";
import { checkGenotype } from "./genotype.ts";
import { randomGenotype } from "./random_genotype.ts";
import { CELL_KINDS, NAS_BENCH_201, S3, skeletonOf, SPACES, ZERO_PRIMITIVE } from "./space.ts";

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

Deno.test("random genotypes: two operations of any edges, each pair as likely as any other", () => {
  const space = { ...S3, nodes: 1 }, drawn = 3000, counts = new Map<string, number>();
  for (let index = 0; index < drawn; index++) {
    const [pair] = randomGenotype(space, 3, index, "operations").normal.nodes;
    const key = pair.map(({ op, from }) => `${op} ${from}`).sort().join(" + ");
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  assert.equal(counts.size, 6, "two of the two operations of two edges");
  for (const [key, count] of counts) {
    assert.ok(Math.abs(count - drawn / 6) < 5 * Math.sqrt(drawn / 6), `${key} ${count}`);
  }
  assert.deepEqual(randomGenotype(NAS_BENCH_201, 1, 2, "operations"), randomGenotype(NAS_BENCH_201, 1, 2));
});

/** How far cells agree: closed forms, and random cells by the hundred. */
import assert from "node:assert/strict";
import { type Genotype, genotypeOf } from "../space/genotype.ts";
import { randomGenotype } from "../space/random_genotype.ts";
import { DARTS, KEEPS, NAS_BENCH_201, S1, S3, type Space } from "../space/space.ts";
import { agreementOf } from "./agreement.ts";

const close = (a: number, b: number): void => assert.ok(Math.abs(a - b) < 1e-12, `${a} ${b}`);

/** A space of one node, whose edges carry two operations each. */
const SMALL: Space = { ...S3, nodes: 1 };

/** A cell of one node with two operations, in both kinds. */
function cell(...ops: readonly (readonly [op: "skip_connect" | "sep_conv_3x3", from: number])[]): Genotype {
  const nodes = [ops.map(([op, from]) => ({ op, from }))];
  return genotypeOf(SMALL, { normal: nodes, reduce: nodes });
}

const SKIP = "skip_connect", SEP = "sep_conv_3x3";

Deno.test("agreement: pairs of cells are counted, by hand", () => {
  const cells = [cell([SKIP, 0], [SKIP, 1]), cell([SKIP, 1], [SKIP, 0]), cell([SKIP, 0], [SEP, 1])];
  const found = agreementOf(SMALL, "edges", cells)!; // pairs share 2, 1 and 1 of 2
  close(found.observed, 4 / 6);
  close(found.chance, 1 / 2); // both edges stay, each with one of two operations
  close(found.beyond!, 1 / 3);
  assert.deepEqual([found.n, found.nodes.map(({ kind, node }) => [kind, node])], [3, [["normal", 0], ["reduce", 0]]]);
  for (const { observed, beyond } of found.nodes) {
    close(observed, 4 / 6);
    close(beyond!, 1 / 3);
  }
  const same = agreementOf(SMALL, "edges", [cells[0], cells[1]])!;
  assert.deepEqual([same.observed, same.beyond, agreementOf(SMALL, "edges", [cells[0]])], [1, 1, undefined]);
  const opposite = agreementOf(SMALL, "operations", [cell([SKIP, 0], [SEP, 0]), cell([SKIP, 1], [SEP, 1])])!;
  assert.deepEqual([opposite.observed, opposite.chance, opposite.beyond], [0, 0.5, -1]);
});

Deno.test("agreement: where nothing is left to chance there is none beyond it", () => {
  const one: Space = { ...SMALL, edgePrimitives: { normal: [[SKIP], [SEP]], reduce: [[SKIP], [SEP]] } };
  const cells = [cell([SKIP, 0], [SEP, 1]), cell([SKIP, 0], [SEP, 1])];
  const { observed, chance, beyond, limit } = agreementOf(one, "edges", cells)!;
  assert.deepEqual([observed, chance, beyond, limit], [1, 1, null, 1]);
});

Deno.test("agreement: chance is what random cells do, in every skeleton and both ways to keep", () => {
  const count = 400;
  for (
    const [space, keep] of [[DARTS, "edges"], [DARTS, "operations"], [S1, "edges"], [NAS_BENCH_201, "edges"]] as const
  ) {
    const cells = Array.from({ length: count }, (_, index) => randomGenotype(space, 5, index, keep));
    const found = agreementOf(space, keep, cells)!, limit = found.limit - found.chance;
    assert.ok(
      Math.abs(found.observed - found.chance) < 0.004,
      `${space.name} ${keep}: ${found.observed} ${found.chance}`,
    );
    for (const { observed, chance, kind, node } of found.nodes) {
      assert.ok(Math.abs(observed - chance) < 0.015, `${space.name} ${keep} ${kind} ${node}: ${observed} ${chance}`);
    }
    assert.ok(limit > -0.004 && limit < 0.01, "many cells agree by chance about as much as is expected");
    const few = agreementOf(space, keep, cells.slice(0, 3))!;
    assert.ok(few.limit > found.limit && few.limit < 1, "few cells may agree by chance");
    const below = Array.from({ length: 100 }, (_, i) => agreementOf(space, keep, cells.slice(3 * i, 3 * i + 3))!)
      .filter(({ observed, limit }) => observed <= limit).length;
    assert.ok(below >= 88, `${below} of 100 sets of three do not exceed the limit`);
  }
  // DARTS by hand: node 0 keeps both edges, one of seven operations; node 3 two of five edges.
  const [darts, operations] = KEEPS.map((keep) =>
    agreementOf(DARTS, keep, [randomGenotype(DARTS, 1, 0), randomGenotype(DARTS, 1, 1)])!
  );
  close(darts.nodes[0].chance, 1 / 7);
  close(darts.nodes[3].chance, 2 / (5 * 7));
  close(operations.nodes[3].chance, 2 / 35);
});

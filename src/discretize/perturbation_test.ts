/** The perturbation rule on measurements made by hand. */
import assert from "node:assert/strict";
import { UsageError } from "../base/errors.ts";
import { CELL_KINDS, S3, type Space } from "../space/space.ts";
import { discretize } from "./discretize.ts";
import { softmaxWeights } from "./mixture.ts";
import { lossOfRemoval } from "./perturbation.ts";
import { type Measurement, type Removal, type RemovalEvidence, removalsOf, withoutRemoved } from "./removals.ts";

const WHOLE: Measurement = { loss: 0.5, accuracy: 0.75, count: 100 };
const SPACE: Space = { ...S3, nodes: 2 }; // edges 0, 1 into the first node, 2, 3, 4 into the second one
const ALPHAS = { normal: new Float64Array(15), reduce: new Float64Array(15) };

/** Measurements in which each removal costs `correct` answers and `loss`. */
function evidence(of: (removal: Removal) => { correct: number; loss?: number }): RemovalEvidence {
  return {
    whole: WHOLE,
    removals: removalsOf(SPACE).map((removal) => {
      const { correct, loss = 0 } = of(removal);
      return { ...removal, count: 100, accuracy: 0.75 - correct / 100, loss: 0.5 + loss };
    }),
  };
}

function decide(removals: RemovalEvidence) {
  return discretize({ space: SPACE, alphas: ALPHAS, removals, methods: ["perturbation"] }).methods[0];
}

Deno.test("perturbation: every operation but none and every edge are removed, in both cells", () => {
  const list = removalsOf(SPACE);
  assert.equal(list.length, 2 * 5 * 3);
  assert.deepEqual(list.slice(0, 3), [
    { kind: "normal", edge: 0, op: "skip_connect" },
    { kind: "normal", edge: 0, op: "sep_conv_3x3" },
    { kind: "normal", edge: 0, op: null },
  ]);
});

Deno.test("perturbation: a removal sets weights to zero and leaves the others alone", () => {
  const weights = softmaxWeights(SPACE, "normal", ALPHAS.normal), third = 1 / 3;
  const rows = (removal: Removal) => {
    const left = [...withoutRemoved(SPACE, weights, removal)].map((w) => Number(w.toFixed(9)));
    return [left.slice(0, 3), left.slice(3, 6), left.slice(6)];
  };
  const full = Number(third.toFixed(9)), others = Array(9).fill(full), row = Array(3).fill(full);
  assert.deepEqual(rows({ kind: "normal", edge: 1, op: "skip_connect" }), [row, [full, 0, full], others]);
  assert.deepEqual(rows({ kind: "normal", edge: 1, op: null }), [row, [0, 0, 0], others]);
  assert.ok(weights.every((w) => w === weights[0]), "the weights themselves stay");
});

Deno.test("perturbation: keeps the operations, and the edges, without which most is lost", () => {
  const { nodes, genotype } = decide(evidence(({ kind, edge, op }) => {
    if (op === null) return { correct: edge === 3 ? 1 : 5 + edge }; // edge 3 is the one that is not missed
    const best = kind === "normal" ? "skip_connect" : "sep_conv_3x3";
    return { correct: op === best ? 10 + (edge === 3 ? 20 : 0) : 2 }; // though its best operation is missed most
  }));
  assert.deepEqual(genotype.normal.nodes[1], [{ op: "skip_connect", from: 2 }, { op: "skip_connect", from: 0 }]);
  assert.deepEqual(genotype.reduce.nodes[1], [{ op: "sep_conv_3x3", from: 2 }, { op: "sep_conv_3x3", from: 0 }]);
  const { choices, edgeMargin, edges } = nodes.normal[1];
  assert.ok(Math.abs(choices[0].score - 0.1) < 1e-12 && Math.abs(choices[0].margin! - 0.08) < 1e-12);
  assert.ok(Math.abs(edgeMargin! - 0.06) < 1e-12); // 7 answers against 1
  assert.deepEqual(edges!.map(({ edge }) => edge), [2, 3, 4]);
});

Deno.test("perturbation: the loss decides where as many answers are lost, and never outweighs one", () => {
  const after = (correct: number, loss: number) =>
    lossOfRemoval(WHOLE, { count: 100, accuracy: 0.75 - correct / 100, loss });
  assert.ok(after(3, 0.6) > after(3, 0.55) && after(3, 0.55) > after(3, 0.4));
  assert.ok(after(4, 0) > after(3, 1e9) && after(3, NaN) > after(3, 1e9) && after(4, 0) > after(3, NaN));
  assert.equal(after(0, 0.5), 0);
  assert.ok(after(-2, 0.5) < 0, "better without");
  const tied = decide(evidence(({ op }) => ({ correct: 1, loss: op === "sep_conv_3x3" ? 0.2 : 0.1 })));
  for (const kind of CELL_KINDS) {
    assert.ok(tied.genotype[kind].nodes.flat().every(({ op }) => op === "sep_conv_3x3"));
  }
});

Deno.test("perturbation: decides only where it was measured", () => {
  const names = (removals?: RemovalEvidence) =>
    discretize({ space: SPACE, alphas: ALPHAS, removals }).methods.map(({ method }) => method);
  assert.deepEqual(names(), ["alpha"]);
  assert.deepEqual(names(evidence(() => ({ correct: 1 }))), ["alpha", "perturbation"]);
  assert.throws(
    () => discretize({ space: SPACE, alphas: ALPHAS, methods: ["perturbation"] }),
    (error) => error instanceof UsageError && /by perturbation without measured removals/.test(error.message),
  );
  const partial = { whole: WHOLE, removals: evidence(() => ({ correct: 1 })).removals.slice(1) };
  assert.throws(() => decide(partial), /skip_connect on edge 0 \(normal\) as its removal must have been measured/);
});

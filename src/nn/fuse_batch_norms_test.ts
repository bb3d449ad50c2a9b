import assert from "node:assert/strict";
import { Graph, type Tensor } from "../graph/graph.ts";
import { validate } from "../graph/passes.ts";
import { dense, image } from "../graph/tensor_type.ts";
import { Arena } from "../graph/variables.ts";
import { sum } from "../ops/add_n.ts";
import { bnStats } from "../ops/bn_stats.ts";
import { normalize } from "../ops/normalize.ts";
import { maxPool } from "../ops/pool.ts";
import { fuseBatchNorms } from "./fuse_batch_norms.ts";

const X = image(4, 2, 3, 5), EPS = 1e-5;

/** A batch norm of `x` with its own statistics. */
function norm(graph: Graph, x: Tensor, affine = true): { stats: Tensor; y: Tensor } {
  const stats = graph.apply1(bnStats, [x], { sizes: [4] }), c = dense([4]);
  const parameters = affine ? [graph.input("gamma", c), graph.input("beta", c)] : [];
  return { stats, y: graph.apply1(normalize, [x, stats, ...parameters], { eps: EPS, batch: true }, "norm") };
}

const operations = (graph: Graph) => graph.nodes.map((node) => node.op.name);
const pool = (graph: Graph, x: Tensor) => graph.apply1(maxPool, [x], { stride: 1 });

Deno.test("a batch's statistics and the norm that uses them become one operation", () => {
  const graph = new Graph(), x = graph.input("x", X), { stats, y } = norm(graph, x), root = pool(graph, y);
  const variable = new Arena("statistics").add("norm", dense([2, 4]));
  graph.place(stats, variable);
  assert.equal(fuseBatchNorms(graph, [root]), 1);
  validate(graph);
  assert.deepEqual(operations(graph), ["batch_norm", "max_pool"]);
  const [{ inputs, attrs, outputs }, { inputs: [read] }] = graph.nodes;
  assert.deepEqual(inputs.map((t) => t.inputName), ["x", "gamma", "beta"]);
  assert.deepEqual(attrs, { eps: EPS, affine: true, more: false });
  assert.equal(outputs[1].variable, variable);
  assert.equal(read, outputs[0]);
});

Deno.test("a sum with one other image goes with them, and stands where it stood", () => {
  const graph = new Graph(), x = graph.input("x", X), { y } = norm(graph, x, false), other = pool(graph, x);
  const root = pool(graph, sum(graph, [other, y]));
  assert.equal(fuseBatchNorms(graph, [root]), 2);
  validate(graph);
  assert.deepEqual(operations(graph), ["max_pool", "batch_norm", "max_pool"]);
  assert.deepEqual(graph.nodes[1].inputs, [x, other]);
  assert.deepEqual(graph.nodes[1].attrs, { eps: EPS, affine: false, more: true });
});

Deno.test("a sum stays where others read the norm, where it has more terms, and where the statistics are read before", () => {
  const build = (make: (graph: Graph, x: Tensor) => Tensor[]): string[] => {
    const graph = new Graph(), roots = make(graph, graph.input("x", X));
    fuseBatchNorms(graph, roots);
    validate(graph);
    return operations(graph);
  };
  const read = build((graph, x) => {
    const { y } = norm(graph, x);
    return [pool(graph, y), pool(graph, sum(graph, [y, x]))];
  });
  assert.deepEqual(read, ["batch_norm", "max_pool", "add_n", "max_pool"]);
  const three = build((graph, x) => [pool(graph, sum(graph, [norm(graph, x).y, x, pool(graph, x)]))]);
  assert.deepEqual(three, ["batch_norm", "max_pool", "add_n", "max_pool"]);
  const early = build((graph, x) => {
    const { stats, y } = norm(graph, x), other = pool(graph, x);
    const again = graph.apply1(normalize, [other, stats], { eps: EPS, batch: false });
    return [pool(graph, sum(graph, [y, other])), pool(graph, again)];
  });
  assert.deepEqual(early, ["bn_stats", "normalize", "max_pool", "normalize", "add_n", "max_pool", "max_pool"]);
});

Deno.test("roots, and norms with statistics of something else, stay what they are", () => {
  const graph = new Graph(), x = graph.input("x", X), { y } = norm(graph, x), other = pool(graph, x);
  const { stats } = norm(graph, other), mixed = graph.apply1(normalize, [x, stats], { eps: EPS, batch: true });
  const before = operations(graph).length;
  assert.equal(fuseBatchNorms(graph, [y, stats, pool(graph, mixed)]), 0);
  assert.equal(operations(graph).length, before + 1);
});

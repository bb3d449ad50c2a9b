import assert from "node:assert/strict";
import { Graph, type Tensor } from "../graph/graph.ts";
import { validate } from "../graph/passes.ts";
import { dense, image } from "../graph/tensor_type.ts";
import { Arena } from "../graph/variables.ts";
import { sum } from "../ops/add_n.ts";
import { bnGrad } from "../ops/bn_grad.ts";
import { maxPool } from "../ops/pool.ts";
import { fuseGradientSums } from "./fuse_gradient_sums.ts";

const X = image(4, 2, 3, 5), ATTRS = { eps: 1e-5 };
const pool = (graph: Graph, x: Tensor) => graph.apply1(maxPool, [x], { stride: 1 });
const operations = (graph: Graph) => graph.nodes.map((node) => node.op.name);

/** The gradient of a batch norm of input x with gradient `gy`: for x, beta and gamma. */
const grad = (graph: Graph, gy: Tensor) =>
  graph.apply(
    bnGrad,
    [graph.input("x", X), gy, graph.input("stats", dense([2, 4])), graph.input("gamma", dense([4]))],
    {
      ...ATTRS,
    },
    "grad",
  );

Deno.test("a sum of two gradients goes into the norm's gradient, which hands it to whoever reads it later", () => {
  const graph = new Graph(), a = graph.input("a", X), b = pool(graph, a), total = sum(graph, [a, b], "total");
  const [gx, beta] = grad(graph, total), variable = new Arena("gradients").add("beta", dense([4]));
  graph.place(beta, variable);
  const again = sum(graph, [pool(graph, gx), total], "again"), [root] = grad(graph, again);
  assert.equal(fuseGradientSums(graph, [pool(graph, root)]), 2);
  validate(graph);
  assert.deepEqual(operations(graph), ["max_pool", "bn_grad", "max_pool", "bn_grad", "max_pool"]);
  const [, first, , second] = graph.nodes;
  assert.deepEqual(first.inputs.map((t) => t.inputName ?? t.node?.op.name), ["x", "a", "stats", "gamma", "max_pool"]);
  assert.deepEqual(first.attrs, { ...ATTRS, sum: true });
  assert.equal(first.outputs[1].variable, variable);
  assert.equal(second.inputs[4], first.outputs[3]);
});

Deno.test("what reads the sum before the norm's gradient gets it from there", () => {
  const graph = new Graph(), total = sum(graph, [graph.input("a", X), graph.input("b", X)], "total");
  const early = pool(graph, total), [gx] = grad(graph, total);
  assert.equal(fuseGradientSums(graph, [early, pool(graph, gx)]), 1);
  validate(graph);
  assert.deepEqual(operations(graph), ["bn_grad", "max_pool", "max_pool"]);
  assert.equal(graph.nodes[1].inputs[0], graph.nodes[0].outputs[3]);
});

Deno.test("sums stay that are roots, have more terms, or stand before what the norm's gradient needs", () => {
  const build = (make: (graph: Graph, a: Tensor, b: Tensor) => Tensor[]): string[] => {
    const graph = new Graph(), roots = make(graph, graph.input("a", X), graph.input("b", X));
    assert.equal(fuseGradientSums(graph, roots), 0);
    validate(graph);
    return operations(graph);
  };
  const root = build((graph, a, b) => {
    const total = sum(graph, [a, b], "total");
    return [total, grad(graph, total)[0]];
  });
  assert.deepEqual(root, ["add_n", "bn_grad"]);
  assert.deepEqual(build((graph, a, b) => grad(graph, sum(graph, [a, b, a], "total"))), ["add_n", "bn_grad"]);
  const late = build((graph, a, b) => {
    const total = sum(graph, [a, b], "total"), x = pool(graph, a);
    return graph.apply(bnGrad, [x, total, graph.input("stats", dense([2, 4]))], ATTRS, "grad");
  });
  assert.deepEqual(late, ["add_n", "max_pool", "bn_grad"]);
});

import assert from "node:assert/strict";
import { Graph, type Tensor } from "../graph/graph.ts";
import { validate } from "../graph/passes.ts";
import { dense, image } from "../graph/tensor_type.ts";
import { sum } from "../ops/add_n.ts";
import { maxPool } from "../ops/pool.ts";
import { normalize } from "../ops/normalize.ts";
import { pointwise } from "../ops/pointwise.ts";
import { fuseNorms } from "./fuse_norms.ts";

const X = image(4, 2, 3, 5);

/** A 1x1 convolution of `x` and a batch norm of it. */
function layer(graph: Graph, x: Tensor, name: string, batch = false): { z: Tensor; y: Tensor } {
  const c = dense([4]), attrs = { groups: 1, inputGroups: 1, relu: true };
  const z = graph.apply1(pointwise, [x, graph.input(`${name}.w`, dense([4, 4]))], attrs, `${name}.pw`);
  const norm = [
    graph.input(`${name}.stats`, dense([2, 4])),
    graph.input(`${name}.gamma`, c),
    graph.input(`${name}.beta`, c),
  ];
  return { z, y: graph.apply1(normalize, [z, ...norm], { eps: 1e-5, batch }, name) };
}

const operations = (graph: Graph) => graph.nodes.map((node) => node.op.name);
const namesOf = (graph: Graph, node: number) =>
  graph.nodes[node].inputs.map((t) => t.inputName ?? graph.nodes.findIndex((n) => n === t.node));

Deno.test("a batch norm with given statistics goes into the 1x1 convolution before it", () => {
  const graph = new Graph(),
    { y } = layer(graph, graph.input("x", X), "a"),
    root = graph.apply1(maxPool, [y], { stride: 1 });
  assert.equal(fuseNorms(graph, [root]), 1);
  validate(graph);
  assert.deepEqual(operations(graph), ["pointwise_norm", "max_pool"]);
  assert.deepEqual(namesOf(graph, 0), ["x", "a.w", "a.stats", "a.gamma", "a.beta"]);
  assert.deepEqual(graph.nodes[0].attrs, { groups: 1, inputGroups: 1, relu: true, eps: 1e-5 });
});

Deno.test("a sum goes into the convolutions that only it reads, one after the other", () => {
  const graph = new Graph(), x = graph.input("x", X), a = layer(graph, x, "a"), b = layer(graph, x, "b");
  const pooled = graph.apply1(maxPool, [x], { stride: 1 }), total = sum(graph, [a.y, x, b.y, pooled], "node");
  const root = graph.apply1(maxPool, [total], { stride: 1 });
  assert.equal(fuseNorms(graph, [root]), 2);
  validate(graph);
  assert.deepEqual(operations(graph), ["max_pool", "add_n", "pointwise_norm", "pointwise_norm", "max_pool"]);
  assert.deepEqual(namesOf(graph, 1), ["x", 0]);
  assert.deepEqual([namesOf(graph, 2)[1], namesOf(graph, 2)[5]], ["a.w", 1]);
  assert.deepEqual([namesOf(graph, 3)[1], namesOf(graph, 3)[5]], ["b.w", 2]);
});

Deno.test("roots stay what they are", () => {
  const graph = new Graph(), x = graph.input("x", X), { y } = layer(graph, x, "a");
  const other = layer(graph, x, "b"), total = sum(graph, [other.y, x]);
  assert.equal(fuseNorms(graph, [y, total]), 1);
  validate(graph);
  assert.deepEqual(operations(graph), ["pointwise", "normalize", "pointwise_norm", "add_n"]);
  assert.deepEqual([graph.nodes[1].outputs[0], graph.nodes[3].outputs[0]], [y, total]);
});

Deno.test("what somebody else reads stays, as do a batch's own statistics", () => {
  const graph = new Graph(), x = graph.input("x", X), a = layer(graph, x, "a"), b = layer(graph, x, "b", true);
  const c = layer(graph, x, "c"), total = sum(graph, [c.y, x]), also = graph.apply1(maxPool, [c.y], { stride: 1 });
  assert.equal(fuseNorms(graph, [a.z, a.y, b.y, total, also]), 1);
  validate(graph);
  assert.deepEqual(operations(graph), [
    ...["pointwise", "normalize", "pointwise", "normalize"],
    ...["pointwise_norm", "add_n", "max_pool"],
  ]);
});

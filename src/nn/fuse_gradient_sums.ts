/**
 * A pass for networks that train: where two gradients of an image are added up for the gradient of a batch norm, as
 * behind every skip-connection, that operation adds them, where the sum stood. The values are the same but for the
 * rounding of what is not stored.
 * @module
 */
import type { Graph, Node, Tensor } from "../graph/graph.ts";
import { type Replacement, rewrite } from "../graph/passes.ts";
import { addN } from "../ops/add_n.ts";
import { bnGrad } from "../ops/bn_grad.ts";

/** The norms' gradients that can be done where the sums are that they read, by those sums. */
function findFusible(graph: Graph, roots: readonly Tensor[]): Map<Node, Node> {
  const place = new Map(graph.nodes.map((node, i) => [node, i])), found = new Map<Node, Node>();
  for (const norm of graph.nodes) {
    const [, total] = norm.inputs, sum = total?.node;
    if (norm.op !== bnGrad || norm.attrs.sum || sum?.op !== addN || sum.inputs.length !== 2) continue;
    if (total.variable || roots.includes(total) || found.has(sum)) continue;
    const others = norm.inputs.filter((_, i) => i !== 1);
    if (others.every((t) => !t.node || place.get(t.node)! < place.get(sum)!)) found.set(sum, norm);
  }
  return found;
}

/** Rewrites the graph; `roots` are what it is run for. @returns how many nodes it saved */
export function fuseGradientSums(graph: Graph, roots: readonly Tensor[]): number {
  const places = new Map<Node, Replacement>(), found = findFusible(graph, roots);
  for (const [sum, norm] of found) {
    const [gy, more] = sum.inputs, [x, total, ...others] = norm.inputs, attrs = { ...norm.attrs, sum: true };
    places.set(sum, (now) => {
      const made = graph.apply(bnGrad, [x, gy, ...others, more].map(now), attrs, norm.label);
      return [...norm.outputs, total].map((t, i) => [t, made[i]]);
    });
  }
  return rewrite(graph, places, new Set(found.values()));
}

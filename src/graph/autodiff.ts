/**
 * Reverse-mode differentiation: adds the nodes that compute gradients to the graph. Only what lies between `wrt`
 * and the loss is differentiated, so an alpha step has no weight gradients and the first layers no input gradients.
 * @module
 */
import type { Graph, Node, Tensor } from "./graph.ts";

/** Adds up tensors of equal type. */
export type Sum = (tensors: readonly Tensor[], label: string) => Tensor;

/**
 * Gradients of `outputs` (weighted by `seeds`; a null seed stands for 1 and is what a loss operation expects) for
 * each tensor of `wrt`; null where there is no dependence.
 */
export function gradients(
  graph: Graph,
  outputs: readonly Tensor[],
  seeds: readonly (Tensor | null)[],
  wrt: readonly Tensor[],
  sum: Sum,
): (Tensor | null)[] {
  const needed = new Set<Tensor>(wrt), forward = graph.nodes.slice();
  for (const node of forward) {
    if (node.inputs.some((t) => needed.has(t))) {
      node.outputs.forEach((t) => needed.add(t));
    }
  }
  const parts = new Map<Tensor, Tensor[]>(), seeded = new Set<Node>();
  outputs.forEach((t, i) => {
    const seed = seeds[i];
    if (seed) parts.set(t, [...parts.get(t) ?? [], seed]);
    else if (t.node) seeded.add(t.node);
  });
  const total = (t: Tensor): Tensor | null => {
    const list = parts.get(t);
    if (!list) return null;
    if (list.length > 1) {
      const label = `${t.node?.label ?? t.variable?.name ?? t.inputName}/grad`;
      parts.set(t, [sum(list, label)]);
    }
    return parts.get(t)![0];
  };
  for (const node of forward.reverse()) {
    if (!node.outputs.some((t) => needed.has(t))) continue;
    if (!seeded.has(node) && !node.outputs.some((t) => parts.has(t))) continue;
    const grads = node.outputs.map(total);
    const needs = node.inputs.map((t) => needed.has(t));
    if (!node.op.gradient) {
      throw new TypeError(`Cannot differentiate ${node.op.name} at '${node.label}'`);
    }
    const results = graph.scope(`${node.label}/grad`, () => node.op.gradient!({ graph, node, grads, needs }));
    results.forEach((g, i) => {
      if (g && needs[i]) {
        parts.set(node.inputs[i], [...parts.get(node.inputs[i]) ?? [], g]);
      }
    });
  }
  return wrt.map(total);
}

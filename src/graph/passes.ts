/**
 * Passes over a graph: pure clean-ups that keep its meaning, each followed by the validator.
 * @module
 */
import type { Graph, Node, Tensor } from "./graph.ts";
import { sameType, typeText } from "./tensor_type.ts";

const hasEffect = (node: Node): boolean =>
  node.outputs.some((t) => t.variable) ||
  Object.keys(node.op.inPlace?.(node.inputs.map((t) => t.type), node.attrs) ?? {}).length > 0;

/**
 * Computes equal subexpressions once: nodes with the same operation, attributes and inputs become one. In a DARTS
 * supernet this makes every pool of a node happen once per stride instead of once per edge.
 * @returns how many nodes it removed.
 */
export function shareSubexpressions(graph: Graph): number {
  const seen = new Map<string, Node>(),
    replaced = new Map<Tensor, Tensor>(),
    kept: Node[] = [];
  for (const node of graph.nodes) {
    node.inputs = node.inputs.map((t) => replaced.get(t) ?? t);
    if (hasEffect(node)) {
      kept.push(node);
      continue;
    }
    const key = JSON.stringify([node.op.name, node.attrs, node.inputs.map((t) => t.id)]);
    const twin = seen.get(key);
    if (twin) node.outputs.forEach((t, i) => replaced.set(t, twin.outputs[i]));
    else {
      seen.set(key, node);
      kept.push(node);
    }
  }
  const removed = graph.nodes.length - kept.length;
  graph.nodes = kept;
  return removed;
}

/** Drops what neither a root nor a variable depends on. @returns how many nodes it removed. */
export function dropUnused(graph: Graph, roots: readonly Tensor[]): number {
  const used = new Set<Node>(), kept: Node[] = [];
  roots.forEach((t) => t.node && used.add(t.node));
  for (let i = graph.nodes.length - 1; i >= 0; i--) {
    const node = graph.nodes[i];
    if (!used.has(node) && !node.outputs.some((t) => t.variable)) continue;
    kept.push(node);
    for (const t of node.inputs) if (t.node) used.add(t.node);
  }
  const removed = graph.nodes.length - kept.length;
  graph.nodes = kept.reverse();
  return removed;
}

/**
 * Checks that inputs precede their users, that types are what the operations infer, and that nobody uses a buffer
 * after it was taken over in place.
 * @throws {Error} naming the node; a broken graph is a defect of a pass, not of the user's input.
 */
export function validate(graph: Graph): void {
  const defined = new Set<Tensor>(), taken = new Set<Tensor>();
  for (const node of graph.nodes) {
    for (const t of node.inputs) {
      if (t.node && !defined.has(t)) {
        throw new Error(`Graph uses a tensor before it is made, at '${node.label}'`);
      }
      if (taken.has(t)) {
        throw new Error(`Graph uses a tensor after it was overwritten, at '${node.label}'`);
      }
    }
    const types = graph.infer(node.op, node.inputs, node.attrs);
    node.outputs.forEach((t, i) => {
      if (!sameType(t.type, types[i])) {
        throw new Error(`Graph has ${typeText(t.type)} for ${typeText(types[i])} at '${node.label}'`);
      }
      defined.add(t);
    });
    const inPlace = node.op.inPlace?.(node.inputs.map((t) => t.type), node.attrs) ?? {};
    for (const i of Object.values(inPlace)) {
      const t = node.inputs[i];
      if (t.inputName) {
        throw new Error(`Graph overwrites a host input at '${node.label}'`);
      }
      if (!t.variable) taken.add(t);
    }
  }
}

/**
 * Adds what takes the place of a node; `now` gives for a tensor of before the one that has its place.
 * @returns tensors of before, each with the one that takes its place
 */
export type Replacement = (now: (t: Tensor) => Tensor) => readonly (readonly [before: Tensor, made: Tensor])[];

/**
 * Rewrites a graph, in order: nodes give way to what takes their place, those that are absorbed by that are left out.
 * Tensors that are made have the variables of those before them.
 * @returns how many nodes it saved
 */
export function rewrite(
  graph: Graph,
  places: ReadonlyMap<Node, Replacement>,
  absorbed: ReadonlySet<Node>,
): number {
  const old = graph.nodes, replaced = new Map<Tensor, Tensor>(), now = (t: Tensor): Tensor => replaced.get(t) ?? t;
  graph.nodes = [];
  for (const node of old) {
    const replacement = places.get(node);
    if (replacement) {
      for (const [before, made] of replacement(now)) {
        if (before.variable) graph.place(made, before.variable);
        replaced.set(before, made);
      }
    } else if (!absorbed.has(node)) {
      node.inputs = node.inputs.map(now);
      graph.nodes.push(node);
    }
  }
  return old.length - graph.nodes.length;
}

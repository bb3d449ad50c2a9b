/**
 * A pass for networks that train: the statistics of a batch, the norm that uses them and a sum of the result with one
 * other image become one operation. Pure clean-up: the values are the same but for the rounding of what is not stored.
 * @module
 */
import type { Graph, Node, Tensor } from "../graph/graph.ts";
import { type Replacement, rewrite } from "../graph/passes.ts";
import { addN } from "../ops/add_n.ts";
import { batchNorm } from "../ops/batch_norm.ts";
import { bnStats } from "../ops/bn_stats.ts";
import { normalize, type NormalizeAttributes } from "../ops/normalize.ts";

/** A norm with its statistics, and the sum that takes its result over, if there is one. */
interface Fusible {
  readonly norm: Node<NormalizeAttributes>;
  readonly sum?: Node;
}

/** Norms that can be done at the place of their last node, by that node. */
function findFusible(graph: Graph, roots: readonly Tensor[]): Map<Node, Fusible> {
  const place = new Map(graph.nodes.map((node, i) => [node, i])), readers = new Map<Tensor, Node[]>();
  for (const node of graph.nodes) {
    for (const t of node.inputs) {
      const known = readers.get(t);
      if (known) known.push(node);
      else readers.set(t, [node]);
    }
  }
  const free = (t: Tensor) => !roots.includes(t) && !t.variable, found = new Map<Node, Fusible>();
  for (const norm of graph.nodes) {
    const [x, stats] = norm.inputs, from = stats?.node;
    if (norm.op !== normalize || !norm.attrs.batch || from?.op !== bnStats || from.inputs[0] !== x) continue;
    if (from.outputs.length !== 1 || roots.includes(stats)) continue;
    const [y] = norm.outputs, [next, ...others] = readers.get(y) ?? [];
    const joins = next?.op === addN && others.length === 0 && next.inputs.length === 2 && free(y);
    const sum = joins && !found.has(next) ? next : undefined, last = sum ?? norm;
    // The statistics come to be at the last place only.
    const early = readers.get(stats)!.some((node) => node !== norm && place.get(node)! < place.get(last)!);
    if (!early && !roots.includes(last.outputs[0])) found.set(last, { norm, sum });
  }
  return found;
}

/** Rewrites the graph; `roots` are what it is run for. @returns how many nodes it saved */
export function fuseBatchNorms(graph: Graph, roots: readonly Tensor[]): number {
  const places = new Map<Node, Replacement>(), absorbed = new Set<Node>();
  for (const [last, { norm, sum }] of findFusible(graph, roots)) {
    const [x, stats, ...affine] = norm.inputs, more = sum?.inputs.filter((t) => t !== norm.outputs[0]) ?? [];
    const attrs = { eps: norm.attrs.eps, affine: affine.length > 0, more: more.length > 0 };
    absorbed.add(stats.node!);
    if (norm !== last) absorbed.add(norm);
    places.set(last, (now) => {
      const made = graph.apply(batchNorm, [x, ...affine, ...more].map(now), attrs, norm.label);
      return [last.outputs[0], stats].map((t, i) => [t, made[i]]);
    });
  }
  return rewrite(graph, places, absorbed);
}

/**
 * A pass for networks that only predict: 1x1 convolutions take over the batch norm behind them, and the sum behind that.
 * Pure clean-up: the values are the same but for rounding.
 * @module
 */
import type { Graph, Node, Tensor } from "../graph/graph.ts";
import { type Replacement, rewrite } from "../graph/passes.ts";
import { addN, sum } from "../ops/add_n.ts";
import { normalize, type NormalizeAttributes } from "../ops/normalize.ts";
import { pointwise } from "../ops/pointwise.ts";
import { pointwiseNorm } from "../ops/pointwise_norm.ts";
import type { PointwiseAttributes } from "../ops/pointwise_product.ts";

/** A batch norm with given statistics behind a 1x1 convolution that nobody else reads. */
interface Fusible {
  readonly convolution: Node<PointwiseAttributes>;
  readonly norm: Node<NormalizeAttributes>;
}

/** The single reader of each tensor; undefined where there are several, or a root. */
function readers(graph: Graph, roots: readonly Tensor[]): Map<Tensor, Node | undefined> {
  const found = new Map<Tensor, Node | undefined>(roots.map((t) => [t, undefined]));
  for (const node of graph.nodes) {
    for (const t of node.inputs) found.set(t, found.has(t) ? undefined : node);
  }
  return found;
}

function fusible(norm: Node, reader: ReadonlyMap<Tensor, Node | undefined>): Fusible | undefined {
  const [z] = norm.inputs, convolution = z?.node;
  if (norm.op !== normalize || norm.attrs.batch || norm.inputs.length !== 4 || reader.get(z) !== norm) return undefined;
  return convolution?.op === pointwise ? { convolution, norm } : undefined;
}

/** Rewrites the graph; `roots` are what it is run for. @returns how many nodes it saved */
export function fuseNorms(graph: Graph, roots: readonly Tensor[]): number {
  const reader = readers(graph, roots), places = new Map<Node, Replacement>(), absorbed = new Set<Node>();
  // A root is known by its tensor, which a rewritten node would not make.
  const kept = (t: Tensor) => roots.includes(t) || t.variable !== undefined;
  const all = new Map(graph.nodes.flatMap((node) => {
    const found = kept(node.outputs[0]) ? undefined : fusible(node, reader);
    return found ? [[node.outputs[0], found] as const] : [];
  }));
  /** Adds a fused convolution; `inputs` are the norm's other ones, and what is added to it. */
  const apply = ({ convolution, norm }: Fusible, inputs: readonly Tensor[]): Tensor => {
    const attrs = { ...convolution.attrs, eps: norm.attrs.eps };
    return graph.apply1(pointwiseNorm, inputs, attrs, norm.label);
  };
  const inputsOf = ({ convolution, norm }: Fusible): Tensor[] => [...convolution.inputs, ...norm.inputs.slice(1)];
  for (const [y, found] of all) {
    absorbed.add(found.convolution);
    places.set(found.norm, (now) => [[y, apply(found, inputsOf(found).map(now))]]);
  }
  for (const node of graph.nodes) {
    const [y] = node.outputs;
    if (node.op !== addN || kept(y)) continue;
    // It takes over those of its terms that nobody else reads.
    const taken = node.inputs.filter((t, i) => all.has(t) && reader.get(t) === node && i === node.inputs.indexOf(t));
    if (taken.length === 0) continue;
    for (const t of taken) {
      absorbed.add(t.node!);
      places.delete(t.node!);
    }
    places.set(node, (now) => {
      const rest = node.inputs.filter((t) => !taken.includes(t)).map(now);
      let total = rest.length > 0 ? sum(graph, rest, node.label) : undefined;
      for (const found of taken.map((t) => all.get(t)!)) {
        total = apply(found, [...inputsOf(found).map(now), ...(total ? [total] : [])]);
      }
      return [[y, total!]];
    });
  }
  return rewrite(graph, places, absorbed);
}

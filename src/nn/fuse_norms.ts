/**
 * A pass for networks that only predict: 1x1 convolutions take over the batch norm behind them, and the sum behind that.
 * Pure clean-up: the values are the same but for rounding.
 * @module
 */
import type { Graph, Node, Tensor } from "../graph/graph.ts";
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
  const old = graph.nodes, reader = readers(graph, roots), replaced = new Map<Tensor, Tensor>();
  const now = (t: Tensor): Tensor => replaced.get(t) ?? t;
  // A root is known by its tensor, which a rewritten node would not make.
  const kept = (t: Tensor) => roots.includes(t) || t.variable !== undefined;
  const all = new Map(old.flatMap((node) => {
    const found = kept(node.outputs[0]) ? undefined : fusible(node, reader);
    return found ? [[node.outputs[0], found] as const] : [];
  }));
  const absorbed = new Set<Node>();
  /** A fused convolution where the graph is now. */
  const apply = ({ convolution, norm }: Fusible, more: Tensor | undefined): Tensor => {
    const [x, w] = convolution.inputs, attrs = { ...convolution.attrs, eps: norm.attrs.eps };
    const inputs = [x, w, ...norm.inputs.slice(1), ...(more ? [more] : [])].map(now);
    return graph.apply1(pointwiseNorm, inputs, attrs, norm.label);
  };
  /** What a sum takes over: those of its terms that nobody else reads. */
  const terms = (node: Node) =>
    kept(node.outputs[0])
      ? []
      : node.inputs.filter((t, i) => all.has(t) && reader.get(t) === node && i === node.inputs.indexOf(t));
  for (const node of old) if (node.op === addN) terms(node).forEach((t) => absorbed.add(all.get(t)!.norm));
  for (const { convolution } of all.values()) absorbed.add(convolution);
  graph.nodes = [];
  for (const node of old) {
    const [y] = node.outputs, alone = all.get(y), taken = node.op === addN ? terms(node) : [];
    if (absorbed.has(node)) continue;
    if (alone) replaced.set(y, apply(alone, undefined));
    else if (taken.length > 0) {
      const rest = node.inputs.filter((t) => !taken.includes(t)).map(now);
      const start = rest.length > 0 ? sum(graph, rest, node.label) : undefined;
      replaced.set(y, taken.reduce((more: Tensor | undefined, t) => apply(all.get(t)!, more), start)!);
    } else {
      node.inputs = node.inputs.map(now);
      graph.nodes.push(node);
    }
  }
  return old.length - graph.nodes.length;
}

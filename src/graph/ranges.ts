/**
 * Which tensors of a program lie in others: the parts of an image that was put together or is taken apart along its
 * channels need no copies where they can be ranges of the whole.
 * @module
 */
import type { Graph, Node, Tensor } from "./graph.ts";
import { storageBytes } from "./tensor_type.ts";
import { BINDING_BYTES } from "./variables.ts";

/** Where a tensor lies in another one. */
export interface Range {
  /** The other one. */
  readonly of: Tensor;
  /** Its first byte there; a multiple of what WebGPU binds at. */
  readonly offset: number;
}

/** Which tensors of a graph lie in others, and where. */
export type Ranges = ReadonlyMap<Tensor, Range>;

/** Whether the ranges leave a node that only copies nothing to do. */
export function inRanges(node: Node, ranges: Ranges): boolean {
  switch (node.op.copies?.(node.attrs)) {
    case "join":
      return node.inputs.every((t) => ranges.get(t)?.of === node.outputs[0]);
    case "cut":
      return node.outputs.every((t) => ranges.get(t)?.of === node.inputs[0]);
    default:
      return false;
  }
}

/** First bytes of tensors that lie behind each other. */
function offsetsOf(parts: readonly Tensor[]): number[] {
  let end = 0;
  return parts.map(({ type }) => (end += storageBytes(type)) - storageBytes(type));
}

/**
 * Ranges for all the parts of every node that only copies, or for none of them. None where a part is kept elsewhere, lies
 * in another tensor already or would begin between two places that WebGPU can bind; where something is overwritten in
 * place that others still read as a part or the whole; and where a node would read a range of the buffer that it writes,
 * which WebGPU refuses.
 * @param kept what the host reads after a run.
 */
export function rangesOf(graph: Graph, kept: readonly Tensor[] = []): Ranges {
  const ranges = new Map<Tensor, Range>(), readers = new Map<Tensor, Node[]>();
  const successor = new Map<Tensor, Tensor>(), origin = new Map<Tensor, Tensor>(); // of what is taken over in place
  const within = new Map<Tensor, Tensor[]>(); // what lies in a tensor or takes over its memory
  const put = (outer: Tensor, inner: Tensor): void => void within.set(outer, [...within.get(outer) ?? [], inner]);
  for (const node of graph.nodes) {
    for (const t of new Set(node.inputs)) readers.set(t, [...readers.get(t) ?? [], node]);
    for (const [o, i] of Object.entries(node.op.inPlace?.(node.inputs.map((t) => t.type), node.attrs) ?? {})) {
      successor.set(node.inputs[i], node.outputs[Number(o)]);
      origin.set(node.outputs[Number(o)], node.inputs[i]);
      put(node.inputs[i], node.outputs[Number(o)]);
    }
  }
  /** The tensor in whose memory `t` lies; tensors of one root share a buffer. */
  const rootOf = (t: Tensor): Tensor => {
    const outer = ranges.get(t)?.of ?? origin.get(t);
    return outer ? rootOf(outer) : t;
  };
  const inPool = (t: Tensor): boolean => t.node !== null && !t.variable && (t = rootOf(t)).node !== null && !t.variable;
  const mayLie = (part: Tensor): boolean => inPool(part) && !ranges.has(part) && !origin.has(part);
  /** Whether no node would read what lies in one buffer with something that it writes, if `roots` were one buffer. */
  const separable = (roots: readonly Tensor[], copy: Node): boolean => {
    const all = roots.slice();
    for (const t of all) all.push(...within.get(t) ?? []);
    const one = new Set(all), makers = new Set(all.map(({ node }) => node!));
    return [...makers].every((node) =>
      node === copy || inRanges(node, ranges) ||
      !node.inputs.some((t) => one.has(t) && !node.outputs.some((output) => origin.get(output) === t))
    );
  };
  const mayCut = (cut: Node, whole: Tensor): boolean => {
    if (!inPool(whole) || successor.has(whole) || !cut.outputs.every(mayLie)) return false;
    // A part may be taken over where nobody else reads the whole, or what it lies in or what lies in it.
    const alone = readers.get(whole)!.length === 1 && !kept.includes(whole) && !ranges.has(whole) && !within.has(whole);
    return (alone || !cut.outputs.some((part) => successor.has(part))) &&
      separable([rootOf(whole), ...cut.outputs], cut);
  };
  const mayJoin = (join: Node, whole: Tensor): boolean => {
    const parts = join.inputs;
    return new Set(parts).size === parts.length && !successor.has(whole) &&
      parts.every((part) => mayLie(part) && !successor.has(part)) && separable(parts, join);
  };
  for (const node of graph.nodes) {
    const kind = node.op.copies?.(node.attrs);
    if (!kind) continue;
    const [parts, whole] = kind === "join" ? [node.inputs, node.outputs[0]] : [node.outputs, node.inputs[0]];
    const offsets = offsetsOf(parts);
    if (offsets.some((offset) => offset % BINDING_BYTES !== 0)) continue;
    if (kind === "join" ? mayJoin(node, whole) : mayCut(node, whole)) {
      parts.forEach((part, i) => {
        ranges.set(part, { of: whole, offset: offsets[i] });
        put(whole, part);
      });
    }
  }
  return ranges;
}

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

/**
 * Ranges for all the parts of every node that only copies, or for none of them: none where a part is kept elsewhere,
 * is taken over in place, lies in another tensor already, would begin between two places that WebGPU can bind, or is
 * made by a node that reads the same whole (WebGPU refuses a buffer that a dispatch both reads and writes).
 */
export function rangesOf(graph: Graph): Ranges {
  const ranges = new Map<Tensor, Range>(), fixed = new Set<Tensor>();
  for (const node of graph.nodes) {
    const inPlace = Object.entries(node.op.inPlace?.(node.inputs.map((t) => t.type), node.attrs) ?? {});
    for (const [output, input] of inPlace) fixed.add(node.outputs[Number(output)]).add(node.inputs[input]);
  }
  const wholeOf = (t: Tensor): Tensor => {
    const range = ranges.get(t);
    return range ? wholeOf(range.of) : t;
  };
  const inPool = (t: Tensor): boolean => t.node !== null && !t.variable && !fixed.has(t);
  for (const node of graph.nodes) {
    const kind = node.op.copies?.(node.attrs);
    if (!kind) continue;
    const [parts, whole] = kind === "join" ? [node.inputs, node.outputs[0]] : [node.outputs, node.inputs[0]];
    if (!inPool(whole) || new Set(parts).size < parts.length) continue;
    const offsets: number[] = [];
    let end = 0;
    for (const part of parts) {
      offsets.push(end);
      end += storageBytes(part.type);
    }
    const made = kind === "join" ? parts : [];
    const possible = parts.every((t, i) => inPool(t) && !ranges.has(t) && offsets[i] % BINDING_BYTES === 0) &&
      made.every(({ node }) => {
        const others = made.map(wholeOf);
        return !node!.inputs.some((t) => others.includes(wholeOf(t)));
      });
    if (possible) parts.forEach((part, i) => ranges.set(part, { of: whole, offset: offsets[i] }));
  }
  return ranges;
}

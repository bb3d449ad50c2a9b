/**
 * Which nodes of planned programs are worth timing by themselves: of each kind of operation the shape that costs most.
 * @module
 */
import type { PlannedNode } from "../graph/plan.ts";

/** Milliseconds that a node may take, a guess that chooses shapes and numbers of runs. */
export function guessMilliseconds({ macs, traffic, dispatches }: PlannedNode, software: boolean): number {
  const [flops, bytes] = software ? [1e7, 5e6] : [1e9, 1e8]; // a millisecond
  return Math.max(2 * macs / flops, traffic / bytes, 0.04 * dispatches.length);
}

/** The attributes that change what a kernel does, not just its sizes. */
export const settingsOf = (attrs: unknown): string =>
  Object.entries(attrs ?? {}).flatMap(([key, value]) => {
    if (key === "stride" || key === "dilation") return [`${key} ${value}`];
    return value === true ? [key] : typeof value === "string" ? [value] : [];
  }).join(", ");

/** Nodes with one title. */
export interface Shape {
  /** The first of them. */
  readonly node: PlannedNode;
  /** Milliseconds that they may take together. */
  readonly total: number;
}

/** Nodes that run something, by title, the costliest first. */
export function shapesOf(
  nodes: readonly PlannedNode[],
  title: (node: PlannedNode) => string,
  software: boolean,
): Shape[] {
  return [...Map.groupBy(nodes.filter(({ dispatches }) => dispatches.length > 0), title).values()]
    .map((same): Shape => ({ node: same[0], total: same.length * guessMilliseconds(same[0], software) }))
    .sort((a, b) => b.total - a.total);
}

/** Of each operation with certain settings the costliest shape, the costliest first. */
export function costliest(shapes: readonly Shape[]): Shape[] {
  const kinds = Map.groupBy(shapes, ({ node: { node } }) => `${node.op.name} ${settingsOf(node.attrs)}`);
  return [...kinds.values()].map(([first]) => first);
}

/**
 * A planned program, node by node: where it comes from, what runs, shapes, bytes and multiply-accumulates; and
 * what memory a plan takes.
 * @module
 */
import type { Place, Plan, PlannedNode } from "../graph/plan.ts";
import type { Gpu } from "../gpu/device.ts";
import { typeText } from "../graph/tensor_type.ts";
import { hostBytes, type Planned } from "../run/memory.ts";
import { count, magnitude, mebibytes, table } from "./terminal.ts";

/** What a plan takes; where the CPU does the work also with what the process takes besides, which is one memory. */
export function memoryText(planned: Planned, { software }: Pick<Gpu, "software">): string {
  const { bytes } = planned,
    whole = software ? `, about ${mebibytes(bytes + hostBytes(planned))} with the process` : "";
  return mebibytes(bytes) + whole;
}

/** Names of the kernels of a node, each with how often it runs. */
function kernels({ dispatches }: PlannedNode): string {
  const times = new Map<string, number>();
  for (const { kernel } of dispatches) times.set(kernel.name, (times.get(kernel.name) ?? 0) + 1);
  return [...times].map(([name, n]) => n === 1 ? name : `${name} x${n}`).join(", ") || "-";
}

function where(place: Place): string {
  if (place.kind === "pool") return `#${place.buffer}`;
  return place.kind === "arena" ? place.arena.name : place.name;
}

/** Types and places of the outputs; a type that repeats is said once. */
function outputs({ node, outputs: places }: PlannedNode): string {
  return node.outputs.map((t, i) => {
    const type = typeText(t.type), same = i > 0 && type === typeText(node.outputs[i - 1].type);
    return same ? where(places[i]) : `${type} ${where(places[i])}`;
  }).join(", ");
}

/** The nodes of a plan as a table; `#7` is a buffer of the pool, a word the variables that a tensor lies in. */
export function planLines(plan: Plan): string[] {
  const rows = plan.nodes.map((planned) => [
    planned.node.label,
    planned.node.op.name,
    kernels(planned),
    outputs(planned),
    mebibytes(planned.traffic),
    magnitude(planned.macs),
  ]);
  return [
    `Program ${plan.name}: ${count(plan.nodes.length)} nodes, ${count(plan.dispatches)} dispatches`,
    ...table(["node", "operation", "kernels", "outputs (#n: buffer)", "traffic", "MACs"], rows),
  ];
}

/** The same for machines. */
export function planRecord(plan: Plan): Record<string, unknown>[] {
  return plan.nodes.map((planned) => ({
    label: planned.node.label,
    op: planned.node.op.name,
    kernels: planned.dispatches.map(({ kernel, workgroups }) => ({ shader: kernel.name, workgroups })),
    inputs: planned.node.inputs.map((t) => typeText(t.type)),
    outputs: planned.node.outputs.map((t, i) => ({ type: typeText(t.type), place: where(planned.outputs[i]) })),
    traffic: planned.traffic,
    macs: planned.macs,
  }));
}

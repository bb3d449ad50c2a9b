/**
 * Plans a program without a device: chooses kernels, lets tensors share a pool of whole buffers by liveness
 * (WebGPU refuses one buffer bound for reading and writing in one dispatch, so one arena will not do; `ranges.ts` says
 * which tensors lie in others) and says what everything costs.
 * @module
 */
import type { GpuLimits } from "../gpu/device.ts";
import { FailureError } from "../base/errors.ts";
import type { Graph, Node, Tensor } from "./graph.ts";
import type { Dispatch, KernelContext, KernelPlan, KernelVariant, OpSpec } from "./op.ts";
import { inRanges, rangesOf } from "./ranges.ts";
import { storageBytes, typeText } from "./tensor_type.ts";
import type { Arena } from "./variables.ts";

/**
 * Chooses among the variants of a kernel.
 * @param key the operation, its attributes and the types of its inputs
 * @param variants names, the one that is taken without a choice first
 * @returns one of the names
 */
export type ChooseVariant = (key: string, variants: readonly string[]) => string;

/** What programs are planned for: an adapter, and which variants of kernels are wanted. */
export interface PlanTarget extends GpuLimits {
  /** Chooses among the variants of kernels; left out: the first ones, which suit the kind of adapter. */
  readonly choose?: ChooseVariant;
}

/** Where a tensor or scratch buffer lives. */
export type Place =
  | {
    readonly kind: "pool";
    readonly buffer: number;
    readonly offset: number;
    readonly bytes: number;
  }
  | {
    readonly kind: "arena";
    readonly arena: Arena;
    readonly offset: number;
    readonly bytes: number;
  }
  | { readonly kind: "input"; readonly name: string; readonly bytes: number };

/** A node with its kernels and the places of its buffers. */
export interface PlannedNode {
  /** The node. */
  readonly node: Node;
  /** Its kernels, in order. */
  readonly dispatches: readonly Dispatch[];
  /** Places of its inputs. */
  readonly inputs: readonly Place[];
  /** Places of its outputs. */
  readonly outputs: readonly Place[];
  /** Places of its scratch buffers. */
  readonly scratch: readonly Place[];
  /** Multiply-accumulates. */
  readonly macs: number;
  /** Bytes that its dispatches read and write, each bound range counted once per dispatch. */
  readonly traffic: number;
}

/** A planned program. */
export interface Plan {
  /** Name of the program. */
  readonly name: string;
  /** Nodes in execution order. */
  readonly nodes: readonly PlannedNode[];
  /** Bytes of the host-written inputs by name. */
  readonly inputs: ReadonlyMap<string, number>;
  /** Arenas that it touches. */
  readonly arenas: ReadonlySet<Arena>;
  /** Places of the tensors that the host reads after a run, by name. */
  readonly results: ReadonlyMap<string, Place>;
  /** Dispatches of one run. */
  readonly dispatches: number;
  /** Multiply-accumulates of one run. */
  readonly macs: number;
  /** Bytes that the dispatches read and write, each bound range counted once per dispatch. */
  readonly traffic: number;
}

/**
 * Buffers shared by programs that never run at the same time, which are all programs of one runtime.
 * A buffer's size is final when the last program has been planned.
 */
export class Pool {
  /** Sizes in bytes. */
  readonly sizes: number[] = [];
  #free: number[] = [];

  /** With `reuse` false every tensor gets a buffer of its own (tests look for overruns that way). */
  constructor(readonly reuse = true) {}

  /** All bytes of the pool. */
  get bytes(): number {
    return this.sizes.reduce((a, b) => a + b, 0);
  }

  /** Everything is free again: the next program starts. */
  reset(): void {
    this.#free = this.reuse ? this.sizes.map((_, i) => i) : [];
  }

  /**
   * Takes the smallest free buffer that fits, else enlarges the largest free one, else makes one. Among equals it is the
   * one that was given back last: so a program touches few buffers of the pool, and a device backs only those.
   */
  take(bytes: number): number {
    let best = -1;
    for (const i of this.#free) {
      if (best < 0) best = i;
      else {
        const a = this.sizes[i], b = this.sizes[best];
        if (a >= bytes ? (b < bytes || a <= b) : (b < bytes && a >= b)) best = i;
      }
    }
    if (best < 0) return this.sizes.push(bytes) - 1;
    this.#free.splice(this.#free.indexOf(best), 1);
    this.sizes[best] = Math.max(this.sizes[best], bytes);
    return best;
  }

  /** Gives a buffer back. */
  give(buffer: number): void {
    if (this.reuse) this.#free.push(buffer);
  }
}

/**
 * Ways to run an operation, that without a tuning first; none if there is one way only. Variants that small sizes make
 * equal to one before them are left out.
 */
export function variantsOf(op: OpSpec, context: KernelContext): readonly KernelVariant[] {
  const kernels = op.kernels(context), seen = new Set<string>();
  if ("dispatches" in kernels) return [];
  return kernels.filter((variant) => {
    const text = JSON.stringify(variant.plan().dispatches.map(({ kernel, ...rest }) => [kernel.name, rest]));
    return !seen.has(text) && seen.add(text);
  });
}

/** What the variants of an operation are chosen by: its name, attributes and inputs. */
export function kernelKey(op: OpSpec, { inputs, attrs }: KernelContext): string {
  return `${op.name} ${JSON.stringify(attrs)} ${inputs.map(typeText).join(", ")}`;
}

function chosen(op: OpSpec, context: KernelContext, choose: ChooseVariant | undefined): KernelPlan {
  const kernels = op.kernels(context);
  if ("dispatches" in kernels) return kernels;
  const variants = choose ? variantsOf(op, context) : kernels;
  const name = variants.length > 1 && choose?.(kernelKey(op, context), variants.map((v) => v.name));
  return (variants.find((v) => v.name === name) ?? variants[0]).plan();
}

const MIN_BYTES = 16;

const total = <T>(items: readonly T[], of: (item: T) => number): number => items.reduce((sum, x) => sum + of(x), 0);

/**
 * Plans one program on a pool.
 * @param results tensors that the host reads after a run, by name.
 * @throws {FailureError} when a tensor is larger than the adapter can bind.
 */
export function planProgram(
  name: string,
  graph: Graph,
  results: Readonly<Record<string, Tensor>>,
  limits: PlanTarget,
  pool: Pool,
): Plan {
  pool.reset();
  const lastUse = new Map<Tensor, number>();
  graph.nodes.forEach((node, i) => node.inputs.forEach((t) => lastUse.set(t, i)));
  Object.values(results).forEach((t) => lastUse.set(t, Infinity));
  const places = new Map<Tensor, Place>(),
    inputs = new Map<string, number>(),
    arenas = new Set<Arena>(),
    ranges = rangesOf(graph, Object.values(results));
  const place = (t: Tensor): Place => {
    let at = places.get(t);
    if (at) return at;
    const bytes = Math.max(MIN_BYTES, storageBytes(t.type));
    if (
      bytes > limits.maxStorageBufferBindingSize || bytes > limits.maxBufferSize
    ) {
      const limit = Math.min(
        limits.maxStorageBufferBindingSize,
        limits.maxBufferSize,
      );
      throw new FailureError(
        `Cannot plan ${name}: tensor '${t.node?.label ?? t.variable?.name ?? t.inputName}' of ` +
          `${(bytes / 2 ** 20).toFixed(0)} MiB must be at most the adapter's ${(limit / 2 ** 20).toFixed(0)} MiB`,
        {
          value: bytes,
          limit,
          remedies: [{ kind: "lower", options: ["batch-size", "init-channels"] }, "take smaller images"],
        },
      );
    }
    if (t.variable) {
      arenas.add(t.variable.arena);
      at = {
        kind: "arena",
        arena: t.variable.arena,
        offset: t.variable.offset * 4,
        bytes,
      };
    } else if (t.inputName !== undefined) {
      inputs.set(t.inputName, bytes);
      at = { kind: "input", name: t.inputName, bytes };
    } else {
      const range = ranges.get(t), whole = range && place(range.of);
      at = whole?.kind === "pool"
        ? { ...whole, offset: whole.offset + range!.offset, bytes }
        : { kind: "pool", buffer: pool.take(bytes), offset: 0, bytes };
    }
    places.set(t, at);
    return at;
  };
  graph.inputs.forEach(place); // also those that nothing reads: the host writes them all the same
  const uses = new Map<number, number>(); // tensors that still hold a pool buffer (in-place chains and ranges share one)
  const hold = (p: Place) => p.kind === "pool" && uses.set(p.buffer, (uses.get(p.buffer) ?? 0) + 1);
  const release = (p: Place) => {
    if (p.kind !== "pool") return;
    const left = uses.get(p.buffer)! - 1;
    uses.set(p.buffer, left);
    if (left === 0) pool.give(p.buffer);
  };
  const nodes = graph.nodes.map((node, i): PlannedNode => {
    const inputTypes = node.inputs.map((t) => t.type),
      outputTypes = node.outputs.map((t) => t.type);
    const inPlace = node.op.inPlace?.(inputTypes, node.attrs) ?? {};
    const context = {
      inputs: inputTypes,
      outputs: outputTypes,
      attrs: node.attrs,
      limits,
    };
    const kernels = inRanges(node, ranges) ? { dispatches: [] } : chosen(node.op, context, limits.choose);
    const inputPlaces = node.inputs.map(place);
    const outputPlaces = node.outputs.map((t, o) => {
      if (inPlace[o] !== undefined) places.set(t, inputPlaces[inPlace[o]]);
      const at = place(t);
      hold(at);
      return at;
    });
    const scratchPlaces = (kernels.scratch ?? []).map((length): Place => {
      const bytes = Math.max(MIN_BYTES, length * 4);
      return { kind: "pool", buffer: pool.take(bytes), offset: 0, bytes };
    });
    for (const at of scratchPlaces) {
      if (at.kind === "pool") pool.give(at.buffer);
    }
    for (const t of new Set(node.inputs)) {
      if (lastUse.get(t) === i && t.node) release(places.get(t)!);
    }
    for (const t of node.outputs) if (!lastUse.has(t)) release(places.get(t)!);
    const sides = {
      input: inputPlaces,
      output: outputPlaces,
      scratch: scratchPlaces,
    };
    return {
      node,
      dispatches: kernels.dispatches,
      inputs: inputPlaces,
      outputs: outputPlaces,
      scratch: scratchPlaces,
      macs: node.op.macs?.(inputTypes, outputTypes, node.attrs) ?? 0,
      traffic: total(kernels.dispatches.flatMap((d) => d.bindings), (b) => sides[b.from][b.index].bytes),
    };
  });
  const resultPlaces = new Map(
    Object.entries(results).map(([key, t]) => [key, place(t)]),
  );
  return {
    name,
    nodes,
    inputs,
    arenas,
    results: resultPlaces,
    dispatches: total(nodes, (n) => n.dispatches.length),
    macs: total(nodes, (n) => n.macs),
    traffic: total(nodes, (n) => n.traffic),
  };
}

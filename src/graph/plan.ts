/**
 * Plans a program without a device: chooses kernels, lets tensors share a pool of whole buffers by liveness
 * (WebGPU refuses one buffer bound for reading and writing in one dispatch, so one arena will not do; `ranges.ts` says
 * which tensors lie in others) and says what everything costs.
 * @module
 */
import { type GpuLimits, MOST_WORKGROUPS } from "../gpu/device.ts";
import { FailureError } from "../base/errors.ts";
import type { Graph, Node, Tensor } from "./graph.ts";
import type { Dispatch, KernelContext, KernelPlan, KernelVariant, OpSpec } from "./op.ts";
import { inRanges, type Ranges, rangesOf } from "./ranges.ts";
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

/** Most bytes that a dispatch can bind at once. */
const bindable = ({ maxStorageBufferBindingSize: range, maxBufferSize: whole }: GpuLimits): number =>
  Math.min(range, whole);

/** What of a dispatch exceeds what the adapter allows, in words; undefined where nothing does. */
function excess({ workgroups, bindings }: Dispatch, limits: GpuLimits): string | undefined {
  if (bindable(limits) === Number.MAX_SAFE_INTEGER) return undefined; // a plan of the work, for no adapter
  const groups = Math.max(...workgroups), range = Math.max(0, ...bindings.map(({ uniform = 0 }) => uniform));
  if (groups > MOST_WORKGROUPS) return `${groups} workgroups side by side: WebGPU allows ${MOST_WORKGROUPS}`;
  const most = limits.maxUniformBufferBindingSize;
  return range > most ? `a uniform range of ${range} bytes: the adapter allows ${most}` : undefined;
}

/** Whether the adapter can bind what kernels keep between their dispatches, and run these. */
const fits = ({ scratch = [], dispatches }: KernelPlan, limits: GpuLimits): boolean =>
  scratch.every((length) => length * 4 <= bindable(limits)) && dispatches.every((each) => !excess(each, limits));

/**
 * Ways to run an operation, that without a tuning first; none if there is one way only. Variants that small sizes make
 * equal to one before them are left out, and those whose scratch buffers are larger than the adapter can bind.
 */
export function variantsOf(op: OpSpec, context: KernelContext): readonly KernelVariant[] {
  const kernels = op.kernels(context), seen = new Set<string>();
  if ("dispatches" in kernels) return [];
  return kernels.filter((variant) => {
    const plan = variant.plan();
    const text = JSON.stringify(plan.dispatches.map(({ kernel, ...rest }) => [kernel.name, rest]));
    return fits(plan, context.limits) && !seen.has(text) && seen.add(text);
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
  const wanted = variants.find((v) => v.name === name);
  if (wanted) return wanted.plan();
  for (const variant of kernels) {
    const plan = variant.plan();
    if (fits(plan, context.limits)) return plan;
  }
  return kernels[0].plan(); // which is refused
}

const MIN_BYTES = 16;

const total = <T>(items: readonly T[], of: (item: T) => number): number => items.reduce((sum, x) => sum + of(x), 0);

/** Where the tensors of one program lie, and which buffers of the pool are still needed. */
class Places {
  /** Bytes of the inputs by name. */
  readonly inputs = new Map<string, number>();
  /** Arenas of the variables. */
  readonly arenas = new Set<Arena>();
  readonly #places = new Map<Tensor, Place>();
  readonly #lastUse = new Map<Tensor, number>();
  /** Tensors that still hold a pool buffer; in-place chains and ranges share one. */
  readonly #uses = new Map<number, number>();

  constructor(
    readonly program: string,
    graph: Graph,
    kept: readonly Tensor[],
    readonly ranges: Ranges,
    readonly limits: GpuLimits,
    readonly pool: Pool,
  ) {
    graph.nodes.forEach((node, i) => node.inputs.forEach((t) => this.#lastUse.set(t, i)));
    kept.forEach((t) => this.#lastUse.set(t, Infinity));
    graph.inputs.forEach((t) => this.of(t)); // also those that nothing reads: the host writes them all the same
  }

  /** Where a tensor lies. @throws {FailureError} when it is larger than the adapter can bind */
  of(t: Tensor): Place {
    const known = this.#places.get(t);
    if (known) return known;
    const at = this.#choose(t, this.#bytesOf(t));
    this.#places.set(t, at);
    return at;
  }

  #bytesOf(t: Tensor): number {
    const label = t.node?.label ?? t.variable?.name ?? t.inputName;
    return this.#bindable(Math.max(MIN_BYTES, storageBytes(t.type)), `tensor '${label}'`);
  }

  /** `bytes`, which a dispatch must be able to bind. */
  #bindable(bytes: number, what: string): number {
    const limit = bindable(this.limits);
    if (bytes <= limit) return bytes;
    throw new FailureError(
      `Cannot plan ${this.program}: ${what} of ` +
        `${(bytes / 2 ** 20).toFixed(0)} MiB must be at most the adapter's ${(limit / 2 ** 20).toFixed(0)} MiB`,
      {
        value: bytes,
        limit,
        remedies: [{ kind: "lower", options: ["batch-size", "init-channels"] }, "take smaller images"],
      },
    );
  }

  #choose(t: Tensor, bytes: number): Place {
    if (t.variable) {
      const { arena, offset } = t.variable;
      this.arenas.add(arena);
      return { kind: "arena", arena, offset: offset * 4, bytes };
    }
    if (t.inputName !== undefined) {
      this.inputs.set(t.inputName, bytes);
      return { kind: "input", name: t.inputName, bytes };
    }
    const range = this.ranges.get(t), whole = range && this.of(range.of);
    return whole?.kind === "pool"
      ? { ...whole, offset: whole.offset + range!.offset, bytes }
      : { kind: "pool", buffer: this.pool.take(bytes), offset: 0, bytes };
  }

  /** Places of the operands of node `i`; what nobody needs after it is free then. */
  ofNode(
    node: Node,
    i: number,
    inPlace: Readonly<Record<number, number>>,
    scratchLengths: readonly number[],
  ): Operands {
    const input = node.inputs.map((t) => this.of(t));
    const output = node.outputs.map((t, o) => {
      if (inPlace[o] !== undefined) this.#places.set(t, input[inPlace[o]]);
      const at = this.of(t);
      if (at.kind === "pool") this.#uses.set(at.buffer, (this.#uses.get(at.buffer) ?? 0) + 1);
      return at;
    });
    const scratch = scratchLengths.map((length) => {
      const bytes = this.#bindable(Math.max(MIN_BYTES, length * 4), `a buffer for sums of '${node.label}'`);
      return { kind: "pool" as const, buffer: this.pool.take(bytes), offset: 0, bytes };
    });
    scratch.forEach(({ buffer }) => this.pool.give(buffer));
    for (const t of new Set(node.inputs)) if (this.#lastUse.get(t) === i && t.node) this.#release(t);
    for (const t of node.outputs) if (!this.#lastUse.has(t)) this.#release(t);
    return { input, output, scratch };
  }

  #release(t: Tensor): void {
    const at = this.of(t);
    if (at.kind !== "pool") return;
    const left = this.#uses.get(at.buffer)! - 1;
    this.#uses.set(at.buffer, left);
    if (left === 0) this.pool.give(at.buffer);
  }
}

/** Places of what a node binds. */
type Operands = Readonly<Record<"input" | "output" | "scratch", readonly Place[]>>;

/**
 * Plans one program on a pool.
 * @param results tensors that the host reads after a run, by name.
 * @throws {FailureError} when a tensor, or what every kernel for it keeps, is larger than the adapter can bind.
 */
export function planProgram(
  name: string,
  graph: Graph,
  results: Readonly<Record<string, Tensor>>,
  limits: PlanTarget,
  pool: Pool,
): Plan {
  pool.reset();
  const kept = Object.values(results), ranges = rangesOf(graph, kept);
  const places = new Places(name, graph, kept, ranges, limits, pool);
  const nodes = graph.nodes.map((node, i): PlannedNode => {
    const inputs = node.inputs.map((t) => t.type), outputs = node.outputs.map((t) => t.type), { op, attrs } = node;
    const kernels = inRanges(node, ranges)
      ? { dispatches: [] }
      : chosen(op, { inputs, outputs, attrs, limits }, limits.choose);
    for (const dispatch of kernels.dispatches) {
      const what = excess(dispatch, limits);
      if (what) {
        throw new FailureError(`Cannot plan ${name}: '${node.label}' would need ${what}`, {
          remedies: [{ kind: "lower", options: ["init-channels", "batch-size"] }, "take smaller images"],
        });
      }
    }
    const at = places.ofNode(node, i, op.inPlace?.(inputs, attrs) ?? {}, kernels.scratch ?? []);
    return {
      node,
      dispatches: kernels.dispatches,
      inputs: at.input,
      outputs: at.output,
      scratch: at.scratch,
      macs: op.macs?.(inputs, outputs, attrs) ?? 0,
      traffic: total(kernels.dispatches.flatMap((d) => d.bindings), (b) => at[b.from][b.index].bytes),
    };
  });
  return {
    name,
    nodes,
    inputs: places.inputs,
    arenas: places.arenas,
    results: new Map(Object.entries(results).map(([key, t]) => [key, places.of(t)])),
    dispatches: total(nodes, (n) => n.dispatches.length),
    macs: total(nodes, (n) => n.macs),
    traffic: total(nodes, (n) => n.traffic),
  };
}
